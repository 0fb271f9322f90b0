"""The loudspeaker of this machine. It is asked for 24 kHz mono, as the microphone is.

How much has sounded is told by the room in the device: all that it ever took, less what is still in
it. On a sound server this was right to within its own step of 20 ms, and exact at the end (measured
by recording what it played). A device whose room never changes does not tell; the clock does then.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import Final

from satellite.adapters.portaudio.names import SPEAKER
from satellite.adapters.portaudio.stream import (
    PERIOD_MS,
    Convert,
    MakeResampler,
    Stream,
    open_stream,
)
from satellite.errors import DeviceError
from satellite.model.audio import RATE, SAMPLE_BYTES, seconds_of

PAD_MS: Final = 120  # behind the last sound: what a sound server has taken may wait there as long
STALL_S: Final = 2.0  # reliability F53: told within 3 s
POLL_S: Final = 0.005
LEAST_S: Final = 0.08  # two slices: one sounds while the other is written


class SpeakerSink:
    """A Sink. ``device``: ``default``, a name, or a part of one that only one device has.

    A device that takes nothing for ``stall_s`` is given up.
    """

    def __init__(
        self,
        device: str,
        resampler: MakeResampler,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        *,
        stall_s: float = STALL_S,
    ) -> None:
        self._device = device
        self._resampler = resampler
        self._clock = clock
        self._sleep = sleep
        self._stall_s = stall_s
        self._stream: Stream | None = None
        self._convert: Convert | None = None
        self._buffer = 0  # frames of room in the empty device
        self._room = 0  # when it was asked last
        self._moved_at = 0.0  # when that was something else
        self._tells = False  # the room has changed
        self._written = 0  # frames
        self._held = 0.0  # of them, how many more are in the resampler
        self._end = (
            0.0  # where the last sound ends, in frames; what was written after it is silence
        )
        self._silent_at = 0.0  # when that has sounded, by the clock

    def open(self) -> None:
        """Find the device and begin. Raises DeviceError or SetupError, after closing everything."""
        self.drop()
        self._stream = stream = open_stream(SPEAKER, self._device)
        self._tells, self._written = False, 0
        self._held = self._end = self._silent_at = 0.0
        try:
            self._buffer = self._room = stream.room()
            hz = stream.rate_hz
            self._convert = None if hz == RATE else self._resampler(RATE, hz)
        except BaseException:
            self.drop()
            raise

    def write(self, pcm: bytes) -> None:
        """Play; waits for room in the device. Raises DeviceError when it is gone or stalled."""
        self._silent_at = max(self._silent_at, self._clock()) + seconds_of(len(pcm))
        self._put(pcm)
        self._end = self._written + self._held

    def push(self) -> None:
        """Let all that was written sound: no more comes for now. Raises DeviceError as write does.

        A device begins with a whole period, and a converter of ALSA hands on whole ones.
        """
        assert self._stream is not None, "pushed before open"
        while self._end + self._stream.period > self._written:
            self._pad(PERIOD_MS)  # again where a resampler held it back

    def room_s(self) -> float:
        """Seconds of sound that the device takes now; without end where it holds hardly any.

        Raises DeviceError as ``write`` does.
        """
        assert self._stream is not None, "asked before open"
        room_s = self._ask_room() / self._stream.rate_hz
        return room_s if self._buffer / self._stream.rate_hz >= LEAST_S else math.inf

    def delay_s(self) -> float:
        """Seconds of sound that were written and have not sounded."""
        if self._stream is None:
            return 0.0
        with contextlib.suppress(DeviceError):
            self._ask_room()
        if not self._tells:
            return max(0.0, self._silent_at - self._clock())
        return max(0.0, self._end - self._sounded()) / self._stream.rate_hz

    def close(self) -> None:
        """Play out, then give the device back. Safe after any error, and twice."""
        if self._stream is None:
            return
        try:
            if self._end:
                self._pad(PAD_MS)
            while self._tells and self._ask_room() < self._buffer - self._stream.period:
                self._sleep(POLL_S)
            self._give_back(played_out=not self._tells)
        except DeviceError:
            self.drop()

    def drop(self) -> None:
        """Give the device back at once; what has not sounded never will."""
        self._give_back(played_out=False)

    def _give_back(self, *, played_out: bool) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close(played_out=played_out)

    def _put(self, pcm: bytes) -> None:
        assert self._stream is not None, "write before open"
        if self._convert is not None:
            self._held += len(pcm) / SAMPLE_BYTES * self._stream.rate_hz / RATE
            pcm = self._convert(pcm)
            self._held -= len(pcm) / SAMPLE_BYTES
        left = memoryview(pcm)
        while left:
            size = self._ask_room() * SAMPLE_BYTES
            if size == 0:
                self._sleep(POLL_S)
            self._stream.write(bytes(left[:size]))
            self._written += len(left[:size]) // SAMPLE_BYTES
            left = left[size:]

    def _pad(self, ms: int) -> None:
        """Write at least ``ms`` of silence that does not count, up to the end of a period."""
        assert self._stream is not None
        least = round(self._held) + ms * self._stream.rate_hz // 1000
        frames = least + -(self._written + least) % self._stream.period
        self._put(bytes(frames * RATE // self._stream.rate_hz * SAMPLE_BYTES))

    def _sounded(self) -> int:
        return self._written - (self._buffer - self._room)

    def _ask_room(self) -> int:
        """Frames of room in the device. Raises DeviceError when it has been the same too long."""
        assert self._stream is not None
        room, now = min(self._stream.room(), self._buffer), self._clock()
        self._tells |= room < self._buffer
        moved, self._room = room != self._room, room
        if moved or room == self._buffer or self._sounded() >= self._end:
            self._moved_at = now
        elif now - self._moved_at > self._stall_s:
            raise DeviceError(
                f"the speaker {self._stream.name!r} has taken nothing for {self._stall_s:g} s;"
                " check its plug and the sound server",
                "stalled",
            )
        return room
