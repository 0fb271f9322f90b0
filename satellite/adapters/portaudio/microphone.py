"""The microphone of this machine.

It is asked for 24 kHz mono; one that cannot gets the best rate it has and a resampler, loaded at
that moment.
"""

from __future__ import annotations

from satellite.adapters.portaudio.devices import MIC
from satellite.adapters.portaudio.stream import Convert, MakeResampler, Stream, open_stream
from satellite.model.audio import RATE, SAMPLE_BYTES


class MicSource:
    """A Source. ``device``: ``default``, a name, or a part of one that only one device has."""

    def __init__(self, device: str, resampler: MakeResampler) -> None:
        self._device = device
        self._resampler = resampler
        self._stream: Stream | None = None
        self._convert: Convert | None = None
        self._heard = bytearray()

    @property
    def ended(self) -> bool:
        """A microphone never ends."""
        return False

    def pause(self, on: bool) -> None:
        """A microphone cannot wait."""

    def open(self) -> None:
        """Find the device and begin. Raises DeviceError or SetupError, after closing everything."""
        self.close()
        self._stream = open_stream(MIC, self._device)
        self._heard.clear()
        hz = self._stream.rate_hz
        try:
            self._convert = None if hz == RATE else self._resampler(hz, RATE)
        except BaseException:
            self.close()
            raise

    def read(self, samples: int) -> bytes:
        """Block until ``samples`` samples were captured; blocks for ever on a device that stalls.

        Sound that was lost because nobody read is not told: samples against the clock tell it.
        """
        assert self._stream is not None, "read before open"
        wanted = samples * SAMPLE_BYTES
        while len(self._heard) < wanted:
            period = self._stream.read()
            self._heard += period if self._convert is None else self._convert(period)
        block = bytes(self._heard[:wanted])
        del self._heard[:wanted]
        return block

    def close(self) -> None:
        """Give the device back. Safe after any error, and twice."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
