"""Listens for a wake word with microWakeWord: one small network, its model inside the package.

Streaming at 16 kHz; 2.2 to 2.8 ms of CPU a second of sound, resampling included, 0.5 s to load and
16 MB, most of it numpy: so it is loaded only where a wake word is wanted. A word is noticed between
320 ms before its end and 280 ms after it (four words by five synthetic voices).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

from satellite.errors import SetupError
from satellite.model.audio import RATE

WAKE_HZ: Final = 16_000
INSTALL: Final = (
    "gate.activation: wake_word needs what listens for the word, which is not installed;"
    " run: pip install 'realtime-satellite[wake]'"
)
Convert = Callable[[bytes], bytes]
MakeResampler = Callable[[int, int], Convert]  # (from_hz, to_hz)


def is_installed() -> bool:
    """True where a wake word can be listened for; nothing is loaded to find that out."""
    return all(find_spec(name) is not None for name in ("pymicro_wakeword", "soxr"))


class WakeWord:
    """A Waker for one of the library's own models.

    ``threshold`` is 0 to 1, None the model's own. One thread at a time. Raises SetupError when the
    extra is missing or does not work here.
    """

    def __init__(self, model: str, threshold: float | None, resampler: MakeResampler) -> None:
        try:
            from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model
        except ImportError as exc:
            raise SetupError(INSTALL) from exc
        try:
            self._network: Any = MicroWakeWord.from_builtin(Model(model))
            self._features: Any = MicroWakeWordFeatures()
        except (OSError, RuntimeError, ValueError) as exc:
            raise SetupError(f"the wake word {model} cannot be loaded: {exc}") from exc
        if threshold is not None:
            self._network.probability_cutoff = threshold
        self._model = model
        self._convert = resampler(RATE, WAKE_HZ)

    def hear(self, frame: bytes) -> str | None:
        """See the port. It starts anew with each word it noticed."""
        noticed = False
        for features in self._features.process_streaming(self._convert(frame)):
            noticed = bool(self._network.process_streaming(features)) or noticed
        if not noticed:
            return None
        self._network.reset()  # 0.2 ms; what it remembers of the word would notice it again
        return self._model
