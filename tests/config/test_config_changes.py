"""What can change while the daemon runs: the page, the code that says so, and what is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from satellite import house_setup, reload, session_setup
from satellite.config import changes, page
from satellite.config.schema import Config, MqttTool
from satellite.logic import chosen
from satellite.model.requests import Setting

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
KEYS = list(page.leaves())


def others(kind: Any, value: Any) -> Iterator[Any]:
    """Other values of a key."""
    options = get_args(kind) if NoneType in get_args(kind) else (kind,)
    for option in options:
        if option is NoneType:
            found: tuple[Any, ...] = (None,)
        elif option is bool:
            found = (True, False)
        elif option in (int, float):
            found = (option(7),)
        elif option is str:
            found = ("other",)
        elif get_origin(option) is Literal:
            found = get_args(option)
        else:
            item = get_args(option)[0]
            one = MqttTool("a", "b") if item is MqttTool else next(others(item, None))
            found = ((one,),) if value != (one,) else ((),)
        yield from (each for each in found if each != value)


def with_other(whole: Any, path: list[str]) -> Iterator[Any]:
    name, *rest = path
    value = getattr(whole, name)
    inner = with_other(value, rest) if rest else others(get_type_hints(type(whole))[name], value)
    for each in inner:
        yield replace(whole, **{name: each})


def test_the_page_has_what_the_code_says() -> None:
    assert page.table() in PAGE.read_text(), "run scripts/make-docs"
    assert len(KEYS) == len(set(KEYS)) > 60


@pytest.mark.parametrize("key", KEYS)
def test_what_is_said_to_change_does_and_nothing_else(key: str) -> None:
    running = Config()
    reached = False
    for given in with_other(running, key.split(".")):
        assert changes.changed(running, given) == (key,)
        live = [each for each in (key,) if reload.can_change(running, each)]
        after = changes.taken_over(running, given, live)
        assert changes.changed(running, after) == tuple(live)
        reached |= reload.change(after) != reload.change(running)
    assert reached == changes.is_live(key)


def test_what_can_be_chosen_over_mqtt_has_a_key() -> None:
    assert sorted(changes.OVER_MQTT.values()) == sorted(get_args(Setting))
    assert set(changes.OVER_MQTT) <= set(KEYS)


@pytest.mark.parametrize(("key", "setting"), changes.OVER_MQTT.items())
def test_the_key_of_a_setting_is_what_is_chosen_instead_of(key: str, setting: Setting) -> None:
    def configured(config: Config) -> object:
        begun, _ = chosen.begin(house_setup.chosen(config), session_setup.session(config), {})
        return begun.configured[setting]

    values = {configured(given) for given in with_other(Config(), key.split("."))}
    assert values - {configured(Config())}


def test_sections_are_no_leaves() -> None:
    assert not any(is_dataclass(getattr(Config(), key, None)) for key in KEYS)
