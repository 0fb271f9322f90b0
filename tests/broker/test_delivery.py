"""From the outbox to a subscriber, through a real mosquitto: what is accepted arrives, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest
from houses import BASE, TRANSCRIPT, House, Make, numbers
from lookers import Onlooker, Start
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from satellite.adapters import outbox
from satellite.adapters.outbox import Outbox, open_outbox
from satellite.cli.children import free_port
from satellite.delivery import thread
from satellite.errors import StoreError
from satellite.model import events as ev
from satellite.model.ports import Message
from satellite.model.requests import Reply

T = TypeVar("T")
Look = Callable[[int], Onlooker]

pytestmark = pytest.mark.usefixtures("no_thread_left")


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
        fault = one.noted(lambda note: True).fault or ""
        assert fault.startswith("the disk of /x can only be read; the microphone stays closed")
        assert one.bus.begun.values == {"muted": True}
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


def test_whoever_closed_the_microphone_finds_it_closed_though_the_file_broke(
    house: Make, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / outbox.FILE).write_text("hello, I am no database" * 100)
    one = house(free_port())
    assert "microphone stays closed" in str(one.bus.begun.fault)
    assert one.bus.begun.values == {"muted": True}
    one.stop()
    store = stored(one)
    assert store.values() == {"muted": True}, "and at the next start too"
    store.close()


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


def test_it_shows_that_it_takes_orders_while_it_sleeps(house: Make) -> None:
    answered = threading.Event()
    one = house(free_port())
    one.events.until(ev.BusDown)
    one.bus.outbox.knock(answered.set)
    assert answered.wait(2)
