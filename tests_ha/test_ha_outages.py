"""What a satellite heard reaches an automation, whatever goes away meanwhile; and what shows of it.

Somebody gives the satellite an order every two seconds, the whole time. Each order that the daemon
was told of must start both an automation on the event entity, made of the shipped blueprint, and
one on the MQTT topic.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bench import BASE, FarEnd, Satellite, sound
from broker import Broker, Client
from house import MODES, House, until
from scripted_server import running

EVENT = "event.satellite_study_transcript"
STATE = "sensor.satellite_study_state"
AUTOMATIONS = """
- id: orders
  alias: Orders
  use_blueprint:
    path: realtime-satellite/when_i_say.yaml
    input:
      satellites: event.satellite_study_transcript
      phrases: order
      max_age: 120
      actions:
        - service: system_log.write
          data: {logger: seen, level: info, message: "event: {{ text }}."}
- id: heard
  alias: Heard
  mode: queued
  trigger: {platform: mqtt, topic: satellite/study/transcript, qos: 1}
  action:
    service: system_log.write
    data: {logger: seen, level: info, message: "mqtt: {{ trigger.payload_json.text }}."}
"""


HOW = ("event", "mqtt")


class Orders:
    """What was said, and what started which automation."""

    def __init__(self, house: House, far_end: FarEnd, said: list[str]) -> None:
        self.house = house
        self.said = said
        self.far_end = far_end
        self.kept = 0

    def seen(self, how: str) -> list[str]:
        return re.findall(rf"\[seen\] {how}: (order \d+)\.", self.house.log)

    def more(self, number: int) -> None:
        """Wait until so many more were said; the daemon has all but the last, to be sure."""
        goal = len(self.said) + number + 1
        until(lambda: len(self.said) >= goal, f"{number} more orders are given", 40.0)
        self.kept = goal - 1

    def arrive(self, timeout_s: float = 40.0) -> None:
        """All that were said until now start both automations, in order."""
        said = list(self.said)
        deadline = time.monotonic() + timeout_s
        while missing := {how: self._missing(how, said) for how in HOW if self._missing(how, said)}:
            assert time.monotonic() < deadline, f"did not arrive: {missing}"
            time.sleep(0.1)
        for how in HOW:
            assert [text for text in dict.fromkeys(self.seen(how)) if text in said] == said, how
        del self.said[: len(said)]

    def pause(self) -> None:
        """Wait for a moment between two orders: what reached Home Assistant has started all."""
        until(
            lambda: not any(self._missing(how, self.said) for how in HOW), "nothing is on its way"
        )

    def _missing(self, how: str, said: list[str]) -> list[str]:
        seen = set(self.seen(how))
        return [text for text in said if text not in seen]


@pytest.fixture(scope="module")
def far_end() -> FarEnd:
    numbers = itertools.count(1)
    said: list[str] = []

    def words() -> str:
        said.append(f"order {next(numbers)}")
        return said[-1]

    made = FarEnd(words)
    made.said = said  # type: ignore[attr-defined]
    return made


@pytest.fixture(scope="module")
def start(
    far_end: FarEnd, tmp_path_factory: pytest.TempPathFactory, broker: Broker
) -> Iterator[tuple[Satellite, Callable[..., None]]]:
    folder = tmp_path_factory.mktemp("orders")
    voice = sound(folder / "order.wav", "06-thanks.wav", 1.8)
    satellite = Satellite(folder, broker.port)
    audio = {"input": {"file": voice, "loop": True}, "duplex": "full"}
    with running(far_end) as url:

        def run(**config: Any) -> None:
            satellite.start(
                url,
                audio=audio,
                gate={"hangover_ms": 400},
                realtime={"turn_detection": {"silence_duration_ms": 200}},
                **config,
            )

        yield satellite, run
        satellite.kill()


@pytest.fixture(scope="module")
def orders(
    house: House, far_end: FarEnd, start: tuple[Satellite, Callable[..., None]]
) -> Iterator[Orders]:
    satellite, run = start
    run()
    until(lambda: house.state(EVENT), f"it appears:\n{satellite.log[-2000:]}", 30.0)
    house.automations(AUTOMATIONS)
    made = Orders(house, far_end, far_end.said)  # type: ignore[attr-defined]
    made.more(2)
    until(
        lambda: made.seen("event") and made.seen("mqtt"),
        "the automations are awake",
        10.0,
    )
    del made.said[: max(made.said.index(made.seen(how)[0]) for how in HOW)]
    yield made
    house.automations("[]")


def test_orders_arrive(orders: Orders) -> None:
    orders.more(2)
    orders.arrive()


def test_home_assistant_restarts(orders: Orders, house: House) -> None:
    orders.pause()
    house.stop()
    orders.more(2)
    house.start()
    orders.more(1)
    orders.arrive()


def test_the_broker_is_killed(orders: Orders, broker: Broker) -> None:
    broker.kill()
    orders.more(2)
    broker.start()
    orders.more(1)
    orders.arrive()


def test_everything_loses_its_power(
    orders: Orders,
    house: House,
    broker: Broker,
    start: tuple[Satellite, Callable[..., None]],
) -> None:
    """What the daemon was told of while nobody listened is on its disk."""
    satellite, run = start
    orders.pause()
    house.kill()
    orders.more(2)
    broker.kill()
    satellite.kill()
    del orders.said[orders.kept :]
    broker.start()
    house.start()
    run()
    orders.more(1)
    orders.arrive()


def test_it_shows_when_the_satellite_is_gone(
    orders: Orders, house: House, start: tuple[Satellite, Callable[..., None]]
) -> None:
    satellite, run = start
    satellite.kill()
    entities = (EVENT, STATE, "switch.satellite_study_mute")
    for entity_id in entities:
        house.until_state(entity_id, lambda s: s["state"] == "unavailable", "it is gone", 20.0)
    run()
    for entity_id in entities:
        house.until_state(entity_id, lambda s: s["state"] != "unavailable", "it is back", 20.0)
    orders.more(1)
    orders.arrive()


def test_it_appears_again_when_home_assistant_asks(
    orders: Orders, client: Callable[..., Client]
) -> None:
    topic = "homeassistant/device/satellite/study/config"
    if MODES[-1] == "component":
        topic = "homeassistant/event/satellite_study/transcript/config"
    hears = client(topic, f"{BASE}/state")
    hears.until(topic)
    hears.until(f"{BASE}/state")
    hears.publish("homeassistant/status", "online")
    assert hears.until(topic)["device" if "device/" not in topic else "origin"]
    hears.until(f"{BASE}/state")


def test_home_assistant_had_nothing_to_complain_of(house: House, orders: Orders) -> None:
    """But for the broker that was gone, and its own power cut."""
    foreseen = ("[homeassistant.components.mqtt.client]", "(Recorder)")
    assert [line for line in house.complaints() if not any(f in line for f in foreseen)] == []


def test_removing_the_device_removes_its_entities(house: House, orders: Orders) -> None:
    [device] = devices(house)
    house.call(
        "config/device_registry/remove_config_entry",
        device_id=device["id"],
        config_entry_id=device["config_entries"][0],
    )
    until(lambda: not entities(house), "its entities are gone")


@pytest.mark.skipif(len(MODES) == 1, reason="knows one form of discovery")
def test_from_one_form_of_discovery_to_the_other(
    house: House, orders: Orders, start: tuple[Satellite, Callable[..., None]]
) -> None:
    """After the removal: Home Assistant 2026.11 fails to remove a device that changed over."""
    satellite, run = start
    for form, gone in (("component", "notify"), ("device", "text")):
        satellite.stop()
        run(mqtt={"discovery": form})
        announce = f"{gone}.satellite_study_announce"
        until(lambda name=announce: house.state(name) is None, f"no {announce}", 20.0)  # type: ignore[misc]
        house.until_state(STATE, lambda s: s["state"] != "unavailable", "it is there", 20.0)
        until(lambda: len(entities(house)) > 22, "so are its entities")
    orders.more(1)
    orders.arrive()


def test_discovery_none_takes_its_entities_away(
    house: House, orders: Orders, start: tuple[Satellite, Callable[..., None]]
) -> None:
    satellite, run = start
    satellite.stop()
    run()
    until(lambda: len(entities(house)) > 20, "it has appeared again", 20.0)
    satellite.stop()
    run(mqtt={"discovery": "none"})
    until(lambda: not entities(house), "its entities are gone", 20.0)
    until(lambda: not devices(house), "it is gone")


def devices(house: House) -> list[dict[str, Any]]:
    listed = house.call("config/device_registry/list")
    return [d for d in listed if ["mqtt", "satellite_study"] in d["identifiers"]]


def entities(house: House) -> list[str]:
    listed = house.call("config/entity_registry/list")
    return [e["entity_id"] for e in listed if "satellite_study" in e["entity_id"]]
