"""The life of the Realtime session: connect, configure, use, change, rotate, close, try again.

Pure. The phases, and what moves them:

    DOWN -> CONNECTING -> CONFIGURING -> READY -> DOWN
     (wanted)   (session.created)  (session.updated)

Rule 1: nothing is sent before session.created, no sound before session.updated (C4, C20).
Rule 2: sound that comes earlier waits in the backlog, whole and in order; what waited longer than
PATIENCE_S is thrown away, because an order carried out late is worse than none.
Rule 3: every phase but READY ends by its deadline; READY ends when nobody has spoken for a while,
and before the server ends it: satellite/logic/rotation.py.
Rule 4: the count of failures is forgotten only when a session was READY for a while (C9).
Rule 5: a failure that only a person can mend is retried slowly, never quickly (C7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from satellite.logic import change
from satellite.logic.backoff import Backoff
from satellite.logic.change import Settled
from satellite.logic.refusal import HARMLESS, Again, Refusal, classify, mismatch
from satellite.logic.rotation import Lifetime, lifetime
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import Instant
from satellite.model.session import Session

PATIENCE_S: Final = 10.0  # sound older than this is not answered any more
SLOW_RETRY_S: Final = 900.0  # realtime-protocol 10.2: retry a fatal refusal every 15 minutes
STABLE_S: Final = 60.0  # reliability F10: only then is the link known to work
GRACE_S: Final = 2.0  # the adapter bounds the connection itself; this bounds the adapter
MOST_ERRORS: Final = 5  # realtime-protocol 10.1: so many unknown errors in ERRORS_S
ERRORS_S: Final = 60.0
DEFAULT_BACKOFF: Final = Backoff()


class Phase(Enum):
    DOWN = auto()
    CONNECTING = auto()
    CONFIGURING = auto()
    READY = auto()


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Seconds; ``uniform(a, b)`` draws from [a, b]. ``place`` names the server for a person.

    ``compare(session, effective)`` says in sentences what the server did not take.
    """

    connect_timeout_s: float
    idle_close_s: float
    uniform: Callable[[float, float], float]
    session: Session = field(default_factory=Session)
    compare: Callable[[Session, object], tuple[str, ...]] = lambda _session, _effective: ()
    backoff: Backoff = DEFAULT_BACKOFF
    place: str = "the server"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Sound that waits for a session: of which utterance, since when; ``ends`` it with a commit."""

    utterance: int
    sound: cmd.AppendAudio
    at: float
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """One session at a time; ``number`` counts connections, so that old events are known."""

    phase: Phase = Phase.DOWN
    number: int = 0
    failures: int = 0
    ready_at: float = 0.0  # when it last became READY
    deadline: float | None = None
    held_until: float = 0.0  # READY, it is not closed for idleness before
    life: Lifetime | None = None  # of this session
    refusal: Refusal | None = None  # why there is no session; None once READY
    error: ev.ServerError | None = None  # the last one of a session that is not READY
    errors_at: tuple[float, ...] = ()  # of errors that nobody knows, in a session that is READY
    settled: Settled = field(default_factory=Settled)
    rested: bool = False  # closed because nobody spoke: the conversation is over
    backlog: tuple[Waiting, ...] = ()

    @property
    def due(self) -> float | None:
        """When a Tick has something to do."""
        ready = self.phase is Phase.READY and self.deadline is not None
        return max(self.deadline or 0.0, self.held_until) if ready else self.deadline

    def __repr__(self) -> str:
        return f"Link({self.phase.name}, {self.number}, failures={self.failures})"


Step = tuple[Link, tuple[cmd.Command, ...]]


def want(link: Link, now: float, settings: LinkSettings) -> Step:
    """Somebody needs a session: connect unless one is there, on its way, or due later."""
    if link.phase is not Phase.DOWN or (link.deadline is not None and now < link.deadline):
        return link, ()
    after = replace(
        link,
        phase=Phase.CONNECTING,
        number=link.number + 1,
        deadline=now + settings.connect_timeout_s + GRACE_S,
        life=None,
        error=None,
        errors_at=(),
        rested=False,
    )
    return after, (cmd.Connect(after.number),)


def hear(link: Link, utterance: int, sound: cmd.AppendAudio, now: float) -> Step:
    """Send sound of an utterance, or keep it until there is a session."""
    if link.phase is Phase.READY:
        return link, (sound,)
    return replace(link, backlog=(*link.backlog, Waiting(utterance, sound, now))), ()


def end_utterance(link: Link, utterance: int, order: cmd.Command) -> Step:
    """Commit what was heard of an utterance, or clear it; or note to do so once it was sent."""
    if link.phase is Phase.READY:
        return link, (order,)
    if isinstance(order, cmd.ClearInput):
        return drop_utterance(link, utterance), ()
    if not link.backlog or link.backlog[-1].utterance != utterance:
        return link, ()  # it was given up
    *before, last = link.backlog
    return replace(link, backlog=(*before, replace(last, ends=True))), ()


def drop_utterance(link: Link, utterance: int) -> Link:
    """Forget what waits of one utterance."""
    return replace(link, backlog=tuple(w for w in link.backlog if w.utterance != utterance))


def holds_speech(link: Link, utterance: int) -> bool:
    """True where what waits of one utterance is more than silence."""
    return any(w.sound.speech_ms for w in link.backlog if w.utterance == utterance)


def stale_utterance(link: Link, now: float) -> int | None:
    """The oldest utterance that waits, where it can no longer be answered."""
    if not link.backlog:
        return None
    oldest = link.backlog[0]
    fatal = link.refusal is not None and link.refusal.again is Again.SLOWLY
    stale = now - oldest.at > PATIENCE_S or (link.phase is Phase.DOWN and fatal)
    return oldest.utterance if stale else None


def step(
    link: Link,
    event: ev.Event,
    now: Instant,
    settings: LinkSettings,
    history: tuple[cmd.AddText, ...] = (),
) -> Step:
    """Move by one fact about the connection, which is of this one; others are ignored.

    ``history`` is told to a session that begins.
    """
    match event:
        case ev.FromServer(_, ev.ServerError() as error):
            told = change.discreet(link.settled, error)
            return _on_server(link, told, now, settings, history)
        case ev.FromServer(_, said):
            return _on_server(link, said, now, settings, history)
        case ev.LinkDown() if link.phase is not Phase.DOWN:
            return _on_down(link, event, now.mono, settings), ()
        case ev.ChangeRequested(session):
            return _on_wish(link, session, now.mono)
        case ev.Tick() if _is_change_overdue(link, now.mono, settings):
            why = "the server never confirmed a change of settings"
            return restart(link, now.mono, settings, why)
        case ev.Tick() if link.due is not None and now.mono >= link.due:
            return _on_deadline(link, now.mono, settings)
        case _:
            return link, ()


def _on_wish(link: Link, session: Session, now: float) -> Step:
    """A person acts: change it, or try again at once what was refused until somebody does (C7).

    The kind of session is settled by the address, and stays.
    """
    session = replace(session, kind=link.settled.wanted.kind)
    if link.refusal is not None and link.refusal.again is Again.SLOWLY:
        link = replace(link, deadline=now if link.phase is Phase.DOWN else link.deadline)
    return _change(replace(link.settled, wanted=session, complaint=None), link, now)


def _is_change_overdue(link: Link, now: float, settings: LinkSettings) -> bool:
    patience_s = settings.connect_timeout_s
    return link.phase is Phase.READY and change.is_overdue(link.settled, now, patience_s)


def _change(settled: Settled, link: Link, now: float) -> Step:
    """Take over what is settled, and ask for what is still to change."""
    orders: tuple[cmd.Command, ...] = ()
    if link.phase is Phase.READY:
        settled, orders = change.ask(settled, link.number, now)
    return replace(link, settled=settled), orders


def restart(link: Link, now: float, settings: LinkSettings, why: str) -> Step:
    """Drop a session that does not do its part, and connect again."""
    if link.phase is Phase.DOWN:
        return link, ()
    fix = "nothing to do unless it lasts; the satellite goes on trying"
    return _give_up(link, Refusal("realtime_silent", why, fix, Again.BACKOFF), now, settings)


def rotate(link: Link, now: float, settings: LinkSettings) -> Step:
    """Change to a new session while the old one still works: no failure."""
    old = cmd.Disconnect(link.number)
    link, orders = want(replace(link, phase=Phase.DOWN, deadline=None), now, settings)
    return link, (old, *orders)


def rest(link: Link) -> Step:
    """Nobody speaks: no session until somebody does, and the conversation is over."""
    link, orders = leave(link)
    return replace(link, rested=True), orders


def leave(link: Link) -> Step:
    """No session until somebody speaks; the conversation goes on in that one."""
    return replace(link, phase=Phase.DOWN, deadline=None), (cmd.Disconnect(link.number),)


def _on_server(
    link: Link,
    said: ev.ServerEvent,
    now: Instant,
    settings: LinkSettings,
    history: tuple[cmd.AddText, ...],
) -> Step:
    match said:
        case ev.SessionCreated() if link.phase is Phase.CONNECTING:
            return _on_created(link, said, now, settings)
        case ev.SessionUpdated() if link.phase is Phase.CONFIGURING:
            return _on_ready(link, said, now.mono, settings, history)
        case ev.SessionUpdated() if link.settled.asked is not None:
            settled = change.confirmed(link.settled, said.effective, settings.compare)
            return _change(settled, link, now.mono)
        case ev.ServerError() if _is_about_settings(link, said):
            return _on_refused_settings(link, said, now.mono, settings)
        case ev.ServerError() if link.phase is not Phase.READY:
            return replace(link, error=said), ()
        case ev.ServerError() if (said.code or said.kind) not in HARMLESS:
            return _on_unknown_error(link, said, now.mono, settings)
        case ev.AudioDelta() if not link.settled.spoke:
            return replace(link, settled=replace(link.settled, spoke=True)), ()
        case _:
            return link, ()


def _on_created(
    link: Link, created: ev.SessionCreated, now: Instant, settings: LinkSettings
) -> Step:
    wanted = link.settled.wanted
    if created.type not in {wanted.kind, ""}:
        return _give_up(link, mismatch(created.type, wanted.kind), now.mono, settings)
    settled = change.begin(link.settled, link.number)
    after = replace(
        link,
        phase=Phase.CONFIGURING,
        deadline=now.mono + settings.connect_timeout_s,
        life=lifetime(created.expires_at, now),
        settled=settled,
        error=None,
    )
    return after, (cmd.Configure(settled.name, settled.wanted),)


def _on_ready(
    link: Link,
    updated: ev.SessionUpdated,
    now: float,
    settings: LinkSettings,
    history: tuple[cmd.AddText, ...],
) -> Step:
    settled = change.confirmed(link.settled, updated.effective, settings.compare)
    settled, more = change.ask(settled, link.number, now)
    ready = replace(
        link,
        phase=Phase.READY,
        ready_at=now,
        refusal=None,
        error=None,
        settled=settled,
        deadline=now + settings.idle_close_s,
        backlog=(),
    )
    orders: list[cmd.Command] = [*more, *(history if settled.wanted.answers else ())]
    for waiting in link.backlog:
        orders += [waiting.sound, cmd.CommitInput()] if waiting.ends else [waiting.sound]
    return ready, tuple(orders)


def _is_about_settings(link: Link, error: ev.ServerError) -> bool:
    return link.phase in {Phase.CONFIGURING, Phase.READY} and change.is_about(link.settled, error)


def _on_refused_settings(
    link: Link, error: ev.ServerError, now: float, settings: LinkSettings
) -> Step:
    """A refused update is discarded whole: streaming on would use settings nobody chose (C22)."""
    if link.phase is Phase.READY:
        return _change(change.refused(link.settled, error), link, now)
    where = f" ({error.param})" if error.param else ""
    detail = f"the server refused the session's settings{where}: {error.message}"
    fix = "change that key below realtime: in the configuration and restart"
    proven, wanted = link.settled.proven, link.settled.wanted
    passes = error.kind == "server_error" or wanted != link.settled.asked  # not the last word
    fallback = None if passes or proven == wanted else proven
    if fallback is not None:  # what worked before will again
        settled = replace(link.settled, wanted=fallback, complaint=detail)
        link = replace(link, settled=settled)
    again = Again.BACKOFF if passes or fallback is not None else Again.SLOWLY
    return _give_up(link, Refusal("session_refused", detail, fix, again), now, settings)


def _on_unknown_error(
    link: Link, error: ev.ServerError, now: float, settings: LinkSettings
) -> Step:
    recent = (*(at for at in link.errors_at if now - at < ERRORS_S), now)
    if len(recent) < MOST_ERRORS:
        return replace(link, errors_at=recent), ()
    why = f"the server reported {len(recent)} errors in a minute, the last {error.code}"
    return restart(link, now, settings, why)


def _give_up(link: Link, refusal: Refusal, now: float, settings: LinkSettings) -> Step:
    return _failed(link, refusal, now, settings), (cmd.Disconnect(link.number),)


def _on_down(link: Link, down: ev.LinkDown, now: float, settings: LinkSettings) -> Link:
    refusal = classify(down, link.error)
    if refusal.again not in {Again.NOW, Again.LATER}:
        return _failed(link, refusal, now, settings)
    if not _was_stable(link, now):  # closed in good order, but before it was of any use
        return _failed(link, replace(refusal, again=Again.BACKOFF), now, settings)
    deadline = now if refusal.again is Again.NOW else None
    return replace(link, phase=Phase.DOWN, failures=0, deadline=deadline, refusal=None, error=None)


def _was_stable(link: Link, now: float) -> bool:
    return link.phase is Phase.READY and now - link.ready_at >= STABLE_S


def _failed(link: Link, refusal: Refusal, now: float, settings: LinkSettings) -> Link:
    failures = 1 if _was_stable(link, now) else link.failures + 1
    slow = refusal.again is Again.SLOWLY
    wait = SLOW_RETRY_S if slow else settings.backoff.delay_s(failures, settings.uniform)
    return replace(
        link, phase=Phase.DOWN, failures=failures, refusal=refusal, error=None, deadline=now + wait
    )


def _on_deadline(link: Link, now: float, settings: LinkSettings) -> Step:
    within = f"within {settings.connect_timeout_s:g} s"
    match link.phase:
        case Phase.DOWN:
            return want(link, now, settings)
        case Phase.READY:
            return rest(link)
        case Phase.CONNECTING:
            why = f"{settings.place} opened no session {within}"
        case Phase.CONFIGURING if link.error is not None:  # an error that nothing followed
            return _on_refused_settings(link, link.error, now, settings)
        case Phase.CONFIGURING:
            why = f"{settings.place} did not confirm the session's settings {within}"
    said = f": {link.error.message}" if link.error is not None and link.error.message else ""
    return restart(link, now, settings, why + said)
