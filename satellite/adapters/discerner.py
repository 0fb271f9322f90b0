"""Tells the loudspeaker's sound from somebody who speaks against it, by loudness alone.

An echo canceller lets the loudspeaker through for a fifth of a second whenever the echo comes by
another way, be it by a millisecond, and holds a person down for about as long. Loudness cares for
neither: how loud the echo is in each of 16 bands follows from what was played in the last half
second. What is louder by 6 dB is a surprise. Near and far as loud as each other, in rooms of 0.2
to 0.5 s: the loudspeaker alone is no surprise in 99 of 100 frames, speech is one within 60 ms.

numpy comes with the echo canceller. 3 ms of CPU a second of sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from satellite.errors import SetupError
from satellite.model.audio import FRAME_BYTES, FRAME_SAMPLES, RATE, frames
from satellite.model.ports import Discerned

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

BANDS: Final = 16
LOWEST_HZ: Final = 250  # below is more hum than voice; above the other, more hiss
HIGHEST_HZ: Final = 3800
REACH: Final = frames(560)  # the delay of the devices, and the walls
HEARD: Final = 100.0  # of 32768, in one band: what is played as softly makes no echo that counts
LEARNT: Final = frames(1000)  # of sound that is played, until it is known what that sounds like
SURPRISE_DB: Final = 6.0
MOST_DB: Final = 10.0  # of one band, so that one that whistles is not sixteen
QUICK: Final = 0.3  # learning rates
STEADY: Final = 0.1
NOISE_RISES: Final = 1.004  # each frame: 1.7 dB a second
FAINT: Final = 0.01  # of the loudest in the last second: 40 dB
MEMORY: Final = frames(1000)


class Discerner:
    """One thread at a time. Raises SetupError where numpy is missing."""

    def __init__(self) -> None:
        try:
            import numpy as np
        except ImportError as exc:
            raise SetupError(
                f"audio.duplex: cancel needs numpy, which cannot be loaded ({exc});"
                " run: pip install 'realtime-satellite[echo]'"
            ) from exc
        self._np = np
        length = 2 * FRAME_SAMPLES
        edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
        of_bin = np.searchsorted(edges, np.fft.rfftfreq(length, 1 / RATE))
        window = np.hanning(length)
        self._window = window / np.sqrt(length * np.sum(window**2))
        self._bands = (of_bin[:, None] == np.arange(1, BANDS + 1)).astype(float)
        self._gains = np.zeros((REACH, BANDS))  # from what was played, the newest first
        self._frames = 0
        self.pause()

    def pause(self) -> None:
        """What follows does not go on where the last frame ended."""
        np = self._np
        self._sound = np.zeros((2, 2 * FRAME_SAMPLES))  # near, far; this frame and the one before
        self._played = np.zeros((REACH, BANDS))
        self._noise: Array | None = None
        self._loudest: list[float] = []

    def hear(self, near: bytes, far: bytes, cleaned: bytes) -> Discerned:
        """See the port."""
        np = self._np
        heard, played = self._loudness(near, far)
        self._played[1:] = self._played[:-1]
        self._played[0] = played
        noise = self._hear_noise(heard)
        echo = np.sum(self._gains * self._played, axis=0)
        over_db = 20 * np.log10(heard / (echo + noise))
        surprise = float(np.clip(over_db - SURPRISE_DB, 0, MOST_DB).sum())
        rings = bool(self._played.max() >= HEARD)
        if rings:
            self._learn(np.maximum(heard - noise, 0) - echo, np.maximum(echo, noise))
            surprise = surprise if self._frames > LEARNT else 0.0
        return Discerned(surprise, self._is_audible(near, cleaned), rings)

    def _loudness(self, near: bytes, far: bytes) -> Array:
        """Of the last 40 ms in each band, in samples: that of near, that of far."""
        np = self._np
        self._sound[:, :FRAME_SAMPLES] = self._sound[:, FRAME_SAMPLES:]
        self._sound[:, FRAME_SAMPLES:] = np.frombuffer(near + far, "<i2").reshape(2, -1)
        spectrum = np.fft.rfft(self._sound * self._window)
        power = (spectrum.real**2 + spectrum.imag**2) @ self._bands
        loudness: Array = np.sqrt(power + 1e-3)
        return loudness

    def _hear_noise(self, heard: Array) -> Array:
        np = self._np
        if self._noise is None:
            self._noise = heard.copy()
        quieter = heard < self._noise
        noise: Array = np.where(quieter, 0.7 * self._noise + 0.3 * heard, self._noise * NOISE_RISES)
        self._noise = noise
        return noise

    def _learn(self, missed: Array, most: Array) -> None:
        """Move the gains so that the echo would have been as loud as it was.

        Once learnt, a frame that is much too loud is taken for half of that, and no more than
        twice what was expected: it may be somebody.
        """
        np = self._np
        self._frames += 1
        rate = QUICK
        if self._frames > LEARNT:
            missed, rate = np.minimum(missed, most), STEADY
        step = np.where(missed < 0, rate, rate / 2) * missed
        step /= np.sum(self._played**2, axis=0) + 1e3
        self._gains = np.maximum(self._gains + step * self._played, 0)

    def _is_audible(self, near: bytes, cleaned: bytes) -> bool:
        np = self._np
        both = np.frombuffer(near + cleaned, "<i2").reshape(2, -1).astype(np.float32)
        before, after = np.sqrt(np.mean(both**2, axis=1) + 1)
        self._loudest = [*self._loudest[1 - MEMORY :], float(before)]
        return bool(after > FAINT * max(self._loudest))


assert FRAME_BYTES == 2 * FRAME_SAMPLES
