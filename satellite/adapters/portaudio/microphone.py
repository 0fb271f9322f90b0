"""The microphone of this machine.

It is asked for 24 kHz mono; one that cannot gets the best rate it has and a resampler, loaded at
that moment.

PortAudio does not say that a microphone was unplugged: a read of more than there is would wait for
ever. So nothing is read that is not there, and who gives nothing new for STALL_S is lost. Nor does
it say that a sound server moved us to another microphone: so we look.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from satellite.adapters.portaudio.cadence import Cadence
from satellite.adapters.portaudio.names import MIC
from satellite.adapters.portaudio.stream import Convert, MakeResampler, Stream, open_stream
from satellite.errors import DeviceError
from satellite.model.audio import RATE, SAMPLE_BYTES

STALL_S: Final = 2.0  # F41: told within 3 s
LOOK_S: Final = 0.4  # at the sound server, which may let us hear something else: its silence would
# end a turn after 0.5 s. A look costs 0.07 ms.
ORDERS_S: Final = 0.1  # and whoever waits for sound can be told to give the device back in 200 ms


class MicSource:
    """A Source. ``device``: ``default``, or a name as names.py says.

    ``channel``: which one of several to hear, from 1 on; None leaves it to the device.
    """

    def __init__(
        self,
        device: str,
        resampler: MakeResampler,
        channel: int | None = None,
        *,
        stall_s: float = STALL_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._device = device
        self._resampler = resampler
        self._channel = channel
        self._stall_s = stall_s
        self._clock = clock
        self._sleep = sleep
        self._stream: Stream | None = None
        self._convert: Convert | None = None
        self._cadence = Cadence()
        self._heard = bytearray()
        self._begun = False  # a block was heard
        self._there = 0  # frames, at the last look
        self._waited_s = 0.0  # since anything new came
        self._looked_at = 0.0

    @property
    def live(self) -> bool:
        """What nobody reads is gone."""
        return True

    @property
    def ended(self) -> bool:
        """A microphone never ends."""
        return False

    @property
    def rate_hz(self) -> int:
        """Of the device, while it is open."""
        assert self._stream is not None, "asked before open"
        return self._stream.rate_hz

    def pause(self, on: bool) -> None:
        """A microphone cannot wait."""

    def open(self) -> None:
        """Find the device and begin. Raises DeviceError or SetupError, after closing everything."""
        self.close()
        self._stream = open_stream(MIC, self._device, self._channel)
        self._cadence = Cadence()
        self._heard.clear()
        self._there, self._waited_s, self._looked_at = 0, 0.0, self._clock()
        self._begun = False
        hz = self._stream.rate_hz
        try:
            self._convert = None if hz == RATE else self._resampler(hz, RATE)
        except BaseException:
            self.close()
            raise

    def read(self, samples: int) -> bytes:
        """Sleep until ``samples`` samples were captured; empty when nothing new came for ORDERS_S.

        Raises DeviceError when the device is gone, gave nothing new for ``stall_s``, or is not the
        one any more that was opened. Sound that was lost because nobody read is not told: samples
        against the clock tell it.
        """
        assert self._stream is not None, "read before open"
        stream = self._stream
        moment: float | None = None
        while (missing := samples - len(self._heard) // SAMPLE_BYTES) > 0:
            if self._take(stream, missing):
                continue
            now = self._look(stream)
            if moment is None:
                moment = self._cadence.first(now, samples / RATE, missing / RATE)
            elif now >= moment:
                moment = self._cadence.again()
            self._wait(stream, moment - now)
            if self._waited_s > ORDERS_S and stream.available() <= self._there:
                return b""
        now = self._look(stream)
        if moment is None:
            self._cadence.at_once(now, self._there / stream.rate_hz)
        else:
            self._align(stream, samples)
            self._cadence.complete(now, self._there / stream.rate_hz)
        self._begun = True
        block = bytes(self._heard[: samples * SAMPLE_BYTES])
        del self._heard[: samples * SAMPLE_BYTES]
        return block

    def close(self) -> None:
        """Give the device back. Safe after any error, and twice."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _align(self, stream: Stream, samples: int) -> None:
        """Let the first block end where a piece of the device ends, so that none waits for another.

        What is before it, less than a piece and older than the block, is never heard.
        """
        if not self._begun and self._there:
            rest = stream.read(self._there)
            self._heard += rest if self._convert is None else self._convert(rest)
            del self._heard[: max(0, len(self._heard) - samples * SAMPLE_BYTES)]
            self._there = 0

    def _look(self, stream: Stream) -> float:
        """The time; each LOOK_S it is time to look whether we still hear what we opened."""
        now = self._clock()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            stream.look()
        return now

    def _take(self, stream: Stream, missing: int) -> bool:
        """Read of what is there what ``missing`` samples need, in whole periods; False for none."""
        there = stream.available()
        if there > self._there:
            self._waited_s = 0.0
        self._there = there
        periods = min(there // stream.period, -(-missing * stream.rate_hz // RATE // stream.period))
        for _ in range(periods):
            period = stream.read(stream.period)
            self._heard += period if self._convert is None else self._convert(period)
        self._there -= periods * stream.period
        return periods > 0

    def _wait(self, stream: Stream, seconds: float) -> None:
        """Sleep, but no longer than the device can keep what comes meanwhile.

        What was slept is counted, not what has passed: a process that was stopped for a while, or a
        machine that is too busy, is no fault of the device.
        """
        if self._waited_s >= self._stall_s:
            raise DeviceError(
                f"the microphone {stream.name!r} gives no sound any more; check its plug, and that"
                " no switch or sound server has suspended it",
                "stalled",
            )
        seconds = min(max(seconds, 0.0), max(stream.spare_s, 0.001))
        self._waited_s += seconds
        self._sleep(seconds)
