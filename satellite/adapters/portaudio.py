"""The microphone and the loudspeaker of this machine, through PyAudio.

Each stream has one owner thread that alone opens it, reads or writes it, and closes it: a close
from another thread during a read crashed in 12 of 50 runs (audio.md 1). Nothing is cached between
close and open, so that every open sees the devices of that moment.

A device is named, never numbered: numbers change with every plug. It is asked for 24 kHz mono; one
that cannot gets the best rate it has and a resampler, loaded at that moment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from satellite.errors import DeviceError, SetupError
from satellite.model.audio import RATE, SAMPLE_BYTES, seconds_of, silence

Convert = Callable[[bytes], bytes]
MakeResampler = Callable[[int, int], Convert]  # (from_hz, to_hz)

OTHER_RATES: Final = (48_000, 44_100, 16_000)  # after the device's own; best first
PERIOD_MS: Final = 40  # of the host; each wakes us, and sound is sent by 40 ms (performance.md 6)
PAD_MS: Final = 120  # the last 40 to 80 ms written never sound when a stream is closed (audio.md 1)
RESAMPLER_S: Final = 0.02  # what a streaming resampler holds back
DEFAULT: Final = "default"

# PortAudio's initialise, open, close and terminate share tables and counters without a lock of
# their own; two threads in them at once corrupt these. read and write do not, and would wait for
# each other behind a lock: it must never be held around them.
_LIFECYCLE: Final = threading.Lock()

_ALSA_HANDLER: Final = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)
# ALSA keeps the address only: without this reference the function would be freed under it.
_SILENT: Final = _ALSA_HANDLER(lambda *_: None)

_PROBLEMS: Final = {  # PortAudio's error numbers that a person can act on
    -9985: "is in use by another program; stop that program",
    -9993: "cannot be opened together with another device",
    -9996: "cannot be used that way",
    -9998: "cannot do mono",
}


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device as PortAudio sees it now. ``index`` holds until the next ``terminate``."""

    index: int
    name: str
    inputs: int  # channels; 0 is no microphone
    outputs: int
    rate_hz: int  # what it prefers


@dataclass(frozen=True, slots=True)
class _Kind:
    """What differs between the two directions."""

    noun: str
    channels: str  # the attribute of Device
    prefix: str  # of PortAudio's names
    advice: str


_MIC: Final = _Kind(
    "microphone", "inputs", "input", "plug one in, see `arecord -l`, and join the group audio"
)
_SPEAKER: Final = _Kind(
    "loudspeaker", "outputs", "output", "plug one in, see `aplay -l`, and join the group audio"
)


class MicSource:
    """A Source. ``device``: ``default``, a name, or a part of one that only one device has."""

    def __init__(self, device: str, resampler: MakeResampler) -> None:
        self._device = device
        self._resampler = resampler
        self._stream: _Stream | None = None
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
        self._stream = _open(_MIC, self._device)
        self._heard.clear()
        with _closing_on_error(self):
            hz = self._stream.rate_hz
            self._convert = None if hz == RATE else self._resampler(hz, RATE)

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
        self._stream: _Stream | None = None
        self._convert: Convert | None = None
        self._silent_at = 0.0  # when all that was written has sounded
        self._failed = False

    def open(self) -> None:
        """Find the device and begin. Raises DeviceError or SetupError, after closing everything."""
        self.close()
        self._stream = _open(_SPEAKER, self._device)
        self._failed = False
        self._silent_at = 0.0
        with _closing_on_error(self):
            hz = self._stream.rate_hz
            self._convert = None if hz == RATE else self._resampler(RATE, hz)

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


class _Stream:
    """An open PortAudio stream, mono s16le, and the PyAudio object that it hangs on."""

    def __init__(self, kind: _Kind, name: str, audio: Any, stream: Any, rate_hz: int) -> None:
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
        with _LIFECYCLE:
            with contextlib.suppress(OSError):
                self._stream.close()
            self._audio.terminate()

    def _gone(self, exc: OSError) -> DeviceError:
        return DeviceError(
            f"the {self._kind.noun} {self._name!r} stopped working ({_reason(exc)});"
            " check its plug and the sound server"
        )


@contextlib.contextmanager
def _closing_on_error(owner: MicSource | SpeakerSink) -> Iterator[None]:
    try:
        yield
    except BaseException:
        owner.close()
        raise


# --- finding and opening -----------------------------------------------------------------------


def devices() -> list[Device]:
    """All sound devices of this moment. Raises SetupError when PortAudio is missing."""
    with _LIFECYCLE:
        audio = _initialise()
        try:
            return _devices(audio)
        finally:
            audio.terminate()


