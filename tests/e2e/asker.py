"""Somebody who asks over MQTT 5, with a response topic, and collects the answers."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from satellite.cli import demo

ANSWERS = "tests/answers"


@dataclass
class Asker:
    """``answers`` are those on our own topic: what we gave to know them by, and the result."""

    client: paho.Client
    answers: SimpleQueue[tuple[bytes, dict[str, Any]]] = field(default_factory=SimpleQueue)
    numbers: int = 0

    def send(self, verb: str, payload: Any = "", *, retain: bool = False, qos: int = 1) -> bytes:
        """Ask for something; returns what the answer is known by."""
        self.numbers += 1
        known_by = f"n{self.numbers}".encode()
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic, properties.CorrelationData = ANSWERS, known_by
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        topic = f"{demo.BASE}/cmd/{verb}"
        sent = self.client.publish(topic, body, qos, retain, properties)
        if qos:
            sent.wait_for_publish(5)
        return known_by

    def ask(self, verb: str, payload: Any = "", *, retain: bool = False) -> dict[str, Any]:
        """Ask, and wait for the last answer."""
        known_by = self.send(verb, payload, retain=retain)
        deadline = time.monotonic() + 15
        while True:
            try:
                about, result = self.answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no answer to {verb}") from None
            if about == known_by and result["status"] != "accepted":
                return result


@contextlib.contextmanager
def asking(port: int) -> Iterator[Asker]:
    """Connect, and listen for answers."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.max_inflight_messages_set(1000)
    asker, ready = Asker(client), SimpleQueue[None]()

    def hear(_client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        about = getattr(message.properties, "CorrelationData", b"")
        asker.answers.put((about, json.loads(message.payload)))

    client.on_connect = lambda c, *_: c.subscribe(ANSWERS, qos=1)
    client.on_subscribe = lambda *_: ready.put(None)
    client.on_message = hear
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        ready.get(timeout=5)
        yield asker
    finally:
        client.disconnect()
        client.loop_stop()
