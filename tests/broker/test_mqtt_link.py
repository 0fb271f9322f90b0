"""The MQTT connection against a real mosquitto: birth, will, refusals, loss and return."""

from __future__ import annotations

import errno
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from lookers import Onlooker, Start
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from posted import Events
from relay import Relay

from satellite.adapters.mqtt_link import Broker, MqttLink, reasons
from satellite.adapters.mqtt_link.waiting import MOST_WAITING, Outgoing, Waiting
from satellite.cli.children import free_port
from satellite.logic import drain
from satellite.model import events as ev
from satellite.model.ports import Incoming, Message
from satellite.model.requests import Reply
from satellite.wire import mqtt

T = TypeVar("T")
WILL = mqtt.status("satellite/kitchen", mqtt.OFFLINE)
STATUS = WILL.topic
TRANSCRIPT = "satellite/kitchen/transcript"
TOPICS = ("satellite/kitchen/cmd/+", "homeassistant/status")

pytestmark = pytest.mark.usefixtures("no_thread_left")


class Bus:
    """A link under test, what it posts to the core, and what it tells the outbox."""

    def __init__(self, port: int, **more: Any) -> None:
        self.events = Events()
        self.told = Events()
        self.heard = Events()
        broker = Broker("127.0.0.1", port, "satellite-kitchen", **more)
        self.link = MqttLink(broker, WILL, TOPICS, self.events.post)
        self.link.start(self.told.post, self.heard.post)  # type: ignore[arg-type]

    def until(self, kind: type[T], timeout_s: float = 10.0) -> T:
        return self.events.until(kind, timeout_s)

    def up(self) -> int:
        """Wait for a connection; return its number."""
        self.until(ev.BusUp)
        return self.told.until(drain.Up).link

    def state(self, topic: str, payload: bytes) -> None:
        self.link.send(Message(topic, payload, 1, True, None))

    def hand(self, link: int, payload: bytes, number: int = 1, topic: str = TRANSCRIPT) -> None:
        self.link.hand(Message(topic, payload, 1, False, 120, number), link, number)


@pytest.fixture
def bus() -> Iterator[Callable[..., Bus]]:
    made: list[Bus] = []

    def make(port: int, **more: Any) -> Bus:
        made.append(Bus(port, **more))
        return made[-1]

    yield make
    for one in made:
        one.link.stop(2)


@pytest.fixture
def relay() -> Iterator[Callable[[int], Relay]]:
    made: list[Relay] = []

    def make(port: int) -> Relay:
        made.append(Relay(port))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wait_until(true: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


Look = Callable[[int], Onlooker]
Make = Callable[..., Bus]


def test_birth_messages_and_farewell_arrive(mosquitto: Start, onlooker: Look, bus: Make) -> None:
    port = mosquitto()
    look, one = onlooker(port), bus(port)
    link = one.up()
    one.state(STATUS, b"online")
    one.hand(link, b'{"text":"hi"}')
    look.until(STATUS, b"online")
    message = look.until(TRANSCRIPT)
    assert (message.qos, message.retain) == (1, False)
    assert message.properties is not None
    assert 0 < message.properties.MessageExpiryInterval <= 120
    assert message.properties.ContentType == "application/json"
    assert one.told.until(drain.Acked) == drain.Acked(link, 1, 0)
    began = time.monotonic()
    assert one.link.stop(2)
    assert time.monotonic() - began < 1
    look.until(STATUS, b"offline")
    late = onlooker(port).until(STATUS)
    assert (late.payload, late.retain) == (b"offline", True)


def test_the_broker_says_whether_anybody_listens(mosquitto: Start, bus: Make) -> None:
    one = bus(mosquitto())
    link = one.up()
    one.hand(link, b"{}")
    assert one.told.until(drain.Acked).code == drain.NO_SUBSCRIBERS


def test_a_short_break_is_nobodys_affair_and_a_long_one_everybodys(
    mosquitto: Start, onlooker: Look, bus: Make, relay: Callable[[int], Relay]
) -> None:
    port = mosquitto()
    wire = relay(port)
    look, one = onlooker(port), bus(wire.port)
    one.up()
    one.state(STATUS, b"online")
    look.until(STATUS, b"online")
    wire.cut()
    one.until(ev.BusDown)
    one.up()
    began = time.monotonic()
    wire.cut(open_again=False)
    look.until(STATUS, b"offline", 10)
    assert 4 < time.monotonic() - began < 8


def test_no_broker_is_said_in_a_sentence(bus: Make) -> None:
    port = free_port()
    down = bus(port).until(ev.BusDown)
    assert down.detail == f"no MQTT broker listens at 127.0.0.1:{port}"
    assert down.code == "mqtt_unreachable"


def test_a_wrong_password_is_said_and_not_hammered(
    mosquitto: Start, bus: Make, tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "kitchen", "right"],
        check=True,
        capture_output=True,
    )
    passwords.chmod(0o600)
    port = mosquitto("allow_anonymous false", f"password_file {passwords}")
    one = bus(port, username="kitchen", password="canary-wrong")
    down = one.until(ev.BusDown)
    assert "refused us" in down.detail
    assert "Not authorized" in down.detail
    assert down.code == "mqtt_auth"
    assert "canary" not in repr(down)
    time.sleep(1.5)  # the usual wait is over by now
    assert not one.events.rest()
    bus(port, username="kitchen", password="right").up()


