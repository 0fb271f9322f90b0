"""Look at what a broker retains, and make it forget some of it. One connection, in this thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from satellite.adapters.mqtt_link import reasons
from satellite.adapters.mqtt_link.broker import Broker, tls_context
from satellite.errors import SetupError

ANSWER_S: Final = 10.0  # for each word of the broker
LOOP_S: Final = 0.05


@dataclass(slots=True)
class Swept:
    """What was emptied, and what the broker did not let us empty, by topic."""

    emptied: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __add__(self, other: Swept) -> Swept:
        return Swept(self.emptied + other.emptied, self.refused + other.refused)


class Sweep:
    """Connected from the start. Raises SetupError with a sentence; ``close`` it in any case."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._welcome: list[ReasonCode] = []
        self._granted: set[int] = set()
        self._acknowledged: dict[int, ReasonCode] = {}
        self._retained: dict[str, bytes] = {}
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{broker.client_id}-remove",
            protocol=paho.MQTTv5,
        )
        client.suppress_exceptions = False
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set_context(tls_context(broker))
        client.on_connect = lambda _c, _u, _f, reason, _p: self._welcome.append(reason)
        client.on_subscribe = lambda _c, _u, mid, _codes, _p: self._granted.add(mid)
        client.on_publish = lambda _c, _u, mid, reason, _p: self._acknowledged.update({mid: reason})
        client.on_message = lambda _c, _u, message: self._note(message)
        self._client = client
        try:
            client.connect(broker.host, broker.port, keepalive=30)
            self._until(lambda: bool(self._welcome))
        except OSError as exc:
            ended = reasons.why(exc, broker)
            raise SetupError(f"{ended.detail}; {ended.fix}") from exc
        if self._welcome[0].is_failure:
            ended = reasons.unwelcome(self._welcome[0], broker)
            raise SetupError(f"{ended.detail}; {ended.fix}")

    def retained(self, patterns: list[str]) -> dict[str, bytes]:
        """What the broker retains there, by topic, as far as it lets us see it."""
        self._subscribe(patterns)
        # what is retained comes before the answer to the next question
        self._subscribe(patterns[:1])
        return dict(self._retained)

    def empty(self, topics: list[str]) -> Swept:
        """Have each of them forgotten, in order."""
        swept = Swept()
        for topic in topics:
            mid = self._client.publish(topic, b"", qos=1, retain=True).mid
            self._until(lambda mid=mid: mid in self._acknowledged)  # type: ignore[misc]
            kind = swept.refused if self._acknowledged[mid].is_failure else swept.emptied
            kind.append(topic)
        return swept

    def close(self) -> None:
        """End the connection."""
        self._client.disconnect()
        self._client.loop(LOOP_S)

    def _subscribe(self, patterns: list[str]) -> None:
        _, mid = self._client.subscribe([(pattern, 0) for pattern in patterns])
        self._until(lambda: mid in self._granted)

    def _note(self, message: paho.MQTTMessage) -> None:
        if message.retain and message.payload:
            self._retained[message.topic] = bytes(message.payload)

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + ANSWER_S
        while not done():
            code = self._client.loop(LOOP_S)
            if time.monotonic() > deadline or (code != paho.MQTT_ERR_SUCCESS and not done()):
                where = self._broker.place
                raise SetupError(
                    f"the broker at {where} ended the connection or does not answer;"
                    " check mqtt.tls and mqtt.port, and look into its log"
                )
