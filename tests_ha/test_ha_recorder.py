"""What Home Assistant's database holds of what was said, with the lines of the page: nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import shipped
from announced import Announced
from awake import load
from broker import Broker, Client
from house import MODES, House, until

SHOWN = ("event.satellite_kitchen_transcript", "sensor.satellite_kitchen_last_transcript")
SECRETS = ("xylophone", "quetzal", "platypus", "bandicoot")


@pytest.fixture(scope="module")
def kitchen(house: House, broker: Broker, broker_client: Client) -> Iterator[Announced]:
    made = Announced(broker_client)
    made.appear(MODES[-1])  # type: ignore[arg-type]
    house.until_state("sensor.satellite_kitchen_state", lambda s: s["state"] == "idle", "it is up")
    load(house, broker, shipped.AUTOMATIONS)
    yield made
    house.automations("[]")
    made.disappear(MODES[-1])  # type: ignore[arg-type]
    until(lambda: house.state("sensor.satellite_kitchen_state") is None, "it is gone")
    made.forget(MODES[-1])  # type: ignore[arg-type]


def test_no_word_is_written_down(house: House, kitchen: Announced) -> None:
    heard, answered, asked, sign = SECRETS
    said = kitchen.transcript(f"lights out, {heard}")
    kitchen.response(f"The {answered} sleeps.")
    kitchen.ask_tool(f"turn on the {asked}")
    for suffix in (
        "event.satellite_kitchen_transcript",
        "sensor.satellite_kitchen_last_transcript",
    ):
        house.until_state(suffix, lambda s: s["attributes"].get("id") == said, "it is shown")
    house.post("states/sensor.sign", {"state": sign})  # written down after all of that
    until(lambda: sign.encode() in written(house), "the recorder has written", 20.0)
    found = written(house)
    assert [word for word in (heard, answered, asked) if word.encode() in found] == []


def written(house: House) -> bytes:
    """Everything in the database, with what is not yet merged into it."""
    return b"".join(path.read_bytes() for path in house.folder.glob("home-assistant_v2.db*"))
