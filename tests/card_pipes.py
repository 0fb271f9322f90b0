"""Where a virtual card ends: two named pipes, and a thread that is the card's clock.

One period at a time, in real time, the thread takes what was played out of the one pipe and puts
what is to be captured into the other. Nothing that was fed is ever lost: while nobody reads, or a
busy machine reads late, it waits.

The card holds both ends of each pipe open, so that no program that opens and closes a device ends
a pipe, and cuts each pipe down to a page or two: 64 KiB would hold 1.4 s of sound. A period for the
microphone is written as a whole or not at all: nobody ever reads a part of one and silence after.
"""

from __future__ import annotations

import fcntl
import os
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

SAMPLE_BYTES: Final = 2
PAGE: Final = 4096  # the least that Linux gives a pipe, and what it takes as a whole

Room = Callable[[bytes, bytes], bytes]  # (fed, played) -> captured, one period each, mono


def dead_room(fed: bytes, played: bytes) -> bytes:
    """Exact silence where nothing is fed, and no echo."""
    del played
    return fed


class CardPipes:
    """A microphone and a loudspeaker for whoever opens ``folder``/mic and ``folder``/speaker.

    ``mic_bytes`` and ``speaker_bytes``: of one period of ``period_ms``. With ``mic_stalled`` or
    ``speaker_stalled`` set, that direction stands still.
    """

    def __init__(
        self,
        folder: Path,
        *,
        period_ms: int,
        mic_bytes: int,
        speaker_bytes: int,
        speaker_pages: int = 1,
        room: Room = dead_room,
    ) -> None:
        self._period_s = period_ms / 1000
        self._mic_bytes, self._speaker_bytes = mic_bytes, speaker_bytes
        self.room = room
        self._folder = folder
        self._mic: int | None = None
        self._speaker = _pipe(folder / "speaker", speaker_pages)
        self.mic_stalled = threading.Event()
        self.speaker_stalled = threading.Event()
        self._fed = bytearray()
        self._played = bytearray()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._clock = threading.Thread(target=self._run, name="virtual card", daemon=True)

    def start(self) -> None:
        """Let time run."""
        self._clock.start()

    def plug_mic(self) -> None:
        """The pipe of the microphone, which may be there already, is the card's (again)."""
        mic = _pipe(self._folder / "mic", -(-self._mic_bytes // PAGE))
        with self._lock:
            before, self._mic = self._mic, mic
        if before is not None:
            os.close(before)

    def feed(self, pcm: bytes) -> None:
        """Let ``pcm`` (s16le at the card's rate) be captured after what was fed before."""
        with self._lock:
            self._fed += pcm

    def unheard(self) -> int:
        """Bytes that were fed and not captured yet."""
        with self._lock:
            return len(self._fed)

    def played(self) -> bytes:
        """All that was played so far, silence included."""
        with self._lock:
            return bytes(self._played)

    def take_played(self) -> bytes:
        """What was played since this was asked last; ``played`` forgets it."""
        with self._lock:
            taken = bytes(self._played)
            self._played.clear()
        return taken

    def forget_played(self) -> None:
        """Empty the loudspeaker's pipe: what a server left there that died."""
        while _take(self._speaker, PAGE):
            pass

    def close(self) -> None:
        """Stop the clock and give the pipes back."""
        self._stop.set()
        if self._clock.ident is not None:
            self._clock.join(5)
        os.close(self._speaker)
        if self._mic is not None:
            os.close(self._mic)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            due += self._period_s
            self._stop.wait(max(0.0, due - time.monotonic()))
            played = b"" if self.speaker_stalled.is_set() else self._play()
            if not self.mic_stalled.is_set():
                self._capture(played)

    def _play(self) -> bytes:
        taken = _take(self._speaker, self._speaker_bytes)
        with self._lock:
            self._played += taken
        return taken

    def _capture(self, played: bytes) -> None:
        with self._lock:
            fed = bytes(self._fed[: self._mic_bytes])
            period = self.room(fed.ljust(self._mic_bytes, b"\0"), played)
            if self._mic is not None and _give(self._mic, period):
                del self._fed[: len(fed)]


def _take(pipe: int, size: int) -> bytes:
    try:
        return os.read(pipe, size)
    except BlockingIOError:
        return b""


def _give(pipe: int, data: bytes) -> bool:
    """True where all of it was taken; else nothing was."""
    if len(data) > PAGE and _waiting(pipe):
        return False
    try:
        return os.write(pipe, data) == len(data)
    except BlockingIOError:
        return False


def _waiting(pipe: int) -> int:
    """Bytes that nobody has read."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def _pipe(path: Path, pages: int = 1) -> int:
    if not path.exists():
        os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, pages * PAGE)
    return descriptor
