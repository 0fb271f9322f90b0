"""The whole daemon and Home Assistant: it appears, shows what happens, and does what it is asked.

It thinks with the local server of the package. Somebody asks for the time all the while, and is
heard when Home Assistant says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import shipped
from awake import load
from bench import BASE, Satellite, sound
from broker import Broker, Client
from house import MODES, House, until

from satellite.cli import children

DEVICE = MODES[-1] == "device"
STATE = "sensor.satellite_study_state"
Connect = Callable[..., Client]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with children.server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="module")
def study(
    house: House, broker: Broker, server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Satellite]:
    folder = tmp_path_factory.mktemp("study")
    made = Satellite(folder, broker.port)
    made.start(
        server,
        audio={"input": {"file": sound(folder / "time.wav", "01-time.wav", 4.0), "loop": True}},
        gate={"activation": "push_to_talk"},
        privacy={"remote_unmute": True},
        tools=shipped.TOOLS["tools"],
    )
    until(lambda: house.state(STATE), f"it appears:\n{made.log[-2000:]}", 30.0)
    house.until_state(STATE, lambda s: s["state"] == "idle", "it is idle")
    yield made
    made.kill()


def test_home_assistant_has_nothing_to_complain_of(house: House, study: Satellite) -> None:
    assert house.complaints() == []
    assert study.complaints() == []


def test_what_is_said_and_answered_is_shown(
    house: House, study: Satellite, client: Connect
) -> None:
    event, response = "event.satellite_study_transcript", "event.satellite_study_response"
    before = house.state(response)
    house.service("button.press", {"entity_id": "button.satellite_study_listen"})
    heard = house.until_state(event, lambda s: "time" in s["attributes"].get("text", ""), "heard")
    answered = house.until_state(response, lambda s: s != before, "answered")
    assert heard["attributes"]["turn_id"] == answered["attributes"]["turn_id"]
    assert answered["attributes"]["text"].lower().startswith("it is")
    for kind in ("transcript", "response"):
        last = house.until_state(f"sensor.satellite_study_last_{kind}", bool, "there")
        assert last["state"] == house.state(f"event.satellite_study_{kind}")["attributes"]["text"]


def test_the_model_switches_a_lamp_on(
    house: House, study: Satellite, lamp: str, broker: Broker, client: Connect
) -> None:
    """The tool of the page, called by the model, carried out by the automation of the page."""
    load(house, broker, shipped.AUTOMATIONS)
    hears = client(lamp, f"{BASE}/turn")
    hears.publish(f"{BASE}/cmd/ask", "Turn on the kitchen light.")
    assert hears.until(lamp) == "ON"
    turn = hears.until(f"{BASE}/turn", source="ask")
    assert turn["tools"] == ["home_assistant"]
    assert "turned on" in turn["response"].lower()
    house.automations("[]")


def tell(name: str, text: str) -> tuple[str, dict[str, Any], str]:
    """A text for it to speak or to answer, in the way that this Home Assistant knows."""
    if DEVICE:
        return "notify.send_message", {"message": text}, f"notify.satellite_study_{name}"
    return "text.set_value", {"value": text}, f"text.satellite_study_{name}"


# verb, how it ends, service, its data, the entity of the satellite
ORDERS = [
    ("volume", "done", "number.set_value", {"value": 35}, "number.volume"),
    ("language", "done", "select.select_option", {"option": "de"}, "select.language"),
    ("sensitivity", "done", "select.select_option", {"option": "low"}, "select.sensitivity"),
    (
        "transcription_prompt",
        "done",
        "text.set_value",
        {"value": "{names} of lamps"},
        "text.transcription_prompt",
    ),
    ("mute", "done", "switch.turn_on", {}, "switch.mute"),
    ("mute", "done", "switch.turn_off", {}, "switch.mute"),
    ("listen", "done", "button.press", {}, "button.listen"),
    ("cancel", "done", "button.press", {}, "button.stop"),
    ("say", "done", *tell("announce", "{Dinner} is ready.")),
    ("ask", "done", *tell("ask", "What time is it?")),
    ("activation", "done", "select.select_option", {"option": "any speech"}, "select.activation"),
    ("restart", "rejected", "button.press", {}, "button.restart"),  # so soon after a start
]


@pytest.mark.parametrize(
    ("verb", "end", "service", "data", "entity_id"),
    ORDERS,
    ids=[f"{order[0]}-{order[2].split('.')[1]}" for order in ORDERS],
)
def test_a_service_call_is_carried_out(
    house: House,
    study: Satellite,
    client: Connect,
    verb: str,
    end: str,
    service: str,
    data: dict[str, Any],
    entity_id: str,
) -> None:
    hears = client(f"{BASE}/#")
    domain, _, name = entity_id.partition(".")
    name = name if name.startswith("satellite_") else f"satellite_study_{name}"
    house.service(service, {"entity_id": f"{domain}.{name}", **data})
    result = hears.until(f"{BASE}/result", cmd=verb)
    while result["status"] == "accepted":
        result = hears.until(f"{BASE}/result", cmd=verb)
    assert result["status"] == end, str(result)
    wanted = str(data.get("value", data.get("option", "")))
    if domain in {"number", "select"}:
        house.until_state(f"{domain}.{name}", lambda s: s["state"] == wanted, "it shows")
    assert house.complaints() == []
