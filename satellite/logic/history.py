"""What a new session is told of the one before: the last words of both, bounded. Pure.

A server resumes nothing (realtime-protocol 1.6). What is old, doubted or was never heard is not
told; a conversation that ended because nobody spoke is over.
"""

from __future__ import annotations

from typing import Final

from satellite.logic.talk import Said
from satellite.logic.turn import Turn, spoken_text
from satellite.model import commands as cmd

MOST_TEXTS: Final = 12  # six turns
MOST_CHARACTERS: Final = 4000  # about a thousand tokens, paid with every answer
OLDEST_S: Final = 600.0


def remember(said: tuple[Said, ...], turn: Turn, now: float) -> tuple[Said, ...]:
    """Add the words of a turn that is over; what nobody said is not told, nor its answer."""
    fresh: list[Said] = []
    if turn.suspect or turn.source == "say":  # what is announced is beside the conversation
        return said
    if turn.outcome == "final" and turn.transcript:
        fresh.append(Said("user", turn.transcript[:MOST_CHARACTERS], now))
    for answer in turn.all_answers:
        whole = not answer.interrupted and answer.heard_ms == answer.audio_ms
        text = answer.text if whole else spoken_text(answer)
        if text:
            fresh.append(Said("assistant", text[:MOST_CHARACTERS], now))
    return _bounded((*said, *fresh)[-MOST_TEXTS:])


def recall(said: tuple[Said, ...], now: float) -> tuple[cmd.AddText, ...]:
    """The orders that tell a new session what was said."""
    return tuple(cmd.AddText(each.role, each.text) for each in said if now - each.at < OLDEST_S)


def _bounded(said: tuple[Said, ...]) -> tuple[Said, ...]:
    """Drop the oldest until the rest is short enough."""
    while sum(len(each.text) for each in said) > MOST_CHARACTERS:
        said = said[1:]
    return said