def _open(kind: _Kind, wanted: str) -> _Stream:
    with _LIFECYCLE:
        audio = _initialise()
        try:
            device = _choose(kind, wanted.strip(), audio)
            stream, rate = _start(kind, device, audio)
        except BaseException:
            audio.terminate()
            raise
    return _Stream(kind, device.name, audio, stream, rate)


def _initialise() -> Any:
    """A new PyAudio object, without a word on stderr.

    It sees the devices of this moment, unless another one lives: PortAudio counts its users and
    looks around for the first only. The loudspeaker is open while it plays, so that heals itself.
    """
    try:
        import pyaudio
    except ImportError as exc:
        raise SetupError(
            f"PyAudio cannot be loaded ({exc}); run: sudo apt install libportaudio2"
        ) from exc
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    with contextlib.suppress(OSError, AttributeError):  # not with every sound layer
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_SILENT)
    with _stderr_closed():
        return pyaudio.PyAudio()


@contextlib.contextmanager
def _stderr_closed() -> Iterator[None]:
    """JACK writes to descriptor 2 itself. A line of another thread in these 4 ms is lost."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def _devices(audio: Any) -> list[Device]:
    return [
        Device(
            index,
            str(found["name"]),
            int(found["maxInputChannels"]),
            int(found["maxOutputChannels"]),
            int(found["defaultSampleRate"]),
        )
        for index in range(audio.get_device_count())
        for found in [audio.get_device_info_by_index(index)]
    ]


def _choose(kind: _Kind, wanted: str, audio: Any) -> Device:
    """The device that is meant. Raises DeviceError with the names to choose from."""
    all_devices = _devices(audio)
    able = [device for device in all_devices if getattr(device, kind.channels) > 0]
    if not able:
        raise DeviceError(f"no {kind.noun} found: {kind.advice}")
    if wanted.isdecimal():
        raise DeviceError(_numbered(kind, wanted, able))
    if wanted == DEFAULT:
        return _default(kind, audio, able)
    exact = [device for device in able if device.name == wanted]
    if exact:
        return exact[0]
    # a monitor is what a loudspeaker plays, and hearing that is never what a part of a name means
    near = [d for d in able if wanted.lower() in d.name.lower() and not _is_monitor(d)]
    if len(near) == 1:
        return near[0]
    problem = f"{len(near)} {kind.noun}s are called" if near else f"no {kind.noun} is called"
    raise DeviceError(f"{problem} {wanted!r}; there are: {_names(near or able)}")


def _default(kind: _Kind, audio: Any, able: list[Device]) -> Device:
    try:
        index = int(getattr(audio, f"get_default_{kind.prefix}_device_info")()["index"])
    except OSError as exc:
        raise DeviceError(
            f"the system has no default {kind.noun}; name one of: {_names(able)}"
        ) from exc
    return next(device for device in able if device.index == index)


def _numbered(kind: _Kind, wanted: str, able: list[Device]) -> str:
    there = [device.name for device in able if device.index == int(wanted)]
    instead = f"write {there[0]!r}" if there else f"write one of: {_names(able)}"
    return f"{wanted} is no name of a {kind.noun}, and numbers change with every plug; {instead}"


def _is_monitor(device: Device) -> bool:
    return device.name.lower().endswith(".monitor") or device.name.lower().startswith("monitor of")


def _names(able: list[Device]) -> str:
    return ", ".join(repr(device.name) for device in able)


def _start(kind: _Kind, device: Device, audio: Any) -> tuple[Any, int]:
    """The stream and its rate: 24 kHz, or the first rate that the device can do."""
    reason = ""
    for rate in dict.fromkeys((RATE, device.rate_hz, *OTHER_RATES)):
        try:
            return _start_at(rate, kind, device, audio), rate
        except ValueError as exc:  # is_format_supported's way to say no
            reason = reason or _reason(exc)
        except OSError as exc:
            reason = _reason(exc)
    raise DeviceError(f"the {kind.noun} {device.name!r} {reason}")


def _start_at(rate: int, kind: _Kind, device: Device, audio: Any) -> Any:
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


def _reason(exc: Exception) -> str:
    """PortAudio's reason in words. Its errors are (number, text), or (text, number)."""
    number = next((arg for arg in exc.args if isinstance(arg, int)), 0)
    text = next((arg for arg in exc.args if isinstance(arg, str)), "no reason given")
    return _PROBLEMS.get(number, f"{text}, PortAudio {number}")
