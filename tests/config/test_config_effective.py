"""``satellite config``: what it prints means the same, says where it is from, and has no secret."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import KNOWN, cases, loaded

from satellite import session_setup
from satellite.config import nodes
from satellite.config.effective import Origins, entries
from satellite.config.free import json_of
from satellite.config.listing import listing
from satellite.config.schema import Config
from satellite.config.spelling import spelled

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
TEXT = """\
name: !env NAME
audio:
  input: {file: [a.wav, !secret key]}
realtime:
  url: wss://server.lan/v1?house=hunter2&api-version=2025-04-01&hunter2
  provider: compatible
  api_key: !secret key
  instructions: !env VOICE
  transcription: {model: gpt-transcribe, keywords: 'on'}
tools:
  mqtt:
    - {name: bell, description: "Rings: x"}
mqtt: {password: !credential password, port: 1883}
"""
SHOWN = """\
name: hall # !env NAME
audio:
input:
device: default # default
channel: null # default
file:
- /etc/sat/a.wav # c:3
- !secret key # !secret key (secrets.yaml:7)
loop: false # default
output:
device: default # default
file: null # default
volume: 35 # chosen over MQTT, in place of 60 (default)
"""


def shown(config: Config, text: str, **more: object) -> str:
    idle = session_setup.idle(config)
    origins = Origins("c", nodes.parse(text), {"key": 7}, idle=idle, **more)  # type: ignore[arg-type]
    return listing(entries(config, origins))


def same(config: Config) -> Config:
    return dataclasses.replace(config, marks={})


@pytest.mark.parametrize("text", cases("good_files.txt"))
def test_what_is_printed_means_the_same(text: str) -> None:
    config = loaded(text)
    again = loaded(shown(config, text).replace("house=***", "house=1"))
    assert same(again) == same(config)
    assert session_setup.session(again) == session_setup.session(config)
    assert session_setup.endpoint(again).place == session_setup.endpoint(config).place


@pytest.mark.parametrize("text", cases("good_files.txt"))
def test_no_secret_is_printed(text: str) -> None:
    said = shown(loaded(text), text)
    assert not any(secret in said for secret in (*KNOWN.values(), "k-2", "k-3"))


def test_every_value_says_where_it_is_from() -> None:
    said = shown(loaded(TEXT), TEXT, chosen={"audio.output.volume": 35})
    assert [" ".join(line.split()) for line in said.splitlines()[:13]] == SHOWN.splitlines()
    for line in (
        'url: "wss://server.lan/v1?house=***&api-version=2025-04-01&***"',
        "api_key: !secret key",
        "instructions: !env VOICE",
        '- "on"',
        "parameters: {type: object, properties: {}}",
        "password: !credential password",
    ):
        assert f"{line} " in said
    assert "hunter2" not in said
    assert len({line.index("  # ") for line in said.splitlines() if "  # " in line}) <= 2


def test_the_example_of_the_page_is_what_is_printed() -> None:
    text = "realtime: {provider: local, voice: !env VOICE}\naudio:\n  output:\n    volume: 60\n"
    chosen = {"audio.output.volume": 35}
    origins = Origins("config.yaml", nodes.parse(text), chosen=chosen)
    keys = ("audio.output", "realtime.voice")
    said = [each for each in entries(loaded(text), origins) if each.key.startswith(keys)]
    assert f"```yaml\n{listing(said)}```" in PAGE.read_text()


def test_what_is_left_to_the_server_is_a_comment() -> None:
    text = "realtime: {client_secret: {command: [lend]}, noise_reduction: null}"
    said = shown(loaded(text), text)
    lines = [line.rpartition("  # ")[0].strip() for line in said.splitlines() if "left to" in line]
    assert lines[:3] == ["# model: gpt-realtime-2.1", lines[1], "# voice: marin"]
    assert lines[1].startswith("# instructions: ")
    assert "  noise_reduction: null" in said


def test_what_no_value_means_is_said() -> None:
    said = shown(loaded(TEXT), TEXT, meant={"mqtt.tls": "false", "mqtt.port": "no"})
    assert "# default, here false" in said
    assert "here no" not in said  # it is written


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**14), 10**14)
    | st.floats(-1e9, 1e9).map(lambda x: round(x, 6))
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)
    | st.sampled_from(["on", "no", "~", "1e5", "12:30:45", "2026-11-21", ".5", "a\nb", "<<", "="]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abc:#- {}[]\"'", min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcn", min_size=1), JSON, max_size=4))
def test_what_is_spelled_is_read_as_it_was(value: dict[str, object]) -> None:
    node = nodes.parse(f"a: {spelled(value)}")
    assert isinstance(node, nodes.Mapping)
    assert json_of(node.pairs[0][1]) == value
