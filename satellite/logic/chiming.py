"""When a short sound of our own is played: go on, a message follows, it cannot be answered. Pure.

Rule 1: never over a person, nor over the assistant; and each once for what it is about.
Rule 2: the one before a text that is said comes with its first sound (assistant.py).
Rule 3: it failed for whoever asked to be heard, by a wake word or a button, or was heard by the
server: what an open microphone hears, and no server, may have been nobody.
Rule 4: the one after a wake word is for whoever waits for it: not for those who went on speaking
behind the word, nor for those who have just silenced an answer by it.
Rule 5: nothing is heard while one sounds, and rings in the room, in any duplex: it is no word, and
nothing of it is sent. A canceller has learnt nothing yet when the first one sounds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from satellite.logic import conversation
from satellite.logic.chosen import activation
from satellite.logic.talk import Talk, is_sounding, open_turn, rings
from satellite.model import commands as cmd
from satellite.model import records as rec
from satellite.model.audio import Instant
from satellite.model.session import Activation

if TYPE_CHECKING:
    from satellite.logic.satellite import Settings, State, Step

SOON_S: Final = 1.0  # rule 4: whoever is silent for so long behind an answer waits for something
_ON_PURPOSE: Final = frozenset({"muted", "stopped", "new_session"})


def word_alone(state: State, now: Instant, settings: Settings) -> Step:
    """Somebody said the wake word and waits: go on."""
    talk, wanted = state.talk, "woke" in settings.talk.chimes
    if not wanted or is_sounding(talk) or _speaks(talk) or now.mono < talk.quiet_at + SOON_S:
        return state, ()
    return _play("woke", state, now, settings)


def failed(state: State, orders: tuple[cmd.Command, ...], now: Instant, settings: Settings) -> Step:
    """Somebody is told by ``orders`` that a turn failed: so is the room."""
    talk, muted = state.talk, state.privacy.muted or state.health.mic.closed
    if not orders or muted or "failed" not in settings.talk.chimes:
        return state, ()
    if is_sounding(talk) or _speaks(talk):
        return state, ()
    records = (order.record for order in orders if isinstance(order, cmd.Publish))
    turns = [record for record in records if isinstance(record, rec.TurnRecord)]
    over = (turn for turn in turns if not _goes_on(talk, turn))
    if not any(_was_asked_for(turn, activation(state.chosen)) for turn in over):
        return state, ()
    return _play("failed", state, now, settings)


def _play(chime: cmd.Chime, state: State, now: Instant, settings: Settings) -> Step:
    talk = rings(state.talk, now.mono)
    talk, following = conversation.conclude(talk, now, settings.talk)
    return replace(state, talk=talk), (*following, cmd.PlayChime(chime))


def in_vain(state: State, now: Instant, settings: Settings) -> Step:
    """Somebody pressed the button, perhaps again and again, and nobody is heard."""
    talk = state.talk
    sounds = is_sounding(talk) or talk.chime_until is not None
    if "failed" not in settings.talk.chimes or sounds:
        return state, ()
    return _play("failed", state, now, settings)


def _speaks(talk: Talk) -> bool:
    return open_turn(talk) is not None or (talk.gate_open and not talk.discarding)


def _goes_on(talk: Talk, turn: rec.TurnRecord) -> bool:
    """A server heard the beginning; what followed a chime would be a sentence for the next one."""
    return talk.gate_open and turn.item_id is not None


def _was_asked_for(turn: rec.TurnRecord, active: Activation) -> bool:
    """A person in the room waits for an answer to it, and has heard none."""
    if turn.event_type != "failed" or turn.source != "voice" or turn.reason in _ON_PURPOSE:
        return False
    heard_by_server = turn.item_id is not None
    return turn.speech_end_to_audio_ms is None and (heard_by_server or active != "open_mic")
