"""The capture thread: the only owner of the microphone, and of what hears by it.

It reads and has each block judged and gated (satellite/hearing.py). The core steers it by commands
that it picks up before each read, and hears from it by events. ``last_frame_at`` and
``in_device_since`` are its evidence: the core reads them, only this thread writes them.

It reads 80 ms at a time while the room is quiet and 40 ms while somebody speaks, or may interrupt
the assistant (performance.md 6: wake-ups are the cost of this daemon).

A microphone that fails is said to be lost, closed, and opened anew after 1, 2, 4, then every 8 s:
its name is looked up each time. An error that nobody foresaw is treated the same and said as such.
A call into the sound system that never returns cannot be helped from within; the core sees its age
and has the process end (satellite/logic/microphone.py).

A process that stood still finds sound that is seconds old, or none of it. That is dropped, as if
the microphone had been away, and MicGap says so: late words would be answered late, and what was
captured while the assistant spoke must never be heard as a person.

Muted, it gives the device back, forgets what it heard, says MicClosed and waits for an order. What
was captured meanwhile is thrown away: after MicClosed nothing of it can be posted. A mute that was
ordered before ``start`` never opens the device.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Final

from satellite.errors import DeviceError, SatelliteError, Why
from satellite.hearing import Ears, Hearing
from satellite.inbox import Post
from satellite.logic.backoff import Backoff
from satellite.logic.gate import Gate
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, FRAME_SAMPLES, seconds_of
from satellite.model.ports import Knock, Source

__all__ = ["Capture", "Ears"]

QUIET_FRAMES: Final = 4  # 80 ms
OPEN_FRAMES: Final = 2  # 40 ms
REOPEN: Final = Backoff(first_s=1.0, most_s=8.0)  # reliability P2: heard again within 10 s
LATE_S: Final = 1.0  # a block that comes later than this on top of its length is not of now
IN_STEP: Final = 2  # blocks

log = logging.getLogger(__name__)


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
        self._hearing = Hearing(ears, wanted, gate, post)
        self._post = post
        self._clock = clock
        self._orders: SimpleQueue[object] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._muted = False
        self._owes_closed = False  # somebody waits to hear that the device is closed
        self._attends = False  # somebody may interrupt the assistant
        self._failures = 0
        self._behind_s = 0.0  # so much late sound may still come
        self._waited = 0  # blocks in a row that had to be waited for
        self._said_ended = False
        self._said_lost: tuple[Why, str] | None = None
        self.last_frame_at: float | None = None
        self.in_device_since: float | None = None

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

    def knock(self, answer: Callable[[], None]) -> None:
        """See model.ports.Worker."""
        self._orders.put(Knock(answer))

    @property
    def held_since(self) -> float | None:
        """See model.ports.Worker."""
        return self.in_device_since

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._obey()
                if self._muted:
                    self._say_closed()
                    self._carry_out(self._orders.get())
                    continue
                self._hear()
            except Exception as exc:  # of an order, or of a device that cannot even be closed
                log.exception("the capture thread failed")
                self._fail(exc)
            if self._failures:
                self._rest(REOPEN.delay_s(self._failures, lambda _, most: most))

    def _hear(self) -> None:
        """Use the device until told otherwise, or until it fails; it is closed after this."""
        try:
            self._listen()
        except SatelliteError as exc:
            self._lost(str(exc), exc.why if isinstance(exc, DeviceError) else "missing")
        except Exception as exc:
            log.exception("the capture thread failed")
            self._fail(exc)
        finally:
            self.last_frame_at = None
            self._hearing.lose()
            with self._in_device():
                self._source.close()

    def _listen(self) -> None:
        with self._in_device():
            self._source.open()
        self._behind_s = 0.0
        first = True
        while not self._is_to_stop():
            deaf = self._hearing.deaf
            block, waited_s = self._read()
            if not block:
                continue  # nothing yet: a time to look at the orders
            late_s = self._note_time(block)
            if self._is_to_stop():
                return
            if first:
                first = False
                self._say_ready()
            late = self._source.live and self._is_late(block, waited_s, late_s)
            if self._source.live:
                self._hearing.watch(block)
            if not late:
                self._hearing.hear(block, self.last_frame_at or 0.0, deaf=deaf)
            self._note_end()

    def _is_to_stop(self) -> bool:
        self._obey()
        return self._muted or self._stop.is_set()

    def _read(self) -> tuple[bytes, float]:
        """One block, empty where none came yet; and how long it took to come."""
        hearing = self._hearing
        brisk = hearing.open or hearing.deaf or self._attends or self._behind_s > 0
        count = OPEN_FRAMES if brisk else QUIET_FRAMES
        begun = self._clock()
        with self._in_device():
            block = self._source.read(count * FRAME_SAMPLES)
        if block and len(block) != count * FRAME_BYTES:
            raise DeviceError(f"the microphone gave {len(block)} bytes of a block")
        return block, self._clock() - begun

    def _note_time(self, block: bytes) -> float:
        """Note when a block came. Seconds that passed since the one before, but for its length."""
        before, now = self.last_frame_at, self._clock()
        self.last_frame_at = now
        return 0.0 if before is None else now - before - seconds_of(len(block))

    def _is_late(self, block: bytes, waited_s: float, late_s: float) -> bool:
        """Whether a block is of another time: then it is not heard.

        The second in a row that had to be waited for is of now. The first may be what a sound
        server needs to hand on what it has kept.
        """
        length_s = seconds_of(len(block))
        if late_s > LATE_S:
            self._behind_s, self._waited = late_s + IN_STEP * length_s, 0
            self._hearing.forget()
            self._post(ev.MicGap(late_s))
            return True
        self._waited = self._waited + 1 if waited_s >= length_s / 2 else 0
        of_now = self._waited >= IN_STEP
        self._behind_s = 0.0 if of_now else max(0.0, self._behind_s - length_s)
        return self._behind_s > 0.0

    @contextlib.contextmanager
    def _in_device(self) -> Iterator[None]:
        """A call that a device may hold for ever."""
        self.in_device_since = self._clock()
        try:
            yield
        finally:
            self.in_device_since = None

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
            case cmd.OpenGate(True) if self._muted:
                pass  # asked for in vain: not for later
            case cmd.HoldGate() | cmd.ShutGate() | cmd.OpenGate() | cmd.SetEars():
                self._hearing.obey(order)
            case cmd.Attend(on):
                self._attends = on
            case cmd.PauseRecording(on):
                self._source.pause(on)
            case cmd.MuteMic(on):
                self._muted = self._owes_closed = on
            case Knock(answer):
                answer()
            case None:
                pass  # the thread is to end
            case _:
                raise AssertionError(f"not an order for the capture thread: {order!r}")

    def _say_ready(self) -> None:
        self._failures = 0
        self._said_ended = False
        self._said_lost = None
        self._hearing.begin()
        self._post(ev.MicReady())

    def _say_closed(self) -> None:
        """The device is closed and all that was heard is forgotten."""
        self._failures = 0
        self._said_lost = None
        if self._owes_closed:
            self._owes_closed = False
            self._post(ev.MicClosed())

    def _note_end(self) -> None:
        if self._source.ended and not self._said_ended:
            self._said_ended = True
            self._post(ev.RecordingEnded())

    def _fail(self, exc: Exception) -> None:
        self._said_lost = None  # each one counts
        self._lost(f"{type(exc).__name__} in the capture thread; see the log", "failed")

    def _lost(self, detail: str, why: Why) -> None:
        self._failures += 1
        self.last_frame_at = None
        if not self._muted and (why, detail) != self._said_lost:
            self._said_lost = why, detail
            self._post(ev.MicLost(detail, why))
