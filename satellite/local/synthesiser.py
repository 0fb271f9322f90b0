"""Speech synthesis: hibari, one English voice, 24 kHz, which is the rate of the wire.

The voice's name in a session is kept and shown, but every name sounds the same: one voice is in
the package, and others would be downloads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from satellite.errors import SetupError

_SLOWEST: Final = 0.5  # hibari's own range; Realtime allows 0.25 to 1.5


class HibariSynthesiser:
    """Satisfies engines.Synthesiser."""

    def __init__(self, hibari: Any) -> None:
        import numpy as np

        self._np = np
        self._hibari = hibari

    def speak(self, text: str, speed: float) -> Iterator[bytes]:
        """One piece a sentence; the noise part is seeded, so a text always sounds the same."""
        for samples in self._hibari.stream(text, speed=max(speed, _SLOWEST), seed=0):
            pcm = (self._np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")
            yield pcm.tobytes()


def load() -> HibariSynthesiser:
    """Load the voice and speak once, 1.3 s: the first call costs ten times the others.

    Raises SetupError with what to install.
    """
    try:
        from hibari import Hibari  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise SetupError(
            f"Speech synthesis needs {error.name}: pip install 'realtime-satellite[local]'"
        ) from None
    synthesiser = HibariSynthesiser(Hibari())
    for _piece in synthesiser.speak("Ready.", 1.0):
        pass
    return synthesiser
