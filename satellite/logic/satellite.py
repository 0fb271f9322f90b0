"""The one step: a fact goes in, the next state and the orders come out.

Pure. It composes the machines (link, conversation, health) and holds the rules that couple them:

Rule 1: sound goes to the link, which sends it or keeps it; a first sound without a session asks
for one. Where we end the turns, their ends wait with the sound.
Rule 2: when a session ends, in whatever way, every turn of it ends with a reason (law 7).
Rule 3: a session is not closed for idleness while somebody speaks or is owed something; it gives
way to a new one before the server ends it, in a quiet moment if there is one: idling.py.
Rule 4: from the moment that a mute is decided on no sound is taken, whatever is on its way; once
the microphone is closed, or lost, none of what was being said is answered: muting.py here. What
else people ask for over MQTT is decided on in satellite/logic/doing.py.
Rule 5: nothing more is spent than the budget allows: then there is no session, and a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from satellite.logic import (
    budget,
    chiming,
    conversation,
    doing,
    endings,
    history,
    idling,
    microphone,
    muting,
    pausing,
    pressing,
    selfloop,
    speech,
    waking,
)
from satellite.logic import health as health_
from satellite.logic import link as link_
from satellite.logic import presence as presence_
from satellite.logic import talk as talk_
from satellite.logic import usage as usage_
from satellite.logic.asked import Asked, AskedSettings, misasked
from satellite.logic.change import Settled
from satellite.logic.chosen import Chosen, ChosenSettings, activation
from satellite.logic.health import Health
from satellite.logic.link import Link, LinkSettings, Phase
from satellite.logic.presence import Presence, PresenceSettings, Told
from satellite.logic.privacy import Privacy
from satellite.logic.refusal import Again
from satellite.logic.report import Counted
from satellite.logic.talk import Talk, TalkSettings
from satellite.logic.usage import Usage, UsageSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant
from satellite.model.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration decides."""

    link: LinkSettings
    talk: TalkSettings
    presence: PresenceSettings
    usage: UsageSettings
    asked: AskedSettings = field(default_factory=AskedSettings)
    chosen: ChosenSettings = field(default_factory=ChosenSettings)


@dataclass(frozen=True, slots=True)
class State:
    """Everything the daemon knows."""

    link: Link = field(default_factory=Link)
    talk: Talk = field(default_factory=Talk)
    health: Health = field(default_factory=Health)
    privacy: Privacy = field(default_factory=Privacy)
    chosen: Chosen = field(default_factory=Chosen)
    asked: Asked = field(default_factory=Asked)
    started_at: float = 0.0
    presence: Presence = field(default_factory=Presence)
    usage: Usage = field(default_factory=Usage)


Step = tuple[State, tuple[cmd.Command, ...]]
_NONE: Final[tuple[cmd.Command, ...]] = ()


def start(
    now: Instant,
    settings: Settings,
    kept: Mapping[str, object] | None = None,
    seq: int = 0,
) -> Step:
    """Begin: a session is opened at once, so that a wrong key is told before somebody speaks.

    ``kept`` is what ``cmd.Keep`` was given before the restart, ``seq`` the last that was used.
    """
    kept = kept or {}
    link = Link(settled=Settled(wanted=settings.link.session))
    state = State(
        link=link,
        talk=Talk(counted=Counted(seq=seq)),
        usage=usage_.start(kept.get("usage")),
    )
    state, orders = doing.start(state, now, settings, kept)
    state, orders = doing.then(budget.count(state, (), now, settings), orders)
    state, orders = doing.then(budget.hold(state, now, settings), orders)
    link, more = link_.want(state.link, now.mono, settings.link)
    return _show(replace(state, link=link), (*orders, *more), ev.Tick(), now, settings)


def step(state: State, event: ev.Event, now: Instant, settings: Settings) -> Step:
    """Return the next state and the orders that bring it about, in order.

    ``state`` is never changed; ``now`` is the instant at which the event is decided on.
    """
    health = health_.note(state.health, event, now, state.talk)
    presence = presence_.note(state.presence, event, state.link, now, settings.presence)
    state = replace(state, health=health, presence=presence)
    settings = _of_session(settings, state.link)
    match event:
        case ev.StopRequested():
            return _stop(state, now, settings)
        case ev.Tick() if _needs_another_process(state, now):
            return _stop(state, now, settings, cmd.START_AGAIN)
        case ev.Heard() | ev.GateOpened() if state.privacy.muted:
            after, orders = state, _NONE
        case ev.Heard():
            after, orders = _hear(state, event, now, settings)
        case ev.Woke() | ev.WordAlone() | ev.Armed():
            after, orders = waking.step(state, event, now, settings)
        case ev.Pressed() | ev.Released():
            after, orders = pressing.step(state, event, now, settings)
        case ev.Asked() | ev.Misasked() | ev.UnmuteRequested() | ev.ChangeRequested():
            after, orders = _heed(state, event, now, settings)
        case _:
            after, orders = _move(state, event, now, settings)
    if orders and isinstance(orders[-1], cmd.Exit):
        return after, orders
    may_speak = waking.follow_up(state.talk, event, activation(state.chosen), settings.talk)
    orders = (*orders, *may_speak)
    settle = partial(doing.settle, event=event)
    after = _note_sent(after, orders, now)
    before = (budget.hold, selfloop.hold, pressing.expire, idling.rotate, idling.forget)
    for follow in (*before, _give_up_stale, _hush, _speak, settle):
        after, more = follow(after, now, settings)
        after, orders = _note_sent(after, more, now), (*orders, *more)
    after, chime = chiming.failed(after, orders, now, settings)
    orders = (*orders, *chime)
    after, counted = budget.count(after, orders, now, settings)
    return _show(after, (*orders, *counted), event, now, settings)


