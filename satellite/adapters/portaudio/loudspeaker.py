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

from satellite.adapters.portaudio.devices import SPEAKER
from satellite.adapters.portaudio.stream import Convert, MakeResampler, Stream, open_stream
from satellite.errors import DeviceError
from satellite.model.audio import RATE, SAMPLE_BYTES, seconds_of, silence

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
        self._begun = False  # something was written
        self._tells = False  # the room has changed
        self._held_s = 0.0  # in the resampler
        self._silent_at = 0.0  # when all that was written has sounded, by the clock

    def open(self) -> None:
        """Find the device and begin. Raises DeviceError or SetupError, after closing everything."""
        self.drop()
        self._stream = stream = open_stream(SPEAKER, self._device)
        self._begun = self._tells = False
        self._held_s = self._silent_at = 0.0
        try:
            self._buffer = self._room = stream.room()
            hz = stream.rate_hz
            self._convert = None if hz == RATE else self._resampler(RATE, hz)
        except BaseException:
            self.drop()
            raise

    def write(self, pcm: bytes) -> None:
        """Play; waits for room in the device. Raises DeviceError when it is gone or stalled."""
        assert self._stream is not None, "write before open"
        self._silent_at = max(self._silent_at, self._clock()) + seconds_of(len(pcm))
        if self._convert is not None:
            given_s = seconds_of(len(pcm))
            pcm = self._convert(pcm)
            self._held_s += given_s - len(pcm) / SAMPLE_BYTES / self._stream.rate_hz
        left = memoryview(self._startable(pcm))
        while left:
            size = self._ask_room() * SAMPLE_BYTES
            if size == 0:
                self._sleep(POLL_S)
            self._stream.write(bytes(left[:size]))
            left = left[size:]

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
        waiting = self._buffer - self._room
        # what the resampler holds comes out with the next sound, or with the end
        return waiting / self._stream.rate_hz + self._held_s if waiting else 0.0

    def close(self) -> None:
        """Play out, then give the device back. Safe after any error, and twice."""
        if self._stream is None:
            return
        try:
            if self._begun:
                self.write(silence(PAD_MS))
            while self._ask_room() < self._buffer:
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

    def _ask_room(self) -> int:
        """Frames of room in the device. Raises DeviceError when it has been the same too long."""
        assert self._stream is not None
        room, now = min(self._stream.room(), self._buffer), self._clock()
        self._tells |= room < self._buffer
        if room != self._room or room == self._buffer:
            self._room, self._moved_at = room, now
        elif now - self._moved_at > self._stall_s:
            raise DeviceError(
                f"the speaker {self._stream.name!r} has taken nothing for {self._stall_s:g} s;"
                " check its plug and the sound server",
                "stalled",
            )
        return room

    def _startable(self, pcm: bytes) -> bytes:
        """An empty device begins with a whole period: less has silence before it."""
        assert self._stream is not None
        empty = self._ask_room() == self._buffer and (self._tells or not self._begun)
        whole = self._stream.period * SAMPLE_BYTES if pcm and empty else 0
        self._begun |= bool(pcm)
        return pcm.rjust(whole, b"\0")
