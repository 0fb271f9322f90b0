"""The configuration as a JSON Schema, for editors that know one: every key as in the schema.

An editor sees what is written, not what it stands for: the name behind ``!secret``, ``!env`` or
``!credential`` must pass as the value. What depends on several keys is not in it.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, is_dataclass
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from satellite.config.schema import Config
from satellite.config.setting import Setting, keys_of

_DIALECT: Final = "http://json-schema.org/draft-07/schema#"  # the newest that most editors know
_ENVIRONMENT: Final = "[A-Z][A-Z0-9_]{0,63}"  # !env NAME, where a pattern would not let it pass
_TYPES: Final = {int: "integer", float: "number", bool: "boolean", str: "string"}


def schema() -> dict[str, Any]:
    """Return the JSON Schema, as ``config.schema.json`` has it."""
    return {"$schema": _DIALECT, "title": "realtime-satellite", **_section(Config)}


def _section(kind: type[Any]) -> dict[str, Any]:
    kinds = get_type_hints(kind)
    return {
        "type": ["object", "null"],  # null: all of its keys are commented out
        "properties": {entry.name: _key(entry, kinds[entry.name]) for entry in keys_of(kind)},
        "additionalProperties": False,
    }


def _key(entry: Field[Any], kind: Any) -> dict[str, Any]:
    about: Setting = entry.metadata["setting"]
    said: dict[str, Any] = {"description": about.sentence}
    if isinstance(kind, type) and is_dataclass(kind):
        return said | _section(kind)
    if entry.default is not MISSING and not about.keep_as:
        default = entry.default
        said["default"] = list(default) if isinstance(default, tuple) else default
    if about.free:
        return said | {"type": "object"}
    if get_origin(kind) is not tuple:
        return said | _value(kind, about)
    item = get_args(kind)[0]
    if is_dataclass(item) and isinstance(item, type):
        return said | {"type": ["array", "null"], "items": _section(item) | {"type": "object"}}
    one = _value(item, about)
    return said | {"anyOf": [one, {"type": "array", "items": one}, {"type": "null"}]}


def _value(kind: Any, about: Setting) -> dict[str, Any]:
    options = get_args(kind) if NoneType in get_args(kind) else (kind,)
    (inner,) = (option for option in options if option is not NoneType)
    optional = NoneType in options
    if get_origin(inner) is Literal:
        return {"enum": [*get_args(inner), *([None] if optional else [])]}
    name = _TYPES[inner]
    made: dict[str, Any] = {"type": [name, "null"] if optional else name}
    if about.low is not None:
        made |= {"minimum": about.low, "maximum": about.high}
    if inner is str and not about.prose:
        made |= {"minLength": 1}
    if about.pattern:
        made |= {"pattern": f"^(?:{about.pattern}|{_ENVIRONMENT})$"}
    elif about.path:
        made |= {"pattern": "^[^~]"}
    return made
