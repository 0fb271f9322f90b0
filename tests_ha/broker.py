"""A real mosquitto that can be killed and started again, and a client of it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import paho.mqtt.client as paho
from house import until
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from satellite.cli.children import free_port


class Broker:
    """It forgets everything when it is killed, retained messages too: the worst case."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
        assert program, "install mosquitto: the suite's setup does it"
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [program, "-c", str(self._config)], stdin=quiet, stdout=quiet, stderr=quiet
        )
        until(self._answers, "mosquitto answers")

    def kill(self) -> None:
        """As a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Client:
    """Hears what it subscribed to, in order, and publishes. Not for a broker that is killed."""

    def __init__(self, port: int, *topics: str) -> None:
        self.heard: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_message = lambda _c, _u, m: self.heard.put((m.topic, _read(m.payload)))
        ready: SimpleQueue[None] = SimpleQueue()
        self._client.on_connect = lambda *_: ready.put(None)
        self._client.on_subscribe = lambda *_: ready.put(None)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        ready.get(timeout=10)
        for topic in topics:
            self._client.subscribe(topic, qos=1)
            ready.get(timeout=10)

    def publish(
        self, topic: str, payload: Any, *, retain: bool = False, expiry_s: int | None = None
    ) -> None:
        """QoS 1, and return when the broker has it. What is neither text nor bytes becomes JSON."""
        body = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        properties = Properties(PacketTypes.PUBLISH)
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        self._client.publish(topic, body, 1, retain, properties).wait_for_publish(10)

    def until(self, topic: str, timeout_s: float = 15.0, **values: Any) -> Any:
        """The next payload on ``topic`` that has the values."""
        deadline = monotonic() + timeout_s
        while True:
            try:
                found, payload = self.heard.get(timeout=max(0.0, deadline - monotonic()))
            except Empty:
                raise AssertionError(f"nothing on {topic} with {values}") from None
            if found == topic and (not values or _has(payload, values)):
                return payload

    def nothing(self, topic: str, within_s: float) -> None:
        """AssertionError where anything comes on ``topic`` within so many seconds."""
        deadline = monotonic() + within_s
        while (left := deadline - monotonic()) > 0:
            try:
                found, payload = self.heard.get(timeout=left)
            except Empty:
                return
            assert found != topic, f"{topic}: {payload}"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _has(payload: Any, values: dict[str, Any]) -> bool:
    return isinstance(payload, dict) and values.items() <= payload.items()


def _read(payload: bytes) -> Any:
    text = payload.decode()
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text
