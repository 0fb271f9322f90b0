"""One connection to the broker, from the first byte to the last. A fresh paho.Client each.

A client that is used again re-sends by itself what it remembers, and nobody can tell it what has
been delivered meanwhile. Every callback only notes what came: an exception in one would leave paho
half way through a packet.

Rule 1: the connection lives as long as bytes come; ``is_connected()`` is never asked. After
KEEPALIVE_S without any, paho pings; PONG_S later it is over. An answer owed for OWED_S ends it too.
Rule 2: nothing is given to paho while it has something to write: what waits, waits in ``Waiting``,
where a state that has changed again replaces the one before.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from satellite.adapters.mqtt_link import reasons
from satellite.adapters.mqtt_link.broker import Broker
from satellite.adapters.mqtt_link.reasons import Ended
from satellite.adapters.mqtt_link.waiting import Outgoing, Waiting
from satellite.adapters.mqtt_link.wire import Client, Wire
from satellite.logic import drain
from satellite.model.ports import Incoming, Message
from satellite.model.requests import Reply

KEEPALIVE_S: Final = 10
PONG_S: Final = 5.0
OWED_S: Final = 10.0  # reliability F20
WELCOME_S: Final = 10.0  # from the CONNECT to its answer
SESSION_S: Final = 60  # commands sent while we reconnect arrive
WILL_DELAY_S: Final = 5  # a short break is nobody's affair
MOST_RECEIVED: Final = 65_536  # reliability F77
WINDOW: Final = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom to tell what. All are total and return soon."""

    up: Callable[[int | None], None]
    acked: Callable[[Outgoing, int], None]
    refused: Callable[[str, bool], None]
    message: Callable[[Incoming], None]


