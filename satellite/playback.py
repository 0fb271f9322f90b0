"""The playback thread: the only owner of the speaker.

It waits for orders and for room in the device, never in the device where that tells how much room
it has: an order takes effect at once, and what must not sound any more is dropped with the device.
What to play and what of it was heard is in logic/playout.py. The speaker is open only while it is
used. A speaker that fails loses sound, never the conversation: what could not be played is reported
as drained and not heard, with how far it got.

``in_device_since`` is evidence for the core, as ``last_frame_at`` is of the capture thread: since
when a call of the device has not returned. A speaker that hangs stops nobody else.
"""

from __future__ import annotations

import logging
import threading
from array import array
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, ParamSpec, TypeVar

from satellite.errors import DeviceError, SatelliteError, Why
from satellite.far_end import FarEnd
from satellite.inbox import Post
from satellite.logic import chime
from satellite.logic.playout import LOW, SLICE, Played, Playout, Slice
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import RATE, SAMPLE_BYTES, seconds_of
from satellite.model.ports import Knock, Sink

POLL_S: Final = 0.005  # how late the end of a sound, or new room in the device, may be seen

MOST_OWED: Final = 4  # given up, with an end to come; one that was cut meanwhile has none

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Playback:
    """Owns ``sink``. ``put``, ``start``, ``stop`` may be called from any thread.

    ``far`` is told what the speaker plays. ``lead_ms`` of silence are played after each open, for
    a speaker that takes so long to wake up.
    """

    def __init__(
        self,
        sink: Sink,
        post: Post,
        clock: Callable[[], float],
        *,
        volume: int,
        far: FarEnd | None = None,
        lead_ms: int = 0,
    ) -> None:
        self._sink = sink
        self._post = post
        self._clock = clock
        self._volume = volume
        self._far = far
        self._orders: SimpleQueue[object] = SimpleQueue()
        self._playout = Playout(lead_ms)
        self._open = False
        self._writing = 0  # bytes that the device has not taken yet
        self._last: tuple[str, int] | None = None  # what was written last, and how loud
        self._broken = False
        self._given_up: dict[str, Played] = {}  # responses that a broken speaker swallowed
        self._stopping = False
        self.in_device_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="playback", daemon=True)

    def start(self) -> None:
        """Begin to wait for sound."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Stop playing and wait for the thread; False when a device holds it."""
        self._orders.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def put(self, item: object) -> None:
        """Order one PlaybackCommand."""
        self._orders.put(item)

    def knock(self, answer: Callable[[], None]) -> None:
        """See model.ports.Worker."""
        self._orders.put(Knock(answer))

    @property
    def held_since(self) -> float | None:
        """See model.ports.Worker."""
        return self.in_device_since

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._take_orders(self._play_on())
            except SatelliteError as exc:
                self._fail(str(exc), exc.why if isinstance(exc, DeviceError) else "missing")
            except Exception as exc:
                log.exception("the playback thread failed")
                self._fail(f"{type(exc).__name__} in the playback thread; see the log", "failed")
        self._drop()

    def _take_orders(self, wait_s: float | None) -> None:
        """Wait for an order for so long, None: for ever; and take all that are there."""
        while not self._stopping:
            try:
                order = (
                    self._orders.get(timeout=wait_s) if wait_s != 0 else self._orders.get_nowait()
                )
            except Empty:
                return
            wait_s = 0
            if isinstance(order, Knock):
                order.answer()
            else:
                self._obey(order)

    def _obey(self, order: object) -> None:
        match order:
            case None:
                self._stopping = True
            case cmd.Play(response_id) if response_id in self._given_up:
                pass
            case cmd.EndPlay(response_id) | cmd.FlushPlayout(response_id) if (
                response_id in self._given_up
            ):
                self._post(_drained(self._given_up.pop(response_id), heard=False))
            case cmd.Play():
                self._playout.add(order)
            case cmd.EndPlay(response_id):
                self._playout.end(response_id)
            case cmd.FlushPlayout(response_id):
                self._flush(response_id)
            case cmd.PausePlayout(on):
                self._pause(on)
            case cmd.PlayChime(name):
                self._playout.chime(chime.sound(name))
            case cmd.SetVolume(percent):
                self._volume = percent
            case _:
                raise AssertionError(f"not an order for the playback thread: {order!r}")

    # --- playing -------------------------------------------------------------------------------

    def _play_on(self) -> float | None:
        """Write one slice, if it is time. Returns seconds to wait for orders, None: for ever."""
        unheard = self._settle()
        if self._open:
            missing_s = seconds_of(SLICE) - self._device(self._sink.room_s)
            if missing_s > 1e-6:  # else only rounded
                return max(POLL_S, missing_s)
        piece = self._playout.next(unheard if self._open else None)
        if piece is not None:
            self._write(piece)
            return 0
        if unheard:
            if unheard <= LOW and not self._playout.expects:
                self._device(self._sink.push)
            return max(POLL_S, seconds_of(unheard - LOW))
        self._close()
        return None

    def _settle(self) -> int:
        """Note what has sounded. Returns how many bytes were written and have not."""
        unheard = 0
        if self._open:
            unheard = round(self._device(self._sink.delay_s) * RATE) * SAMPLE_BYTES
        for over in self._playout.sounded(unheard + self._writing):
            self._post(_drained(over) if over.response_id else ev.ChimeOver())
        return unheard

    def _write(self, piece: Slice) -> None:
        self._writing = len(piece.pcm)
        if not self._open:
            self._device(self._sink.open)
            self._open = True
            self._last = None
        if piece.begins:
            self._post(ev.PlayoutStarted(piece.response_id, self._clock()))
        pcm = self._loud(piece)
        if self._far is not None:
            self._far.played(pcm)  # its moment is that at which the device begins to take it
        self._device(self._sink.write, pcm)
        self._writing = 0
        if self._broken:
            self._broken = False
            self._post(ev.SpeakerReady())

    def _loud(self, piece: Slice) -> bytes:
        """As loud as it is to be; a change in the middle of a response comes little by little."""
        volume = self._volume if piece.volume is None else piece.volume
        last, self._last = self._last, (piece.response_id, volume)
        before = last[1] if last is not None and last[0] == piece.response_id else None
        return scaled(piece.pcm, volume, before)

    # --- orders that stop it -------------------------------------------------------------------

    def _flush(self, response_id: str) -> None:
        self._settle()
        if self._playout.holds(response_id):
            self._drop()
        at = self._playout.flush(response_id)
        if at is not None:  # else drained meanwhile, and said so
            self._post(
                ev.PlayoutFlushed(
                    response_id, at.item_id, at.content_index, at.played_ms, at.underruns
                )
            )

    def _pause(self, on: bool) -> None:
        if on:
            self._drop()
        self._playout.paused = on

    def _fail(self, detail: str, why: Why) -> None:
        """Give up what is queued: the text is published all the same."""
        try:
            self._drop()
        except Exception:  # of a device that cannot even be closed; the next open does it
            log.exception("the playback thread failed")
            self._open = False
        self._writing = 0
        if not self._broken:
            self._post(ev.SpeakerLost(detail, why))
        self._broken = True
        gone = self._playout.give_up()
        owed = [*self._given_up.values(), *(each for each in gone if not each.ended)]
        self._given_up = {each.response_id: each for each in owed[-MOST_OWED:]}
        for each in gone:
            self._post(_drained(each, heard=False) if each.response_id else ev.ChimeOver())

    def _drop(self) -> None:
        """Silence at once. What has not sounded is to be played again."""
        if self._open:
            unheard = self._settle()
            self._open = False
            if self._far is not None:
                self._far.dropped(unheard + self._writing)
            self._device(self._sink.drop)
        self._playout.rewind()

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._device(self._sink.close)

    def _device(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.in_device_since = self._clock()
        try:
            return call(*args, **kwargs)
        finally:
            self.in_device_since = None


def _drained(at: Played, *, heard: bool = True) -> ev.PlayoutDrained:
    return ev.PlayoutDrained(at.response_id, heard, at.item_id, at.played_ms, at.underruns)


def scaled(pcm: bytes, percent: int, before: int | None = None) -> bytes:
    """PCM at ``percent`` of its amplitude, coming from ``before`` percent over its length.

    1.5 ms of a processor for each second of sound.
    """
    samples = memoryview(pcm).cast("h")
    if before is None or before == percent:
        if percent == 100:
            return pcm
        return array("h", [n * percent // 100 for n in samples]).tobytes()
    whole, step = 100 * len(samples), percent - before
    start = before * len(samples)
    return array("h", [n * (start + step * k) // whole for k, n in enumerate(samples)]).tobytes()