def test_a_broker_that_comes_back_empty_is_found_again(
    mosquitto: Start, onlooker: Look, bus: Make
) -> None:
    port = mosquitto()
    one = bus(port)
    first = one.up()
    (process,) = mosquitto.running  # type: ignore[attr-defined]
    process.kill()
    process.wait()
    one.until(ev.BusDown)
    one.hand(first, b'{"old":true}')
    one.state("satellite/kitchen/state", b'{"stale":true}')
    mosquitto(port=port)
    look = onlooker(port)
    second = one.up()
    assert second != first
    one.hand(second, b'{"seq":1}')
    one.state("satellite/kitchen/state", b'{"fresh":true}')
    assert look.until(TRANSCRIPT).payload == b'{"seq":1}'
    assert look.until("satellite/kitchen/state").payload == b'{"fresh":true}'


def test_a_frozen_broker_is_found_by_what_it_owes(mosquitto: Start, bus: Make) -> None:
    one = bus(mosquitto())
    link = one.up()
    (process,) = mosquitto.running  # type: ignore[attr-defined]
    process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        one.hand(link, b"{}")
        down = one.until(ev.BusDown, 20)
        assert time.monotonic() - began < 18
        assert "a message waits for 10 s" in down.detail
    finally:
        process.send_signal(signal.SIGCONT)
    one.up()


def test_a_frozen_broker_is_found_though_nothing_is_sent(mosquitto: Start, bus: Make) -> None:
    one = bus(mosquitto())
    one.up()
    (process,) = mosquitto.running  # type: ignore[attr-defined]
    process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        down = one.until(ev.BusDown, 20)
        assert 10 < time.monotonic() - began < 18
        assert "no sign of life for 15 s" in down.detail
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_quiet_connection_stands(mosquitto: Start, bus: Make) -> None:
    one = bus(mosquitto())
    one.up()
    time.sleep(24)  # two pings
    assert not one.events.rest()


