"""What Home Assistant is told: every entity of the table, in both forms, and nothing left over."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from satellite import house_setup
from satellite.config.schema import Config
from satellite.config.session_keys import Realtime, Transcription
from satellite.model import records as rec
from satellite.wire import discovery
from satellite.wire.discovery import About

ABOUT = About(
    "kitchen",
    "satellite/kitchen",
    version="0.1.0",
    voices=("cedar", "marin"),
    languages=("de", "en"),
    activations=("open_mic", "wake_word", "push_to_talk"),
)
NOW = rec.Settings(
    muted=False,
    volume=60,
    voice="marin",
    language="en",
    transcription_prompt="",
    instructions_sha256="0" * 64,
    sensitivity=2,
    activation="open_mic",
    turn_detection="server_vad",
)
TABLE = {
    "transcript": "event",
    "response": "event",
    "state": "sensor",
    "last_transcript": "sensor",
    "last_response": "sensor",
    "say": "notify",
    "ask": "notify",
    "listen": "button",
    "cancel": "button",
    "mute": "switch",
    "volume": "number",
    "voice": "select",
    "language": "select",
    "sensitivity": "select",
    "activation": "select",
    "transcription_prompt": "text",
    "restart": "button",
    "problem": "binary_sensor",
    "session": "binary_sensor",
    "outbox": "sensor",
    "started": "sensor",
    "tokens": "sensor",
    "cost": "sensor",
    "cost_month": "sensor",
    "sent": "sensor",
    "error": "event",
    "wake": "device_automation",
}


def device(about: About = ABOUT, settings: rec.Settings = NOW) -> dict[str, Any]:
    (message,) = discovery.messages(about, settings)
    assert (message.qos, message.retain, message.expiry_s, message.seq) == (1, True, None, None)
    payload: dict[str, Any] = json.loads(message.payload)
    return payload


def entities(about: About = ABOUT, settings: rec.Settings = NOW) -> dict[str, Any]:
    found: dict[str, Any] = device(about, settings)["components"]
    return found


def test_one_message_announces_the_device_with_every_entity() -> None:
    (message,) = discovery.messages(ABOUT, NOW)
    assert message.topic == "homeassistant/device/satellite/kitchen/config"
    payload = device()
    assert payload["device"]["identifiers"] == ["satellite_kitchen"]
    assert payload["device"]["name"] == "Satellite kitchen"
    assert "suggested_area" not in payload["device"]
    assert payload["origin"]["name"]
    assert payload["qos"] == 1
    assert payload["availability_topic"] == "satellite/kitchen/status"
    found = payload["components"]
    assert {suffix: entity["platform"] for suffix, entity in found.items()} == TABLE
    for suffix, entity in found.items():
        if suffix != "wake":
            assert entity["unique_id"] == f"satellite_kitchen_{suffix}"
            assert entity["name"]


def test_a_satellite_without_a_name_is_not_called_twice() -> None:
    assert device(replace(ABOUT, name="satellite"))["device"]["name"] == "Satellite"


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("transcript", rec.Transcript), ("response", rec.Response), ("error", rec.Fault)],
)
def test_event_entities_know_every_type_of_their_records(
    suffix: str, kind: type[rec.Record]
) -> None:
    types = get_args(get_type_hints(kind)["event_type"])
    assert entities()[suffix]["event_types"] == list(types)


def test_what_a_person_must_not_do_by_chance_is_configuration() -> None:
    found = entities()
    for suffix in ("mute", "volume", "voice", "language", "sensitivity", "activation", "restart"):
        assert found[suffix]["entity_category"] == "config", suffix


def test_what_is_set_now_can_be_chosen() -> None:
    found = entities(settings=msgspec.structs.replace(NOW, voice="my own", language="gsw"))
    assert found["voice"]["options"] == ["cedar", "marin", "my own"]
    assert found["language"]["options"] == ["auto", "de", "en", "gsw"]
    narrow = entities(replace(ABOUT, activations=("open_mic", "push_to_talk")))
    assert narrow["activation"]["options"] == ["any speech", "only when asked"]


def test_older_home_assistants_are_told_of_each_entity_by_itself() -> None:
    messages = discovery.messages(replace(ABOUT, mode="component"), NOW)
    payloads = {m.topic: json.loads(m.payload) for m in messages}
    old = {**TABLE, "say": "text", "ask": "text"}
    assert set(payloads) == {
        f"homeassistant/{platform}/satellite_kitchen/{suffix}/config"
        for suffix, platform in old.items()
    }
    assert all(m.retain for m in messages)
    for topic, payload in payloads.items():
        assert payload["device"] == device()["device"]
        assert payload["qos"] == 1
        assert "platform" not in payload
        if "device_automation" not in topic:
            assert payload["availability_topic"] == "satellite/kitchen/status"
        if "/sensor/" in topic:
            assert "options" not in payload


def test_what_this_configuration_has_not_is_taken_back_by_name() -> None:
    less = replace(
        ABOUT,
        activations=("open_mic", "push_to_talk"),
        answers=False,
        refused=frozenset({"restart"}),
    )
    found = entities(less)
    gone = {"wake", "response", "last_response", "ask", "voice", "restart"}
    for suffix in gone:
        assert found[suffix] == {"platform": TABLE[suffix]}
    assert set(found) == set(TABLE)
    assert all(len(found[suffix]) > 1 for suffix in TABLE.keys() - gone)


def test_topics_that_are_retained_are_known_so_that_they_can_be_emptied() -> None:
    base = {f"satellite/kitchen/{n}" for n in ("status", "state", "settings", "usage")}
    base |= {"satellite/kitchen/diagnostics"}
    assert set(discovery.topics(replace(ABOUT, mode="none"))) == base
    assert discovery.messages(replace(ABOUT, mode="none"), NOW) == ()
    texts = {"satellite/kitchen/transcript", "satellite/kitchen/response"}
    for mode in ("device", "component"):
        about = replace(ABOUT, mode=mode, retain_text=True)  # type: ignore[arg-type]
        announced = {m.topic for m in discovery.messages(about, NOW)}
        assert set(discovery.topics(about)) == base | texts | announced
        assert set(discovery.topics(about)) <= set(discovery.all_topics(about))


def test_the_configuration_decides_what_there_is() -> None:
    about = house_setup.about(Config())
    assert (about.mode, about.prefix, about.answers, about.speaks) == (
        "device",
        "homeassistant",
        True,
        True,
    )
    assert {"marin", "cedar"} <= set(about.voices)
    assert {"en", "de"} <= set(about.languages)


@pytest.mark.parametrize(
    ("realtime", "gone"),
    [
        (Realtime(), set()),
        (
            Realtime(transcription=Transcription(model="gpt-realtime-whisper")),
            {"transcription_prompt"},
        ),
        (Realtime(session="transcription"), {"voice"}),
        (Realtime(provider="xai"), {"voice"}),
    ],
)
def test_what_cannot_be_set_here_is_no_entity(realtime: Realtime, gone: set[str]) -> None:
    settable = {"voice", "language", "transcription_prompt"}
    found = entities(house_setup.about(Config(name="kitchen", realtime=realtime)))
    assert {suffix for suffix in settable if len(found[suffix]) == 1} == gone
