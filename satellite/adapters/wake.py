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
# Where it is not the model's own (0.85, 0.95, 0.9; hey_jarvis keeps 0.97). The first two are the
# lowest of benchmarks/hearing/wake.py without a wake in vain in one half of its voices and speech;
# for the third, where that would hear too few, one in vain was allowed. docs/hearing.md has both
# halves. A longer mean than the library's own, of five windows, hears fewer for the same peace.
CUTOFFS: Final = {"okay_nabu": 0.7, "hey_mycroft": 0.8, "alexa": 0.93}
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
