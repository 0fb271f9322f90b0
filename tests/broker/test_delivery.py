"""From the outbox to a subscriber, through a real mosquitto: what is accepted arrives, in order."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest
from lookers import Onlooker, Start
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from posted import Events

from satellite import bus_setup
from satellite.adapters import outbox
from satellite.adapters.outbox import Outbox, open_outbox
from satellite.cli.children import free_port
from satellite.config.schema import Config, Mqtt, Privacy
from satellite.delivery import thread
from satellite.errors import StoreError
from satellite.model import events as ev
from satellite.model.ports import Message, Stored
from satellite.model.requests import Reply

T = TypeVar("T")
BASE = "satellite/kitchen"
TRANSCRIPT = f"{BASE}/transcript"
Look = Callable[[int], Onlooker]

pytestmark = pytest.mark.usefixtures("no_thread_left")


class House:
    """A bus under test; ``again`` is the next start of the program."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.begin()

    def begin(self) -> None:
        self.events, self.heard = Events(), Events()
        self.bus = bus_setup.build(self.config, self.events.post, self.heard.post)  # type: ignore[arg-type]
        self.bus.start()

    def again(self, **mqtt: Any) -> None:
        self.stop()
        changed = dataclasses.replace(self.config.mqtt, **mqtt)
        self.config = dataclasses.replace(self.config, mqtt=changed)
        self.begin()

    def stop(self) -> float:
        began = time.monotonic()
        assert self.bus.stop(2)
        if self.bus.lock is not None:
            self.bus.release()
        return time.monotonic() - began

    def up(self, timeout_s: float = 15) -> None:
        self.events.until(ev.BusUp, timeout_s)

    def tell(self, *seqs: int, topic: str = "transcript", size: int = 0, life: int = 120) -> None:
        for seq in seqs:
            payload = json.dumps({"seq": seq, "id": f"i{seq}", "text": "x" * size}).encode()
            self.bus.outbox.publish(Message(f"{BASE}/{topic}", payload, 1, False, life, seq))

    def noted(self, true: Callable[[ev.OutboxNoted], bool], timeout_s: float = 8) -> ev.OutboxNoted:
        deadline = time.monotonic() + timeout_s
        while True:
            note = self.events.until(ev.OutboxNoted, max(0.0, deadline - time.monotonic()))
            if true(note):
                return note


Make = Callable[..., House]


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


def numbers(look: Onlooker, count: int, topic: str = TRANSCRIPT) -> list[int]:
    return [json.loads(look.until(topic).payload)["seq"] for _ in range(count)]


def test_what_is_told_arrives_in_order_and_leaves(
    mosquitto: Start, onlooker: Look, house: Make
) -> None:
    port = mosquitto()
    look, one = onlooker(port), house(port)
    one.tell(1, 2, 3)
    one.up()
    one.tell(4, 5)
    assert numbers(look, 5) == [1, 2, 3, 4, 5]
    assert one.stop() < 1.5
    store = stored(one)
    assert store.waiting() == []
    assert len(store.since(0, 10)) == 5
    store.close()


def stored(one: House) -> Outbox:
    assert one.config.state_dir is not None
    store, said = open_outbox(Path(one.config.state_dir), 3600.0)
    assert said is None
    return store


def test_what_nobody_heard_is_told_when_somebody_listens(
    mosquitto: Start, onlooker: Look, house: Make
) -> None:
    port = mosquitto()
    one = house(port)
    one.up()
    one.tell(1, 2)
    assert one.noted(lambda note: note.waiting == 2).oldest_s > 0
    look = onlooker(port)
    assert numbers(look, 2) == [1, 2]
    one.noted(lambda note: note.waiting == 0)


def test_home_assistants_start_is_when_somebody_listens(
    mosquitto: Start, onlooker: Look, house: Make
) -> None:
    port = mosquitto()
    one = house(port)
    one.up()
    one.tell(1)
    time.sleep(4)  # the next try is 4 s away
    look = onlooker(port)
    look.client.publish("homeassistant/status", b"online", qos=1)
    began = time.monotonic()
    assert numbers(look, 1) == [1]
    assert time.monotonic() - began < 1
    one.events.until(ev.HouseUp)


def test_what_waits_outlasts_the_process_and_the_numbers_go_on(
    mosquitto: Start, onlooker: Look, house: Make
) -> None:
    port = mosquitto()
    one = house(free_port())
    one.events.until(ev.BusDown)
    one.tell(1, 2, 3)
    one.bus.outbox.keep("muted", True)
    one.again(port=port)
    assert one.bus.begun.last_seq == 3
    assert one.bus.begun.values == {"muted": True}
    look = onlooker(port)
    one.up()
    assert numbers(look, 3) == [1, 2, 3]


