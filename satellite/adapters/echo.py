"""Takes the loudspeaker's sound out of the microphone's with the echo canceller of WebRTC (AEC3).

It is the audio processing module of livekit's client library, and nothing else of that library is
used: no room, no network; no socket but a pair within the process was seen (strace). It finds the
delay of the echo by itself and costs 33 MB, half of it numpy, 0.3 s to load, three threads that
wake twice a second, and 6 to 9 ms of CPU a second of sound: so it is loaded only for
``audio.duplex: cancel``. Its sound is 10 ms late. The same sound gives the same samples in every
run.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Final

from satellite.errors import SetupError
from satellite.model.audio import RATE, SAMPLE_BYTES

PIECE_SAMPLES: Final = RATE // 100  # 10 ms, the only length that it takes
PIECE_BYTES: Final = PIECE_SAMPLES * SAMPLE_BYTES
START_MS: Final = 100  # where it looks for the echo first: the buffers of a sound card
INSTALL: Final = (
    "audio.duplex: cancel needs the echo canceller, which is not installed;"
    " run: pip install 'realtime-satellite[echo]'"
)


def is_installed() -> bool:
    """True where an echo can be cancelled; nothing is loaded to find that out."""
    return all(find_spec(name) is not None for name in ("livekit", "numpy"))


class EchoCanceller:
    """A Canceller. One thread at a time. Raises SetupError when the extra is missing or broken."""

    def __init__(self) -> None:
        try:
            from livekit.rtc.apm import AudioProcessingModule
            from livekit.rtc.audio_frame import AudioFrame
        except ImportError as exc:
            raise SetupError(INSTALL) from exc
        logging.getLogger("livekit").setLevel(logging.WARNING)
        try:
            self._module = AudioProcessingModule(echo_cancellation=True, high_pass_filter=True)
        except (ImportError, OSError, RuntimeError) as exc:
            raise SetupError(f"the echo canceller cannot be loaded: {exc}") from exc
        # Both are overwritten for each piece: the module works in place.
        self._far = AudioFrame.create(RATE, 1, PIECE_SAMPLES)
        self._near = AudioFrame.create(RATE, 1, PIECE_SAMPLES)
        self._module.set_stream_delay_ms(START_MS)

    def clean(self, near: bytes, far: bytes) -> bytes:
        """See the port."""
        far_piece, near_piece = self._far.data.cast("B"), self._near.data.cast("B")
        cleaned = bytearray()
        for start in range(0, len(near), PIECE_BYTES):
            far_piece[:] = far[start : start + PIECE_BYTES]
            near_piece[:] = near[start : start + PIECE_BYTES]
            self._module.process_reverse_stream(self._far)
            self._module.process_stream(self._near)
            cleaned += near_piece
        return bytes(cleaned)
