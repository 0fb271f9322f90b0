"""The whole daemon keeps the contract: every message it publishes obeys the schema of its topic."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import jsonschema
import paho.mqtt.client as paho
import pytest
from program import Daemon, recorded
from scripted_server import Script, running

from satellite.cli import demo
from satellite.wire import mqtt

SCHEMAS = Path(__file__).parents[2] / "docs" / "mqtt"
DEVICE = f"homeassistant/device/satellite/{demo.NAME}/config"
ORDERS = {
    "mute": "ON",
    "volume": '{"v": 1, "volume": 30, "id": "o1"}',
    "voice": "cedar",
    "say": '{"text": 5}',
    "no_such_thing": "x",
    "get": "",
    "replay": "0",
}


@pytest.fixture
def house(daemon: Daemon) -> Iterator[paho.Client]:
    """A client that speaks as Home Assistant does."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect("127.0.0.1", daemon.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def retained(port: int, topic: str) -> bytes:
    """What a client that comes now is told there; empty where nothing is kept."""
    found: SimpleQueue[bytes] = SimpleQueue()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_connect = lambda c, *_: c.subscribe(topic, 0)
    client.on_message = lambda _c, _u, m: found.put(bytes(m.payload))
    client.on_subscribe = lambda c, *_: c.publish("probe/end", b"", 1)
    client.on_publish = lambda *_: found.put(b"")  # comes after what is kept
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        return found.get(timeout=5)
    finally:
        client.disconnect()
        client.loop_stop()


def eventually(what: Callable[[], object], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check(daemon: Daemon) -> set[str]:
    """Validate everything that was seen; return the topics below the base."""
    names = set()
    for topic, payload in daemon.all:
        name = topic.removeprefix(f"{demo.BASE}/")
        if name.startswith("cmd/"):
            continue
        names.add(name)
        if mqtt.TOPICS[name].record is None:
            assert payload in {"online", "offline", "wake"}
        else:
            schema = json.loads((SCHEMAS / mqtt.file_name(name)).read_text())
            jsonschema.validate(payload, schema)
            assert payload["v"] == 1
    return names


def test_every_message_of_a_daemon_obeys_its_schema(daemon: Daemon, house: paho.Client) -> None:
    with running(Script(answers=["It is done."])) as url:
        daemon.start(
            url,
            audio={"input": {"file": [recorded("conf-kicked")]}},
            mqtt={"publish_partial": True, "discovery": "device"},
        )
        turn = daemon.until("turn")
        daemon.problem("recording_ended")
        for verb, payload in ORDERS.items():
            house.publish(f"{demo.BASE}/cmd/{verb}", payload, 1)
        answered: dict[str, Any] = {}
        while answered.keys() != ORDERS.keys():
            result = daemon.until("result")
            if result["status"] != "accepted":
                answered[result["cmd"]] = result
        announced = json.loads(retained(daemon.port, DEVICE))
        daemon.stop()
        daemon.until("status")
    assert turn["event_type"] == "answered"
    assert {verb for verb, result in answered.items() if result["status"] == "rejected"} == {
        "say",
        "no_such_thing",
    }
    assert announced["components"]["transcript"]["platform"] == "event"
    names = check(daemon)
    quiet = {"tool/call", "tool/confirm", "wake", "transcript/partial"}  # nobody caused them
    assert names >= mqtt.TOPICS.keys() - quiet


def test_the_entities_come_again_with_home_assistant_and_go_with_the_configuration(
    daemon: Daemon, house: paho.Client
) -> None:
    silent: Any = {"audio": {"input": {"file": [recorded("vm-goodbye")]}}}
    with running(Script()) as url:
        daemon.start(url, mqtt={"discovery": "device"}, **silent)
        eventually(lambda: retained(daemon.port, DEVICE))
        daemon.until("diagnostics")
        house.publish(DEVICE, b"", 1, retain=True).wait_for_publish(5)  # a broker that forgets
        assert not retained(daemon.port, DEVICE)
        house.publish("homeassistant/status", "online", 0)
        eventually(lambda: retained(daemon.port, DEVICE))
        daemon.stop()
        daemon.start(url, mqtt={"discovery": "component"}, **silent)
        one = f"homeassistant/event/satellite_{demo.NAME}/transcript/config"
        eventually(lambda: retained(daemon.port, one))
        assert not retained(daemon.port, DEVICE)
        daemon.stop()
        daemon.start(url, mqtt={"discovery": "none"}, **silent)
        eventually(lambda: not retained(daemon.port, one))
        assert retained(daemon.port, f"{demo.BASE}/settings")
        daemon.stop()
    with contextlib.suppress(AssertionError):
        daemon.until("nothing", 0.1)
    check(daemon)
