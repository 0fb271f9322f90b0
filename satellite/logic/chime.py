"""Short sounds of our own, made of numbers. Pure.

Each is two soft notes, one after the other: a pure tone with a little of its octave, faded in and
out by a raised cosine, so that nothing clicks. Up: go on, speak. The same note twice: listen. Down:
that did not work.
"""

from __future__ import annotations

import functools
import math
from array import array
from collections.abc import Iterator
from typing import Final

from satellite.model.audio import RATE
from satellite.model.commands import Chime

NOTES: Final[dict[Chime, tuple[float, float]]] = {  # Hz, of the tempered scale
    "woke": (587.33, 880.0),  # D5 A5
    "message": (659.26, 659.26),  # E5 E5
    "failed": (440.0, 329.63),  # A4 E4
}
NOTE_S: Final = 0.11
PAUSE_S: Final = 0.02
FADE_IN_S: Final = 0.008
TAIL_S: Final = 0.2  # the room rings on behind it; its last 0.1 s fade by themselves
PEAK: Final = 0.25  # of full scale; speech of the services peaks higher
OCTAVE: Final = 0.2  # share of the note's octave


@functools.cache
def sound(chime: Chime) -> bytes:
    """PCM of model.audio, 240 ms."""
    first, second = NOTES[chime]
    pause = [0] * round(PAUSE_S * RATE)
    return array("h", [*_note(first), *pause, *_note(second)]).tobytes()


def _note(hz: float) -> Iterator[int]:
    count, rise = round(NOTE_S * RATE), round(FADE_IN_S * RATE)
    for n in range(count):
        turn = 2 * math.pi * hz * n / RATE
        wave = (math.sin(turn) + OCTAVE * math.sin(2 * turn)) / (1 + OCTAVE)
        fade = _raised(n / rise) if n < rise else _raised((count - 1 - n) / (count - 1 - rise))
        yield round(32_767 * PEAK * fade * wave)


def _raised(share: float) -> float:
    """From 0 to 1 along half a cosine."""
    return (1 - math.cos(math.pi * share)) / 2
