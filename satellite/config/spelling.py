"""Values as YAML that is read back as they are, also by whoever guesses: bare words stay bare."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import yaml

_BARE: Final = re.compile("[A-Za-z/_][A-Za-z0-9._/-]*")
_BREAKS: Final = str.maketrans({each: f"\\u{ord(each):04x}" for each in "\x85\u2028\u2029"})
_YAML: Final = yaml.resolver.Resolver()


def spelled(value: Any) -> str:
    """Return ``value``, of JSON's kinds, on one line."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(spelled, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{spelled(str(name))}: {spelled(each)}" for name, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, str):
        # JSON quotes as YAML does, but for what YAML takes for the end of a line
        return value if _is_bare(value) else _quoted(value)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")  # never 1e-05, which YAML 1.1 reads as a text
    return json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_BREAKS)


def _is_bare(text: str) -> bool:
    if not _BARE.fullmatch(text):
        return False
    tag: str = _YAML.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag.endswith(":str")
