"""What a press of the button of this machine means. Pure.

Rule 1: a person who presses means it: what is being answered or said stops, and, unless the
microphone is an open one, whoever speaks now is heard. Held, they are for as long as they hold it;
tapped, for LISTEN_S, as after `cmd/listen`.
Rule 2: while it is held nothing is played: who draws breath is not talked over. What comes waits
for the release (pausing.py), and is heard unless they went on speaking.
Rule 3: where nobody can be heard (muted, no microphone) a press changes nothing, and the room is
told so.
Rule 4: what is held for MOST_HELD_S has something lying on it, and counts as let go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from satellite.logic import chiming, conversation, speech
from satellite.logic import link as link_
from satellite.logic.chosen import activation
from satellite.logic.doing import LISTEN_S
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import Instant

if TYPE_CHECKING:
    from satellite.logic.satellite import Settings, State, Step

MOST_HELD_S: Final = 120.0


def step(state: State, event: ev.Pressed | ev.Released, now: Instant, settings: Settings) -> Step:
    """The button was pressed or let go."""
    match event:
        case ev.Pressed():
            return _press(state, now, settings)
        case ev.Released():
            return _release(state, now, settings)


def expire(state: State, now: Instant, settings: Settings) -> Step:
    """Called after each fact; rule 4."""
    due = deadline(state)
    return (state, ()) if due is None or now.mono < due else _release(state, now, settings)


def deadline(state: State) -> float | None:
    """When a button that is held counts as let go."""
    since = state.talk.pressed_at
    return None if since is None else since + MOST_HELD_S


def is_deaf(state: State) -> bool:
    """True where a press is in vain."""
    mic = state.health.mic
    return state.privacy.muted or mic.closed or mic.is_deaf


def _press(state: State, now: Instant, settings: Settings) -> Step:
    if is_deaf(state):
        return chiming.in_vain(state, now, settings)
    talk, stopped = speech.hush(state.talk, now.mono, speech.CANCELLED, settings.talk)
    link, orders = state.link, stopped
    if activation(state.chosen) != "open_mic":
        held = settings.talk.hold
        talk = replace(talk, pressed_at=now.mono if held else None)
        link, wanted = link_.want(link, now.mono, settings.link)
        orders = (
            *orders,
            cmd.OpenGate(True, MOST_HELD_S if held else LISTEN_S, held=held),
            *wanted,
        )
    talk, following = conversation.conclude(talk, now, settings.talk)
    return replace(state, link=link, talk=talk), (*orders, *following)


def _release(state: State, now: Instant, settings: Settings) -> Step:
    if state.talk.pressed_at is None:
        return state, ()
    talk = replace(state.talk, pressed_at=None)
    talk, following = conversation.conclude(talk, now, settings.talk)
    return replace(state, talk=talk), (cmd.OpenGate(False), *following)
