"""Small stand-ins for devices, each with one skill, that assert the contract of their port."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from satellite.errors import DeviceError
from satellite.model.audio import FRAME_BYTES, RATE

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
    """Plays into memory as fast as it is written, or at the pace that a test gives."""

    def __init__(self, *, gate: Callable[[], None] = lambda: None, delay_s: float = 0.0) -> None:
        self.played = b""
        self.log: list[str] = []
        self.failing = False
        self._gate = gate
        self._delay_s = delay_s
        self._open = False

    def open(self) -> None:
        assert not self._open, "opened twice"
        if self.failing:
            raise DeviceError("no speaker found")
        self._open = True
        self.log.append("open")

    def write(self, pcm: bytes) -> None:
        assert self._open, "written while closed"
        assert len(pcm) <= RATE * 2 * 40 // 1000, "a slice is at most 40 ms"
        self._gate()
        self.played += pcm

    def delay_s(self) -> float:
        assert self._open, "asked while closed"
        return self._delay_s

    def drop(self) -> None:
        self._open = False
        self.log.append("drop")

    def close(self) -> None:
        self._open = False
        self.log.append("close")