def test_what_comes_is_handed_on(mosquitto: Start, onlooker: Look, bus: Make) -> None:
    port = mosquitto()
    look = onlooker(port)
    look.client.publish("satellite/kitchen/cmd/mute", b"ON", retain=True).wait_for_publish(5)
    one = bus(port)
    one.up()
    mute = one.heard.until(Incoming)
    assert (mute.topic, mute.payload, mute.retain) == ("satellite/kitchen/cmd/mute", b"ON", True)
    asks = Properties(PacketTypes.PUBLISH)  # what was retained came: it has subscribed
    asks.ResponseTopic, asks.CorrelationData = "me/answers", b"17"
    look.client.publish("satellite/kitchen/cmd/get", b"", qos=1, properties=asks)
    get = one.heard.until(Incoming)
    assert (get.payload, get.retain, get.reply) == (b"", False, Reply("me/answers", b"17"))
    look.client.publish("homeassistant/status", b"online", qos=1)
    assert one.heard.until(Incoming).topic == "homeassistant/status"
    one.link.send(Message("me/answers", b"{}", 1, False, 60, correlation=b"17"))
    answer = look.until("me/answers")
    assert answer.properties is not None
    assert answer.properties.CorrelationData == b"17"


def test_commands_sent_during_a_short_break_arrive_and_retained_ones_not_again(
    mosquitto: Start, onlooker: Look, bus: Make, relay: Callable[[int], Relay]
) -> None:
    port = mosquitto()
    wire, look = relay(port), onlooker(port)
    look.client.publish("satellite/kitchen/cmd/mute", b"ON", retain=True).wait_for_publish(5)
    one = bus(wire.port)
    one.up()
    one.heard.until(Incoming)
    wire.cut(open_again=False)
    one.until(ev.BusDown)
    look.client.publish("satellite/kitchen/cmd/cancel", b"", qos=1).wait_for_publish(5)
    wire.open = True
    one.up()
    assert one.heard.until(Incoming).topic == "satellite/kitchen/cmd/cancel"


def test_an_error_of_whoever_hears_ends_nothing(
    mosquitto: Start, onlooker: Look, bus: Make, caplog: pytest.LogCaptureFixture
) -> None:
    port = mosquitto()
    one = bus(port)

    def fail(incoming: Incoming) -> None:
        raise KeyError(incoming.topic)

    one.up()
    one.link._on_message = fail
    look = onlooker(port)
    one.state("satellite/kitchen/state", b"{}")
    look.until("satellite/kitchen/state")  # so it has subscribed
    look.client.publish("satellite/kitchen/cmd/get", b"", qos=1)
    wait_until(lambda: "this is a bug" in caplog.text)
    one.state("satellite/kitchen/state", b"{}")
    look.until("satellite/kitchen/state")
    assert not one.events.rest()


