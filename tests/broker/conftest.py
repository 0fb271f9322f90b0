"""A real mosquitto on a free loopback port, a client that looks on, and our side."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import paho.mqtt.client as paho
import pytest
from houses import House, Make
from lookers import Onlooker, Start
from paho.mqtt.enums import CallbackAPIVersion

from satellite.cli.children import free_port
from satellite.config.schema import Config, Mqtt, Privacy


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Start]:
    """Start a broker with extra lines of configuration; return its port."""
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    assert program, "install mosquitto: the suite's setup does it"
    running: list[subprocess.Popen[bytes]] = []

    def start(*lines: str, port: int | None = None) -> int:
        port = port or free_port()
        config = tmp_path / f"mosquitto-{port}.conf"
        words = [f"listener {port} 127.0.0.1", "user root", *lines]
        if not any(line.startswith("allow_anonymous") for line in lines):
            words.append("allow_anonymous true")
        config.write_text("\n".join(words) + "\n")
        running.append(subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL))
        _wait_for(port)
        return port

    start.running = running  # type: ignore[attr-defined]
    yield start
    for process in running:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("mosquitto did not start")


@pytest.fixture
def onlooker() -> Iterator[Callable[[int], Onlooker]]:
    made: list[paho.Client] = []

    def look(port: int) -> Onlooker:
        queue: SimpleQueue[paho.MQTTMessage] = SimpleQueue()
        ready: SimpleQueue[None] = SimpleQueue()
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
        client.on_subscribe = lambda *_: ready.put(None)
        client.on_message = lambda _c, _u, message: queue.put(message)
        client.connect("127.0.0.1", port)
        client.loop_start()
        ready.get(timeout=5)
        made.append(client)
        return Onlooker(client, queue)

    yield look
    for client in made:
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Make]:
    made: list[House] = []

    def make(port: int, journal_hours: int = 24, **mqtt: Any) -> House:
        config = Config(
            name="kitchen",
            mqtt=Mqtt(host="127.0.0.1", port=port, discovery="none", **mqtt),
            privacy=Privacy(journal_hours=journal_hours),
            state_dir=str(tmp_path / "state"),
        )
        made.append(House(config))
        return made[-1]

    yield make
    for one in made:
        if one.bus.lock is not None:
            one.stop()
