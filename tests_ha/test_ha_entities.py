"""What Home Assistant makes of an announcement: each entity, with its state, and no complaint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from announced import BASE, Announced
from broker import Client
from house import MODES, House, until

from satellite.model import records as rec
from satellite.wire.discovery import Mode

# What each entity is, and shows after Announced.appear. None: what it showed the last time.
TABLE = {
    "event.satellite_kitchen_transcript": ("transcript", None, None),
    "event.satellite_kitchen_response": ("response", None, None),
    "event.satellite_kitchen_error": ("error", None, "diagnostic"),
    "sensor.satellite_kitchen_state": ("state", "idle", None),
    "sensor.satellite_kitchen_last_transcript": ("last_transcript", None, None),
    "sensor.satellite_kitchen_last_response": ("last_response", None, None),
    "button.satellite_kitchen_listen": ("listen", "unknown", None),
    "button.satellite_kitchen_stop": ("cancel", "unknown", None),
    "button.satellite_kitchen_restart": ("restart", "unknown", "config"),
    "switch.satellite_kitchen_mute": ("mute", "off", "config"),
    "number.satellite_kitchen_volume": ("volume", "60", "config"),
    "select.satellite_kitchen_voice": ("voice", "marin", "config"),
    "select.satellite_kitchen_language": ("language", "en", "config"),
    "select.satellite_kitchen_sensitivity": ("sensitivity", "normal", "config"),
    "select.satellite_kitchen_activation": ("activation", "wake word", "config"),
    "text.satellite_kitchen_transcription_prompt": (
        "transcription_prompt",
        "names of lamps",
        "config",
    ),
    "binary_sensor.satellite_kitchen_problem": ("problem", "off", "diagnostic"),
    "binary_sensor.satellite_kitchen_realtime_session": ("session", "on", "diagnostic"),
    "sensor.satellite_kitchen_started": ("started", "2026-11-21T08:00:00+00:00", "diagnostic"),
    "sensor.satellite_kitchen_tokens_today": ("tokens", "1234", "diagnostic"),
    "sensor.satellite_kitchen_sound_sent_today": ("sent", "56.7", "diagnostic"),
    "sensor.satellite_kitchen_cost_today": ("cost", "0.1234", "diagnostic"),
    "sensor.satellite_kitchen_cost_this_month": ("cost_month", "1.5", "diagnostic"),
}
SPOKEN = {
    "component": {
        "text.satellite_kitchen_announce": ("say", "unknown", None),
        "text.satellite_kitchen_ask": ("ask", "unknown", None),
    },
    "device": {
        "notify.satellite_kitchen_announce": ("say", "unknown", None),
        "notify.satellite_kitchen_ask": ("ask", "unknown", None),
    },
}


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    chosen: Mode = request.param
    return chosen


@pytest.fixture(scope="module")
def kitchen(house: House, broker_client: Client, mode: Mode) -> Iterator[Announced]:
    """A satellite that has appeared, and is wiped out afterwards."""
    made = Announced(broker_client)
    made.appear(mode)
    house.until_state("sensor.satellite_kitchen_state", lambda s: s["state"] == "idle", "it is up")
    yield made
    made.disappear(mode)
    until(lambda: not ours(house), "its entities go with it")
    made.forget(mode)
    assert house.complaints() == []


def ours(house: House) -> dict[str, dict[str, Any]]:
    """The entities of the kitchen's satellite, from the registry."""
    listed = house.call("config/entity_registry/list")
    return {e["entity_id"]: e for e in listed if "satellite_kitchen" in e["entity_id"]}


def test_each_entity_is_there(house: House, kitchen: Announced, mode: Mode) -> None:
    wanted = {**TABLE, **SPOKEN[mode]}
    hidden = {"sensor.satellite_kitchen_outbox_depth": ("outbox", "", "diagnostic")}
    until(lambda: len(ours(house)) >= len(wanted | hidden), f"{len(wanted)} entities", 5.0)
    found = ours(house)
    assert {
        entity_id: (entry["unique_id"], entry["entity_category"])
        for entity_id, entry in found.items()
    } == {
        entity_id: (f"satellite_kitchen_{suffix}", category)
        for entity_id, (suffix, _, category) in (wanted | hidden).items()
    }
    assert found["sensor.satellite_kitchen_outbox_depth"]["disabled_by"] == "integration"
    for entity_id, (_, state, _) in wanted.items():
        shows = (lambda s, state=state: s["state"] == state) if state else bool
        house.until_state(entity_id, shows, f"it shows {state}")


