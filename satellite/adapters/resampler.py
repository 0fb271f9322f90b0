"""Changes the rate of sound that flows, for devices that cannot do 24 kHz. Loaded only for those.

soxr LQ in float32: it holds back 20 ms, where MQ and HQ hold back 38; aliases at -86 dB from
48 kHz, images at -97 dB to it; 230 to 310 us of CPU a second of sound (audio.md 4). float32 and
not int16, which soxr dithers: the same sound would give other samples in every run.
"""

from __future__ import annotations

from satellite.errors import SetupError


class Resampler:
    """s16le mono at ``from_hz`` in, s16le mono at ``to_hz`` out. One thread at a time.

    What comes out depends on all that went in, never on how it was cut. Raises SetupError when the
    extra is missing.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        try:
            import numpy as np
            import soxr
        except ImportError as exc:
            raise SetupError(
                f"the sound device cannot do {min(from_hz, to_hz)} Hz and what converts from"
                f" {from_hz} to {to_hz} Hz is not installed;"
                " run: pip install 'realtime-satellite[resample]'"
            ) from exc
        self._np = np
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="LQ")

    def __call__(self, pcm: bytes) -> bytes:
        """Take any number of samples, give those that are ready: none at first, then about all."""
        return self._next(pcm, last=False)

    def flush(self) -> bytes:
        """Give what was held back; the stream is over, nothing may follow."""
        return self._next(b"", last=True)

    def _next(self, pcm: bytes, *, last: bool) -> bytes:
        np = self._np
        given = np.frombuffer(pcm, "<i2").astype(np.float32)
        scaled = np.rint(self._stream.resample_chunk(given, last=last))
        return bytes(np.clip(scaled, -32768, 32767).astype("<i2").tobytes())
