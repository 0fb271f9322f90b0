"""One open PortAudio stream, and the PyAudio object that it hangs on.

Each stream has one owner thread that alone opens it, reads or writes it, and closes it: a close
from another thread during a read crashed in 12 of 50 runs (audio.md 1).

PortAudio never tells that a device is gone: a read of more than there is would wait for ever, and
burn a processor meanwhile. So the owner asks ``available`` or ``room`` and sleeps by itself; a read
or write of no more than that returns at once. (ALSA's ``file`` plugin, the sound card of our tests,
always has room for 80 ms and waits in the call.)

PortAudio finds what was plugged in only while nobody uses it. So where somebody misses a device, an
open stream closes and opens itself once: a gap of some milliseconds in its sound.
"""

from __future__ import annotations

import contextlib
import functools
import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any, Final

from satellite.adapters.portaudio import left_open, library, watch
from satellite.adapters.portaudio.cards import Card
from satellite.adapters.portaudio.devices import Look, led_to
from satellite.adapters.portaudio.library import LIFECYCLE, is_busy, reason
from satellite.adapters.portaudio.names import (
    Chosen,
    Device,
    Kind,
    UnseenError,
    busy,
    choose,
    holder_of,
    name_of,
)
from satellite.errors import DeviceError
from satellite.model.audio import RATE, SAMPLE_BYTES

Convert = Callable[[bytes], bytes]
MakeResampler = Callable[[int, int], Convert]  # (from_hz, to_hz)

OTHER_RATES: Final = (44_100, 16_000)  # best first
OTHER_CHANNELS: Final = (2, 4, 6, 8)  # of devices that cannot do fewer
PERIOD_MS: Final = 40  # of the host; each wakes us, and sound is sent by 40 ms (performance.md 6)
SHORT_MS: Final = 10  # of a device whose buffer does not hold two of those
_RAN_OVER: Final = -9981  # PortAudio has begun again, and it ran over meanwhile
_S16: Final = 8  # PyAudio's paInt16, whose module is loaded late


# What was missed even when all was opened anew: not asked for again before other cards are there.
_in_vain: Final[dict[Kind, tuple[str, tuple[Card, ...]]]] = {}  # a direction has one thread