def test_it_is_one_device(house: House, kitchen: Announced) -> None:
    devices = house.call("config/device_registry/list")
    [device] = [d for d in devices if ["mqtt", "satellite_kitchen"] in d["identifiers"]]
    assert device["name"] == "Satellite kitchen"
    assert device["sw_version"] == "0.1.0"
    assert {entry["device_id"] for entry in ours(house).values()} == {device["id"]}


def test_home_assistant_has_nothing_to_complain_of(house: House, kitchen: Announced) -> None:
    kitchen.transcript("turn on the lights")
    kitchen.response("Done.")
    house.until_state(
        "sensor.satellite_kitchen_last_response", lambda s: s["state"] == "Done.", "it was heard"
    )
    assert house.complaints() == []


def test_a_long_transcript_arrives_whole(house: House, kitchen: Announced) -> None:
    text = ('{{ 1 + 1 }} "quoted"\n\\ünïcode 😀 ' * 20)[:400]
    made = kitchen.transcript(text)
    event = house.until_state(
        "event.satellite_kitchen_transcript",
        lambda s: s["attributes"].get("id") == made,
        "the event",
    )
    assert event["attributes"]["text"] == text
    last = house.until_state(
        "sensor.satellite_kitchen_last_transcript",
        lambda s: s["attributes"].get("id") == made,
        "the sensor",
    )
    assert last["state"] == text[:255].strip()
    assert last["attributes"]["text"] == text
    assert house.complaints() == []


def test_the_longest_transcript_arrives_whole(house: House, kitchen: Announced) -> None:
    text = "word " * 1600
    made = kitchen.transcript(text)
    event = house.until_state(
        "event.satellite_kitchen_transcript",
        lambda s: s["attributes"].get("id") == made,
        "the event",
    )
    assert event["attributes"]["text"] == text
    assert house.complaints() == []


def test_problems_show(house: House, kitchen: Announced) -> None:
    problem = rec.Problem(code="mic_missing", since="now", detail="No microphone.", fix="Plug it.")
    kitchen.state("error", problems=(problem,))
    found = house.until_state(
        "binary_sensor.satellite_kitchen_problem", lambda s: s["state"] == "on", "a problem"
    )
    assert found["attributes"]["problems"][0]["code"] == "mic_missing"
    kitchen.state("idle")
    house.until_state(
        "binary_sensor.satellite_kitchen_problem", lambda s: s["state"] == "off", "no problem"
    )


def test_it_is_unavailable_when_it_is_gone(house: House, kitchen: Announced) -> None:
    kitchen.client.publish(f"{BASE}/status", "offline", retain=True)
    names = ("event.satellite_kitchen_transcript", "switch.satellite_kitchen_mute")
    for entity_id in names:
        house.until_state(entity_id, lambda s: s["state"] == "unavailable", "it is gone")
    kitchen.client.publish(f"{BASE}/status", "online", retain=True)
    for entity_id in names:
        house.until_state(entity_id, lambda s: s["state"] != "unavailable", "it is back")


def test_the_assistant_cannot_unmute_it(
    house: House, kitchen: Announced, client: Callable[..., Client]
) -> None:
    """A switch like any other would be exposed, and "turn everything off" reach the microphone."""
    hears = client("plug/set", f"{BASE}/cmd/mute")
    where = "homeassistant/switch/plug/config"
    plug = {"name": "Plug", "unique_id": "plug", "command_topic": "plug/set"}
    hears.publish(where, plug, retain=True)
    house.until_state("switch.plug", lambda s: s, "the plug is there")
    said = "turn on Satellite kitchen Mute"
    assert house.converse("turn on Plug") == "action_done"
    assert hears.until("plug/set") == "ON"
    assert house.converse(said) == "error"
    hears.nothing(f"{BASE}/cmd/mute", 0.3)
    hears.publish(where, b"", retain=True)
    until(lambda: house.state("switch.plug") is None, "the plug is gone")


def test_the_wake_word_is_a_trigger(
    house: House, kitchen: Announced, client: Callable[..., Client]
) -> None:
    devices = house.call("config/device_registry/list")
    [device] = [d for d in devices if ["mqtt", "satellite_kitchen"] in d["identifiers"]]
    triggers = house.call("device_automation/trigger/list", device_id=device["id"])
    assert [t for t in triggers if t["domain"] == "mqtt" and t["type"] == "wake"]
