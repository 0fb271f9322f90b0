"""A WAV file, or nothing, as the loudspeaker.

Both take as long as a device with ``BUFFER_S`` of buffer, so that what counts as played is what a
person would have heard by then.
"""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from satellite.errors import DeviceError
from satellite.model.audio import RATE, SAMPLE_BYTES, seconds_of

BUFFER_S: Final = 0.1  # what a loudspeaker's device holds; sound servers take 40 to 100 ms
MOST_BYTES: Final = 0xFFFF_FFFF  # a WAV file counts them in 32 bits
HEADER: Final = struct.Struct("<4sI8sIHHIIHH4sI")  # the 44 bytes of a plain PCM WAV file


class _Playhead:
    """Where a device with a buffer of BUFFER_S would be: how much of what it got still sounds."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._silent_at = 0.0

    def add(self, pcm_bytes: int) -> None:
        """Take sound; blocks while the buffer is over-full."""
        self._silent_at = max(self._silent_at, self._clock()) + seconds_of(pcm_bytes)
        self._wait(self.left_s() - BUFFER_S)

    def room_s(self) -> float:
        """Seconds of sound that are taken without blocking."""
        return max(0.0, BUFFER_S - self.left_s())

    def left_s(self) -> float:
        """Seconds of sound that were taken and have not sounded."""
        return max(0.0, self._silent_at - self._clock())

    def clear(self) -> None:
        """Nothing more sounds."""
        self._silent_at = 0.0

    def drain(self) -> None:
        """Block until all has sounded."""
        self._wait(self.left_s())

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)


class NullSink:
    """A Sink that plays to nobody, in real time. One thread owns it."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._playhead = _Playhead(clock, sleep)

    def open(self) -> None:
        """Nothing is needed."""

    def write(self, pcm: bytes) -> None:
        """Take as long as a loudspeaker would."""
        self._playhead.add(len(pcm))

    def push(self) -> None:
        """Nothing holds it back."""

    def room_s(self) -> float:
        """Seconds of sound that the buffer still takes."""
        return self._playhead.room_s()

    def delay_s(self) -> float:
        """Seconds until what was written last has sounded; at most BUFFER_S after a write."""
        return self._playhead.left_s()

    def drop(self) -> None:
        """Nobody heard the rest."""
        self._playhead.clear()

    def close(self) -> None:
        """Block until all has sounded."""
        self._playhead.drain()


class RecordingSink:
    """A Sink that writes WAV of 24 kHz, mono, 16 bit, in real time. One thread owns it.

    With ``{n}`` in the name each ``open`` begins a new file, with the first number from 1 on that
    is free. Otherwise the first ``open`` begins the file anew and later ones add to it. After every
    ``write`` the file is complete: whoever is told that an answer was played can open it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = str(path)
        self._playhead = _Playhead(clock, sleep)
        self._began = False
        self._file: BinaryIO | None = None
        self._next = 1

    def open(self) -> None:
        """Begin or continue a file. Raises DeviceError when that is impossible."""
        with self._disk_errors():
            self._file = self._open_file()
            _put_header(self._file)
        self._began = True

    def write(self, pcm: bytes) -> None:
        """Add PCM of model.audio. Raises DeviceError, for a full disk for example."""
        assert self._file is not None, "write before open"
        with self._disk_errors():
            if self._file.tell() + len(pcm) > MOST_BYTES:
                raise DeviceError(f"{self._path}: is full: a WAV file ends at 4 GiB; use {{n}}")
            self._file.write(pcm)
            _put_header(self._file)  # a full disk is told now, and a kill loses nothing
        self._playhead.add(len(pcm))

    def push(self) -> None:
        """Nothing holds it back."""

    def room_s(self) -> float:
        """Seconds of sound that the buffer still takes."""
        return self._playhead.room_s()

    def delay_s(self) -> float:
        """Seconds until what was written last has sounded; at most BUFFER_S after a write."""
        return self._playhead.left_s()

    def drop(self) -> None:
        """Complete the file at once, without what has not sounded. Never raises."""
        unheard = round(self._playhead.left_s() * RATE) * SAMPLE_BYTES
        self._playhead.clear()
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(OSError), file:  # write told of the disk; nobody is left to ask
            file.truncate(max(HEADER.size, file.seek(0, 2) - unheard))
            _put_header(file)

    def close(self) -> None:
        """Block until all has sounded. Never raises."""
        if self._file is not None:
            self._playhead.drain()
        self.drop()

    def _open_file(self) -> BinaryIO:
        if "{n}" not in self._path:
            return Path(self._path).open("r+b" if self._began else "w+b")
        while True:
            name = self._path.replace("{n}", str(self._next))
            self._next += 1
            with contextlib.suppress(FileExistsError):
                return Path(name).open("x+b")

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise DeviceError(
                f"{self._path}: the answer cannot be written there: {exc.strerror or exc}; make"
                " room, or choose another place with audio.output.file"
            ) from exc


def _put_header(file: BinaryIO) -> None:
    """Say how long the file is; the next write goes to its end."""
    size = max(0, file.seek(0, 2) - HEADER.size)
    kind = (16, 1, 1, RATE, RATE * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    file.seek(0)
    file.write(HEADER.pack(b"RIFF", size + HEADER.size - 8, b"WAVEfmt ", *kind, b"data", size))
    file.seek(0, 2)
    file.flush()
