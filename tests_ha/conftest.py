"""One Home Assistant and one broker for the whole run."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Client
from house import MODES, PLACE, ROOT, VERSION, House, until


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("broker"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="session")
def house(broker: Broker) -> Iterator[House]:
    """Onboarded, and connected to the broker."""
    with contextlib.ExitStack() as stack:
        where = Path(ROOT) / "var/tmp" if ROOT else None
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ha-", dir=where))
        made = House(Path(folder))
        stack.callback(made.kill)
        made.start()
        made.use_broker(broker.port)
        yield made


@pytest.fixture(scope="module")
def broker_client(broker: Broker) -> Iterator[Client]:
    made = Client(broker.port)
    yield made
    made.close()


@pytest.fixture(scope="module")
def lamp(house: House, broker_client: Client) -> Iterator[str]:
    """A lamp in the kitchen, which Home Assistant's assistant may switch; its command topic."""
    where, topic = "homeassistant/light/lamp/config", "lamp/set"
    named = {"name": "Kitchen", "unique_id": "lamp", "default_entity_id": "light.kitchen"}
    broker_client.publish(where, {**named, "command_topic": topic}, retain=True)
    house.until_state("light.kitchen", bool, "the lamp is there")
    yield topic
    broker_client.publish(where, b"", retain=True)
    until(lambda: house.state("light.kitchen") is None, "the lamp is gone")


@pytest.fixture
def client(broker: Broker) -> Iterator[Callable[..., Client]]:
    """Make clients of the broker that hear the topics given."""
    made: list[Client] = []

    def connect(*topics: str) -> Client:
        made.append(Client(broker.port, *topics))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def pytest_report_header(config: pytest.Config) -> str:
    return f"home assistant {VERSION} in {PLACE}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if MODES[-1] != "device":
        terminalreporter.write_line(
            f"device discovery was not tried: Home Assistant {VERSION} is older than 2024.11;"
            " see docs/home-assistant/testing.md"
        )
