"""The room that a virtual card stands in: what is played is heard, late, with walls and noise.

    card = VirtualCard(folder, room=Room(delay_ms=120, gain=1.0, walls_ms=80))
    card = VirtualCard(folder, room=Room(gain=0.0))            # no echo: a quiet room

A room belongs to one card and is called by that card's clock alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 24_000
QUIET: Final = 20.0  # of 32768, root mean square: 64 dB below full scale, with peaks above 33
LOUD: Final = 300  # of 32768: more than the noise, less than anybody who speaks
NOISE_S: Final = 7  # then it is the same again


class Room:
    """``delay_ms`` and ``gain``: of the loudspeaker's sound at the microphone, walls and all.

    ``walls_ms``: until the room's answer to a click is 60 dB down; 0 is no walls. ``noise``: root
    mean square of the noise that is always there.
    """

    def __init__(
        self,
        *,
        rate: int = RATE,
        delay_ms: int = 120,
        gain: float = 1.0,
        walls_ms: int = 0,
        noise: float = QUIET,
        seed: int = 1,
    ) -> None:
        rng = np.random.default_rng(seed)
        self._answer = gain * _answer(rng, delay_ms * rate // 1000, walls_ms * rate // 1000)
        self._noise = rng.normal(0, noise, NOISE_S * rate)
        self._heard = np.zeros(0)  # the echo of all that was played, from now on
        self._at = 0
        self.gain = gain

    def __call__(self, fed: bytes, played: bytes) -> bytes:
        """What is captured in a period in which that was said and that was played."""
        said = np.frombuffer(fed, "<i2").astype(float)
        count = len(said)
        said += self._noise.take(range(self._at, self._at + count), mode="wrap")
        self._at = (self._at + count) % len(self._noise)
        if self.gain:
            said += self._echo(np.frombuffer(played, "<i2").astype(float), count)
        return np.clip(np.rint(said), -32768, 32767).astype("<i2").tobytes()

    def _echo(self, played: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """The next ``count`` samples of the echo, after these were played."""
        size = count + len(self._answer) - 1
        echo = np.zeros(max(size, len(self._heard)))
        echo[: len(self._heard)] = self._heard
        if played.any():
            width = 1 << (size - 1).bit_length()
            spectrum = np.fft.rfft(played[:count], width) * np.fft.rfft(self._answer, width)
            echo[:size] += np.fft.irfft(spectrum, width)[:size]
        self._heard = echo[count:]
        return echo[:count]


def _answer(rng: np.random.Generator, delay: int, walls: int) -> NDArray[np.float64]:
    """The room's answer to a click: the direct sound, then walls that answer ever more faintly."""
    if walls == 0:
        answer = np.zeros(delay + 1)
        answer[delay] = 1.0
        return answer
    tail = rng.normal(0, 0.15, walls) * 10 ** (-3 * np.arange(walls) / walls)
    tail[0] = 1.0
    return np.concatenate([np.zeros(delay), tail / np.sqrt(np.sum(tail**2))])


class Diary:
    """A room that is written down: of each period of the card, was something said, or played?"""

    def __init__(self, room: Callable[[bytes, bytes], bytes]) -> None:
        self._room = room
        self.said: list[bool] = []
        self.played: list[bool] = []

    def __call__(self, fed: bytes, played: bytes) -> bytes:
        """As the room does."""
        for written, pcm in ((self.said, fed), (self.played, played)):
            samples = np.frombuffer(pcm, "<i2")
            written.append(bool(len(samples)) and int(np.abs(samples.astype(int)).max()) > LOUD)
        return self._room(fed, played)


def runs(written: list[bool], apart: int = 25) -> list[tuple[int, int]]:
    """Beginnings and ends of what was loud, in periods; ``apart``: those of silence between two."""
    loud = [at for at, was in enumerate(written) if was]
    gaps = [i for i in range(1, len(loud)) if loud[i] - loud[i - 1] > apart]
    edges = [0, *gaps, len(loud)]
    return [(loud[i], loud[j - 1] + 1) for i, j in itertools.pairwise(edges)] if loud else []
