"""Who may speak without being asked: after a wake word, and for a while after an answer. Pure.

The capture thread arms its gate itself when it hears the word; here is what follows from that.

Rule 1: whoever says the word wants the floor: the assistant falls silent at once, by no server.
Rule 2: the session is there when the first words are; one that they never came to is given back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from satellite.logic import chiming, conversation, selfloop, speech
from satellite.logic import link as link_
from satellite.logic import talk as talk_
from satellite.logic.link import Phase
from satellite.logic.talk import Talk, TalkSettings, turn_heard
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import Instant
from satellite.model.session import Activation

if TYPE_CHECKING:
    from satellite.logic.satellite import Settings, State, Step

_NOTHING: Final[tuple[cmd.Command, ...]] = ()


def step(
    state: State, event: ev.Woke | ev.WordAlone | ev.Armed, now: Instant, settings: Settings
) -> Step:
    """What the capture thread says of the word, and of whoever may be heard because of it."""
    match event:
        case ev.Woke(word) if not state.privacy.muted:
            openings = replace(state.talk.counted.openings, word=word)
            talk = talk_.put_openings(state.talk, openings)
            return _wake(replace(state, talk=talk), now, settings)
        case ev.WordAlone() if not state.privacy.muted and not selfloop.rests(state, now):
            return chiming.word_alone(state, now, settings)
        case ev.Armed(False):
            return _give_up(state, now, settings)
        case _:
            return state, ()


def _wake(state: State, now: Instant, settings: Settings) -> Step:
    """Somebody said the word, and is about to speak."""
    talk, stopped = state.talk, _NOTHING
    if talk_.is_sounding(talk):
        talk, stopped = speech.hush(talk, now.mono, speech.CANCELLED, settings.talk)
        talk, following = conversation.conclude(talk, now, settings.talk)
        stopped = (*stopped, *following)
    link, orders = state.link, _NOTHING
    if not selfloop.rests(state, now):
        link, orders = link_.want(link, now.mono, settings.link)
    return replace(state, talk=talk, link=link), (*stopped, cmd.AnnounceWake(), *orders)


def _give_up(state: State, now: Instant, settings: Settings) -> Step:
    """Nobody is listened to any more: a session that heard nothing has no use."""
    link, talk = state.link, state.talk
    if link.phase is Phase.DOWN or link.refusal is not None or link.backlog:
        return state, ()
    heard = link.phase is Phase.READY and talk.sent_at >= link.ready_at
    if heard or talk_.is_busy(talk) or speech.waits(talk):
        return state, ()
    link, orders = link_.leave(link)
    talk, following = conversation.conclude(replace(talk, unclaimed=()), now, settings.talk)
    return replace(state, link=link, talk=talk), (*orders, *following)


def follow_up(
    talk: Talk, event: ev.Event, activation: Activation, settings: TalkSettings
) -> tuple[cmd.Command, ...]:
    """An answer was heard to its end: whoever asked may go on without the word.

    ``talk`` is the one before ``event``. Not after what was said or asked over MQTT: nobody in the
    room has asked for that.
    """
    match event:
        case ev.PlayoutDrained(response_id, heard=True):
            turn = turn_heard(talk, response_id)
        case _:
            return ()
    wanted = activation == "wake_word" and settings.follow_up_s > 0
    if not wanted or turn is None or turn.source != "voice":
        return ()
    return (cmd.OpenGate(True, settings.follow_up_s, follow_up=True),)
