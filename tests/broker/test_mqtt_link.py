"""The MQTT connection against a real mosquitto: birth, will, refusals, loss and return."""

from __future__ import annotations

import gc
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from lookers import Onlooker, Start
from posted import Events

from satellite.adapters.mqtt_link import MOST_QUEUED, Broker, MqttLink
from satellite.cli.children import free_port
from satellite.errors import SetupError
from satellite.model import events as ev
from satellite.model.ports import Message
from satellite.wire import mqtt

T = TypeVar("T")
WILL = mqtt.status("satellite/kitchen", mqtt.OFFLINE)
STATUS = WILL.topic


class Bus:
    """A link under test and what it posts."""

    def __init__(self, port: int, **more: str) -> None:
        self.events = Events()
        broker = Broker("127.0.0.1", port, "satellite-kitchen", **more)  # type: ignore[arg-type]
        self.link = MqttLink(broker, WILL, self.events.post)
        self.link.start()

    def until(self, kind: type[T], timeout_s: float = 10.0) -> T:
        return self.events.until(kind, timeout_s)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        expiry, seq = (None, None) if retain else (120, 1)
        self.link.publish(Message(topic, payload, 1, retain, expiry, seq))


@pytest.fixture
def bus() -> Iterator[Callable[..., Bus]]:
    made: list[Bus] = []

    def make(port: int, **more: str) -> Bus:
        made.append(Bus(port, **more))
        return made[-1]

    yield make
    for one in made:
        one.link.stop(2)


Look = Callable[[int], Onlooker]


def test_birth_messages_and_farewell_arrive(
    mosquitto: Start, onlooker: Look, bus: Callable[..., Bus]
) -> None:
    port = mosquitto()
    look, one = onlooker(port), bus(port)
    one.until(ev.BusUp)
    one.publish(STATUS, b"online", retain=True)
    one.publish("satellite/kitchen/transcript", b'{"text":"hi"}')
    look.until(STATUS, b"online")
    message = look.until("satellite/kitchen/transcript")
    assert (message.qos, message.retain) == (1, False)
    assert message.properties is not None
    assert 0 < message.properties.MessageExpiryInterval <= 120
    assert message.properties.ContentType == "application/json"
    one.link.stop(2)
    look.until(STATUS, b"offline")
    late = onlooker(port).until(STATUS)
    assert (late.payload, late.retain) == (b"offline", True)


def test_the_will_speaks_when_we_cannot(
    mosquitto: Start, onlooker: Look, bus: Callable[..., Bus]
) -> None:
    port = mosquitto()
    look, one = onlooker(port), bus(port)
    one.until(ev.BusUp)
    one.publish(STATUS, b"online", retain=True)
    look.until(STATUS, b"online")
    connection = one.link._client.socket()
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)
    look.until(STATUS, b"offline")
    one.until(ev.BusDown)
    one.until(ev.BusUp)


def test_no_broker_is_said_in_a_sentence(bus: Callable[..., Bus]) -> None:
    port = free_port()
    assert bus(port).until(ev.BusDown).detail == f"no MQTT broker listens at 127.0.0.1:{port}"


def test_a_wrong_password_is_said(
    mosquitto: Start, bus: Callable[..., Bus], tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "kitchen", "right"],
        check=True,
        capture_output=True,
    )
    passwords.chmod(0o600)
    port = mosquitto("allow_anonymous false", f"password_file {passwords}")
    down = bus(port, username="kitchen", password="canary-wrong").until(ev.BusDown)
    assert "refused us" in down.detail
    assert "Not authorized" in down.detail
    assert "canary" not in down.detail
    bus(port, username="kitchen", password="right").until(ev.BusUp)


def test_a_broker_that_comes_back_is_found_again_and_queued_texts_arrive(
    mosquitto: Start, onlooker: Look, bus: Callable[..., Bus]
) -> None:
    port = mosquitto()
    one = bus(port)
    one.until(ev.BusUp)
    (process,) = mosquitto.running  # type: ignore[attr-defined]
    process.kill()
    process.wait()
    one.until(ev.BusDown)
    one.publish("satellite/kitchen/transcript", b'{"seq":1}')
    one.publish("satellite/kitchen/state", b'{"stale":true}', retain=True)
    mosquitto(port=port)
    look = onlooker(port)
    one.until(ev.BusUp, 15)
    one.publish("satellite/kitchen/state", b'{"fresh":true}', retain=True)
    assert look.until("satellite/kitchen/transcript").payload == b'{"seq":1}'
    assert look.until("satellite/kitchen/state").payload == b'{"fresh":true}'


def test_the_queue_is_bounded(bus: Callable[..., Bus], caplog: pytest.LogCaptureFixture) -> None:
    one = bus(free_port())
    for n in range(MOST_QUEUED + 50):
        one.publish("satellite/kitchen/transcript", b'{"seq":%d}' % n)
    assert len(one.link._client._out_messages) <= MOST_QUEUED
    warnings = [r for r in caplog.records if "messages wait" in r.message]
    assert len(warnings) == 1


def test_a_message_that_the_broker_refuses_is_said(
    mosquitto: Start, bus: Callable[..., Bus], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic write satellite/kitchen/status\n")
    acl.chmod(0o600)
    one = bus(mosquitto(f"acl_file {acl}"))
    one.until(ev.BusUp)
    one.publish("satellite/kitchen/transcript", b'{"seq":1}')
    deadline = time.monotonic() + 5
    while "refused a message" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "refused a message: Not authorized" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho's socket
def test_a_tls_handshake_that_never_ends_does_not_hold_the_end() -> None:
    before_us = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        broker = Broker("127.0.0.1", port, "x", tls=True)
        link = MqttLink(broker, WILL, lambda event: None)
        link.start()
        time.sleep(0.5)
        before = time.monotonic()
        link.stop(1)
        assert time.monotonic() - before < 1.5
    for thread in set(threading.enumerate()) - before_us:
        thread.join(10)
    del link
    gc.collect()


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("hello\n")
    broker = Broker("127.0.0.1", 1, "x", tls=True, ca_file=str(ca_file))
    with pytest.raises(SetupError, match="holds no certificate in PEM form"):
        MqttLink(broker, WILL, lambda event: None)


def test_texts_that_the_owner_lets_the_broker_keep_wait_too(
    mosquitto: Start, onlooker: Look, bus: Callable[..., Bus]
) -> None:
    port = free_port()
    one = bus(port)
    one.until(ev.BusDown)
    kept = Message("satellite/kitchen/transcript", b'{"seq":1}', 1, True, None, seq=1)
    one.link.publish(kept)
    mosquitto(port=port)
    one.until(ev.BusUp, 15)
    assert onlooker(port).until("satellite/kitchen/transcript").payload == b'{"seq":1}'


def test_the_password_is_in_no_repr() -> None:
    assert "canary" not in repr(Broker("h", 1, "c", "user", "canary"))
