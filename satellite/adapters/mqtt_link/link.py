"""The thread that always has a connection to the broker, or is on its way to one.

MQTT 5, because 3.1.1 reports a refused publication as a success (reliability.md, finding 3). It
sleeps in ``select`` on the socket and on a waker; others only append to a queue and write one byte.
Whatever goes wrong in a connection ends that connection, never the thread.
"""

from __future__ import annotations

import contextlib
import logging
import random
import select
import socket
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final

from satellite.adapters.mqtt_link import broker as broker_
from satellite.adapters.mqtt_link import reasons
from satellite.adapters.mqtt_link.broker import Broker
from satellite.adapters.mqtt_link.connection import Connection, Hooks
from satellite.adapters.mqtt_link.reasons import Ended
from satellite.adapters.mqtt_link.waiting import Outgoing, Waiting
from satellite.inbox import Post
from satellite.logic import drain
from satellite.logic.backoff import Backoff
from satellite.model import events as ev
from satellite.model.ports import Incoming, Knock, Message, OnMessage

BACKOFF: Final = Backoff(first_s=1.0, most_s=10.0)  # reliability P6: back within 15 s
STOOD_S: Final = 5.0  # a connection that stood so long was a good one
PEACE_S: Final = 60.0  # and this one was nobody's to take
MOST_TAKEN: Final = 2
BUG_S: Final = 5.0
MOST_QUEUED: Final = 1000  # a name that cannot be resolved may hold the thread for so long

log = logging.getLogger(__name__)

Tell = Callable[[drain.Up | drain.Down | drain.Acked | drain.Refused], None]


