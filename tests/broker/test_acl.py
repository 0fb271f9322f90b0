"""The rules that are shipped for mosquitto: each satellite for itself, and enough for that."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import paho.mqtt.client as paho
import pytest
from lookers import Start
from paho.mqtt.enums import CallbackAPIVersion
from posted import Events

from satellite import bus_setup, house_setup
from satellite.config.schema import Config, Mqtt
from satellite.model import events as ev
from satellite.model.ports import Message
from satellite.model.requests import Reply
from satellite.wire import discovery, mqtt

RULES = Path(__file__).parents[2] / "docs" / "mqtt" / "mosquitto.acl"
NOT_AUTHORIZED = 0x87

pytestmark = pytest.mark.usefixtures("no_thread_left")


@pytest.fixture
def port(mosquitto: Start, tmp_path: Path) -> int:
    """A broker with the shipped rules, and three who may log in with their name as the password."""
    passwords, rules = tmp_path / "passwords", tmp_path / "acl"
    passwords.touch(mode=0o600)
    for name in ("kitchen", "bedroom", "homeassistant"):
        subprocess.run(
            ["mosquitto_passwd", "-b", str(passwords), name, name], check=True, capture_output=True
        )
    rules.write_text(RULES.read_text())
    rules.chmod(0o600)
    return mosquitto("allow_anonymous false", f"password_file {passwords}", f"acl_file {rules}")


class Client:
    """Somebody at the broker, who is told what happens to what they publish."""

    def __init__(self, port: int, name: str) -> None:
        self.fences = itertools.count()
        self.codes: SimpleQueue[int] = SimpleQueue()
        self.granted: SimpleQueue[Any] = SimpleQueue()
        self.heard: SimpleQueue[str] = SimpleQueue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.username_pw_set(name, name)
        self.client.on_publish = lambda _c, _u, _m, reason, _p: self.codes.put(reason.value)
        self.client.on_subscribe = lambda _c, _u, _m, reasons, _p: self.granted.put(reasons)
        self.client.on_message = lambda _c, _u, message: self.heard.put(message.topic)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def publish(self, topic: str, *, retain: bool = False) -> int:
        self.client.publish(topic, b"x", qos=1, retain=retain)
        return self.codes.get(timeout=5)

    def hears(self, topic: str, pattern: str, by: Client) -> bool:
        """Subscribe; True when what another publishes comes."""
        fence = f"satellite/kitchen/fence/{next(self.fences)}"
        for each in (pattern, fence):
            self.client.subscribe(each, qos=1)
            self.granted.get(timeout=5)
        by.publish(topic)
        by.publish(fence)
        self.client.unsubscribe(pattern)
        came = list(iter(lambda: self.heard.get(timeout=5), fence))
        return topic in came


@pytest.fixture
def client(port: int) -> Iterator[Callable[[str], Client]]:
    made: list[Client] = []

    def make(name: str) -> Client:
        made.append(Client(port, name))
        return made[-1]

    yield make
    for one in made:
        one.client.disconnect()
        one.client.loop_stop()


@pytest.mark.parametrize(
    "topic",
    [
        "satellite/bedroom/cmd/say",
        "satellite/bedroom/status",
        "satellite/bedroom/transcript",
        "satellite/bedroom/tool/result",
        "homeassistant/status",
        "homeassistant/device/satellite/bedroom/config",
        "homeassistant/sensor/satellite_bedroom/state/config",
        "homeassistant/switch/garage/config",
        "zigbee2mqtt/lock/set",
    ],
)
def test_a_satellite_cannot_speak_for_others(client: Callable[[str], Client], topic: str) -> None:
    assert client("kitchen").publish(topic) == NOT_AUTHORIZED


def test_it_hears_its_own_commands_and_no_others(client: Callable[[str], Client]) -> None:
    kitchen, house = client("kitchen"), client("homeassistant")
    for topic, pattern, hears in (
        ("satellite/kitchen/cmd/say", "satellite/kitchen/cmd/+", True),
        ("satellite/kitchen/tool/result", "satellite/kitchen/tool/result", True),
        ("homeassistant/status", "homeassistant/status", True),
        ("satellite/bedroom/cmd/say", "satellite/bedroom/cmd/+", False),
        ("satellite/bedroom/transcript", "#", False),
        ("zigbee2mqtt/lock", "#", False),
    ):
        assert kitchen.hears(topic, pattern, house) is hears, topic


@pytest.fixture
def config(port: int, tmp_path: Path) -> Config:
    return Config(
        name="kitchen",
        mqtt=Mqtt(host="127.0.0.1", port=port, username="kitchen", password="kitchen"),
        state_dir=str(tmp_path / "state"),
    )


@contextlib.contextmanager
def connected(config: Config, events: Events) -> Iterator[bus_setup.MqttBus]:
    bus = bus_setup.build(config, events.post, lambda incoming: None)
    bus.start()
    try:
        events.until(ev.BusUp)
        yield bus
    finally:
        bus.stop(2)
        bus.release()


def test_where_somebody_waits_for_an_answer_is_no_problem_of_ours(config: Config) -> None:
    """A name of their choice, another one each time: nothing of it is shown or remembered."""
    events = Events()
    result = Message("satellite/kitchen/result", b"{}", 1, False, 60)
    with connected(config, events) as bus:
        for number in range(50):
            theirs = mqtt.answer(result, Reply(f"node-red/{number}", b"1"), "satellite/kitchen")
            assert theirs is not None
            bus.outbox.publish(theirs)
        bus.outbox.publish(Message("satellite/bedroom/state", b"{}", 1, True, None))
        assert events.until(ev.OutboxNoted).denied == ("satellite/bedroom/state",)


def test_it_may_say_everything_that_it_has_to_say(config: Config) -> None:
    events = Events()
    with connected(config, events) as bus:
        say_everything(config, bus, events)
    assert all(
        set(note.denied) <= {"satellite/bedroom/state"}
        for note in events.all
        if isinstance(note, ev.OutboxNoted)
    )


def say_everything(config: Config, bus: bus_setup.MqttBus, events: Events) -> None:
    """And one thing that it may not say."""
    for number, topic in enumerate(mqtt.TOPICS, 1):
        name = f"satellite/kitchen/{topic}"
        bus.outbox.publish(Message(name, b"{}", 1, False, 60))
        bus.outbox.publish(Message(name, b"{}", 1, True, None, number))
    about = house_setup.about(config)
    for mode in ("device", "component"):
        for topic in discovery.all_topics(dataclasses.replace(about, mode=mode)):
            bus.outbox.publish(Message(topic, b"", 1, True, None))
            bus.outbox.publish(Message(topic, b"", 1, True, None, number := number + 1))
    bus.outbox.publish(Message("satellite/bedroom/state", b"{}", 1, True, None))
    denied = events.until(ev.OutboxNoted)
    while denied.denied != ("satellite/bedroom/state",) or denied.waiting:
        denied = events.until(ev.OutboxNoted)
