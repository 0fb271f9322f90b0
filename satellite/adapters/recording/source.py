"""Recordings as the microphone.

1. A recording is heard in real time: ``read`` returns when its last sample would have been
   captured, counted from ``open``, so that no error adds up.
2. Nothing of a recording is lost or cut: a pause takes effect in silence only, and a process that
   stood still for a while goes on where it was.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Final

from satellite.adapters.recording.files import check, pieces
from satellite.model.audio import FRAME_BYTES, RATE, SAMPLE_BYTES, frames

LATE_S: Final = 1.0  # later than this and the process stood still: the recording waited too
QUIET_PEAK: Final = 328  # 1 % of full scale; live rooms peak at 0.4 % and more (reliability F46)
QUIET_FRAMES: Final = frames(200)  # a pause between words is shorter

_SILENCE: Final = bytes(FRAME_BYTES)


class RecordingSource:
    """A Source that plays recordings in their order, in real time. One thread owns it.

    ``gap_s`` of silence (at least one frame) comes before each recording and after the last one.
    After the end silence is read for ever and ``ended`` is True; with ``loop`` there is no end.

    ``pause(True)``: silence is read and the recording waits, as soon as it is silent itself: in a
    gap at once, within a recording after 200 ms below 1 % of full scale. A word is never cut.
    ``open`` begins with the first recording. ``read`` raises RecordingError for a file that cannot
    be read when its time comes.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        loop: bool = False,
        gap_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        assert paths, "a source without recordings would loop for ever"
        self._paths = [Path(path) for path in paths]
        self._loop = loop
        self._gap = [(_SILENCE, True)] * max(1, frames(round(gap_s * 1000)))
        self._clock = clock
        self._sleep = sleep
        self._script: Generator[tuple[bytes, bool], None, None] | None = None
        self._pending = bytearray()
        self._recent: deque[tuple[bytes, bool]] = deque(maxlen=QUIET_FRAMES)
        self._pause_wanted = False
        self._waiting = False
        self._ended = False
        self._began_at = 0.0
        self._samples = 0

    @property
    def live(self) -> bool:
        """A recording waits, and its silence is exact zeros."""
        return False

    @property
    def ended(self) -> bool:
        """True once the last recording and its gap were read."""
        return self._ended

    def open(self) -> None:
        """Begin with the first recording, now. Raises RecordingError for a file that is wrong."""
        self.close()
        for path in self._paths:
            check(path)
        self._script = self._play()
        self._ended = self._waiting = False
        self._samples = 0
        self._began_at = self._clock()

    def read(self, samples: int) -> bytes:
        """Block until ``samples`` more samples would have been captured; return them."""
        wanted = samples * SAMPLE_BYTES
        while len(self._pending) < wanted:
            self._pending += self._frame()
        block = bytes(self._pending[:wanted])
        del self._pending[:wanted]
        self._samples += samples
        self._wait()
        return block

    def pause(self, on: bool) -> None:
        """Wait at the next silence; or go on, at once."""
        self._pause_wanted = on
        self._waiting = False

    def close(self) -> None:
        """Close the file that is being read. Safe at any time, and twice."""
        if self._script is not None:
            self._script.close()
            self._script = None
        self._pending.clear()
        self._recent.clear()

    def _frame(self) -> bytes:
        if self._pause_wanted and not self._waiting:
            self._waiting = self._is_silent()
        if self._waiting or self._ended:
            return _SILENCE
        assert self._script is not None, "read before open"
        step = next(self._script, None)
        if step is None:
            self._ended = True
            return _SILENCE
        self._recent.append(step)
        return step[0]

    def _is_silent(self) -> bool:
        if not self._recent or self._recent[-1][1]:
            return True
        return len(self._recent) == QUIET_FRAMES and all(_is_quiet(f) for f, _ in self._recent)

    def _play(self) -> Generator[tuple[bytes, bool], None, None]:
        """Frames in their order, each with whether it is of a gap."""
        while True:
            for path in self._paths:
                yield from self._gap
                for frame in _in_frames(pieces(path)):
                    yield frame, False
            if not self._loop:
                yield from self._gap
                return

    def _wait(self) -> None:
        early = self._began_at + self._samples / RATE - self._clock()
        if early > 0:
            self._sleep(early)
        elif early < -LATE_S:
            self._began_at -= early


def _in_frames(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Cut into whole frames; the last one is filled with silence."""
    rest = b""
    for piece in pieces:
        rest += piece
        whole = len(rest) - len(rest) % FRAME_BYTES
        for start in range(0, whole, FRAME_BYTES):
            yield rest[start : start + FRAME_BYTES]
        rest = rest[whole:]
    if rest:
        yield rest.ljust(FRAME_BYTES, b"\0")


def _is_quiet(frame: bytes) -> bool:
    samples = memoryview(frame).cast("h")
    return max(samples) < QUIET_PEAK and min(samples) > -QUIET_PEAK
