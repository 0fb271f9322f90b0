"""What Home Assistant makes of a satellite's announcement."""

from __future__ import annotations

from collections.abc import Callable

from broker import Client
from house import House


def test_it_is_up_and_connected(house: House, client: Callable[..., Client]) -> None:
    hears = client("homeassistant/status")
    house.service("mqtt.publish", {"topic": "homeassistant/status", "payload": "probe"})
    assert hears.until("homeassistant/status") == "probe"
