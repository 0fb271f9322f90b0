"""The playback thread: the only owner of the speaker.

It plays what it is given, in order, in slices of 40 ms, and looks for orders between slices: a
flush takes effect within one slice and the device's own buffer. The speaker is open only while it
is used. A speaker that fails loses sound, never the conversation: what could not be played is
reported as drained and not heard.
"""

from __future__ import annotations

import logging
import threading
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Final

from satellite.errors import SatelliteError
from satellite.inbox import Post
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import RATE, SAMPLE_BYTES, ms_of
from satellite.model.ports import Sink

SLICE_BYTES: Final = RATE * SAMPLE_BYTES * 40 // 1000

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Playout:
    """One response at the speaker. Bytes are counted for each item, to tell what was heard."""

    response_id: str
    queue: deque[cmd.Play] = field(default_factory=deque)
    ended: bool = False
    started: bool = False
    item_id: str = ""
    content_index: int = 0
    written: int = 0  # bytes of the current item


class Playback:
    """Owns ``sink``. ``put``, ``start``, ``stop`` may be called from any thread."""

    def __init__(self, sink: Sink, post: Post, clock: Callable[[], float], *, volume: int) -> None:
        self._sink = sink
        self._post = post
        self._clock = clock
        self._volume = volume
        self._orders: SimpleQueue[object] = SimpleQueue()
        self._playouts: deque[_Playout] = deque()
        self._open = False
        self._broken = False
        self._given_up: set[str] = set()  # responses that a broken speaker swallowed
        self._stopping = False
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
        """Order one PlaybackCommand; obeyed after the slice that is playing."""
        self._orders.put(item)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._take_orders()
                self._play_on()
            except SatelliteError as exc:
                self._fail(str(exc))
            except Exception as exc:
                log.exception("the playback thread failed")
                self._fail(f"{type(exc).__name__} in the playback thread; see the log")
        self._close()

    def _take_orders(self) -> None:
        """Wait for an order while there is nothing to play; else take only what is there."""
        block = not (self._playouts and (self._playouts[0].queue or self._playouts[0].ended))
        while not self._stopping:
            try:
                order = self._orders.get(block=block)
            except Empty:
                return
            block = False
            self._obey(order)

    def _obey(self, order: object) -> None:
        match order:
            case None:
                self._stopping = True
            case cmd.Play(response_id) if response_id in self._given_up:
                pass
            case cmd.EndPlay(response_id) if response_id in self._given_up:
                self._given_up.discard(response_id)
                self._post(ev.PlayoutDrained(response_id, heard=False))
            case cmd.Play(response_id):
                self._playout(response_id).queue.append(order)
            case cmd.EndPlay(response_id):
                self._playout(response_id).ended = True
            case cmd.FlushPlayout(response_id):
                self._flush(response_id)
            case cmd.SetVolume(percent):
                self._volume = percent
            case _:
                raise AssertionError(f"not an order for the playback thread: {order!r}")

    def _playout(self, response_id: str) -> _Playout:
        for playout in self._playouts:
            if playout.response_id == response_id:
                return playout
        playout = _Playout(response_id)
        self._playouts.append(playout)
        return playout

    def _play_on(self) -> None:
        if self._stopping or not self._playouts:
            return
        playout = self._playouts[0]
        if playout.queue:
            self._play(playout, playout.queue.popleft())
        elif playout.ended:
            self._playouts.popleft()
            if not self._playouts:
                self._close()  # plays out what the device still holds
            self._post(ev.PlayoutDrained(playout.response_id))

    def _play(self, playout: _Playout, piece: cmd.Play) -> None:
        """Play one slice of a piece; the rest goes back to the front."""
        if piece.item_id != playout.item_id:
            playout.item_id, playout.content_index = piece.item_id, piece.content_index
            playout.written = 0
        head, rest = piece.pcm[:SLICE_BYTES], piece.pcm[SLICE_BYTES:]
        if rest:
            playout.queue.appendleft(replace(piece, pcm=rest))
        if not self._open:
            self._sink.open()
            self._open = True
        if not playout.started:
            playout.started = True
            self._post(ev.PlayoutStarted(playout.response_id, self._clock()))
        volume = self._volume if piece.volume is None else piece.volume
        self._sink.write(scaled(head, volume))
        playout.written += len(head)
        if self._broken:
            self._broken = False
            self._post(ev.SpeakerReady())

    def _flush(self, response_id: str) -> None:
        playout = next((p for p in self._playouts if p.response_id == response_id), None)
        if response_id in self._given_up:
            self._given_up.discard(response_id)
            self._post(ev.PlayoutDrained(response_id, heard=False))
            return
        if playout is None:
            return  # drained meanwhile, and said so
        pending = int(self._sink.delay_s() * 1000) if self._open else 0
        item_id = playout.item_id or (playout.queue[0].item_id if playout.queue else "")
        played_ms = max(0, ms_of(playout.written) - pending)
        self._playouts.remove(playout)
        if not self._playouts:
            self._close()
        event = ev.PlayoutFlushed(response_id, item_id, playout.content_index, played_ms)
        self._post(event)

    def _fail(self, detail: str) -> None:
        """Give up what is queued: the text is published all the same."""
        self._close()
        if not self._broken:
            self._post(ev.SpeakerLost(detail))
        self._broken = True
        self._given_up = {p.response_id for p in self._playouts if not p.ended}
        while self._playouts:
            self._post(ev.PlayoutDrained(self._playouts.popleft().response_id, heard=False))

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._sink.close()


def scaled(pcm: bytes, percent: int) -> bytes:
    """PCM at ``percent`` of its amplitude."""
    if percent == 100:
        return pcm
    return array("h", (sample * percent // 100 for sample in memoryview(pcm).cast("h"))).tobytes()
