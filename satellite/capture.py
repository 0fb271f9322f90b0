"""The capture thread: the only owner of the microphone, and of the gate.

It reads, judges and gates; a quiet room wakes no other thread. The core steers it by commands that
it picks up before each read, and hears from it by events. ``last_frame_at`` is its evidence: the
core reads it, only this thread writes it.

It reads 80 ms at a time while the room is quiet and 40 ms while the gate is open (performance.md 6:
wake-ups are the cost of this daemon).

Muted, it gives the device back, forgets what it heard, says MicClosed and waits for an order. What
was captured meanwhile is thrown away: after MicClosed nothing of it can be posted. A mute that was
ordered before ``start`` never opens the device.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from satellite.errors import DeviceError, SatelliteError, SetupError
from satellite.inbox import Post
from satellite.logic.backoff import Backoff
from satellite.logic.gate import Change, Gate
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, FRAME_MS, FRAME_SAMPLES, frames
from satellite.model.ports import Judge, Source, Waker

QUIET_FRAMES: Final = 4  # 80 ms
OPEN_FRAMES: Final = 2  # 40 ms
REOPEN: Final = Backoff(first_s=1.0, most_s=10.0)  # reliability P2: heard again within 10 s

FIRST_WORDS: Final = frames(5000)  # after a wake word

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ears:
    """How to make what hears. ``judge``: of webrtcvad's aggressiveness; ``waker`` may raise
    SetupError, and is not made before somebody wants it."""

    judge: Callable[[int], Judge]
    waker: Callable[[], Waker]


class Capture:
    """Owns ``source`` and ``gate``. ``put``, ``start``, ``stop`` may be called from any thread."""

    def __init__(
        self,
        source: Source,
        ears: Ears,
        wanted: cmd.SetEars,
        gate: Gate,
        post: Post,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._ears = ears
        self._gate = gate
        self._waker: Waker | None = None
        self._set_ears(wanted)
        self._post = post
        self._clock = clock
        self._orders: SimpleQueue[object] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._muted = False
        self._owes_closed = False  # somebody waits to hear that the device is closed
        self._failures = 0
        self._said_ended = False
        self._said_lost = ""
        self._said_armed = False
        self.last_frame_at: float | None = None

    def start(self) -> None:
        """Begin to hear."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end and wait for it; False when a device holds it."""
        self._stop.set()
        self._orders.put(None)  # it may wait for one
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def put(self, item: object) -> None:
        """Order one CaptureCommand; obeyed when the present read is done."""
        self._orders.put(item)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._obey()
            if self._muted:
                self._say_closed()
                self._carry_out(self._orders.get())
                continue
            self._hear()
            self._gate.forget()
            self._said_armed = False  # MicLost or MicClosed says that
            if self._failures:
                self._rest(REOPEN.delay_s(self._failures, lambda _, most: most))

    def _hear(self) -> None:
        """Use the device until told otherwise, or until it fails; it is closed after this."""
        try:
            self._source.open()
            self._failures = 0
            self._listen()
        except SatelliteError as exc:
            self._failures += 1
            self._lost(str(exc))
        except Exception as exc:
            log.exception("the capture thread failed")
            self._failures += 1
            self._lost(f"{type(exc).__name__} in the capture thread; see the log")
        finally:
            self._source.close()

    def _listen(self) -> None:
        first = True
        while True:
            deaf = self._gate.shut
            count = OPEN_FRAMES if self._gate.is_open or deaf else QUIET_FRAMES
            block = self._source.read(count * FRAME_SAMPLES)
            self.last_frame_at = self._clock()
            if len(block) != count * FRAME_BYTES:
                raise DeviceError(f"the microphone gave {len(block)} bytes of a block")
            self._obey()
            if self._muted or self._stop.is_set():
                return
            if first:
                first = self._said_ended = False
                self._said_lost = ""
                self._post(ev.MicReady())
            self._note_armed()
            if not deaf:  # else it was captured while nothing was to be heard
                self._gate_block(block, self.last_frame_at)
            self._note_armed()
            self._note_end()

    def _rest(self, seconds: float) -> None:
        """Obey, and do nothing else, before the device is tried again."""
        until = self._clock() + seconds
        while not self._stop.is_set() and not self._muted:
            try:
                self._carry_out(self._orders.get(timeout=max(0.0, until - self._clock())))
            except Empty:
                return

    def _obey(self) -> None:
        while True:
            try:
                self._carry_out(self._orders.get_nowait())
            except Empty:
                return

    def _carry_out(self, order: object) -> None:
        match order:
            case cmd.HoldGate() | cmd.ShutGate() | cmd.OpenGate():
                self._steer(order)
            case cmd.PauseRecording(on):
                self._source.pause(on)
            case cmd.MuteMic(on):
                self._muted = self._owes_closed = on
            case cmd.SetEars():
                try:
                    self._set_ears(order)
                except SetupError as exc:
                    log.warning("gate.activation stays %s: %s", self._gate.activation, exc)
            case None:
                pass  # the thread is to end
            case _:
                raise AssertionError(f"not an order for the capture thread: {order!r}")

    def _steer(self, order: cmd.HoldGate | cmd.ShutGate | cmd.OpenGate) -> None:
        match order:
            case cmd.HoldGate(on):
                self._gate.hold(on)
            case cmd.ShutGate(on):
                self._gate.shut_off(on)
            case cmd.OpenGate(False):
                self._gate.end()
            case cmd.OpenGate(True, for_s) if not self._muted:  # asked for in vain: not for later
                self._gate.arm(frames(round(for_s * 1000)))

    def _set_ears(self, wanted: cmd.SetEars) -> None:
        if wanted.activation == "wake_word" and self._waker is None:
            self._waker = self._ears.waker()
        self._judge = self._ears.judge(wanted.aggressiveness)
        self._gate.activate(wanted.activation)

    def _say_closed(self) -> None:
        """The device is closed and all that was heard is forgotten."""
        self.last_frame_at = None
        self._failures = 0
        self._said_lost = ""
        if self._owes_closed:
            self._owes_closed = False
            self._post(ev.MicClosed())

    def _gate_block(self, block: bytes, end_at: float) -> None:
        """Gate every frame of a block and hand on what it let through as one piece."""
        pieces: list[bytes] = []
        speech_ms, speech_at = 0, None
        for start in range(0, len(block), FRAME_BYTES):
            frame = block[start : start + FRAME_BYTES]
            frame_at = end_at - (len(block) - start - FRAME_BYTES) / FRAME_BYTES * FRAME_MS / 1000
            self._wake(frame)
            passed = self._gate.step(frame, False if self._gate.shut else self._judge(frame))
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

    def _wake(self, frame: bytes) -> None:
        if self._waker is None or not self._gate.waits or self._gate.activation != "wake_word":
            return
        word = self._waker.hear(frame)
        if word is not None:
            self._gate.arm(FIRST_WORDS, woken=True)
            self._post(ev.Woke(word))

    def _note_armed(self) -> None:
        if self._gate.armed != self._said_armed:
            self._said_armed = self._gate.armed
            self._post(ev.Armed(self._said_armed))

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
