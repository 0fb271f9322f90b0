"""The life of the Realtime session: connect, configure, use, close, try again.

Pure. The phases, and what moves them:

    DOWN -> CONNECTING -> CONFIGURING -> READY -> DOWN
     (wanted)   (session.created)  (session.updated)

Rule 1: nothing is sent before session.created, no sound before session.updated (C4, C20).
Rule 2: sound that comes earlier waits in the backlog, whole and in order; what waited longer than
PATIENCE_S is thrown away, because an order carried out late is worse than none.
Rule 3: every phase but READY ends by its deadline; READY ends when nobody has spoken for a while.
Rule 4: the count of failures is forgotten only when a session was READY for a while (C9).
Rule 5: a failure that only a person can mend is retried slowly, never quickly (C7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from satellite.logic.backoff import Backoff
from satellite.logic.refusal import Again, Refusal, classify
from satellite.model import commands as cmd
from satellite.model import events as ev

PATIENCE_S: Final = 10.0  # sound older than this is not answered any more
SLOW_RETRY_S: Final = 900.0  # realtime-protocol 10.2: retry a fatal refusal every 15 minutes
STABLE_S: Final = 60.0  # reliability F10: only then is the link known to work
GRACE_S: Final = 2.0  # the adapter bounds the connection itself; this bounds the adapter
DEFAULT_BACKOFF: Final = Backoff()


class Phase(Enum):
    DOWN = auto()
    CONNECTING = auto()
    CONFIGURING = auto()
    READY = auto()


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Seconds; ``uniform(a, b)`` draws from [a, b]."""

    connect_timeout_s: float
    idle_close_s: float
    uniform: Callable[[float, float], float]
    backoff: Backoff = DEFAULT_BACKOFF


@dataclass(frozen=True, slots=True)
class Waiting:
    """Sound that waits for a session: of which utterance, since when."""

    utterance: int
    at: float
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    """One session at a time; ``number`` counts connections, so that old events are known."""

    phase: Phase = Phase.DOWN
    number: int = 0
    failures: int = 0
    ready_at: float = 0.0  # when it last became READY
    deadline: float | None = None
    refusal: Refusal | None = None  # why there is no session; None once READY
    error: ev.ServerError | None = None  # the last one of a session that is not READY
    differences: tuple[str, ...] = ()  # settings that the server did not take
    backlog: tuple[Waiting, ...] = ()

    def __repr__(self) -> str:
        return f"Link({self.phase.name}, {self.number}, failures={self.failures})"


Step = tuple[Link, tuple[cmd.Command, ...]]


def configure_id(link: Link) -> str:
    """The event id of this connection's settings."""
    return f"configure-{link.number}"


def want(link: Link, now: float, settings: LinkSettings) -> Step:
    """Somebody needs a session: connect unless one is there, on its way, or due later."""
    if link.phase is not Phase.DOWN or (link.deadline is not None and now < link.deadline):
        return link, ()
    deadline = now + settings.connect_timeout_s + GRACE_S
    after = replace(
        link,
        phase=Phase.CONNECTING,
        number=link.number + 1,
        deadline=deadline,
        error=None,
    )
    return after, (cmd.Connect(after.number),)


def hear(link: Link, utterance: int, pcm: bytes, now: float, settings: LinkSettings) -> Step:
    """Send sound of an utterance, or keep it until there is a session."""
    if link.phase is Phase.READY:
        return replace(link, deadline=now + settings.idle_close_s), (cmd.AppendAudio(pcm),)
    return replace(link, backlog=(*link.backlog, Waiting(utterance, now, pcm))), ()


def drop_utterance(link: Link, utterance: int) -> Link:
    """Forget what waits of one utterance."""
    return replace(link, backlog=tuple(w for w in link.backlog if w.utterance != utterance))


def stale_utterance(link: Link, now: float) -> int | None:
    """The oldest utterance that waits, where it can no longer be answered."""
    if not link.backlog:
        return None
    oldest = link.backlog[0]
    fatal = link.refusal is not None and link.refusal.again is Again.SLOWLY
    stale = now - oldest.at > PATIENCE_S or (link.phase is Phase.DOWN and fatal)
    return oldest.utterance if stale else None


