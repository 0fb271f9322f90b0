"""An assistant that answers itself is stopped: no session for a while, and a problem that says why.

Pure. satellite/logic/echo.py finds it out. While it rests, sound opens no session and goes to none;
what is said over MQTT is still spoken. Afterwards it goes on as if nothing had been: whoever turned
the volume down has mended it, and else it costs another three turns (reliability F55).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from satellite.logic import echo, endings
from satellite.logic import link as link_
from satellite.logic import talk as talk_
from satellite.logic.link import Phase
from satellite.model import commands as cmd
from satellite.model.audio import Instant

if TYPE_CHECKING:
    from satellite.logic.satellite import Settings, State, Step

SELF_LOOP: Final = "self_loop"


def hold(state: State, now: Instant, settings: Settings) -> Step:
    """Give up the session once the assistant has answered itself often enough; or hear again."""
    aloud, link = state.talk.aloud, state.link
    if aloud.rests_until is not None and now.mono >= aloud.rests_until:
        return replace(state, talk=replace(state.talk, aloud=replace(aloud, rests_until=None))), ()
    if aloud.score < echo.LOOP:
        return state, ()
    talk = replace(state.talk, aloud=echo.rest(aloud, now.mono))
    orders: tuple[cmd.Command, ...] = ()
    if link.phase is Phase.READY:
        link, orders = link_.leave(link)
        talk, lost = endings.lose_session(talk, SELF_LOOP, now, settings.talk)
        orders = (*orders, *lost)
    return replace(state, link=link, talk=talk), orders


def rests(state: State, now: Instant) -> bool:
    """True while sound goes nowhere."""
    return echo.rests(state.talk.aloud, now.mono)


def decline(state: State, now: Instant, settings: Settings) -> Step:
    """Nobody is heard; who speaks is told so."""
    talk = state.talk
    if talk.discarding or talk_.open_turn(talk) is not None:
        return state, ()
    talk, orders = endings.give_up_utterance(talk, talk.utterances, SELF_LOOP, now, settings.talk)
    return replace(state, talk=talk), orders


def deadline(state: State) -> float | None:
    """When it hears again."""
    return state.talk.aloud.rests_until
