"""PyAudio with one device that a test makes up: its clock, its pieces, its channels, its faults."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

PERIOD = 960


class MadeUpAudio:
    """As PyAudio's. ``reads`` are the frames of each read, ``opened`` what was asked of ``open``.

    Sound comes in pieces of ``piece`` frames; the n-th frame of channel c is n * 10 + c.
    ``stop_at``: frames after which nothing comes any more. ``refuse``: gives the number with which
    a rate and a number of channels are refused. ``taken``: frames that were read.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        piece: int = 24,
        hz: float = 24_000.0,
        channels: int = 1,
        outputs: int = 0,
        stop_at: int | None = None,
        refuse: Callable[[int, int], object] = lambda rate, channels: None,
        latency_s: float = 0.08,
    ) -> None:
        self.clock, self.piece, self.hz = clock, piece, hz
        self.channels, self.outputs = channels, outputs
        self.stop_at, self.refuse, self.latency_s = stop_at, refuse, latency_s
        self.reads: list[int] = []
        self.written: list[bytes] = []
        self.looks = 0
        self.opened: dict[str, Any] = {}
        self.terminated = 0
        self.fault: int | None = None
        self._begun = 0.0
        self.taken = 0

    def get_device_count(self) -> int:
        return 1

    def get_device_info_by_index(self, index: int) -> dict[str, object]:
        return {
            "index": index,
            "name": "USB Mic",
            "maxInputChannels": self.channels,
            "maxOutputChannels": self.outputs,
            "defaultSampleRate": self.hz,
        }

    def get_default_input_device_info(self) -> dict[str, object]:
        return self.get_device_info_by_index(0)

    get_default_output_device_info = get_default_input_device_info

    def is_format_supported(self, rate: int, **asked: Any) -> bool:
        channels = asked.get("input_channels") or asked["output_channels"]
        if fault := self.refuse(rate, channels):
            raise ValueError("no", fault)
        return True

    def open(self, **asked: Any) -> MadeUpAudio:
        self.opened = asked
        self._begun, self.taken = self.clock(), 0
        return self

    def terminate(self) -> None:
        self.terminated += 1

    # --- the stream ---

    def get_input_latency(self) -> float:
        return self.latency_s

    get_output_latency = get_input_latency

    def get_read_available(self) -> int:
        self.looks += 1
        if self.fault is not None:
            return self.fault
        captured = int((self.clock() - self._begun) * self.hz + 1e-6) // self.piece * self.piece
        return min(captured, captured if self.stop_at is None else self.stop_at) - self.taken

    def read(self, frames: int, exception_on_overflow: bool) -> bytes:
        assert not exception_on_overflow
        available = self.get_read_available()
        self.looks -= 1
        assert frames <= available, "it would wait"
        self.reads.append(frames)
        given = self.opened["channels"]
        first, self.taken = self.taken, self.taken + frames
        values = (n % 3000 * 10 + c for n in range(first, first + frames) for c in range(given))
        return array("h", values).tobytes()

    def get_write_available(self) -> int:
        return 2880

    def write(self, pcm: bytes, frames: int) -> None:
        assert len(pcm) == frames * 2 * self.opened["channels"]
        self.written.append(pcm)

    def stop_stream(self) -> None:
        pass

    def close(self) -> None:
        pass


def ramp(first: int, frames: int, channel: int = 0) -> bytes:
    """What a channel gives from frame ``first`` on."""
    return array("h", (n % 3000 * 10 + channel for n in range(first, first + frames))).tobytes()
