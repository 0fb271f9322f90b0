"""What a satellite heard reaches an automation, whatever goes away meanwhile; and what shows of it.

Somebody gives the satellite an order every two seconds, the whole time. Each order that the daemon
was told of must start both an automation on the event entity, made of the shipped blueprint, and
one on the MQTT topic.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import pytest
from bench import FarEnd, Satellite, sound
from broker import Broker
from house import House, until
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


class Orders:
    """What was said, and what started which automation."""

    def __init__(self, house: House, far_end: FarEnd, said: list[str]) -> None:
        self.house = house
        self.said = said
        self.far_end = far_end

    def seen(self, how: str) -> list[str]:
        return re.findall(rf"\[seen\] {how}: (order \d+)\.", self.house.log)

    def more(self, number: int) -> None:
        """Wait until so many more were said, and the last of them is the daemon's."""
        goal = len(self.said) + number + 1
        until(lambda: len(self.said) >= goal, f"{number} more orders are given", 40.0)

    def arrive(self, timeout_s: float = 40.0) -> None:
        """All that were said until now start both automations, in order."""
        said = list(self.said)
        for how in ("event", "mqtt"):
            until(
                lambda how=how: set(said) <= set(self.seen(how)),  # type: ignore[misc]
                f"{said} by {how}: {self.seen(how)} {self.house.log[-6000:]}",
                timeout_s,
            )
            seen = list(dict.fromkeys(self.seen(how)))
            assert seen[: len(said)] == said, how


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
    voice = sound(folder / "order.wav", "06-thanks.wav", 2.2)
    satellite = Satellite(folder, broker.port)
    with running(far_end) as url:

        def run(**config: object) -> None:
            satellite.start(url, audio={"input": {"file": voice, "loop": True}}, **config)

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
        f"the automations are awake {made.said} {house.log[-1500:]} {satellite.log[-1500:]}",
        10.0,
    )
    del made.said[: made.said.index(max(made.seen("event")[0], made.seen("mqtt")[0]))]
    yield made
    house.automations("[]")


def test_orders_arrive(orders: Orders) -> None:
    orders.more(2)
    orders.arrive()


def test_home_assistant_restarts(orders: Orders, house: House) -> None:
    house.stop()
    orders.more(2)
    house.start()
    orders.more(1)
    orders.arrive()