def _note_sent(state: State, orders: tuple[cmd.Command, ...], now: Instant) -> State:
    if not orders:  # as nearly always: a copy of the state costs more than most decisions
        return state
    return replace(state, talk=talk_.note_sent(state.talk, orders, now.mono))


def deadline(state: State) -> float | None:
    """Monotonic seconds at which a Tick changes something, where that is known before."""
    rings = state.talk.chime_until is not None
    quiet = state.talk.shut and not rings and not talk_.is_sounding(state.talk)
    times = (
        state.link.due,
        doing.deadline(state),
        state.talk.quiet_at if quiet else None,
        state.talk.chime_until,
        pausing.deadline(state.talk),
        pressing.deadline(state),
        selfloop.deadline(state),
        presence_.deadline(state.presence),
        state.health.mic.deadline,
    )
    return min((at for at in times if at is not None), default=None)


def _needs_another_process(state: State, now: Instant) -> bool:
    """True when the sound system is stuck for good; what is being said is said to its end."""
    if talk_.is_sounding(state.talk):
        return False
    return microphone.is_beyond_help(state.health.mic, state.started_at, now.mono)


def tuned(settings: Settings, tuning: Tuning) -> Settings:
    """``settings``, with what can change while we run."""
    talk = replace(
        settings.talk,
        report=replace(settings.talk.report, partials=tuning.partials),
        drop_phantoms=tuning.drop_phantoms,
        follow_up_s=tuning.follow_up_s,
        chimes=tuning.chimes,
    )
    return replace(
        settings,
        link=replace(settings.link, idle_close_s=tuning.idle_close_s),
        talk=talk,
        asked=replace(settings.asked, remote_unmute=tuning.remote_unmute),
        usage=replace(settings.usage, cap_day=tuning.cap_day, cap_month=tuning.cap_month),
    )


def _of_session(settings: Settings, link: Link) -> Settings:
    """The conversation goes by what the server has, or will get."""
    session = link.settled.has if link.phase is Phase.READY else link.settled.wanted
    if session == settings.talk.session:
        return settings
    configured, report = settings.link.session, settings.talk.report
    if session.language != configured.language:
        report = replace(report, language=session.language)
    if session.transcription_model != configured.transcription_model:
        report = replace(report, transcript_price=None)  # it is not known here
    return replace(settings, talk=replace(settings.talk, session=session, report=report))


def _hear(state: State, event: ev.Heard, now: Instant, settings: Settings) -> Step:
    if state.talk.shut:
        return state, ()
    if selfloop.rests(state, now):
        return selfloop.decline(state, now, settings)
    if state.link.phase is Phase.READY and budget.is_spent(state, settings):
        return budget.decline(state, now, settings)
    talk, rest = conversation.step(state.talk, event, now, settings.talk)
    link = state.link
    orders: tuple[cmd.Command, ...] = ()
    if not state.talk.discarding:
        sound = cmd.AppendAudio(event.pcm, now.mono, event.speech_ms)
        link, orders = link_.hear(link, talk.utterances, sound, now.mono)
    waits = idling.waits(link, talk, settings.talk)
    link, more = (link, _NONE) if waits else link_.want(link, now.mono, settings.link)
    return replace(state, link=link, talk=talk), (*orders, *more, *rest)


def _heed(
    state: State,
    event: ev.Asked | ev.Misasked | ev.UnmuteRequested | ev.ChangeRequested,
    now: Instant,
    settings: Settings,
) -> Step:
    """A person wants something of us."""
    match event:
        case ev.Misasked(refused):
            return state, (misasked(refused, now),)
        case ev.UnmuteRequested():
            return doing.unmute(state, now)
        case ev.ChangeRequested():
            state, orders, event = doing.reconfigure(state, event)
            return doing.then(_move(state, event, now, settings), orders)
        case ev.Asked(request):
            state, orders, left = doing.begin(state, request, now, settings)
    match left:
        case doing.Left.NOTHING:
            return state, orders
        case doing.Left.TALK:
            return doing.then(_move(state, event, now, settings), orders)
        case doing.Left.TELL:
            presence = presence_.again(state.presence, now)
            return replace(state, presence=presence), orders
        case doing.Left.RESTART:
            return doing.then(_stop(state, now, settings, cmd.START_AGAIN), orders)


