"""What the speaker plays, on its way to the ear that must not hear it.

The playback thread puts, the capture thread takes; neither waits for the other. A canceller finds
the delay between both ends by itself, and needs about half a second for it, in which it hears the
speaker. So the delay must not change from one answer to the next: each stretch of sound is placed
at the moment at which it began to be written, and then goes on sample for sample.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from satellite.model.audio import RATE, SAMPLE_BYTES, seconds_of

MOST_PIECES: Final = 100  # slices of 40 ms: nobody takes while the microphone is closed
ONE_STRETCH_S: Final = 0.05  # a device's buffer hides a writer who is late by less
IN_STEP_S: Final = (
    0.06  # clocks of two devices part by 12 ms in an answer of 120 s; lost sound more
)


class _Piece(NamedTuple):
    """Sound that begins at a moment of the clock; ``first``: of a stretch."""

    begins_at: float
    first: bool
    pcm: bytes


class FarEnd:
    """``played`` and ``dropped`` belong to the playback thread, ``take`` to the capture thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end_at: float | None = None  # when all that was written would be over
        # Sound, or bytes to take back. The oldest goes where nobody takes.
        self._pieces: deque[_Piece | int] = deque(maxlen=MOST_PIECES)
        self._next: _Piece | int | None = None  # of these, that has to wait
        self._ahead = bytearray()
        self._begins_at = 0.0  # of what is ahead
        self._in_step = False

    def played(self, pcm: bytes) -> None:
        """Sound of model.audio goes to the speaker, as loud as it is there. Call as it is written.

        Silence that keeps a device running is a part of the sound.
        """
        now, end = self._clock(), self._end_at
        first = end is None or now > end + ONE_STRETCH_S
        begins_at = now if first or end is None else end
        self._end_at = begins_at + seconds_of(len(pcm))
        self._pieces.append(_Piece(begins_at, first, pcm))

    def dropped(self, size: int) -> None:
        """The last ``size`` bytes of it will never sound."""
        self._end_at = None
        self._pieces.append(size)

    def take(self, size: int, at: float) -> bytes:
        """What was written for ``size`` bytes from the moment ``at`` on, with silence around it.

        Empty where there is nothing. Moments are of the clock; they follow each other by ``size``,
        or sound was lost, and what belongs to it is left out.
        """
        lead = self._lead(at)
        while lead < 0 and self._ahead:
            self._begins_at += seconds_of(min(-lead, len(self._ahead)))
            del self._ahead[:-lead]
            lead = self._lead(at)
        if not self._ahead or lead >= size:
            self._in_step = False
            return b""
        taken = bytes(lead) + self._ahead[: size - lead]
        del self._ahead[: size - lead]
        self._begins_at, self._in_step = at + seconds_of(size), True
        return bytes(taken.ljust(size, b"\0"))

    def _lead(self, at: float) -> int:
        """So many bytes after ``at`` begins what is ahead; below 0, so many before."""
        self._gather()
        early_s = self._begins_at - at
        if self._in_step and abs(early_s) < IN_STEP_S:
            return 0
        return round(early_s * RATE) * SAMPLE_BYTES

    def _gather(self) -> None:
        """Put ahead what goes on without a gap; a new stretch waits until the last one is over."""
        while self._next is not None or self._pieces:
            piece = self._pieces.popleft() if self._next is None else self._next
            self._next = None
            if isinstance(piece, int):
                del self._ahead[max(0, len(self._ahead) - piece) :]
            elif self._goes_on(piece):
                self._ahead += piece.pcm
            elif not self._ahead:
                self._begins_at, self._in_step = piece.begins_at, False
                self._ahead += piece.pcm
            else:
                self._next = piece
                return

    def _goes_on(self, piece: _Piece) -> bool:
        end_at = self._begins_at + seconds_of(len(self._ahead))
        return not piece.first and abs(piece.begins_at - end_at) < IN_STEP_S
