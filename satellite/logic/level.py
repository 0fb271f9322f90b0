"""How loud a recording is, and whether it is one of a room. Pure; for a person who sets it up.

What counts as faint and as clipped is written here, and holds for the daemon too (signal.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

FULL: Final = 32_768
TOP: Final = 32_600  # 0.5 % below the end of the range: a resampler rounds a clipped top
CLIPPED: Final = 0.05  # of all samples: too many at the top
FAINT: Final = 33  # 0.001 of full scale: what a muted analogue input leaves (reliability F46)


@dataclass(frozen=True, slots=True)
class Level:
    """``rms`` and ``peak`` in dB of full scale, None for exact silence; ``fault``: in words."""

    rms: float | None
    peak: float | None
    fault: str = ""


def level(pcm: bytes) -> Level:
    """Measure s16le mono."""
    samples = memoryview(pcm).cast("h")
    peak = max(map(abs, samples), default=0)
    if peak == 0:
        return Level(None, None, "silence: exact zeros; is it switched off, or turned down to 0?")
    rms = math.sqrt(sum(sample * sample for sample in samples) / len(samples))
    clipped = sum(abs(sample) >= TOP for sample in samples) / len(samples)
    fault = ""
    if peak < FAINT:
        fault = "hardly anything: is it muted, or turned down?"
    elif min(samples) == max(samples):
        fault = "always the same value: it is no sound"
    elif clipped > CLIPPED:
        fault = f"clipping: {clipped:.0%} at the end of its range; turn it down"
    return Level(_db(rms), _db(peak), fault)


def _db(value: float) -> float:
    return 20 * math.log10(value / FULL)