def _stop(state: State, now: Instant, settings: Settings, code: int = 0) -> Step:
    """Say how every turn ended, and that nobody listens any more; then end."""
    talk, orders = endings.stop(state.talk, now, settings.talk)
    talk = speech.give_up(talk, "the satellite stops")
    last = health_.farewell(state.health, now)
    state, answers = doing.stop(replace(state, talk=talk), now)
    state, counted = budget.count(state, orders, now, settings)
    kept = usage_.keep(state.usage)
    return state, (*orders, *answers, *counted, kept, cmd.Publish(last), cmd.Exit(code))


def _move(state: State, event: ev.Event, now: Instant, settings: Settings) -> Step:
    if _is_old(state.link, event):
        return state, ()
    link = idling.keep(state, now, settings)
    begins = link.phase is Phase.CONFIGURING  # only then is it told what was said
    known = history.recall(state.talk.said, now.mono) if begins else ()
    link, orders = link_.step(link, event, now, settings.link, known)
    talk, more = conversation.step(state.talk, event, now, settings.talk)
    after = replace(state, link=link, talk=talk)
    for order in more:
        after, coupled = _couple(after, order, now, settings)
        orders = (*orders, *coupled)
    return _lose_session(state.link, after, orders, now, settings)


def _couple(state: State, order: cmd.Command, now: Instant, settings: Settings) -> Step:
    """Orders of the conversation that are the link's affair."""
    match order:
        case cmd.Restart(why):
            link, orders = link_.restart(state.link, now.mono, settings.link, why)
        case cmd.CommitInput() | cmd.ClearInput():
            link, orders = link_.end_utterance(state.link, state.talk.utterances, order)
        case _ if isinstance(order, cmd.LinkCommand) and state.link.phase is not Phase.READY:
            return state, ()  # the session it was meant for has just ended
        case _:
            return state, (order,)
    return replace(state, link=link), orders


def _is_old(link: Link, event: ev.Event) -> bool:
    """True for what a connection before this one still had to say."""
    match event:
        case ev.FromServer(number) | ev.LinkDown(number):
            return number != link.number or link.phase is Phase.DOWN
        case _:
            return False


def _lose_session(
    before: Link, after: State, orders: tuple[cmd.Command, ...], now: Instant, settings: Settings
) -> Step:
    if before.phase is not Phase.READY or after.link.phase is Phase.READY:
        return after, orders
    if after.link.rested:
        after = replace(after, talk=idling.rested(after.talk))
    talk, lost = endings.lose_session(after.talk, endings.LOST, now, settings.talk)
    return replace(after, talk=talk), (*orders, *lost)


def _give_up_stale(state: State, now: Instant, settings: Settings) -> Step:
    utterance = link_.stale_utterance(state.link, now.mono)
    if utterance is None:
        return state, ()
    refusal = state.link.refusal
    reason = refusal.code if refusal is not None else "no_session"
    link, talk, orders = endings.give_up_waiting(
        state.link, state.talk, utterance, reason, now, settings.talk
    )
    return replace(state, link=link, talk=talk), orders


def _speak(state: State, now: Instant, settings: Settings) -> Step:
    """What is to be said or asked over MQTT needs a session; then its turn comes."""
    link, talk = state.link, state.talk
    if not speech.waits(talk):
        return state, ()
    if link.phase is not Phase.READY:
        refusal = link.refusal
        never = link.phase is Phase.DOWN and refusal is not None and refusal.again is Again.SLOWLY
        why = refusal.detail if refusal is not None else "the server is slow to open one"
        talk = speech.wait_for_session(talk, now.mono, why, never=never)
        link, orders = link_.want(link, now.mono, settings.link) if not never else (link, ())
        return replace(state, link=link, talk=talk), orders
    talk, orders = speech.advance(talk, now.mono, settings.talk)
    talk, following = conversation.conclude(talk, now, settings.talk)
    return replace(state, talk=talk), (*orders, *following)


def _hush(state: State, now: Instant, settings: Settings) -> Step:
    """Nobody who is muted is heard, from the decision on: the device may take its time."""
    if state.privacy.muted or state.health.mic.closed:
        link, talk, orders = muting.hush(state.link, state.talk, now, settings.talk)
    elif state.talk.severed:
        link, talk, orders = muting.sever(state.link, state.talk, now, settings.talk)
    else:
        return state, ()
    return replace(state, link=link, talk=talk), orders


def _show(
    state: State,
    orders: tuple[cmd.Command, ...],
    event: ev.Event,
    now: Instant,
    settings: Settings,
) -> Step:
    """Publish what changed of the state, and what is due of the rest."""
    device_id = settings.talk.report.device_id
    health, records = health_.show(state.health, state.talk, state.link, device_id, now)
    assert state.usage.shown is not None
    told = Told(
        health.shown,
        state.chosen.shown,
        state.usage.shown,
        state.talk.aloud.echoes,
        state.talk.underruns,
        health.mic.gaps,
        state.talk.counted.openings,
    )
    presence, more = presence_.tell(state.presence, event, told, state.link, now, settings.presence)
    if isinstance(event, ev.BusUp):  # it has the state
        records = tuple(record for record in records if not isinstance(record, rec.State))
    shown = tuple(cmd.Publish(record) for record in records)
    return replace(state, health=health, presence=presence), (*orders, *shown, *more)
