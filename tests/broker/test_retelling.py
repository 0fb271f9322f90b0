"""``cmd/replay``, through a real mosquitto: what is told again, where, and what becomes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from houses import BASE, TRANSCRIPT, Make, numbers
from lookers import Onlooker, Start

from satellite.adapters.outbox import open_outbox
from satellite.delivery import thread
from satellite.model.ports import Message, Stored
from satellite.model.requests import Reply

Look = Callable[[int], Onlooker]

pytestmark = pytest.mark.usefixtures("no_thread_left")


def keep(folder: Path, count: int) -> None:
    """A journal of so many, as an earlier start left it."""
    folder.mkdir(mode=0o700)
    store, _ = open_outbox(folder, 3600.0)
    told = [
        Message(TRANSCRIPT, b'{"seq":%d,"id":"i%d","text":""}' % (seq, seq), 1, False, 120, seq)
        for seq in range(1, count + 1)
    ]
    rows = [Stored(message, time.time()) for message in told]
    store.write(rows, dict.fromkeys(range(1, count + 1), "delivered"))
    store.close()


def test_a_thousand_are_told_again_within_two_seconds(
    mosquitto: Start, onlooker: Look, house: Make, tmp_path: Path
) -> None:
    port = mosquitto("max_queued_messages 0")
    look = onlooker(port)
    keep(tmp_path / "state", 1100)
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


def test_each_of_many_who_ask_at_once_has_a_last_answer(
    mosquitto: Start, onlooker: Look, house: Make, tmp_path: Path
) -> None:
    port = mosquitto()
    keep(tmp_path / "state", 500)
    look, one = onlooker(port), house(port)
    one.up()
    asked = [f"r{number}" for number in range(thread.MOST_ASKS + 2)]
    for each in asked:
        one.bus.outbox.replay(0, 500, None, each)
    results = [json.loads(look.until(f"{BASE}/result").payload) for _ in asked]
    failed = [each for each in results if each["status"] == "failed"]
    assert sorted(each["id"] for each in results) == asked
    assert [each["error"] for each in failed] == [thread.TOO_MANY] * 2
