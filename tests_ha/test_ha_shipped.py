"""The blueprint and the automations of docs/home-assistant, pasted as they stand there, run."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator

import pytest
import shipped
from announced import BASE, Announced, now
from awake import load
from broker import Broker, Client
from house import MODES, House, until

from satellite.model import records as rec

# More of the blueprint, each telling the test what it did.
MORE = textwrap.dedent("""
    - id: by_expression
      alias: By expression
      use_blueprint:
        path: realtime-satellite/when_i_say.yaml
        input:
          satellites: event.satellite_kitchen_transcript
          phrases: ['\\bset (\\w+) to \\d+']
          match: regex
          hush: true
          reply: "{{ text }} it is"
          actions: &tell
            - service: mqtt.publish
              data:
                topic: test/ran
                payload: >-
                  {{ {'text': text, 'matched': matched, 'device_id': device_id} | to_json }}
    - id: all_of_it
      alias: All of it
      use_blueprint:
        path: realtime-satellite/when_i_say.yaml
        input:
          satellites: [event.satellite_kitchen_transcript]
          phrases: [What's up?, 12]
          match: exact
          suspect: true
          actions: *tell
""")


@pytest.fixture(scope="module")
def kitchen(house: House, lamp: str, broker: Broker, broker_client: Client) -> Iterator[Announced]:
    """A satellite whose home has every automation of the page."""
    made = Announced(broker_client)
    made.appear(MODES[-1])  # type: ignore[arg-type]
    house.until_state("sensor.satellite_kitchen_state", lambda s: s["state"] == "idle", "it is up")
    load(house, broker, shipped.AUTOMATIONS + MORE)
    yield made
    house.automations("[]")
    made.disappear(MODES[-1])  # type: ignore[arg-type]
    until(lambda: house.state("sensor.satellite_kitchen_state") is None, "it is gone")
    made.forget(MODES[-1])  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def quiet(house: House) -> Iterator[None]:
    """No test leaves a complaint behind."""
    before = len(house.complaints())
    yield
    assert house.complaints()[before:] == []


Connect = Callable[..., Client]
SAY = f"{BASE}/cmd/say"


def test_home_assistant_takes_them_all(house: House, kitchen: Announced) -> None:
    for name in (
        "lights_out",
        "movie_time",
        "doorbell",
        "duck_music",
        "dropped_out",
        "tool_bridge",
    ):
        found = [
            entity["entity_id"]
            for entity in house.call("config/entity_registry/list")
            if entity["unique_id"] == f"satellite_{name}"
        ]
        assert found, name
        house.until_state(found[0], lambda s: s["state"] == "on", f"{name} is on")


# --- the blueprint


def test_a_phrase_starts_the_actions_and_is_answered(
    house: House, kitchen: Announced, client: Connect
) -> None:
    hears = client("lamp/set", SAY)
    kitchen.transcript("Please, LIGHTS out!")
    answer = hears.until(SAY)
    assert answer["text"] == "Good night."
    assert answer["v"] == 1
    assert hears.until("lamp/set") == "OFF"


@pytest.mark.parametrize(
    "said",
    [
        {"text": "the flights outside"},  # whole words only
        {"text": "lights out", "event_type": "failed"},
        {"text": "lights out", "suspect": True},
        {"text": "lights out", "ago_s": 31.0},
    ],
    ids=["part of a word", "not final", "suspect", "old"],
)
def test_other_words_do_not(kitchen: Announced, client: Connect, said: dict[str, object]) -> None:
    hears = client("lamp/set", "test/ran")
    kitchen.transcript(**said)  # type: ignore[arg-type]
    kitchen.transcript("What's up?")  # heard after it
    hears.until("test/ran")
    hears.nothing("lamp/set", 0.3)


def test_an_expression_finds_and_the_models_answer_is_stopped(
    kitchen: Announced, client: Connect
) -> None:
    hears = client("test/ran", f"{BASE}/cmd/+")
    kitchen.transcript("set heat to 21")
    assert hears.until(f"{BASE}/cmd/cancel")["what"] == "response"
    assert hears.until(SAY)["text"] == "set heat to 21 it is"
    ran = hears.until("test/ran")
    assert ran["device_id"] == "kitchen"
    assert ran["matched"].startswith("\\bset")


@pytest.mark.parametrize("text", ["whats up", "12"])
def test_all_of_it_and_doubtful(kitchen: Announced, client: Connect, text: str) -> None:
    hears = client("test/ran")
    kitchen.transcript(f"{text} then")
    kitchen.transcript(text.upper(), suspect=True)
    assert str(hears.until("test/ran")["text"]).lower() == text


def test_coming_back_is_nobody_speaking(house: House, kitchen: Announced, client: Connect) -> None:
    hears = client("lamp/set")
    kitchen.transcript("lights out")
    assert hears.until("lamp/set") == "OFF"
    event = "event.satellite_kitchen_transcript"
    for status, gone in (("offline", True), ("online", False)):
        kitchen.client.publish(f"{BASE}/status", status, retain=True)
        house.until_state(event, lambda s, gone=gone: (s["state"] == "unavailable") is gone, status)
    hears.nothing("lamp/set", 0.5)


# --- the five


def test_a_scene(house: House, kitchen: Announced, client: Connect) -> None:
    hears = client(SAY)
    kitchen.transcript("It's MOVIE time, I think.")
    assert hears.until(SAY)["text"] == "Enjoy the film."
    house.until_state("input_boolean.film", lambda s: s["state"] == "on", "the scene is on")
    kitchen.transcript("movie timetable")
    kitchen.transcript("movie time", ago_s=60)
    kitchen.transcript("movie time", suspect=True)
    hears.nothing(SAY, 0.5)


def test_an_announcement(house: House, kitchen: Announced, client: Connect) -> None:
    hears = client(SAY)
    for state in ("off", "on"):
        house.post("states/binary_sensor.doorbell", {"state": state})
    assert hears.until(SAY)["text"] == "Somebody is at the door."


def test_quiet_music(house: House, kitchen: Announced) -> None:
    def loudness(wanted: float) -> None:
        house.until_state(
            "media_player.living_room",
            lambda s: abs(s["attributes"].get("volume_level", 0) - wanted) < 0.001,
            f"{wanted}",
        )

    loudness(0.6)
    kitchen.state("listening")
    loudness(0.1)
    kitchen.state("thinking")
    kitchen.state("speaking")
    house.until_state(
        "sensor.satellite_kitchen_state", lambda s: s["state"] == "speaking", "it speaks"
    )
    loudness(0.1)
    kitchen.state("idle")
    loudness(0.6)


def test_the_bridge_turns_a_lamp_on_and_says_so(
    house: House, kitchen: Announced, client: Connect
) -> None:
    hears = client("lamp/set", f"{BASE}/tool/result")
    kitchen.ask_tool("turn on the kitchen light", call_id="call-1")
    assert hears.until("lamp/set") == "ON"
    result = hears.until(f"{BASE}/tool/result", call_id="call-1")
    assert result["is_error"] is False
    assert result["output"]


def test_the_bridge_says_what_it_could_not_do(
    house: House, kitchen: Announced, client: Connect
) -> None:
    hears = client(f"{BASE}/tool/result")
    kitchen.ask_tool("turn on the kitchen light", call_id="call-late", deadline=now(1))
    kitchen.ask_tool("turn on the kitchen light", call_id="call-other", name="other")
    kitchen.ask_tool("paint the kitchen green", call_id="call-2")
    result = hears.until(f"{BASE}/tool/result")
    assert result["call_id"] == "call-2"
    assert result["is_error"] is True
    assert result["output"]


def test_an_alert_and_its_end(house: House, kitchen: Announced) -> None:
    """Half a minute in real time, both ways at once: it goes when all is well."""
    problem = rec.Problem(code="mic_missing", since=now(), detail="No microphone.", fix="Plug it.")
    kitchen.state("error", problems=(problem,))
    began = time.monotonic()
    [shown] = until(lambda: notifications(house), "it is told", 40.0)
    assert time.monotonic() - began > 25
    assert "No microphone. Plug it." in shown["message"]
    kitchen.state("idle")
    until(lambda: not notifications(house), "it is gone")


def notifications(house: House) -> list[dict[str, str]]:
    listed = house.call("persistent_notification/get")
    return [one for one in listed if one["notification_id"] == "satellite_kitchen"]
