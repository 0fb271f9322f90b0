"""One open PortAudio stream, and the PyAudio object that it hangs on.

Each stream has one owner thread that alone opens it, reads or writes it, and closes it: a close
from another thread during a read crashed in 12 of 50 runs (audio.md 1).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

from satellite.adapters.portaudio.devices import Device, Kind, choose
from satellite.adapters.portaudio.library import LIFECYCLE, initialise, reason
from satellite.errors import DeviceError
from satellite.model.audio import RATE

Convert = Callable[[bytes], bytes]
MakeResampler = Callable[[int, int], Convert]  # (from_hz, to_hz)

OTHER_RATES: Final = (48_000, 44_100, 16_000)  # after the device's own; best first
PERIOD_MS: Final = 40  # of the host; each wakes us, and sound is sent by 40 ms (performance.md 6)


class Stream:
    """An open PortAudio stream, mono s16le, and the PyAudio object that it hangs on."""

    def __init__(self, kind: Kind, name: str, audio: Any, stream: Any, rate_hz: int) -> None:
        self._kind = kind
        self._name = name
        self._audio = audio
        self._stream = stream
        self.rate_hz = rate_hz

    def read(self) -> bytes:
        """One period of the host: PortAudio wakes up for each one anyway, however many are read."""
        try:
            # by default an overflow closes the stream under its reader
            period = self._stream.read(_period(self.rate_hz), exception_on_overflow=False)
            return bytes(period)
        except OSError as exc:
            raise self._gone(exc) from exc

    def write(self, pcm: bytes) -> None:
        try:
            self._stream.write(pcm)
        except OSError as exc:
            raise self._gone(exc) from exc

    def close(self, *, played_out: bool = False) -> None:
        if played_out:
            with contextlib.suppress(OSError):
                self._stream.stop_stream()  # waits for the device, so not behind the lock
        with LIFECYCLE:
            with contextlib.suppress(OSError):
                self._stream.close()
            self._audio.terminate()

    def _gone(self, exc: OSError) -> DeviceError:
        return DeviceError(
            f"the {self._kind.noun} {self._name!r} stopped working ({reason(exc)});"
            " check its plug and the sound server"
        )


def open_stream(kind: Kind, wanted: str) -> Stream:
    """Find the device and begin. Raises DeviceError or SetupError, after closing everything."""
    with LIFECYCLE:
        audio = initialise()
        try:
            device = choose(kind, wanted.strip(), audio)
            stream, rate = _start(kind, device, audio)
        except BaseException:
            audio.terminate()
            raise
    return Stream(kind, device.name, audio, stream, rate)


def _start(kind: Kind, device: Device, audio: Any) -> tuple[Any, int]:
    """The stream and its rate: 24 kHz, or the first rate that the device can do."""
    why = ""
    for rate in dict.fromkeys((RATE, device.rate_hz, *OTHER_RATES)):
        try:
            return _start_at(rate, kind, device, audio), rate
        except ValueError as exc:  # is_format_supported's way to say no
            why = why or reason(exc)
        except OSError as exc:
            why = reason(exc)
    raise DeviceError(f"the {kind.noun} {device.name!r} {why}")


def _start_at(rate: int, kind: Kind, device: Device, audio: Any) -> Any:
    sample_format = 8  # paInt16, whose module is loaded late
    asked: dict[str, Any] = {f"{kind.prefix}_device": device.index, f"{kind.prefix}_channels": 1}
    audio.is_format_supported(rate, **asked, **{f"{kind.prefix}_format": sample_format})
    return audio.open(
        rate=rate,
        channels=1,
        format=sample_format,
        frames_per_buffer=_period(rate),
        **{kind.prefix: True, f"{kind.prefix}_device_index": device.index},
    )


def _period(rate_hz: int) -> int:
    return rate_hz * PERIOD_MS // 1000
