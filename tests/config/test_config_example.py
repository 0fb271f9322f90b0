"""The example: made from the schema, right as it is, and right with every default written out."""

from __future__ import annotations

import re
from pathlib import Path

from satellite.config.example import example
from satellite.config.loader import load
from satellite.config.schema import Config, Mqtt, Realtime
from satellite.config.session_keys import ClientSecret

COMMITTED = Path(__file__).parents[2] / "config.example.yaml"


def loaded(text: str) -> Config:
    return load(
        text,
        source="config.example.yaml",
        base="/etc/sat",
        environment={},
        secrets=lambda: {"openai_api_key": "k", "mqtt_password": "p", "client_secret_token": "t"},
        credentials={},
    )


def test_the_committed_example_is_the_generated_one() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == example()


def test_it_works_once_the_key_is_in_secrets() -> None:
    assert loaded(example()) == Config(realtime=Realtime(api_key="k"))


def test_every_line_that_is_commented_out_shows_the_default() -> None:
    everything = re.sub(r"(?m)^( *)#(?=[a-z_]+: )", r"\1", example())
    assert everything.count("\n#") < example().count("\n#") + 1
    secret = ClientSecret(token="t")
    assert loaded(everything) == Config(
        realtime=Realtime(api_key="k", client_secret=secret), mqtt=Mqtt(password="p")
    )


def test_lines_fit_a_terminal() -> None:
    long = [line for line in example().splitlines() if len(line) > 100]
    assert all("instructions:" in line for line in long)