class Stream:
    """An open PortAudio stream. Its owner sees s16le mono at ``rate_hz``.

    ``channels`` is how many the device was opened with, ``channel`` (from 0 on) the one that is
    heard; what is played goes to all of them. ``period``: frames to read at a time, of PERIOD_MS
    unless the device keeps less than that. ``spare_s``: seconds of sound that the device keeps for
    an owner that comes late, beside one period of its own.
    """

    def __init__(
        self, kind: Kind, name: str, audio: Any, stream: Any, rate_hz: int, channels: int,
        channel: int,
    ) -> None:  # fmt: skip
        self._kind = kind
        self.name = name
        self._audio = audio
        self._stream = stream
        self.rate_hz = rate_hz
        self.channels = channels
        self._channel = channel
        self._watch: watch.Watch | None = None
        self._again: Callable[[], Stream] | None = None
        self._asked = library.asked()
        self._files: dict[int, str] = {}
        self.spare_s = float(getattr(stream, f"get_{kind.prefix}_latency")())
        short = self.spare_s < PERIOD_MS / 1000 * 0.9
        self.period = rate_hz * SHORT_MS // 1000 if short else _period(rate_hz)

    def look_through(self, watched: watch.Watch | None, again: Callable[[], Stream]) -> None:
        """Watch the sound server from now on; ``again`` opens the same anew."""
        self._watch, self._again = watched, again

    def own(self, files: dict[int, str]) -> None:
        """These were opened for it: see left_open.py."""
        self._files = files

    def look(self) -> None:
        """Raise DeviceError when the sound server let us hear something else than we opened."""
        if self._watch is not None:
            self._watch.look()

    def available(self) -> int:
        """Frames that can be read without waiting. Raises DeviceError when the device is gone.

        Where the device ran over because nobody read, PortAudio begins again with none.
        """
        self._renew()
        return self._ask(self._stream.get_read_available)

    def read(self, frames: int) -> bytes:
        """``frames`` frames of the one channel; waits only for more than are available."""
        try:
            # by default an overflow closes the stream under its reader
            pcm = self._stream.read(frames, exception_on_overflow=False)
        except OSError as exc:
            raise self._gone(exc) from exc
        if self.channels == 1:
            return bytes(pcm)
        return memoryview(pcm).cast("h")[self._channel :: self.channels].tobytes()

    def room(self) -> int:
        """Frames that can be written without waiting. Raises DeviceError when it is gone."""
        self._renew()
        return self._ask(self._stream.get_write_available)

    def write(self, pcm: bytes) -> None:
        """Play on all channels; waits only for more than there is room."""
        self._renew()
        try:
            self._stream.write(spread(pcm, self.channels), len(pcm) // SAMPLE_BYTES)
        except OSError as exc:
            raise self._gone(exc) from exc

    def close(self, *, played_out: bool = False) -> None:
        """Give the device back; unless ``played_out``, what has not sounded never will."""
        if self._audio is None:
            return
        if played_out:
            with contextlib.suppress(OSError):
                self._stream.stop_stream()  # waits for the device, so not behind the lock
        if self._watch is not None:
            self._watch.close()
        audio, self._audio = self._audio, None
        with LIFECYCLE:
            with (
                contextlib.suppress(OSError),
                library.quiet(),
            ):  # it complains of a card that is gone
                self._stream.close()
            library.terminate(audio)
            left_open.give_back(self._files)

    def _renew(self) -> None:
        """Close and open, if somebody misses a device that PortAudio finds only then."""
        if self._again is None or self._asked == library.asked():
            return
        again, self._again = self._again, None  # should it fail, only close is left
        if not self._kind.captures:
            time.sleep(self.spare_s + PERIOD_MS / 1000)  # what is in the device sounds meanwhile
        self.close()
        new = again()
        self._audio, self._stream, self._files = new._audio, new._stream, new._files
        self._watch, self._again, self._asked = new._watch, new._again, new._asked
        if (new.rate_hz, new.channels) != (self.rate_hz, self.channels):
            raise DeviceError(f"the {self._kind.noun} {self.name!r} is another one now")

    def _ask(self, count: Callable[[], int]) -> int:
        try:
            frames = count()
        except OSError as exc:
            raise self._gone(exc) from exc
        if frames == _RAN_OVER:  # again already; a device that is gone says so for ever
            return 0
        if frames < 0:  # PortAudio's error number
            raise self._gone(OSError(frames, "no more frames"))
        return frames

    def _gone(self, exc: OSError) -> DeviceError:
        return DeviceError(
            f"the {self._kind.noun} {self.name!r} stopped working ({reason(exc)});"
            " check its plug and the sound server"
        )


def spread(pcm: bytes, channels: int) -> bytes:
    """Mono s16le as the same on each of ``channels`` channels."""
    if channels == 1:
        return pcm
    mono, frames = array("h", pcm), array("h", bytes(len(pcm) * channels))
    for channel in range(channels):
        frames[channel::channels] = mono
    return frames.tobytes()


def open_stream(kind: Kind, wanted: str, channel: int | None = None) -> Stream:
    """Find the device and begin. Raises DeviceError or SetupError, after closing everything.

    ``channel``: which one to hear, from 1 on; None takes mono, or the first where there is none.
    """
    wanted = wanted.strip()
    in_vain = _in_vain.pop(kind, None)
    try:
        return _open(kind, wanted, channel)
    except UnseenError as exc:
        if in_vain == (wanted, exc.cards) or not library.ask_anew():
            _in_vain[kind] = (wanted, exc.cards)
            raise
    try:
        return _open(kind, wanted, channel)
    except UnseenError as exc:
        _in_vain[kind] = (wanted, exc.cards)
        raise


def _open(kind: Kind, wanted: str, channel: int | None) -> Stream:
    with LIFECYCLE:
        audio = library.initialise()
        look: Look | None = None
        try:
            look = Look(kind, audio)
            chosen = choose(kind, wanted, look.seen)
            before = left_open.files()
            with led_to(kind, chosen):
                stream = _start(kind, chosen, look, channel)
            stream.own(dict(left_open.files().items() - before.items()))
            watched = None
            if kind.captures and watch.is_through_server(chosen):
                watched = watch.begin(kind, chosen, look.hand_over())
            stream.look_through(watched, functools.partial(_open, kind, wanted, channel))
        except BaseException:
            library.terminate(audio)  # closes its stream too
            raise
        finally:
            if look is not None:
                look.close()
    return stream


def _start(kind: Kind, chosen: Chosen, look: Look, channel: int | None) -> Stream:
    """Begin at 24 kHz and mono, or the nearest to that which the device can do."""
    device, name = chosen.device, name_of(kind, chosen, look.seen)
    most = kind.channels(device) if chosen.node is None else chosen.node.channels
    if channel is not None and channel > most:
        has = "1 channel" if most == 1 else f"{most} channels"
        raise DeviceError(
            f"the {kind.noun} {name!r} has {has}, so none is number {channel};"
            f" write audio.input.channel: {most} or less, or leave it out"
        )
    why = ""
    for rate, channels in ways(device, most, channel or 1):
        try:
            stream = _start_at(rate, channels, kind, device, look.audio)
        except (ValueError, OSError) as exc:  # ValueError is is_format_supported's way to say no
            if is_busy(exc):
                holder = holder_of(kind, device, look.seen.cards) or "another program"
                raise busy(kind, name, holder) from exc
            why = reason(exc) if isinstance(exc, OSError) else why or reason(exc)
        else:
            chosen_channel = (channel or 1) - 1
            return Stream(kind, name, look.audio, stream, rate, channels, chosen_channel)
    raise DeviceError(f"the {kind.noun} {name!r} {why}")


def ways(device: Device, most: int, least: int) -> Iterator[tuple[int, int]]:
    """Rates and numbers of channels to try, best first: 24 kHz, and no more than are needed."""
    counts = [least, *(n for n in OTHER_CHANNELS if least < n < most), most]
    # PortAudio says 44,100 of all that can do it; the half of 48,000 is cheaper to make
    for rate in dict.fromkeys((RATE, 2 * RATE, device.rate_hz, *OTHER_RATES)):
        for channels in dict.fromkeys(counts):
            yield rate, channels


def _start_at(rate: int, channels: int, kind: Kind, device: Device, audio: Any) -> Any:
    check(rate, channels, kind, device, audio)
    return audio.open(
        rate=rate,
        channels=channels,
        format=_S16,
        frames_per_buffer=_period(rate),
        **{kind.prefix: True, f"{kind.prefix}_device_index": device.index},
    )


def check(rate: int, channels: int, kind: Kind, device: Device, audio: Any) -> None:
    """Raise ValueError with PortAudio's reason when the device cannot do that. Hold LIFECYCLE."""
    asked: dict[str, Any] = {
        f"{kind.prefix}_device": device.index,
        f"{kind.prefix}_channels": channels,
        f"{kind.prefix}_format": _S16,
    }
    with library.quiet():  # it writes a line for each no
        audio.is_format_supported(rate, **asked)


def _period(rate_hz: int) -> int:
    return rate_hz * PERIOD_MS // 1000
