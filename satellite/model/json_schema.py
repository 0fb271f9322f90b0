"""The part of JSON Schema that a tool's parameters are written in, and what a value breaks of it.

Pure. It is small because a full validator costs this program more memory than all of its tools: a
keyword that is not enforced here is refused in the configuration, so that nobody relies on a check
that is not made. No sentence quotes a value: a model made it up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (Mapping,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_NOTES: Final = frozenset({"title", "description", "default", "examples"})
_LEAST: Final = {"minimum": "less", "minLength": "shorter", "minItems": "shorter"}
_MOST: Final = {"maximum": "more", "maxLength": "longer", "maxItems": "longer"}
_KEYWORDS: Final = (
    "type", "enum", "const", "properties", "required", "additionalProperties", "items",
    *_LEAST, *_MOST,
)  # fmt: skip


def unusable(schema: Any, path: str = "") -> Iterator[str]:
    """Say what in ``schema`` is not enforced here, or is no schema; nothing where all of it is."""
    where = f"at {path} " if path else ""
    if not isinstance(schema, Mapping):
        yield f"{where}must be a schema: lines of the form keyword: value"
        return
    for keyword, value in schema.items():
        if keyword in _NOTES:
            continue
        if keyword not in _KEYWORDS:
            known = ", ".join(_KEYWORDS)
            yield f"{where}uses the keyword {keyword[:40]}, which is not checked here; use {known}"
        elif not _is_well_formed(keyword, value):
            yield f"{where}has a {keyword} of the wrong kind, must be {_wanted(keyword)}"
    for name, inner in _inner(schema):
        yield from unusable(inner, f"{path}.{name}" if path else name)


def _wanted(keyword: str) -> str:
    wanted = {
        "type": f"one or a list of {', '.join(_TYPES)}",
        "enum": "a list of at least one value",
        "required": "a list of names",
        "properties": "a section, with a schema for each name",
        "items": "a section, the schema of each item",
        "additionalProperties": "true or false",
    }
    return wanted.get(keyword, "a number")


def _is_well_formed(keyword: str, value: Any) -> bool:
    match keyword:
        case "type":
            names = value if isinstance(value, list) else [value]
            return bool(names) and all(isinstance(n, str) and n in _TYPES for n in names)
        case "enum":
            return isinstance(value, list) and bool(value)
        case "required":
            return isinstance(value, list) and all(isinstance(name, str) for name in value)
        case "properties" | "items":
            return isinstance(value, Mapping)
        case "additionalProperties":
            return isinstance(value, bool)
        case "const":
            return True
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    properties = schema.get("properties")
    yield from properties.items() if isinstance(properties, Mapping) else ()
    if "items" in schema:
        yield "[]", schema["items"]


def broken(schema: Mapping[str, Any], value: Any, path: str = "") -> str | None:
    """The first sentence about what ``value`` breaks of a usable ``schema``; None where nothing."""
    return next(_broken(schema, value, path), None)


def _broken(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    where = path or "the arguments"
    names = schema.get("type", list(_TYPES))
    names = names if isinstance(names, list) else [names]
    if not any(_is_a(value, name) for name in names):
        yield f"{where} must be of type {' or '.join(names)}"
        return
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        yield f"{where} must be one of {schema['enum']}"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{where} must be {schema['const']!r}"
    yield from _out_of_bounds(schema, value, where)
    if isinstance(value, Mapping):
        yield from _broken_object(schema, value, path)
    if isinstance(value, list) and "items" in schema:
        for n, each in enumerate(value):
            yield from _broken(schema["items"], each, f"{path}[{n}]")


def _broken_object(schema: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{_join(path, name)} is required"
    for name, inner in properties.items():
        if name in value:
            yield from _broken(inner, value[name], _join(path, name))
    if schema.get("additionalProperties", True) is False and value.keys() - properties.keys():
        yield f"{path or 'the arguments'} may only have {', '.join(properties) or 'nothing'}"


def _out_of_bounds(schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
    size: float
    if isinstance(value, int | float) and not isinstance(value, bool):
        size, kind = value, "imum"
    elif isinstance(value, str):
        size, kind = len(value), "Length"
    elif isinstance(value, Sequence):
        size, kind = len(value), "Items"
    else:
        return
    if size < schema.get(f"min{kind}", size):
        yield f"{where} must not be {_LEAST[f'min{kind}']} than {schema[f'min{kind}']}"
    if size > schema.get(f"max{kind}", size):
        yield f"{where} must not be {_MOST[f'max{kind}']} than {schema[f'max{kind}']}"


def _is_a(value: Any, name: str) -> bool:
    """JSON's kinds: a bool is no number, and 3.0 is an integer."""
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _same(value: Any, wanted: Any) -> bool:
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