def test_a_message_that_the_broker_refuses_is_told(
    mosquitto: Start, bus: Make, tmp_path: Path
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic write satellite/kitchen/status\ntopic read satellite/kitchen/cmd/+\n")
    acl.chmod(0o600)
    one = bus(mosquitto(f"acl_file {acl}"))
    link = one.up()
    one.hand(link, b"{}")
    assert one.told.until(drain.Acked).code == 0x87
    one.state("satellite/kitchen/state", b"{}")
    assert one.told.until(drain.Refused) == drain.Refused("satellite/kitchen/state", denied=True)


def test_another_client_of_our_name_is_told_and_not_fought(mosquitto: Start, bus: Make) -> None:
    port = mosquitto()
    both = [bus(port), bus(port)]
    deadline = time.monotonic() + 30
    while not (found := [e for one in both for e in one.events.all if _is_taken(e)]):
        assert time.monotonic() < deadline
        for one in both:
            one.events.rest()
        time.sleep(0.1)
    assert "another client uses our id satellite-kitchen" in found[0].detail
    for one in both:
        assert sum(isinstance(event, ev.BusUp) for event in one.events.all) <= 4
        one.events.all.clear()
    time.sleep(5)  # there is peace: one stays, the other does not come back for a while
    assert not [event for one in both for event in one.events.rest() if isinstance(event, ev.BusUp)]


def _is_taken(event: object) -> bool:
    return isinstance(event, ev.BusDown) and event.code == "client_id_in_use"


def test_a_message_that_is_too_long_for_the_broker_is_told(mosquitto: Start, bus: Make) -> None:
    one = bus(mosquitto("max_packet_size 400"))
    link = one.up()
    assert one.told.all[-1] == drain.Up(link, 400)
    one.hand(link, b"x" * 1000)
    assert one.told.until(drain.Acked).code == drain.TOO_LARGE


def test_a_state_that_is_too_long_is_told_once(
    mosquitto: Start, bus: Make, caplog: pytest.LogCaptureFixture
) -> None:
    one = bus(mosquitto("max_packet_size 400"))
    link = one.up()
    for number in range(3):
        one.state("satellite/kitchen/state", b"%d" % number + b"x" * 1000)
    one.hand(link, b"{}")
    one.told.until(drain.Acked)
    (said,) = (line.getMessage() for line in caplog.records)
    assert "more than the broker takes (400); raise its size limit" in said


@pytest.mark.parametrize("line", ["retain_available false", "max_qos 0"])
def test_a_broker_that_spares_what_we_need_is_told_and_not_hammered(
    mosquitto: Start, bus: Make, line: str
) -> None:
    one = bus(mosquitto(line))
    down = one.until(ev.BusDown)
    assert "retained messages and QoS 1" in down.fix
    time.sleep(1.5)  # the usual wait is over by now
    assert not one.events.rest()


def test_a_connection_that_was_ended_is_not_a_broker_that_cannot_be_reached() -> None:
    for end in (BrokenPipeError(errno.EPIPE, "Broken pipe"), ConnectionResetError()):
        assert "without a word" in reasons.why(end, Broker("h", 1, "c")).detail


def test_a_broker_that_sends_without_end_is_left(bus: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = bus(server.getsockname()[1])
        there, _ = server.accept()
        with there:
            there.recv(4096)
            there.sendall(b"\x20\x03\x00\x00\x00")  # CONNACK
            one.until(ev.BusUp)
            there.sendall(b"\x30\x80\x80\x80\x64" + b"x" * 100)  # PUBLISH, 200 MiB
            assert "sends us a message of 209715200 bytes" in one.until(ev.BusDown).detail


def test_of_a_state_that_cannot_be_sent_only_the_newest_waits() -> None:
    waiting = Waiting()
    for n in range(1000):
        waiting.add(Outgoing(Message("s/state", b"%d" % n, 1, True, None)))
        waiting.add(Outgoing(Message("s/result", b"%d" % n, 1, False, 60)))
    waiting.add(Outgoing(Message("s/transcript", b"kept", 1, False, 120, 1), 1, 1))
    kept = [outgoing.message for outgoing in iter(waiting.next, None)]
    assert [m.payload for m in kept if m.topic == "s/state"] == [b"999"]
    results = [m.payload for m in kept if m.topic == "s/result"]
    assert results == [b"%d" % n for n in range(1000 - len(results), 1000)]
    assert len(kept) <= MOST_WAITING + 1
    assert kept[-1].payload == b"kept"


def test_the_password_is_in_no_repr() -> None:
    assert "canary" not in repr(Broker("h", 1, "c", "user", "canary"))


def test_it_shows_that_it_takes_orders(mosquitto: Start, bus: Callable[..., Bus]) -> None:
    """With a broker, and without one."""
    answered, again = threading.Event(), threading.Event()
    with_one, without = bus(mosquitto()), bus(free_port())
    with_one.up()
    with_one.link.knock(answered.set)
    assert answered.wait(2)
    assert with_one.link.held_since is None
    without.until(ev.BusDown)
    without.link.knock(again.set)
    assert again.wait(2)


def test_a_name_server_that_does_not_answer_holds_it_and_is_seen_to(
    bus: Callable[..., Bus], monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, entered, leave = threading.Event(), threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        entered.set()
        leave.wait(10)
        raise OSError

    monkeypatch.setattr("satellite.adapters.mqtt_link.broker.open_socket", slow)
    one = bus(free_port())
    assert entered.wait(5)
    one.link.knock(answered.set)
    assert one.link.held_since is not None
    assert not answered.is_set()
    leave.set()
    assert answered.wait(5)
    assert one.link.stop(2)
