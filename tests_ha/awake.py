"""Automations that listen already."""

from __future__ import annotations

from typing import Final

from broker import Broker, Client
from house import House, until

PROBE: Final = """
- id: probe
  alias: Probe
  trigger: {platform: mqtt, topic: test/probe}
  action: {service: mqtt.publish, data: {topic: test/awake}}
"""


def load(house: House, broker: Broker, automations: str) -> None:
    """Load them, and wait until Home Assistant has subscribed to what they hear: a second or so."""
    house.automations(automations + PROBE)
    hears = Client(broker.port, "test/awake")

    def awake() -> bool:
        hears.publish("test/probe", "")
        return not hears.heard.empty()

    until(awake, "the automations are awake")
    hears.close()
