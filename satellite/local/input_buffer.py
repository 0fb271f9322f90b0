"""The input audio buffer: appended samples on the session's clock. Pure and bounded."""

from __future__ import annotations

from typing import Final

_BYTES_PER_MS: Final = 48  # 24 kHz, s16le, mono
_LIMIT: Final = 330_000 * _BYTES_PER_MS  # 330 s, a little over one append of 15 MiB
_SLICE: Final = 128 * _BYTES_PER_MS  # four VAD frames: about 9 ms of work between two breaths


class InputBuffer:
    """Audio comes in with ``append``, is judged slice by slice, and is taken when committed."""

    def __init__(self) -> None:
        self._unheard = bytearray()
        self._kept = bytearray()
        self._start = 0  # clock of the first kept byte, in bytes since the session began

    def append(self, pcm: bytes) -> None:
        """Any number of bytes: half a sample waits for its other half."""
        self._unheard += pcm

    @property
    def has_unheard(self) -> bool:
        return len(self._unheard) >= 2

    def hear(self) -> bytes:
        """The next slice for the VAD; from now on it is part of what a commit takes."""
        size = min(_SLICE, len(self._unheard) // 2 * 2)
        pcm = bytes(self._unheard[:size])
        del self._unheard[:size]
        self._kept += pcm
        excess = len(self._kept) - _LIMIT
        if excess > 0:
            self._drop(excess)
        return pcm

    @property
    def ms(self) -> float:
        return len(self._kept) / _BYTES_PER_MS

    def take(self, start_ms: int, end_ms: int | None) -> bytes:
        """What was said between two times of the clock; everything up to the end is dropped."""
        begin = max(0, start_ms * _BYTES_PER_MS - self._start)
        end = len(self._kept) if end_ms is None else end_ms * _BYTES_PER_MS - self._start
        end = min(max(end, 0), len(self._kept))
        pcm = bytes(self._kept[begin:end])
        self._drop(end)
        if end_ms is None:
            self._unheard.clear()
        return pcm

    def clear(self) -> None:
        """Half a sample goes too: the next append begins a new one."""
        self._drop(len(self._kept))
        self._unheard.clear()

    def _drop(self, size: int) -> None:
        del self._kept[:size]
        self._start += size
