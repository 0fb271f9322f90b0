"""Listens for wake words with microWakeWord: small networks, their models inside the package.

Streaming at 16 kHz. What a network looks at is made once for all of them: 2.5 ms of CPU a second of
sound for one word, about 1.8 for each more; 0.5 s to load and 16 MB, most of it numpy, so it is
loaded only where a wake word is wanted. A word is noticed between 320 ms
before its end and 280 ms after it (four words by five synthetic voices).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Final

from satellite.errors import SetupError
from satellite.model.audio import RATE

WAKE_HZ: Final = 16_000
# Where the model's own cutoff is not the best of benchmarks/hearing/wake.py: 0.85 hears 146 of 168,
# this 160, and nothing more in vain.
CUTOFFS: Final = {"okay_nabu": 0.75}
INSTALL: Final = (
    "gate.activation: wake_word needs what listens for the word, which is not installed;"
    " run: pip install 'realtime-satellite[wake]'"
)
Convert = Callable[[bytes], bytes]
MakeResampler = Callable[[int, int], Convert]  # (from_hz, to_hz)


def is_installed() -> bool:
    """True where a wake word can be listened for; nothing is loaded to find that out."""
    return all(find_spec(name) is not None for name in ("pymicro_wakeword", "soxr"))


class WakeWords:
    """A Waker for some of the library's own models.

    ``threshold`` is 0 to 1, None what is best for each. One thread at a time. Raises SetupError
    when the extra is missing or does not work here.
    """

    def __init__(
        self, models: Sequence[str], threshold: float | None, resampler: MakeResampler
    ) -> None:
        try:
            from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model
        except ImportError as exc:
            raise SetupError(INSTALL) from exc
        self._networks: dict[str, Any] = {}
        self._cutoffs: dict[str, float] = {}
        for name in models:
            try:
                network = MicroWakeWord.from_builtin(Model(name))
                self._features: Any = MicroWakeWordFeatures()
            except (OSError, RuntimeError, ValueError) as exc:
                raise SetupError(f"the wake word {name} cannot be loaded: {exc}") from exc
            self._networks[name] = network
            own = CUTOFFS.get(name, network.probability_cutoff)
            self._cutoffs[name] = own if threshold is None else threshold
        self._convert = resampler(RATE, WAKE_HZ)

    def hear(self, frame: bytes) -> str | None:
        """See the port. All start anew with each word that one noticed."""
        sure = self.certainties(frame)
        noticed = [name for name, cutoff in self._cutoffs.items() if sure[name] > cutoff]
        if not noticed:
            return None
        for network in self._networks.values():
            network.reset()  # 0.2 ms; what it remembers of the word would notice it again
        return max(noticed, key=lambda name: sure[name])

    def certainties(self, frame: bytes) -> dict[str, float]:
        """How sure each network is by this frame that its word has just been said: 0 to 1."""
        sure = dict.fromkeys(self._networks, 0.0)
        for features in self._features.process_streaming(self._convert(frame)):
            for name, network in self._networks.items():
                sure[name] = max(sure[name], network.process_streaming_prob(features) or 0.0)
        return sure
