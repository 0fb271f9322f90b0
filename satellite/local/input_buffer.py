"""The input audio buffer: appended samples on the session's clock. Pure and bounded.

It holds the sound as it came, in the format of the wire; its clock counts the milliseconds of it.
"""

from __future__ import annotations

from typing import Final

from satellite.local import sound
from satellite.local.sound import LINEAR, Format

_LIMIT_MS: Final = 330_000  # a little over one append of 15 MiB
_SLICE_MS: Final = 128  # four VAD frames: about 9 ms of work between two breaths


class InputBuffer:
    """Audio comes in with ``append``, is judged slice by slice, and is taken when committed."""

    def __init__(self, source: Format = LINEAR) -> None:
        self.format = source
        self._unheard = bytearray()
        self._kept = bytearray()
        self._start = 0  # clock of the first kept byte, in bytes since the session began

    def become(self, source: Format) -> None:
        """What comes from now on has another format; what is kept is turned into it."""
        end = self.end_ms * source.bytes_per_ms
        self._kept[:] = sound.encoded(sound.decoded(bytes(self._kept), self.format), source)
        self._start = end - len(self._kept)
        self._unheard.clear()
        self.format = source

    def append(self, data: bytes) -> None:
        """Any number of bytes: half a sample waits for its other half."""
        self._unheard += data

    @property
    def has_unheard(self) -> bool:
        return len(self._unheard) >= self.format.sample_bytes

    def hear(self) -> bytes:
        """The next slice for the VAD; from now on it is part of what a commit takes."""
        whole = self.format.sample_bytes
        size = min(_SLICE_MS * self.format.bytes_per_ms, len(self._unheard) // whole * whole)
        data = bytes(self._unheard[:size])
        del self._unheard[:size]
        self._kept += data
        excess = len(self._kept) - _LIMIT_MS * self.format.bytes_per_ms
        if excess > 0:
            self._drop(excess)
        return data

    @property
    def ms(self) -> float:
        """What a commit would take."""
        return len(self._kept) / self.format.bytes_per_ms

    @property
    def end_ms(self) -> int:
        """The clock: milliseconds appended since the session began, and heard."""
        return (self._start + len(self._kept)) // self.format.bytes_per_ms

    def peek(self) -> bytes:
        """All that a commit would take."""
        return bytes(self._kept)

    def take(self, start_ms: int, end_ms: int | None) -> bytes:
        """What was said between two times of the clock; everything up to the end is dropped."""
        begin = max(0, start_ms * self.format.bytes_per_ms - self._start)
        end = len(self._kept)
        if end_ms is not None:
            end = min(max(end_ms * self.format.bytes_per_ms - self._start, 0), end)
        data = bytes(self._kept[begin:end])
        self._drop(end)
        if end_ms is None:
            self._unheard.clear()
        return data

    def clear(self) -> None:
        """Half a sample goes too: the next append begins a new one."""
        self._drop(len(self._kept))
        self._unheard.clear()

    def _drop(self, size: int) -> None:
        del self._kept[:size]
        self._start += size