class MqttLink:
    """Owns the connection. ``send`` and ``hand`` may be called from any thread, return at once."""

    def __init__(self, broker: Broker, will: Message, topics: tuple[str, ...], post: Post) -> None:
        """``topics`` are subscribed to. Raises SetupError for certificates that are none."""
        self._broker = broker
        self._will = will
        self._topics = topics
        self._post = post
        self._context = broker_.tls_context(broker) if broker.tls else None
        self._tell: Tell = lambda _: None
        self._on_message: OnMessage = lambda _: None
        self._queue: SimpleQueue[Outgoing | Knock] = SimpleQueue()
        self._waker, self._wakee = socket.socketpair()
        self._waker.setblocking(False)
        self._wakee.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._stop_at: float | None = None  # written by stop()
        self.held_since: float | None = None
        """See model.ports.Worker: while it looks for the broker."""
        # the thread's own
        self._up = False  # read by others: what they send while it is False is lost
        self._link = 0
        self._waiting = Waiting()
        self._clean = True  # until a first connection has stood
        self._attempts = 0
        self._taken = 0

    def start(self, tell: Tell, on_message: OnMessage) -> None:
        """Begin to connect; BusUp or BusDown follow, and ``tell`` and ``on_message`` are called.

        They are called in the link's thread: they must return soon and never raise.
        """
        self._tell, self._on_message = tell, on_message
        self._thread.start()

    def send(self, message: Message) -> None:
        """Publish what is worth sending only now; without a connection it is dropped."""
        if self._up and self._queue.qsize() < MOST_QUEUED:
            self._queue.put(Outgoing(message))
            self._wake()

    def hand(self, message: Message, link: int, number: int) -> None:
        """Publish on connection ``link``: Acked with ``number`` follows, or Down."""
        self._queue.put(Outgoing(message, link, number))
        self._wake()

    def knock(self, answer: Callable[[], None]) -> None:
        """See model.ports.Worker."""
        self._queue.put(Knock(answer))
        self._wake()

    def stop(self, timeout_s: float) -> bool:
        """Say good-bye if there is anybody to say it to; False when the thread does not end."""
        self._stop_at = time.monotonic() + timeout_s
        self._waker.close()  # it wakes for good
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is awake already; closed: it ends
            self._waker.send(b"x")

    # --- the thread ---

    def _run(self) -> None:
        while self._stop_at is None:
            try:
                ended = self._connect()
            except Exception:
                log.exception("the MQTT thread failed; it begins anew")
                ended = Ended("the MQTT thread failed", "report the log", pause_s=BUG_S)
            if ended is None:
                break
            self._fall(ended)
            self._rest(max(ended.pause_s, BACKOFF.delay_s(self._attempts, random.uniform)))
        self._wakee.close()

    def _connect(self) -> Ended | None:
        """Have one connection, from begin to end. None: we ended it."""
        self._attempts += 1
        self.held_since = time.monotonic()
        try:
            sock = broker_.open_socket(self._broker, self._context, self._wakee)
        except OSError as exc:
            self._taken = 0  # it was the broker that went
            return None if self._stop_at is not None else reasons.why(exc, self._broker)
        finally:
            self.held_since = None
        self._link += 1
        hooks = Hooks(self._rise, self._acked, self._refused, self._hear)
        connection = Connection(
            sock,
            self._broker,
            self._will,
            self._topics,
            self._waiting,
            hooks,
            clean=self._clean,
        )
        began = time.monotonic()
        try:
            ended = connection.run(self._sleep)
            if ended is None:
                self._say_good_bye(connection)
            elif connection.welcome:
                ended = self._judge(ended, connection, time.monotonic() - began)
        finally:
            connection.close(orderly=self._stop_at is not None)
        return ended

    def _judge(self, ended: Ended, connection: Connection, stood_s: float) -> Ended:
        """Some brokers do not say that another client came under our id: they only close.

        A broker that remembers us, takes us in at once, and closes again when nothing is owed,
        has one.
        """
        self._clean = False
        if stood_s >= STOOD_S:
            self._attempts = 1
        if stood_s >= PEACE_S:
            self._taken = 0
        elif ended.wordless and connection.remembered and not connection.owed:
            self._taken += 1
        return reasons.taken(self._broker) if self._taken >= MOST_TAKEN else ended

    def _sleep(self, wire: Any, writing: bool, timeout_s: float) -> bool:
        """Wait; then take what others want to send. False when we are to end."""
        if self._queue.empty():
            select.select([wire, self._wakee], [wire] if writing else [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            self._wakee.recv(4096)
        self._take()
        return self._stop_at is None

    def _take(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                outgoing = self._queue.get_nowait()
                if isinstance(outgoing, Knock):
                    outgoing.answer()
                elif outgoing.link in {None, self._link}:
                    self._waiting.add(outgoing)

    def _say_good_bye(self, connection: Connection) -> None:
        """Send what still waits, and the will; leave when it is acknowledged, or time is up."""
        assert self._stop_at is not None
        deadline = self._stop_at - 0.1
        if not connection.welcome:
            return
        connection.farewell()

        def sleep(wire: Any, writing: bool, _s: float) -> bool:
            left = deadline - time.monotonic()
            if left <= 0 or connection.idle:
                return False
            select.select([wire], [wire] if writing else [], [], left)
            return True

        if connection.run(sleep) is not None or not connection.idle:
            log.warning("the broker did not take the farewell")

    def _rest(self, pause_s: float) -> None:
        """Wait before the next attempt; less when we are to end."""
        deadline = time.monotonic() + pause_s
        while self._stop_at is None and (left := deadline - time.monotonic()) > 0:
            select.select([self._wakee], [], [], left)
            with contextlib.suppress(BlockingIOError):
                if not self._wakee.recv(4096):
                    return
            self._take()
            self._waiting.clear()

    # --- what the connection says ---

    def _rise(self, most_bytes: int | None) -> None:
        self._up = True
        self._tell(drain.Up(self._link, most_bytes))
        self._post(ev.BusUp())

    def _fall(self, ended: Ended) -> None:
        self._up = False
        self._waiting.clear()
        self._tell(drain.Down(ended.too_large))
        fix = f"{ended.fix}; the satellite goes on trying"
        self._post(ev.BusDown(ended.detail, fix, ended.code))

    def _acked(self, outgoing: Outgoing, code: int) -> None:
        self._tell(drain.Acked(self._link, outgoing.number, code))

    def _refused(self, topic: str, denied: bool) -> None:
        self._tell(drain.Refused(topic, denied))

    def _hear(self, incoming: Incoming) -> None:
        self._on_message(incoming)
