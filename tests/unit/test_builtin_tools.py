"""The tools of this program."""

from __future__ import annotations

import json

import pytest

from satellite import builtin
from satellite.model.events import ToolCall


@pytest.mark.parametrize("arguments", ["{}", "", "no JSON", '{"zone": 1}'])
def test_the_time_is_told_whatever_the_model_writes(
    arguments: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.loads(builtin.run(ToolCall("c1", "get_time", arguments), 1_795_248_000.0))
    assert told.keys() == {"time", "weekday", "date", "time_zone"}
    assert told["date"] in {"2026-11-20", "2026-11-21"}  # wherever this machine is


def test_a_tool_that_is_not_there_gives_an_error_for_the_model() -> None:
    assert "error" in json.loads(builtin.run(ToolCall("c1", "unlock_door", "{}"), 0.0))


def test_the_model_is_told_of_those_that_the_configuration_names() -> None:
    assert [tool.name for tool in builtin.tools(("time",))] == ["get_time"]
    assert builtin.tools(()) == ()
