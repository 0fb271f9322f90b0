"""Who looks on at a broker, and how one is started."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import paho.mqtt.client as paho

Start = Callable[..., int]


@dataclass
class Onlooker:
    """Everything that is published, as it comes."""

    client: paho.Client
    queue: SimpleQueue[paho.MQTTMessage]

    def until(
        self, topic: str, payload: bytes | None = None, timeout_s: float = 8.0
    ) -> paho.MQTTMessage:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                message = self.queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"nothing on {topic}") from None
            if message.topic == topic and payload in {None, message.payload}:
                return message
