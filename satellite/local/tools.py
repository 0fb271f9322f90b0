"""From an intent to a call of one of the session's function tools, and from its output to words.

A tool with the intent's own name gets the slots; otherwise a tool that is made for spoken requests
gets the sentence. Nothing is called with a required argument missing, nor with a part of the
request left out: "turn off the kitchen lights" must not turn off the kitchen. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from satellite.local.engines import Call
from satellite.local.home import Intent

_SENTENCE_TOOLS: Final = frozenset(
    {"ask_home", "assist", "conversation_process", "home_assistant", "process_conversation"}
)
_SENTENCE_KEYS: Final = frozenset({"text", "sentence", "command", "query"})
_SPOKEN_KEYS: Final = (
    "error", "speech", "message", "result", "response", "answer", "content", "text", "reason",
    "detail",
)  # fmt: skip
_NO: Final = frozenset({"false", "no", "0", "none"})
_FAILURES: Final = frozenset({"error", "failed", "failure"})
_SUCCESSES: Final = frozenset({"ok", "done", "success", "completed"})
_UNCLEAR: Final = "I got an answer that I do not understand."
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
    if slots.keys() - properties.keys():
        return None  # it cannot be told all of it
    arguments = {key: _fit(value, properties[key]) for key, value in slots.items()}
    if not all(_allowed(value, properties[key]) for key, value in arguments.items()):
        return None
    there = all(key in arguments or _optional(properties, key) for key in required)
    return arguments if there else None


def _allowed(value: Any, shape: Any) -> bool:
    if not isinstance(shape, dict):
        return True
    if shape.get("type") in ("integer", "number") and not isinstance(value, (int, float)):
        return False
    choices = shape.get("enum")
    return not isinstance(choices, list) or value in choices


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
    if len(properties) != 1 or tool["name"] not in _SENTENCE_TOOLS:
        return None
    key, shape = next(iter(properties.items()))
    is_text = isinstance(shape, dict) and shape.get("type") == "string"
    return key if is_text and key in _SENTENCE_KEYS else None


def spoken(output: str) -> str:
    """The words about a tool's output, which is JSON or plain text, of whatever content."""
    if not output.strip():
        return "I got no answer."
    try:
        value = json.loads(output)
    except (ValueError, RecursionError):
        value = output
    return _words(value)[:_LONGEST]


def _words(value: Any) -> str:
    """Done is said only where the output says so; a failure that it tells is told."""
    if isinstance(value, str):
        return value.strip() or _UNCLEAR
    if not isinstance(value, dict):
        return _UNCLEAR
    said = _text(value, _DEPTH)
    if _failed(value):
        return f"That did not work: {said}" if said else "That did not work."
    if said:
        return said
    done = "Done." if _succeeded(value) else ""
    state = value.get("state")
    if isinstance(state, (str, float)) or (isinstance(state, int) and not isinstance(state, bool)):
        return f"{done} It is {state}.".strip()
    return done or _UNCLEAR


def _failed(value: dict[str, Any]) -> bool:
    data = value.get("data")
    return bool(
        any(value.get(key) for key in ("error", "errors", "exception", "isError", "is_error"))
        or any(str(value[key]).lower() in _NO for key in ("success", "ok") if key in value)
        or str(value.get("status", "")).lower() in _FAILURES
        or value.get("response_type") == "error"
        or (isinstance(value.get("response"), dict) and _failed(value["response"]))
        or (isinstance(data, dict) and data.get("failed"))
        or (isinstance(value.get("code"), int) and value["code"] >= 400)
    )


def _succeeded(value: dict[str, Any]) -> bool:
    return (
        value.get("success") is True
        or value.get("ok") is True
        or value.get("response_type") == "action_done"
        or str(value.get("status", "")).lower() in _SUCCESSES
    )


def _text(value: Any, depth: int) -> str:
    """The words that an output has for a person; empty where it has none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        texts = [_text(item, depth - 1) for item in value[:5]] if depth else []
        return " ".join(filter(None, texts))
    if not isinstance(value, dict) or not depth:
        return ""
    for key in _SPOKEN_KEYS:
        found = value.get(key)
        if found and isinstance(found, (str, dict, list)):
            words = _text(_plain(found), depth - 1)
            if words:
                return words
    return ""


def _plain(value: Any) -> Any:
    """Home Assistant's ``{"plain": {"speech": …}}``."""
    return value["plain"] if isinstance(value, dict) and "plain" in value else value
