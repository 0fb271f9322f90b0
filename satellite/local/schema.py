"""Shapes of JSON values, checked with the error codes and texts of the live service.

A shape is a function ``(value, path) -> None`` that raises Refusal with the first thing wrong, in
the words of realtime-protocol.md 2.2, 3.2 and 10.1. ``path`` is dotted as the service writes it
(``session.audio.input.format``, ``item.content[0].text``). Pure; no text holds a value longer than
one short word, so an error never repeats what a person said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Shape = Callable[[Any, str], None]

_SHOWN: Final = 64  # characters of a wrong value that an error repeats
_NAMES: Final = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}


class Refusal(Exception):  # noqa: N818  the protocol's word, not a bug of ours
    """What a client asked is refused; becomes an ``error`` event and changes nothing."""

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        self.code = code
        self.message = message
        self.param = param
        super().__init__(code)  # no message: it may quote the client


def kind(value: Any) -> str:
    """The name of a JSON type as the service writes it: "an object", "null", ..."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a decimal"
    return _NAMES.get(type(value), "an unknown type")


def wrong_type(path: str, expected: str, value: Any) -> Refusal:
    return Refusal(
        "invalid_type",
        f"Invalid type for '{path}': expected {expected}, but got {kind(value)} instead.",
        path,
    )


def wrong_value(path: str, value: str, supported: Sequence[str]) -> Refusal:
    return Refusal(
        "invalid_value",
        f"Invalid value: '{value[:_SHOWN]}'. Supported values are: {listed(supported)}.",
        path,
    )


def missing(path: str) -> Refusal:
    return Refusal("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def unknown(path: str) -> Refusal:
    return Refusal("unknown_parameter", f"Unknown parameter: '{path}'.", path)


def listed(words: Sequence[str]) -> str:
    """'a', 'a' and 'b', or 'a', 'b', and 'c': the service's own punctuation."""
    quoted = [f"'{word}'" for word in words]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return ", ".join(quoted[:-1]) + ", and " + quoted[-1]


def anything(_value: Any, _path: str) -> None:
    """Whatever JSON; for what this server stores and never reads."""


def text(limit: int | None = None) -> Shape:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type(path, "a string", value)
        if limit is not None and len(value) > limit:
            raise Refusal(
                "string_above_max_length",
                f"Invalid '{path}': string too long. Expected a string with maximum length "
                f"{limit}, but got a string with length {len(value)} instead.",
                path,
            )

    return check


def choice(*words: str) -> Shape:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type(path, f"one of {listed(words)}", value)
        if value not in words:
            raise wrong_value(path, value, words)

    return check


def boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise wrong_type(path, "a boolean", value)


def integer(low: int, high: int) -> Shape:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(path, "an integer", value)
        _bounded("integer", value, low, high, path)

    return check


def decimal(low: float, high: float) -> Shape:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong_type(path, "a decimal", value)
        _bounded("decimal", value, low, high, path)

    return check


def _bounded(name: str, value: float, low: float, high: float, path: str) -> None:
    if value < low:
        side, relation, bound = "below_min", "below minimum value. Expected a value >=", low
    elif value > high:
        side, relation, bound = "above_max", "above maximum value. Expected a value <=", high
    else:
        return
    raise Refusal(
        f"{name}_{side}_value",
        f"Invalid '{path}': {name} {relation} {bound}, but got {str(value)[:_SHOWN]} instead.",
        path,
    )


def nullable(shape: Shape) -> Shape:
    def check(value: Any, path: str) -> None:
        if value is not None:
            shape(value, path)

    return check


def array(shape: Shape, limit: int) -> Shape:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise wrong_type(path, "an array", value)
        if len(value) > limit:
            raise Refusal(
                "array_above_max_length",
                f"Invalid '{path}': array too long. Expected an array with maximum length "
                f"{limit}, but got an array with length {len(value)} instead.",
                path,
            )
        for index, element in enumerate(value):
            shape(element, f"{path}[{index}]")

    return check


def record(keys: Mapping[str, Shape], *required: str) -> Shape:
    """An object with these keys and no others."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        dot = f"{path}." if path else ""
        for key in value:
            if key not in keys:
                raise unknown(f"{dot}{key[:_SHOWN]}")
        for key in required:
            if key not in value:
                raise missing(f"{dot}{key}")
        for key, element in value.items():
            keys[key](element, f"{dot}{key}")

    return check


def tagged(shapes: Mapping[str, Shape], tag: str = "type") -> Shape:
    """An object whose ``tag`` says which shape the whole of it has."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        dot = f"{path}." if path else ""
        if tag not in value:
            raise missing(f"{dot}{tag}")
        choice(*shapes)(value[tag], f"{dot}{tag}")
        shapes[value[tag]](value, path)

    return check


def either(strings: Shape, objects: Shape) -> Shape:
    """A word or an object, as ``tool_choice`` and ``voice`` are."""

    def check(value: Any, path: str) -> None:
        (objects if isinstance(value, dict) else strings)(value, path)

    return check
