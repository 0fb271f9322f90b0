"""What people ask for over MQTT is carried out: each order goes to its machine, each gets its end.

Pure. satellite/logic/asked.py says what may be done and keeps the answers; here is what is done.
``begin`` is for a request that came, ``settle`` runs after every step and sees to the rest.

Rule 1: an answer is evidence: muted is what the capture thread has said, a setting of the session
what its server has confirmed, said what the speaker has played.
Rule 2: from the moment that a mute is decided on, no sound is sent, though the device be slow.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from satellite.logic import asked as asked_
from satellite.logic import budget, endings, privacy, speech
from satellite.logic import chosen as chosen_
from satellite.logic import link as link_
from satellite.logic.link import Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import requests as req
from satellite.model.audio import Instant
from satellite.model.requests import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from satellite.logic.satellite import Settings, State, Step

CLOSE_S: Final = 5.0  # a device that takes longer to close is stuck
LISTEN_S: Final = 10.0
RESTART_S: Final = 90.0  # systemd gives up after five starts in 300 s
NEW_SESSION: Final = "new_session"  # why a turn ended


class Left(Enum):
    """What is left to do of a request: nothing, or what only the whole machine can."""

    NOTHING = auto()
    TALK = auto()  # the conversation's affair
    TELL = auto()  # publish everything again
    RESTART = auto()


def start(state: State, now: Instant, settings: Settings, kept: Mapping[str, object]) -> Step:
    """Begin with what was muted and chosen before the restart."""
    silence, orders = privacy.begin(kept.get(privacy.KEPT), now)
    session = settings.link.session
    chosen, more = chosen_.begin(settings.chosen, session, kept)
    wanted = chosen_.wanted(chosen, session)
    settled = replace(state.link.settled, wanted=wanted)
    if wanted != session:  # should the server refuse a choice, there is the configuration
        settled = replace(settled, proven=session)
    link = replace(state.link, settled=settled)
    state = replace(state, link=link, privacy=silence, chosen=chosen, started_at=now.mono)
    return _show(state, settings), (*orders, *more)


def begin(
    state: State, request: Request, now: Instant, settings: Settings
) -> tuple[State, tuple[cmd.Command, ...], Left]:
    """Do what was asked for, as far as it is allowed."""
    asked, orders, admitted = asked_.admit(state.asked, request, now, settings.asked)
    state = replace(state, asked=asked)
    if not admitted:
        return state, orders, Left.NOTHING
    state, more, left = _begin(state, request, now, settings)
    return state, (*orders, *more), left


def _begin(
    state: State, request: Request, now: Instant, settings: Settings
) -> tuple[State, tuple[cmd.Command, ...], Left]:
    match request.order:
        case req.Mute():
            return *_mute(state, request, request.order, now, settings), Left.NOTHING
        case req.Listen():
            return *_listen(state, request, request.order, now), Left.NOTHING
        case req.Set():
            return *_set(state, request, request.order, now, settings), Left.NOTHING
        case req.NewSession():
            state, orders = _new_session(state, now, settings)
            return *then(_end(state, request, "done", now), orders), Left.NOTHING
        case req.Replay(since, most):  # the outbox says when it is done
            replay = (cmd.Replay(since, most, request.reply, request.id),)
            return *then(_end(state, request, "accepted", now), replay), Left.NOTHING
        case req.Get():
            return *_end(state, request, "done", now), Left.TELL
        case req.Restart():
            return _restart(state, request, now)
        case _:
            return state, (), Left.TALK


def settle(state: State, now: Instant, settings: Settings, *, event: ev.Event) -> Step:
    """After a step: answer whatever it brought to an end; accept what it only began."""
    state, orders = _of_talk(state, now)
    state, orders = then(_of_event(state, event, now), orders)
    state, orders = then(_of_server(state, now), orders)
    if isinstance(event, ev.Asked) and asked_.waits(state.asked, event.request):
        until = _patience(event.request, now.mono, settings)
        asked, more = asked_.accept(state.asked, event.request, now, until)
        state, orders = replace(state, asked=asked), (*orders, *more)
    return _show(state, settings), orders


def deadline(state: State) -> float | None:
    """When something here ends by itself."""
    times = (state.privacy.until, asked_.deadline(state.asked))
    return min((at for at in times if at is not None), default=None)


def unmute(state: State, now: Instant) -> Step:
    """A person at the machine opens the microphone."""
    state, ended = _end_all(state, req.Mute, "cancelled", now, "it was unmuted")
    silence, orders = privacy.open_again(state.privacy)
    return replace(state, privacy=silence), (*ended, *orders)


def reconfigure(
    state: State, event: ev.ChangeRequested
) -> tuple[State, tuple[cmd.Command, ...], ev.ChangeRequested]:
    """The configuration was read again; what was chosen holds where that did not change."""
    chosen, orders = chosen_.reconfigure(state.chosen, event.session, event.settings)
    wanted = chosen_.wanted(chosen, event.session)
    return replace(state, chosen=chosen), orders, ev.ChangeRequested(wanted)


def stop(state: State, now: Instant) -> Step:
    """The satellite ends: nobody is left waiting."""
    state, orders = _of_talk(state, now)
    asked, more = asked_.stop(state.asked, now)
    return replace(state, asked=asked), (*orders, *more)


# --- the orders ----------------------------------------------------------------------------------


def _mute(
    state: State, request: Request, order: req.Mute, now: Instant, settings: Settings
) -> Step:
    remote = settings.asked.remote_unmute
    if not privacy.is_allowed(state.privacy, order, remote_unmute=remote):
        return _end(state, request, "rejected", now, privacy.NOT_FROM_HERE)
    if privacy.is_open(state.privacy, order):
        state, answer = _end(state, request, "done", now)
        return then(unmute(state, now), answer)
    state, ended = _end_all(state, req.Listen, "cancelled", now, "the microphone is muted")
    silence, orders = privacy.close(state.privacy, order.for_s, now, remote_unmute=remote)
    return replace(state, privacy=silence), (*ended, *orders)


def _listen(state: State, request: Request, order: req.Listen, now: Instant) -> Step:
    if order.on and state.privacy.muted:
        return _end(state, request, "rejected", now, "the microphone is muted")
    why = "it was asked for again" if order.on else "it was ended"
    state, ended = _end_all(state, req.Listen, "cancelled", now, why, but=request)
    opened = cmd.OpenGate(order.on, order.timeout_s or LISTEN_S)
    if order.on:
        return state, (*ended, opened)
    return then(_end(state, request, "done", now), (*ended, opened))


def _set(state: State, request: Request, order: req.Set, now: Instant, settings: Settings) -> Step:
    why = chosen_.why_not(order, settings.link.session, settings.chosen)
    if why is not None:
        return _end(state, request, "rejected", now, why)
    others = (
        each.request
        for each in state.asked.waiting
        if isinstance(each.request.order, req.Set)
        and each.request.order.setting == order.setting
        and each.request is not request
    )
    why = "another value was asked for"
    asked, ended = asked_.end_all(state.asked, others, "cancelled", now, why)
    state = replace(state, asked=asked)
    chosen, orders = chosen_.choose(state.chosen, order)
    state, orders = replace(state, chosen=chosen), (*ended, *orders)
    if order.setting not in chosen_.OF_SESSION:
        return then(_end(state, request, "done", now), orders)
    wanted = chosen_.wanted(chosen, state.link.settled.wanted)
    if wanted == state.link.settled.wanted:
        return state, orders
    change = ev.ChangeRequested(wanted)
    link, updates = link_.step(state.link, change, now, settings.link)
    return replace(state, link=link), (*orders, *updates)


def _new_session(state: State, now: Instant, settings: Settings) -> Step:
    """The conversation is forgotten; a session that has just begun knows nothing of it yet."""
    link, talk = state.link, speech.give_up(state.talk, "another conversation was asked for")
    if link.phase is Phase.READY:
        talk, lost = endings.lose_session(talk, NEW_SESSION, now, settings.talk)
        link, orders = link_.rotate(link, now.mono, settings.link)
    else:
        lost = ()
        if link.phase is Phase.DOWN and not budget.is_spent(state, settings):
            link = replace(link, deadline=None)  # a person acts
        link, orders = link_.want(link, now.mono, settings.link)
    talk = replace(talk, said=(), forgotten_at=now.mono)
    return replace(state, link=link, talk=talk), (*lost, *orders)


def _restart(
    state: State, request: Request, now: Instant
) -> tuple[State, tuple[cmd.Command, ...], Left]:
    up_s = now.mono - state.started_at
    if up_s < RESTART_S:
        why = f"it started {up_s:.0f} s ago; ask again {RESTART_S:.0f} s after a start"
        return *_end(state, request, "rejected", now, why), Left.NOTHING
    return *_end(state, request, "done", now), Left.RESTART


# --- what ends them ------------------------------------------------------------------------------


def _of_talk(state: State, now: Instant) -> Step:
    """What was said, asked or cancelled has ended."""
    if not state.talk.ended:
        return state, ()
    talk, outcomes = speech.outcomes(state.talk)
    state = replace(state, talk=talk)
    orders: tuple[cmd.Command, ...] = ()
    for each in outcomes:
        state, more = _end(state, each.request, each.status, now, each.error)
        orders = (*orders, *more)
    return state, orders


def _of_event(state: State, event: ev.Event, now: Instant) -> Step:
    match event:
        case ev.MicClosed() if state.privacy.muted:
            return _end_all(state, req.Mute, "done", now)
        case ev.GateOpened() if not state.privacy.muted:
            return _end_all(state, req.Listen, "done", now)
        case ev.Tick():
            return _of_time(state, event, now)
        case _:
            return state, ()


def _of_time(state: State, event: ev.Tick, now: Instant) -> Step:
    silence, orders = privacy.expire(state.privacy, now.mono)
    asked, counted = asked_.count_limited(state.asked, event, now)
    if silence is not state.privacy or asked is not state.asked:
        state = replace(state, privacy=silence, asked=asked)
    orders = (*orders, *counted)
    for request in asked_.overdue(asked, now.mono):
        match request.order:
            case req.Listen():
                state, more = _end(state, request, "expired", now, "nobody spoke")
            case req.Mute():
                why = "the device did not close in time; nothing that it hears is sent"
                state, more = _end(state, request, "failed", now, why)
            case _:
                why = "no session has confirmed it yet; it is kept, and sent to the next one"
                state, more = _end(state, request, "failed", now, why)
        orders = (*orders, *more)
    return state, orders


def _of_server(state: State, now: Instant) -> Step:
    """What was chosen for the session is confirmed, refused, or waits for the next one."""
    if not state.chosen.configured:
        return state, ()
    link = state.link
    orders: tuple[cmd.Command, ...] = ()
    for each in state.asked.waiting:
        order = each.request.order
        if not isinstance(order, req.Set) or order.setting not in chosen_.OF_SESSION:
            continue
        refused = chosen_.is_refused(state.chosen, order.setting, link.settled)
        why: str | None = None
        if refused:
            why = link.settled.complaint or "the server did not take it"
        elif link.phase is Phase.DOWN and link.refusal is None:
            why = None  # it is for the next session
        elif link.phase is not Phase.READY or link.settled.asked is not None:
            continue
        elif chosen_.is_late(order.setting, link.settled):
            why = "it is for the next session: this one has spoken already"
        state, more = _end(state, each.request, "failed" if refused else "done", now, why)
        orders = (*orders, *more)
    chosen, kept = chosen_.follow(state.chosen, link.settled)
    if chosen is not state.chosen:
        state = replace(state, chosen=chosen)
    return state, (*orders, *kept)


def _patience(request: Request, now: float, settings: Settings) -> float | None:
    """Until when its end must have come, where nobody else sees to that."""
    match request.order:
        case req.Mute():
            return now + CLOSE_S
        case req.Listen(_, timeout_s):
            return now + (timeout_s or LISTEN_S)
        case req.Set():
            return now + 2 * settings.link.connect_timeout_s
        case _:
            return None


def _show(state: State, settings: Settings) -> State:
    """What is to be shown of the settings; satellite/logic/presence.py publishes it."""
    if not state.chosen.configured:
        return state
    manual = settings.link.session.manual
    chosen = chosen_.show(state.chosen, muted=state.privacy.muted, manual=manual)
    return state if chosen is state.chosen else replace(state, chosen=chosen)


def _end(
    state: State,
    request: Request,
    status: asked_.Status,
    now: Instant,
    error: str | None = None,
) -> Step:
    asked, orders = asked_.end(state.asked, request, status, now, error)
    return replace(state, asked=asked), orders


def _end_all(
    state: State,
    kind: type[req.Order],
    status: asked_.Status,
    now: Instant,
    error: str | None = None,
    but: Request | None = None,
) -> Step:
    waiting = (each.request for each in state.asked.waiting)
    those = (one for one in waiting if isinstance(one.order, kind) and one is not but)
    asked, orders = asked_.end_all(state.asked, those, status, now, error)
    return replace(state, asked=asked), orders


def then(step: Step, orders: tuple[cmd.Command, ...]) -> Step:
    """``step`` with the ``orders`` that came before its own."""
    state, more = step
    return state, (*orders, *more)