def step(link: Link, event: ev.Event, now: float, settings: LinkSettings) -> Step:
    """Move by one fact about the connection; others are ignored."""
    match event:
        case ev.FromServer(number, said) if number == link.number:
            return _on_server(link, said, now, settings)
        case ev.LinkDown(number) if number == link.number and link.phase is not Phase.DOWN:
            return _on_down(link, event, now, settings), ()
        case ev.Tick() if link.deadline is not None and now >= link.deadline:
            return _on_deadline(link, now, settings)
        case _:
            return link, ()


def restart(link: Link, now: float, settings: LinkSettings, why: str) -> Step:
    """Drop a session that does not do its part, and connect again."""
    if link.phase is Phase.DOWN:
        return link, ()
    fix = "nothing to do unless it lasts; the satellite goes on trying"
    refusal = Refusal("realtime_silent", why, fix, Again.BACKOFF)
    return _failed(link, refusal, now, settings), (cmd.Disconnect(link.number),)


def _on_server(link: Link, said: ev.ServerEvent, now: float, settings: LinkSettings) -> Step:
    match said:
        case ev.SessionCreated(kind) if link.phase is Phase.CONNECTING:
            return _on_created(link, kind, now, settings)
        case ev.SessionUpdated(differences) if link.phase is Phase.CONFIGURING:
            return _on_ready(link, differences, now, settings)
        case ev.ServerError(event_id=name) if name is not None and name == configure_id(link):
            return _on_refused_settings(link, said, now, settings)
        case ev.ServerError() if link.phase is not Phase.READY:
            return replace(link, error=said), ()
        case _:
            return link, ()


def _on_created(link: Link, kind: str, now: float, settings: LinkSettings) -> Step:
    if kind != "realtime":
        detail = f'the server opened a "{kind}" session, expected "realtime"'
        fix = "check realtime.url: remove intent=transcription"
        return _give_up(link, Refusal("realtime_refused", detail, fix, Again.SLOWLY), now, settings)
    deadline = now + settings.connect_timeout_s
    after = replace(link, phase=Phase.CONFIGURING, deadline=deadline, error=None)
    return after, (cmd.Configure(configure_id(link)),)


def _on_ready(link: Link, differences: tuple[str, ...], now: float, settings: LinkSettings) -> Step:
    ready = replace(
        link,
        phase=Phase.READY,
        ready_at=now,
        refusal=None,
        error=None,
        differences=differences,
        deadline=now + settings.idle_close_s,
        backlog=(),
    )
    return ready, tuple(cmd.AppendAudio(waiting.pcm) for waiting in link.backlog)


def _on_refused_settings(
    link: Link, error: ev.ServerError, now: float, settings: LinkSettings
) -> Step:
    """A refused update is discarded whole: streaming on would use settings nobody chose (C22)."""
    where = f" ({error.param})" if error.param else ""
    detail = f"the server refused the session's settings{where}: {error.message}"
    fix = "change that key below realtime: in the configuration and restart"
    return _give_up(link, Refusal("session_refused", detail, fix, Again.SLOWLY), now, settings)


def _give_up(link: Link, refusal: Refusal, now: float, settings: LinkSettings) -> Step:
    return _failed(link, refusal, now, settings), (cmd.Disconnect(link.number),)


def _on_down(link: Link, down: ev.LinkDown, now: float, settings: LinkSettings) -> Link:
    refusal = classify(down, link.error)
    if refusal.again is not Again.NOW:
        return _failed(link, refusal, now, settings)
    if not _was_stable(link, now):  # closed in good order, but before it was of any use
        return _failed(link, replace(refusal, again=Again.BACKOFF), now, settings)
    return replace(link, phase=Phase.DOWN, failures=0, deadline=None, refusal=None, error=None)


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
    match link.phase:
        case Phase.DOWN:
            return want(link, now, settings)
        case Phase.READY:
            return replace(link, phase=Phase.DOWN, deadline=None), (cmd.Disconnect(link.number),)
        case Phase.CONNECTING:
            return restart(link, now, settings, "the server accepted but opened no session")
        case Phase.CONFIGURING:
            return restart(link, now, settings, "the server never confirmed the session's settings")
