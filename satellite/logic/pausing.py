"""Pause, then decide: an answer waits while it is not known whether the user interrupts it. Pure.

Rule 1: where the microphone hears while the speaker plays, the gate that opens pauses at once what
plays, or begins to; no server is asked. The user is not talked over for the length of a network.
Rule 2: the server decides (law 1). Once it hears the user, what plays is flushed (user.py). Where
the gate closes without that, or DECIDE_S are over, playing goes on with the next sample: a cough
costs a pause, not the answer.
Rule 3: a room that is never quiet does not silence us: in vain we pause MOST_VAIN_S in all, from
the first sound of an answer until nothing is left to play.
Rule 4: while somebody holds a button down to be heard, everything waits.

Nothing of this is remembered as an intention: ``waits`` follows from the state, and ends by time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from satellite.logic import echo
from satellite.logic.talk import Step, Talk, TalkSettings, is_sounding, put
from satellite.logic.turn import Answer, Turn
from satellite.model import commands as cmd

DECIDE_S: Final = 2.0  # a server that heard a person has said so by then
MOST_VAIN_S: Final = 6.0  # three such waits, or eight coughs


def waits(talk: Talk, now: float, settings: TalkSettings) -> bool:
    """True while the speaker is to be paused for whoever has just begun to speak, or is to."""
    if talk.pressed_at is not None:
        return _plays(talk)
    if settings.half_duplex or settings.session.manual or talk.onset_at is None:
        return False
    if echo.rests(talk.aloud, now):  # nobody is heard
        return False
    undecided = talk.gate_open and not talk.discarding and now < talk.onset_at + DECIDE_S
    return undecided and talk.vain_s < MOST_VAIN_S and _plays(talk)


def steer(talk: Talk, now: float, settings: TalkSettings) -> Step:
    """Pause or go on, where that is not as it was ordered."""
    due = waits(talk, now, settings)
    if not due and talk.vain_s and not is_sounding(talk):
        talk = replace(talk, vain_s=0.0)
    if due == (talk.hushed_at is not None):
        return talk, ()
    if due:
        return replace(talk, hushed_at=now), (cmd.PausePlayout(True),)
    return resumed(talk, now), (cmd.PausePlayout(False),)


def resumed(talk: Talk, now: float) -> Talk:
    """The pause is over: whatever plays has as much longer to go on."""
    since = talk.hushed_at
    if since is None:
        return talk
    vain_s = talk.vain_s + now - since if _plays(talk) else 0.0
    talk = replace(talk, hushed_at=None, vain_s=vain_s)
    for turn in talk.turns:
        if turn.answer is not None and turn.answer.sounding:
            talk = put(talk, _delayed(turn, turn.answer, since, now))
    return talk


def _delayed(turn: Turn, answer: Answer, since: float, now: float) -> Turn:
    if answer.audio_at is not None:
        length = max(0.0, now - max(since, answer.audio_at))
        answer = replace(answer, paused_s=answer.paused_s + length)
    if answer.status is not None:  # else it is the server that it waits for
        answer = replace(answer, deadline=answer.deadline + now - since)
    return replace(turn, answer=answer)


def deadline(talk: Talk) -> float | None:
    """When a pause ends by itself."""
    if talk.hushed_at is None or talk.onset_at is None or talk.pressed_at is not None:
        return None
    return talk.onset_at + DECIDE_S


def first(orders: tuple[cmd.Command, ...]) -> tuple[cmd.Command, ...]:
    """A pause comes before the sound that it is to stop."""
    pause = cmd.PausePlayout(True)
    return (pause, *(each for each in orders if each != pause)) if pause in orders else orders


def _plays(talk: Talk) -> bool:
    """Something is, or was, to be heard to its end."""
    answers = (turn.answer for turn in talk.turns)
    return any(each is not None and each.sounding and not each.interrupted for each in answers)
