"""The capture thread: the only owner of the microphone, and of the gate.

It reads, judges and gates; a quiet room wakes no other thread. The core steers it by commands that
it picks up before each read, and hears from it by events. ``last_frame_at`` is its evidence: the
core reads it, only this thread writes it.

It reads 80 ms at a time while the room is quiet and 40 ms while the gate is open (performance.md 6:
wake-ups are the cost of this daemon).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from satellite.errors import DeviceError, SatelliteError
from satellite.inbox import Post
from satellite.logic.backoff import Backoff
from satellite.logic.gate import Change, Gate, Passed
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, FRAME_MS, FRAME_SAMPLES
from satellite.model.ports import Judge, Source

QUIET_FRAMES: Final = 4  # 80 ms
OPEN_FRAMES: Final = 2  # 40 ms
REOPEN: Final = Backoff(first_s=1.0, most_s=10.0)  # reliability P2: heard again within 10 s

log = logging.getLogger(__name__)


class Capture:
    """Owns ``source`` and ``gate``. ``put``, ``start``, ``stop`` may be called from any thread."""

    def __init__(
        self,
        source: Source,
        judge: Judge,
        gate: Gate,
        post: Post,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._judge = judge
        self._gate = gate
        self._post = post
        self._clock = clock
        self._orders: SimpleQueue[object] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._said_ended = False
        self._said_lost = ""
        self.last_frame_at: float | None = None

    def start(self) -> None:
        """Begin to hear."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end and wait for it; False when a device holds it."""
        self._stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def put(self, item: object) -> None:
        """Order one CaptureCommand; obeyed before the next read."""
        self._orders.put(item)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._source.open()
                failures = 0
                self._listen()
            except SatelliteError as exc:
                failures += 1
                self._lost(str(exc))
            except Exception as exc:
                log.exception("the capture thread failed")
                failures += 1
                self._lost(f"{type(exc).__name__} in the capture thread; see the log")
            finally:
                self._source.close()
            self._gate.forget()
            self._stop.wait(REOPEN.delay_s(failures, lambda _, most: most) if failures else 0)

    def _listen(self) -> None:
        first = True
        while not self._stop.is_set():
            self._obey()
            count = OPEN_FRAMES if self._gate.is_open or self._gate.shut else QUIET_FRAMES
            block = self._source.read(count * FRAME_SAMPLES)
            self.last_frame_at = self._clock()
            if len(block) != count * FRAME_BYTES:
                raise DeviceError(f"the microphone gave {len(block)} bytes of a block")
            if first:
                first = False
                self._said_lost = ""
                self._post(ev.MicReady())
            self._gate_block(block, self.last_frame_at)
            self._note_end()

    def _obey(self) -> None:
        while True:
            try:
                order = self._orders.get_nowait()
            except Empty:
                return
            match order:
                case cmd.HoldGate(on):
                    self._gate.hold(on)
                case cmd.ShutGate(on):
                    self._gate.shut_off(on)
                case cmd.PauseRecording(on):
                    self._source.pause(on)
                case _:
                    raise AssertionError(f"not an order for the capture thread: {order!r}")

    def _gate_block(self, block: bytes, end_at: float) -> None:
        """Gate every frame of a block and hand on what it let through as one piece."""
        pieces: list[bytes] = []
        speech_ms, speech_at = 0, None
        for start in range(0, len(block), FRAME_BYTES):
            frame = block[start : start + FRAME_BYTES]
            frame_at = end_at - (len(block) - start - FRAME_BYTES) / FRAME_BYTES * FRAME_MS / 1000
            passed = self._step(frame)
            if passed.change is Change.OPENED:
                self._post(ev.GateOpened())
            if passed.pcm:
                pieces.append(passed.pcm)
                speech_ms += passed.speech_ms
                speech_at = frame_at if passed.speech_now else speech_at
            if passed.change in {Change.CLOSED, Change.CUT}:
                self._hand_on(pieces, speech_ms, speech_at)
                pieces, speech_ms = [], 0
                self._post(ev.GateClosed(too_long=passed.change is Change.CUT))
        self._hand_on(pieces, speech_ms, speech_at)

    def _step(self, frame: bytes) -> Passed:
        return self._gate.step(frame, False if self._gate.shut else self._judge(frame))

    def _hand_on(self, pieces: list[bytes], speech_ms: int, speech_at: float | None) -> None:
        if pieces:
            self._post(ev.Heard(b"".join(pieces), speech_ms, speech_at))

    def _note_end(self) -> None:
        if self._source.ended and not self._said_ended:
            self._said_ended = True
            self._post(ev.RecordingEnded())

    def _lost(self, detail: str) -> None:
        self.last_frame_at = None
        if detail != self._said_lost:
            self._said_lost = detail
            self._post(ev.MicLost(detail))