def test_a_broker_that_is_killed_and_comes_back_empty_loses_nothing(
    mosquitto: Start, onlooker: Look, house: Make
) -> None:
    port = mosquitto()
    look, one = onlooker(port), house(port)
    one.up()
    one.tell(1)
    assert numbers(look, 1) == [1]
    (process,) = mosquitto.running  # type: ignore[attr-defined]
    process.kill()
    process.wait()
    one.tell(2, 3)
    one.events.until(ev.BusDown)
    one.tell(4)
    mosquitto(port=port)
    one.tell(5)
    assert sorted(set(numbers(look, 4))) == [2, 3, 4, 5]


def test_what_expires_is_counted_and_still_told_again(
    mosquitto: Start, onlooker: Look, house: Make
) -> None:
    port = mosquitto()
    one = house(port)
    one.up()
    one.tell(1, life=2)
    assert one.noted(lambda note: note.expired == 1).waiting == 0
    look = onlooker(port)
    one.bus.outbox.replay(0, 10, None, "r1")
    assert numbers(look, 1, f"{BASE}/replay") == [1]


def test_a_message_that_kills_the_connection_is_given_up_and_the_rest_goes_on(
    mosquitto: Start, onlooker: Look, house: Make
) -> None:
    """mosquitto's message_size_limit closes the connection and does not say why."""
    port = mosquitto("message_size_limit 2000")
    look, one = onlooker(port), house(port)
    one.up()
    one.tell(1, size=5000)
    one.tell(2)
    one.tell(3, topic="turn")
    assert numbers(look, 1, f"{BASE}/turn") == [3]
    assert one.noted(lambda note: note.lost == 1, 40).fault is None
    assert numbers(look, 1) == [2]


def test_what_is_longer_than_the_broker_says_is_not_sent(
    mosquitto: Start, onlooker: Look, house: Make, caplog: pytest.LogCaptureFixture
) -> None:
    port = mosquitto("max_packet_size 1000")
    look, one = onlooker(port), house(port)
    one.up()
    one.tell(1, size=5000)
    one.tell(2)
    assert numbers(look, 1) == [2]
    one.noted(lambda note: note.lost == 1)
    assert "more than the broker takes (1000)" in caplog.text
    assert "xxxx" not in caplog.text


def test_a_topic_that_is_denied_is_told_by_name_and_holds_back_no_other(
    mosquitto: Start, onlooker: Look, house: Make, tmp_path: Path
) -> None:
    acl = tmp_path / "acl"
    acl.write_text(f"topic read #\ntopic read $SYS/#\ntopic write {BASE}/turn\n")
    acl.chmod(0o600)
    port = mosquitto(f"acl_file {acl}")
    look, one = onlooker(port), house(port)
    one.up()
    one.tell(1)
    one.tell(2, topic="turn")
    assert numbers(look, 1, f"{BASE}/turn") == [2]
    one.noted(lambda note: TRANSCRIPT in note.denied and note.waiting == 1)


# --- replay -----------------------------------------------------------------------------------


def test_a_thousand_are_told_again_within_two_seconds(
    mosquitto: Start, onlooker: Look, house: Make, tmp_path: Path
) -> None:
    port = mosquitto("max_queued_messages 0")
    look = onlooker(port)
    (tmp_path / "state").mkdir(mode=0o700)
    store, _ = open_outbox(tmp_path / "state", 3600.0)
    told = [
        Message(TRANSCRIPT, b'{"seq":%d,"id":"i%d","text":""}' % (seq, seq), 1, False, 120, seq)
        for seq in range(1, 1101)
    ]
    rows = [Stored(message, time.time()) for message in told]
    store.write(rows, dict.fromkeys(range(1, 1101), "delivered"))
    store.close()
    one = house(port)
    one.up()
    began = time.monotonic()
    one.bus.outbox.replay(51, 2000, None, "r1")
    again = [json.loads(look.until(f"{BASE}/replay").payload) for _ in range(1000)]
    took = time.monotonic() - began
    assert [each["seq"] for each in again] == list(range(51, 1051))
    assert again[0]["topic"] == "transcript"
    assert again[0]["record"] == {"seq": 51, "id": "i51", "text": ""}
    result = json.loads(look.until(f"{BASE}/result").payload)
    assert (result["cmd"], result["id"], result["status"]) == ("replay", "r1", "done")
    assert result["error"] == "there may be more: ask again, since 1051"
    assert took < 2 * 3  # the machine may be busy


def test_who_asks_with_a_response_topic_gets_it_there(
    mosquitto: Start, onlooker: Look, house: Make
) -> None:
    port = mosquitto()
    look, one = onlooker(port), house(port)
    one.up()
    one.tell(1, 2)
    numbers(look, 2)
    one.tell(3, topic="response")
    look.until(f"{BASE}/response")
    one.bus.outbox.replay(2, 10, Reply("me/here", b"77"), "r9")
    told = [look.until("me/here") for _ in range(3)]
    assert [message.properties.CorrelationData for message in told] == [b"77"] * 3  # type: ignore[union-attr]
    records = [json.loads(message.payload) for message in told]
    assert [(each.get("seq"), each.get("status")) for each in records] == [
        (2, None),
        (3, None),
        (None, "done"),
    ]


