"""Tools that this program has itself. Each answers at once, with JSON text for the model.

A model knows neither the date nor the time of day; whoever asks a satellite does not know that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final

from satellite.model.events import ToolCall
from satellite.model.session import OUR_TOOLS, Tool

_NOTHING: Final = {"type": "object", "properties": {}, "additionalProperties": False}


def _time(here: datetime) -> str:
    return json.dumps(
        {
            "time": f"{here:%H:%M}",
            "weekday": f"{here:%A}",
            "date": f"{here:%Y-%m-%d}",
            "time_zone": here.tzname() or "unknown",
        }
    )


_TOOLS: Final[dict[str, tuple[Tool, Callable[[datetime], str]]]] = {
    "time": (
        Tool(
            OUR_TOOLS["time"],
            "The time of day, the weekday and the date at the user's home.",
            _NOTHING,
        ),
        _time,
    )
}
_BY_NAME: Final = {tool.name: run for tool, run in _TOOLS.values()}


def tools(names: tuple[str, ...]) -> tuple[Tool, ...]:
    """What the model is told of the tools with these names in the configuration."""
    return tuple(_TOOLS[name][0] for name in names)


def run(call: ToolCall, wall: float) -> str:
    """What the model is answered; ``wall`` is in epoch seconds. Never raises.

    The model's arguments are not looked at: no tool here takes any.
    """
    known = _BY_NAME.get(call.name)
    if known is None:
        return json.dumps({"error": "there is no tool of that name"})
    return known(datetime.fromtimestamp(wall).astimezone())
