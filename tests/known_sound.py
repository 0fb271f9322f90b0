"""A sound in which every place is known, and who follows it: what was lost, repeated, put in.

The sound is one table of random samples without a zero, again and again. Eight samples in a row
say where they are, so a jump is found at once, and its length.
"""

from __future__ import annotations

import dataclasses
import random
from array import array
from dataclasses import dataclass, field
from typing import Final

SAMPLE_BYTES: Final = 2
LENGTH: Final = 96_000  # samples of the table: a jump of less than 2 s at 24 kHz is told apart
_MARK: Final = 8 * SAMPLE_BYTES


def known_sound() -> bytes:
    """The table, s16le."""
    rng = random.Random(LENGTH)
    some = (rng.choice((-1, 1)) * rng.randint(1, 32_000) for _ in range(LENGTH))
    return array("h", some).tobytes()


@dataclass(slots=True)
class Tally:
    """Samples, and how often the sound jumped."""

    right: int = 0
    dropped: int = 0
    repeated: int = 0
    foreign: int = 0  # silence, or what was never sent
    jumps: int = 0

    def __str__(self) -> str:
        parts = dataclasses.asdict(self)
        return ", ".join(f"{value:,} {name}" for name, value in parts.items())


@dataclass(slots=True)
class Follower:
    """Takes PCM in order, in pieces of any length. Silence before and after the sound is none of
    its business: it begins at the first mark of the table."""

    sound: bytes = field(default_factory=known_sound)
    tally: Tally = field(default_factory=Tally)
    _twice: bytes = field(init=False)
    _at: int | None = None  # bytes into the table
    _rest: bytes = b""
    _silent: int = 0  # foreign samples since the last right one: they may be the silence after it

    def __post_init__(self) -> None:
        self._twice = self.sound + self.sound

    def hear(self, pcm: bytes) -> None:
        """Go on."""
        pcm, self._rest = self._rest + pcm, b""
        while len(pcm) >= _MARK:
            size = self._same(pcm) if self._at is not None else 0
            if size == 0:
                size = self._look(pcm)
            pcm = pcm[size:]
        self._rest = pcm

    def _same(self, pcm: bytes) -> int:
        """Bytes that are as they should be."""
        assert self._at is not None
        wanted = self._twice[self._at : self._at + len(pcm)]
        pcm = pcm[: len(wanted)]
        size = len(pcm) if pcm == wanted else _first_difference(pcm, wanted)
        if size:
            self.tally.right += size // SAMPLE_BYTES
            self.tally.foreign += self._silent
            self._silent = 0
            self._at = (self._at + size) % len(self.sound)
        return size

    def _look(self, pcm: bytes) -> int:
        """Find the place again; return the bytes to pass over."""
        if silent := len(pcm) - len(pcm.lstrip(b"\0")) & -SAMPLE_BYTES:
            self._silent += (silent // SAMPLE_BYTES) * (self._at is not None)
            return silent
        found = self._twice.find(pcm[:_MARK])
        if found < 0 or found % SAMPLE_BYTES:
            self._silent += self._at is not None
            return SAMPLE_BYTES
        if self._at is not None:
            ahead = (found - self._at) % len(self.sound) // SAMPLE_BYTES
            self.tally.jumps += 1
            if ahead < LENGTH // 2:
                self.tally.dropped += ahead
            else:
                self.tally.repeated += LENGTH - ahead
        self._at = found
        return 0


def _first_difference(one: bytes, other: bytes) -> int:
    """The first byte of the first sample that differs."""
    at = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return at - at % SAMPLE_BYTES
