"""What the speaker plays, on its way to the ear that must not hear it.

The playback thread puts, the capture thread takes; neither waits for the other. What is taken is
one stream without a gap from the first sample that was written to an open speaker to the last: the
canceller finds the delay behind it by itself, as long as that stays the same.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import Final

from satellite.model.audio import RATE, SAMPLE_BYTES

MOST_BYTES: Final = 2 * RATE * SAMPLE_BYTES  # 2 s: nobody takes while the microphone is closed


class FarEnd:
    """``played`` and ``dropped`` belong to the playback thread, ``take`` to the capture thread."""

    def __init__(self) -> None:
        self._pieces: SimpleQueue[bytes | int] = SimpleQueue()
        self._ahead = bytearray()

    def played(self, pcm: bytes) -> None:
        """Sound of model.audio went to the speaker, as loud as it is there."""
        self._pieces.put(pcm)

    def dropped(self, size: int) -> None:
        """The last ``size`` bytes of it will never sound."""
        self._pieces.put(size)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, silence where there are fewer; empty where there are none."""
        self._gather()
        if not self._ahead:
            return b""
        taken = bytes(self._ahead[:size])
        del self._ahead[:size]
        return taken.ljust(size, b"\0")

    def _gather(self) -> None:
        while True:
            try:
                piece = self._pieces.get_nowait()
            except Empty:
                return
            if isinstance(piece, int):
                del self._ahead[max(0, len(self._ahead) - piece) :]
            else:
                self._ahead += piece
                del self._ahead[: max(0, len(self._ahead) - MOST_BYTES)]
