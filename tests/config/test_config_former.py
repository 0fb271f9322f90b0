"""Keys of earlier versions: they go on to work, with a warning that says the new one."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satellite.config import nodes
from satellite.config.former import FORMER, Former, found, renewed
from satellite.config.loader import load, warnings
from satellite.config.page import leaves
from satellite.config.schema import Config
from satellite.errors import ConfigError

KEY = "realtime: {api_key: !secret key, transcription: {model: gpt-transcribe}}\n"
TABLE = {
    "speaker": Former(now="audio.output.volume"),
    "gate.strict": Former(now="gate.aggressiveness"),
    "mqtt.qos": Former(sentence="has no effect any more; delete the line"),
}


def loaded(text: str, table: dict[str, Former] = TABLE) -> Config:
    return load(
        text + KEY,
        source="c",
        base="/",
        environment={},
        secrets=lambda: {"key": "k-1"},
        credentials={},
        formerly=table,
    )


def told(config: Config) -> list[str]:
    return warnings(config, source="c", today=date(2026, 11, 21), formerly=TABLE)


@pytest.mark.parametrize(
    "text",
    [
        "speaker: 5\n",
        "speaker: 5\naudio:\n",
        "speaker: 5\naudio: {duplex: half}\n",
        "audio: {output: {lead_ms: 0}}\nspeaker: 5\n",
    ],
)
def test_its_value_is_that_of_the_new_key(text: str) -> None:
    config = loaded(text)
    assert config.audio.output.volume == 5
    line = text.split("\n").index("speaker: 5") + 1
    assert told(config) == [f"c:{line}:1: speaker: is now called audio.output.volume; rename it"]


def test_what_is_no_more_is_said_to_be_so() -> None:
    config = loaded("mqtt: {port: 1, qos: {any: thing}}\ngate: {strict: 3}\n")
    assert (config.mqtt.port, config.gate.aggressiveness) == (1, 3)
    assert told(config) == [
        "c:2:8: gate.strict: is now called gate.aggressiveness; rename it",
        "c:1:17: mqtt.qos: has no effect any more; delete the line",
    ]


def test_a_wrong_value_is_told_where_it_stands() -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("gate: {strict: 4}\naudio: [1]\nspeaker: 5\n")
    assert caught.value.problems == [
        "c:1:16: gate.aggressiveness: is 4, must be 0 to 3",
        (
            "c:2:8: audio: is a list, must be a section: lines of the form key: value, indented"
            " below it"
        ),
    ]


def test_both_are_too_many() -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("gate: {strict: 1, aggressiveness: 2}\n")
    assert caught.value.problems == [
        (
            "c:1:8: gate.strict: is now called gate.aggressiveness, which is written too;"
            " delete this one"
        )
    ]


def test_a_key_that_never_did_anything_is_not_in_the_way() -> None:
    config = loaded("privacy: {log_text: true}\n", dict(FORMER))
    (warning,) = warnings(config, source="c", today=date(2026, 11, 21))
    assert warning.startswith("c:1:11: privacy.log_text: has no effect any more")


def test_no_former_key_is_a_key_and_every_new_one_is() -> None:
    keys = set(leaves())
    assert not keys & set(FORMER)
    assert {each.now for each in FORMER.values() if each.now} <= keys
    assert all(each.warning for each in FORMER.values())


NAMES = st.sampled_from(["a", "b", "c", "speaker", "audio", "output", "volume", "gate", "strict"])
TREES = st.recursive(
    st.sampled_from(["1", "~", ""]),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3).map(
        lambda pairs: "{" + ", ".join(f"{name}: {each}" for name, each in pairs.items()) + "}"
    ),
    max_leaves=8,
)


@given(TREES)
def test_afterwards_no_former_key_is_left(text: str) -> None:
    root = nodes.parse(text)
    if root is not None:
        assert not list(found(renewed(root, TABLE), TABLE))
