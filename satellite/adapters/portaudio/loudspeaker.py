"""The loudspeaker of this machine. It is asked for 24 kHz mono, as the microphone is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

from satellite.adapters.portaudio.devices import SPEAKER
from satellite.adapters.portaudio.stream import Convert, MakeResampler, Stream, open_stream
from satellite.errors import DeviceError
from satellite.model.audio import RATE, seconds_of, silence

PAD_MS: Final = 120  # the last 40 to 80 ms written never sound when a stream is closed (audio.md 1)
RESAMPLER_S: Final = 0.02  # what a streaming resampler holds back


class SpeakerSink:
    """A Sink. ``device``: ``default``, a name, or a part of one that only one device has."""

    def __init__(
        self,
        device: str,
        resampler: MakeResampler,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._resampler = resampler
        self._clock = clock
        self._stream: Stream | None = None
        self._convert: Convert | None = None
        self._silent_at = 0.0  # when all that was written has sounded
        self._failed = False

    def open(self) -> None:
        """Find the device and begin. Raises DeviceError or SetupError, after closing everything."""
        self.close()
        self._stream = open_stream(SPEAKER, self._device)
        self._failed = False
        self._silent_at = 0.0
        hz = self._stream.rate_hz
        try:
            self._convert = None if hz == RATE else self._resampler(RATE, hz)
        except BaseException:
            self.close()
            raise

    def write(self, pcm: bytes) -> None:
        """Play; blocks while the device's buffer is full. Raises DeviceError when it is gone."""
        assert self._stream is not None, "write before open"
        self._silent_at = max(self._silent_at, self._clock()) + seconds_of(len(pcm))
        self._failed = True
        self._stream.write(pcm if self._convert is None else self._convert(pcm))
        self._failed = False

    def delay_s(self) -> float:
        """Seconds of sound that were written and have not sounded.

        Counted from what was written and the time since, because PortAudio's own figure is a
        constant that no measurement confirmed (audio.md 1).
        """
        held_back = 0.0 if self._convert is None else RESAMPLER_S
        return max(0.0, self._silent_at - self._clock() + held_back)

    def close(self) -> None:
        """Play out, then give the device back. Safe after any error, and twice."""
        stream = self._stream
        if stream is None:
            return
        if self._silent_at and not self._failed:
            with contextlib.suppress(DeviceError):
                self.write(silence(PAD_MS))
        self._stream = None
        stream.close(played_out=not self._failed)

    def drop(self) -> None:
        """Give the device back at once; what has not sounded never will."""
        self._silent_at = 0.0
        self.close()
