"""Sound as the satellite knows it: 24 kHz, mono, signed 16-bit little-endian.

One rate from the microphone to the wire and back (DESIGN: nothing is resampled on the common path).
A frame is 20 ms, the slice that one voice verdict covers. A sample is two bytes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

RATE: Final = 24_000  # samples a second; the only PCM rate of the Realtime wire
SAMPLE_BYTES: Final = 2
FRAME_MS: Final = 20
FRAME_SAMPLES: Final = RATE * FRAME_MS // 1000
FRAME_BYTES: Final = FRAME_SAMPLES * SAMPLE_BYTES


class Instant(NamedTuple):
    """One moment on both clocks. Durations use ``mono``; only time stamps use ``wall``."""

    mono: float  # monotonic seconds
    wall: float  # seconds since the epoch


def frames(ms: int) -> int:
    """How many whole frames cover ``ms`` milliseconds; rounds up."""
    return -(-ms // FRAME_MS)


def ms_of(pcm_bytes: int) -> int:
    """The milliseconds that ``pcm_bytes`` bytes of PCM last, rounded down."""
    return pcm_bytes * 1000 // (RATE * SAMPLE_BYTES)


def seconds_of(pcm_bytes: int) -> float:
    """The seconds that ``pcm_bytes`` bytes of PCM last."""
    return pcm_bytes / (RATE * SAMPLE_BYTES)


def silence(ms: int) -> bytes:
    """``ms`` milliseconds of digital zero."""
    return bytes(RATE * ms // 1000 * SAMPLE_BYTES)