def test_what_is_not_kept_any_more_is_said(mosquitto: Start, onlooker: Look, house: Make) -> None:
    port = mosquitto()
    look, one = onlooker(port), house(port, journal_hours=0)
    one.up()
    one.tell(1, 2)
    numbers(look, 2)
    one.noted(lambda note: True) if one.events.rest() else None
    deadline = time.monotonic() + 5
    while True:
        one.bus.outbox.replay(1, 10, None)
        result = json.loads(look.until(f"{BASE}/result").payload)
        if result["error"] == "nothing from seq 1 on is kept":
            return
        assert time.monotonic() < deadline


# --- the disk ---------------------------------------------------------------------------------


def test_a_disk_that_fails_is_told_and_what_must_last_is_written_later(
    mosquitto: Start, onlooker: Look, house: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = mosquitto()
    look, one = onlooker(port), house(port)
    one.up()
    one.tell(1)
    numbers(look, 1)
    write = Outbox.write
    broken = [True]

    def fail(self: Outbox, *args: Any) -> None:
        if broken[0]:
            raise StoreError("the disk of /x is full; make room on it")
        write(self, *args)

    monkeypatch.setattr(Outbox, "write", fail)
    began = time.monotonic()
    one.tell(2)
    one.bus.outbox.keep("muted", True)
    note = one.noted(lambda note: note.fault is not None)
    assert note.fault == "the disk of /x is full; make room on it"
    assert time.monotonic() - began < 5
    assert numbers(look, 1) == [2]
    broken[0] = False
    one.noted(lambda note: note.fault is None, 40)
    one.stop()
    store = stored(one)
    assert store.values() == {"muted": True}
    assert [row.message.seq for row in store.since(0, 9)] == [1, 2]
    assert store.waiting() == []
    store.close()


def test_while_the_disk_takes_nothing_the_thread_sleeps(
    house: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Outbox, *args: Any) -> None:
        raise StoreError("the disk of /x is full; make room on it")

    one = house(free_port())
    monkeypatch.setattr(Outbox, "write", fail)
    monkeypatch.setattr(thread, "QUIET_S", 0.1)  # tidied long before the disk is asked again
    turns = SimpleQueue[float]()
    turn = type(one.bus.outbox)._turn

    def counted(self: Any) -> None:
        turns.put(time.monotonic())
        turn(self)

    monkeypatch.setattr(type(one.bus.outbox), "_turn", counted)
    one.bus.outbox.keep("muted", True)
    one.noted(lambda note: note.fault is not None)
    time.sleep(1)
    assert turns.qsize() < 20


def test_without_a_disk_it_goes_on_and_no_number_is_used_twice(
    mosquitto: Start, onlooker: Look, house: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path, journal_s: float) -> Any:
        raise StoreError("the disk of /x can only be read")

    port = mosquitto()
    look = onlooker(port)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "open_outbox", fail)
        one = house(port)
        assert one.noted(lambda note: True).fault == "the disk of /x can only be read"
        one.up()
        assert one.bus.begun.last_seq > 1_700_000_000
        one.tell(one.bus.begun.last_seq + 1)
        numbers(look, 1)
        one.stop()


def test_a_broken_file_is_told_for_as_long_as_it_runs(house: Make, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / outbox.FILE).write_text("hello, I am no database" * 100)
    one = house(free_port())
    fault = one.noted(lambda note: note.fault is not None).fault
    assert fault is not None
    assert "was broken and is now outbox.db.broken-1" in fault
    assert one.bus.begun.last_seq > 1_700_000_000


def test_an_error_of_ours_in_the_thread_loses_nothing(
    mosquitto: Start, onlooker: Look, house: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = mosquitto()
    look, one = onlooker(port), house(port)
    one.up()
    failed = []
    deliver = type(one.bus.outbox)._deliver

    def fail(self: Any, now: Any) -> None:
        if not failed:
            failed.append(1)
            raise KeyError("bug")
        deliver(self, now)

    monkeypatch.setattr(type(one.bus.outbox), "_deliver", fail)
    one.tell(1, 2)
    assert numbers(look, 2) == [1, 2]


def test_the_house_is_asked_over_mqtt(mosquitto: Start, onlooker: Look, house: Make) -> None:
    port = mosquitto()
    look, one = onlooker(port), house(port)
    one.up()
    one.bus.outbox.publish(Message(f"{BASE}/state", b"{}", 1, True, None))
    look.until(f"{BASE}/state")  # so it has subscribed
    asks = Properties(PacketTypes.PUBLISH)
    asks.ResponseTopic = "me"
    look.client.publish(f"{BASE}/cmd/mute", b"ON", qos=1, properties=asks)
    incoming = one.heard.until(object)
    assert (incoming.topic, incoming.reply) == (f"{BASE}/cmd/mute", Reply("me"))  # type: ignore[attr-defined]
