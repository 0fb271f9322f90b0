"""From an intent to a call of one of the session's function tools, and from its output to words.

A tool with the intent's own name gets the slots that its schema knows; otherwise a tool that takes
one sentence gets the sentence. Nothing is called with a required argument missing. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from satellite.local.engines import Call
from satellite.local.home import Intent

_SENTENCE_KEYS: Final = frozenset({"text", "sentence", "command", "query"})
_SPOKEN_KEYS: Final = ("speech", "message", "result", "response", "answer")
_LONGEST: Final = 400  # characters of a tool's text that are spoken
_DEPTH: Final = 4


def call(intent: Intent | None, sentence: str, tools: Sequence[dict[str, Any]]) -> Call | None:
    """The call that ``intent`` asks for; None when no tool fits."""
    if intent is not None:
        for tool in tools:
            name = tool["name"]
            if name == intent.name or name.endswith(f"__{intent.name}"):
                arguments = _arguments(tool, intent.slots)
                if arguments is not None:
                    return Call(name, arguments)
    for tool in tools:
        key = _sentence_key(tool)
        if key is not None:
            return Call(tool["name"], {key: sentence})
    return None


def _schema(tool: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    schema = tool.get("parameters")
    if not isinstance(schema, dict):
        return {}, []
    properties, required = schema.get("properties"), schema.get("required")
    return (
        properties if isinstance(properties, dict) else {},
        [key for key in required if isinstance(key, str)] if isinstance(required, list) else [],
    )


def _arguments(tool: dict[str, Any], slots: dict[str, Any]) -> dict[str, Any] | None:
    properties, required = _schema(tool)
    arguments = {key: _fit(slots[key], properties[key]) for key in properties if key in slots}
    if not arguments and slots and properties:
        return None  # it cannot be told what to act on
    return (
        arguments
        if all(key in arguments or _optional(properties, key) for key in required)
        else None
    )


def _optional(properties: dict[str, Any], key: str) -> bool:
    """A strict schema requires every key and marks the optional ones with a default or null."""
    shape = properties.get(key)
    return isinstance(shape, dict) and "default" in shape


def _fit(value: Any, shape: Any) -> Any:
    wanted = shape.get("type") if isinstance(shape, dict) else None
    if wanted == "array" and not isinstance(value, list):
        return [value]
    if wanted == "string" and not isinstance(value, str):
        return str(value)
    return value


def _sentence_key(tool: dict[str, Any]) -> str | None:
    properties, _ = _schema(tool)
    if len(properties) != 1:
        return None
    key, shape = next(iter(properties.items()))
    is_text = isinstance(shape, dict) and shape.get("type") == "string"
    return key if is_text and key in _SENTENCE_KEYS else None


def spoken(output: str) -> str:
    """The words about a tool's output, which is JSON or plain text, of whatever content."""
    try:
        value = json.loads(output)
    except (ValueError, RecursionError):
        value = output
    return _words(value, _DEPTH)[:_LONGEST]


def _words(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value.strip() or "Done."
    if not isinstance(value, dict) or not depth:
        return "Done."
    error = value.get("error")
    if error or value.get("success") is False or value.get("ok") is False:
        said = error if isinstance(error, str) else _words(error or value.get("message"), depth - 1)
        return "That did not work." if said == "Done." else f"That did not work: {said}"
    for key in _SPOKEN_KEYS:
        found = value.get(key)
        if found and isinstance(found, (str, dict)):
            words = _words(_plain(found), depth - 1)
            if words != "Done.":
                return words
    state = value.get("state")
    return f"Done. It is {state}." if isinstance(state, (str, int, float)) else "Done."


def _plain(value: Any) -> Any:
    """Home Assistant's ``{"plain": {"speech": …}}``."""
    return value["plain"] if isinstance(value, dict) and "plain" in value else value