class Connection:
    """One connection. Its thread only."""

    def __init__(
        self,
        sock: socket.socket,
        broker: Broker,
        will: Message,
        topics: tuple[str, ...],
        waiting: Waiting,
        hooks: Hooks,
        *,
        clean: bool,
    ) -> None:
        self._broker = broker
        self._will = will
        self._topics = topics
        self._waiting = waiting
        self._hooks = hooks
        self._owed: OrderedDict[int, tuple[Outgoing, float]] = OrderedDict()
        self._asked: dict[int, tuple[str, ...]] = {}
        self._denied: set[str] = set()
        self._too_long: set[str] = set()
        self._window = WINDOW
        self._began = time.monotonic()
        self._pinged_at: float | None = None
        self._keepalive_s = KEEPALIVE_S
        self._ended: Ended | None = None
        self._most_bytes: int | None = None
        self.welcome = False
        self.remembered = False
        self._wire = Wire(sock)
        self._client = self._make(clean=clean)

    @property
    def owed(self) -> bool:
        """An answer to something that we sent is due."""
        return bool(self._owed)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is owed."""
        return not self._waiting and not self._owed and not self._client.want_write()

    def run(self, sleep: Callable[[Any, bool, float], bool]) -> Ended | None:
        """Serve until it ends; None when ``sleep`` says that we end it.

        ``sleep(socket, writing, seconds)`` waits for the socket or for something to send.
        """
        try:
            while self._ended is None:
                self._give()
                writing = self._client.want_write()
                more = self._wire.pending() and not writing
                if not sleep(self._wire, writing, 0.0 if more else self._patience_s()):
                    return None
                self._serve()
        except (OSError, ValueError) as exc:
            return self._ended or reasons.why(self._wire.error or _network(exc), self._broker)
        return self._ended

    def farewell(self) -> None:
        """Say the will ourselves, because an orderly end suppresses it."""
        self._waiting.add(Outgoing(self._will))

    def close(self, *, orderly: bool = False) -> None:
        """End it; orderly tells the broker that we are not coming back."""
        with contextlib.suppress(Exception):
            if orderly:
                bye = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
                bye.SessionExpiryInterval = 0
                self._client.disconnect(properties=bye)
        self._wire.close()

    # --- the loop ---

    def _make(self, *, clean: bool) -> Client:
        client = Client(self._wire, self._broker.client_id)
        will = self._will
        last_words = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
        last_words.WillDelayInterval = WILL_DELAY_S
        client.will_set(will.topic, will.payload, will.qos, will.retain, last_words)
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        hello = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        hello.MaximumPacketSize = MOST_RECEIVED
        hello.ReceiveMaximum = WINDOW
        hello.SessionExpiryInterval = SESSION_S
        client.max_inflight_messages_set(0)  # the window is ours
        client.on_connect = _total(self._on_connect)
        client.on_disconnect = _total(self._on_disconnect)
        client.on_publish = _total(self._on_publish)
        client.on_subscribe = _total(self._on_subscribe)
        client.on_message = _total(self._on_message)
        client.connect(
            self._broker.host,
            self._broker.port,
            KEEPALIVE_S,
            clean_start=clean,
            properties=hello,
        )
        return client

    def _serve(self) -> None:
        """Read and write what can be, without waiting; then judge whether anybody is there."""
        client = self._client
        codes = [client.loop_read()]
        while not any(codes) and self._wire.pending():
            codes.append(client.loop_read())
        if client.coming > MOST_RECEIVED:  # paho would take it all in
            self._ended = reasons.flooded(client.coming, self._broker)
            return
        if client.want_write():
            codes.append(client.loop_write())
        codes.append(client.loop_misc())
        if any(codes) and self._ended is None:
            self._ended = reasons.why(self._wire.error, self._broker)
        if self._ended is None:
            self._ended = self._judge(time.monotonic())

    def _judge(self, now: float) -> Ended | None:
        place = self._broker.place
        if not self.welcome:
            if now - self._began < WELCOME_S:
                return None
            return Ended(f"the broker at {place} does not answer", "check mqtt.host and mqtt.port")
        silent_since = self._wire.heard_at
        if self._pinged_at is not None and silent_since > self._pinged_at:
            self._pinged_at = None
        if self._pinged_at is None and now - silent_since >= self._keepalive_s:
            self._pinged_at = now  # paho has just done so
        patience = "it is looked for again"
        if self._pinged_at is not None and now - self._pinged_at >= PONG_S:
            detail = f"the broker at {place} gave no sign of life for {now - silent_since:.0f} s"
            return Ended(detail, patience)
        if self._owed and now - next(iter(self._owed.values()))[1] >= OWED_S:
            detail = f"the broker at {place} answers no more: a message waits for {OWED_S:.0f} s"
            return Ended(detail, patience)
        return None

    def _patience_s(self) -> float:
        """Until something is due although nothing comes."""
        wire = self._wire
        due = [min(wire.heard_at, wire.sent_at) + self._keepalive_s]
        if not self.welcome:
            due.append(self._began + WELCOME_S)
        if self._pinged_at is not None:
            due = [self._pinged_at + PONG_S]
        if self._owed:
            due.append(next(iter(self._owed.values()))[1] + OWED_S)
        return max(0.0, min(due) - time.monotonic()) + 0.01

    def _give(self) -> None:
        """Hand over what waits, as long as the network takes it at once."""
        while self.welcome and len(self._owed) < self._window and not self._client.want_write():
            outgoing = self._waiting.next()
            if outgoing is None:
                return
            self._publish(outgoing)

    def _publish(self, outgoing: Outgoing) -> None:
        message = outgoing.message
        size = drain.packet_bytes(message.topic, len(message.payload))
        if self._most_bytes is not None and size > self._most_bytes:
            self._tell_long(message.topic, size)
            if outgoing.link is not None:
                self._hooks.acked(outgoing, drain.TOO_LARGE)
            return
        info = self._client.publish(
            message.topic, message.payload, message.qos, message.retain, _properties(message)
        )
        if message.qos:
            self._owed[info.mid] = (outgoing, time.monotonic())

    def _tell_long(self, topic: str, size: int) -> None:
        """Once for each topic of a connection."""
        if topic not in self._too_long:
            self._too_long.add(topic)
            log.warning(
                "%s: %d bytes are more than the broker takes (%d); raise its size limit",
                *(topic, size, self._most_bytes),
            )

    # --- paho's callbacks, called by the loop ---

    def _on_connect(
        self, _c: Any, _u: Any, flags: Any, reason: ReasonCode, given: Properties
    ) -> None:
        if reason.is_failure:
            self._ended = reasons.unwelcome(reason, self._broker)
            return
        self.welcome, self.remembered = True, flags.session_present
        self._most_bytes = getattr(given, "MaximumPacketSize", None)
        self._window = min(WINDOW, getattr(given, "ReceiveMaximum", WINDOW))
        wanted = getattr(given, "ServerKeepAlive", 0) or KEEPALIVE_S
        self._keepalive_s = min(KEEPALIVE_S, wanted)
        self._client._keepalive = self._keepalive_s  # paho takes the broker's even if it is longer
        for topic in self._topics:
            # retained ones once, not at each reconnect of a session that the broker remembers
            # a command that is published to be retained is refused at once, not only next time;
            # whoever retains Home Assistant's birth means it all the same
            as_published = not topic.endswith("/status")
            options = SubscribeOptions(qos=1, retainHandling=1, retainAsPublished=as_published)
            _, mid = self._client.subscribe(topic, options=options)
            if mid is not None:
                self._asked[mid] = (topic,)
        self._hooks.up(self._most_bytes)

    def _on_disconnect(self, _c: Any, _u: Any, flags: Any, reason: ReasonCode, _p: Any) -> None:
        if flags.is_disconnect_packet_from_server and self._ended is None:
            self._ended = reasons.sent_away(reason, self._broker)

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        outgoing, _ = self._owed.pop(mid, (None, 0.0))
        if outgoing is None:
            return
        if outgoing.link is not None:
            self._hooks.acked(outgoing, reason.value)
        elif not outgoing.message.theirs:
            self._refused(outgoing.message.topic, denied=reason.is_failure)

    def _on_subscribe(self, _c: Any, _u: Any, mid: int, reasons: Any, _p: Any) -> None:
        for topic, reason in zip(self._asked.pop(mid, ()), reasons, strict=False):
            self._refused(topic, denied=reason.is_failure)

    def _refused(self, topic: str, *, denied: bool) -> None:
        """Tell only what is new on this connection."""
        if denied != (topic in self._denied):
            (self._denied.add if denied else self._denied.discard)(topic)
            self._hooks.refused(topic, denied)

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        given = message.properties
        back = getattr(given, "ResponseTopic", None)
        reply = Reply(back, getattr(given, "CorrelationData", None)) if back else None
        self._hooks.message(Incoming(topic, bytes(message.payload), message.retain, reply))


def _total(call: Callable[..., None]) -> Callable[..., None]:
    """An exception must not end paho in the middle of a packet."""

    def safe(*args: Any) -> None:
        try:
            call(*args)
        except Exception:
            log.exception("this is a bug in realtime-satellite; please report it")

    return safe


def _network(exc: BaseException) -> BaseException | None:
    return exc if isinstance(exc, OSError) else None


def _properties(message: Message) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    structured = message.payload[:1] in {b"{", b"["}
    properties.ContentType = "application/json" if structured else "text/plain"
    if message.expiry_s is not None:
        properties.MessageExpiryInterval = message.expiry_s
    if message.correlation is not None:
        properties.CorrelationData = message.correlation
    return properties
