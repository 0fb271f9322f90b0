"""The MQTT connection: paho's network thread, callbacks that only post, and a bounded queue.

MQTT 5, because 3.1.1 reports a refused publication as a success (reliability.md, finding 3). Every
callback is total: one exception would end paho's thread while it goes on to say "connected".
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from satellite.errors import SetupError
from satellite.inbox import Post
from satellite.model import events as ev
from satellite.model.ports import Message
from satellite.model.requests import Reply

KEEPALIVE_S: Final = 15
MOST_QUEUED: Final = 100  # paho's own bound is none: 1 MB an hour without a broker
MOST_RECEIVED: Final = 65_536  # reliability F77

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who we are to it. The password is in no ``repr``."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


class MqttLink:
    """Owns the client. ``publish`` may be called from any thread and returns at once."""

    def __init__(self, broker: Broker, will: Message, post: Post) -> None:
        self._broker = broker
        self._will = will
        self._post = post
        self._complained = ""
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=True,
        )
        client.max_queued_messages_set(MOST_QUEUED)
        client.reconnect_delay_set(1, 10)
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set_context(_tls_context(broker.ca_file))
        client.on_connect = lambda _c, _u, _flags, reason, _p: self._connected(reason)
        client.on_connect_fail = lambda _c, _u: self._unreachable()
        client.on_disconnect = lambda _c, _u, _flags, reason, _p: self._disconnected(reason)
        client.on_publish = lambda _c, _u, _mid, reason, _p: self._acknowledged(reason)
        self._client = client
        self._up = False  # written by paho's thread

    def start(self) -> None:
        """Begin to connect; BusUp or BusDown follow. Never blocks on the network."""
        hello = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        hello.MaximumPacketSize = MOST_RECEIVED
        self._client.connect_async(
            self._broker.host,
            self._broker.port,
            keepalive=KEEPALIVE_S,
            clean_start=True,
            properties=hello,
        )
        self._client.loop_start()

    def publish(self, message: Message) -> None:
        """Send one message; without a connection at most MOST_QUEUED of the queued ones wait."""
        if message.seq is None and not self._up:
            return
        payload = message.payload
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "text/plain" if payload[:1] != b"{" else "application/json"
        if message.expiry_s is not None:
            properties.MessageExpiryInterval = message.expiry_s
        info = self._client.publish(message.topic, payload, message.qos, message.retain, properties)
        if info.rc == paho.MQTT_ERR_QUEUE_SIZE:
            self._complain(f"the broker is away and {MOST_QUEUED} messages wait; one was dropped")

    def keep(self, name: str, value: object) -> None:
        """Nothing is remembered yet."""

    def replay(self, since: int, most: int, reply: Reply | None) -> None:
        """Nothing is told again yet."""

    def stop(self, timeout_s: float) -> None:
        """Say the will ourselves, because an orderly end suppresses it; then end."""
        deadline = time.monotonic() + timeout_s
        if self._up:
            will = self._will
            info = self._client.publish(will.topic, will.payload, will.qos, will.retain)
            try:
                info.wait_for_publish(timeout_s * 0.7)
            except (RuntimeError, ValueError):
                log.warning("the broker did not take the farewell")
        self._client.disconnect()
        # loop_stop waits for ever for a thread that is busy connecting
        end = threading.Thread(target=self._client.loop_stop, name="mqtt-end", daemon=True)
        end.start()
        end.join(max(0.1, deadline - time.monotonic()))

    # --- paho's thread: every callback is total ---

    def _connected(self, reason: ReasonCode) -> None:
        if reason.is_failure:
            detail = f"the broker at {self._broker.place} refused us: {reason}"
            self._down(detail, "check mqtt.username and mqtt.password")
            return
        self._up = True
        self._complained = ""
        self._post(ev.BusUp())

    def _unreachable(self) -> None:
        self._down(*_why_unreachable(self._broker))

    def _disconnected(self, reason: ReasonCode) -> None:
        if reason.is_failure:
            detail = f"the connection to the broker at {self._broker.place} ended: {reason}"
            self._down(detail, "nothing to do unless it lasts")

    def _acknowledged(self, reason: ReasonCode) -> None:
        if reason.is_failure:
            self._complain(f"the broker at {self._broker.place} refused a message: {reason}")

    def _down(self, detail: str, fix: str) -> None:
        self._up = False
        self._post(ev.BusDown(detail, f"{fix}; the satellite goes on trying"))

    def _complain(self, text: str) -> None:
        """The first of a kind is a warning; MQTT itself cannot tell it."""
        if text != self._complained:
            self._complained = text
            log.warning("%s", text)


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as exc:
        raise SetupError(
            f"mqtt.ca_file: {ca_file} holds no certificate in PEM form; give the file of your"
            " authority that begins with -----BEGIN CERTIFICATE-----"
        ) from exc


def _why_unreachable(broker: Broker) -> tuple[str, str]:
    """What is wrong and what to do. paho does not say why; ask the network once more, briefly."""
    address = "check mqtt.host and mqtt.port, and that the broker runs"
    try:
        socket.create_connection((broker.host, broker.port), 2).close()
    except ConnectionRefusedError:
        return f"no MQTT broker listens at {broker.place}", address
    except socket.gaierror:
        return f"the name {broker.host} of the MQTT broker cannot be resolved", address
    except OSError as exc:
        why = exc.strerror or "no answer"
        return f"the MQTT broker at {broker.place} cannot be reached: {why}", address
    kind = "TLS" if broker.tls else "MQTT"
    fix = "check mqtt.tls, mqtt.port and mqtt.ca_file"
    return f"the broker at {broker.place} speaks no {kind} that we understand", fix
