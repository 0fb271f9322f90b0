"""Small stand-ins for devices, each with one skill, that assert the contract of their port."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from satellite.errors import DeviceError
from satellite.model.audio import FRAME_BYTES, RATE

BUFFER_MS = 120
SPEECH = b"\x01\x00" * (FRAME_BYTES // 2)
QUIET = bytes(FRAME_BYTES)


@dataclass
class ScriptedSource:
    """Gives the frames of a script as fast as they are asked for, then waits for more."""

    frames: list[bytes] = field(default_factory=list)
    opens: int = 0
    closes: int = 0
    failing_opens: int = 0
    fail_when_empty: bool = False
    ended: bool = False
    live: bool = False
    paused: list[bool] = field(default_factory=list)
    owner: int | None = None
    _more: threading.Condition = field(default_factory=threading.Condition)

    def feed(self, *frames: bytes) -> None:
        with self._more:
            self.frames += frames
            self._more.notify_all()

    def open(self) -> None:
        self.opens += 1
        self.owner = self.owner or threading.get_ident()
        if self.failing_opens:
            self.failing_opens -= 1
            raise DeviceError("no microphone found")

    def read(self, samples: int) -> bytes:
        assert threading.get_ident() == self.owner, "only the capture thread may read"
        count = samples * 2 // FRAME_BYTES
        with self._more:
            if not self._more.wait_for(lambda: len(self.frames) >= count, 0.02):
                if self.fail_when_empty:
                    raise DeviceError("the microphone is gone")
                self.frames += [QUIET] * (count - len(self.frames))
            block, self.frames = self.frames[:count], self.frames[count:]
        return b"".join(block)

    def close(self) -> None:
        self.closes += 1

    def pause(self, on: bool) -> None:
        self.paused.append(on)


class ScriptedSink:
    """A device with 120 ms of buffer. It sounds as fast as it is written, or as far as a test lets.

    ``sounded`` is what was heard; what was dropped is not in it.
    """

    def __init__(self, *, gate: Callable[[], None] = lambda: None) -> None:
        self.sounded = b""
        self.log: list[str] = []
        self.failing: DeviceError | None = None
        self.pushed = False
        self._gate = gate
        self._allowed = math.inf
        self._buffer = b""
        self._open = False

    @property
    def is_full(self) -> bool:
        return len(self._buffer) == BUFFER_MS * 48

    def let(self, ms: int) -> None:
        """Sound as far as this, from the beginning of all, and wait there."""
        self._allowed = ms * 48

    def open(self) -> None:
        assert not self._open, "opened twice"
        self._fail()
        self._open = True
        self.log.append("open")

    def write(self, pcm: bytes) -> None:
        assert self._open, "written while closed"
        assert len(pcm) <= RATE * 2 * 40 // 1000, "a slice is at most 40 ms"
        self._gate()
        self._fail()
        self._buffer += pcm
        self.pushed = False
        assert len(self._buffer) <= BUFFER_MS * 48, "there is no room for that"
        self._sound()

    def push(self) -> None:
        assert self._open, "pushed while closed"
        self.pushed = True

    def room_s(self) -> float:
        self._fail()
        return BUFFER_MS / 1000 - self.delay_s()

    def delay_s(self) -> float:
        assert self._open, "asked while closed"
        self._sound()
        return len(self._buffer) / (RATE * 2)

    def drop(self) -> None:
        self._open = False
        self._buffer = b""
        self.log.append("drop")

    def close(self) -> None:
        if self._open:
            self.sounded += self._buffer
        self._open = False
        self._buffer = b""
        self.log.append("close")

    def _sound(self) -> None:
        """The last 10 ms wait for more, until they are pushed."""
        held = 0 if self.pushed else 480
        size = min(len(self._buffer) - held, self._allowed - len(self.sounded))
        size = int(max(0, size))
        self.sounded, self._buffer = self.sounded + self._buffer[:size], self._buffer[size:]

    def _fail(self) -> None:
        if self.failing is not None:
            raise self.failing
