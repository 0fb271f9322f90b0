"""A part of the configuration that is free: JSON, written as YAML."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from satellite.config.nodes import Mapping, Node, Refused, Scalar, Sequence
from satellite.config.tags import WrongError

_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None, "~": None, "": None}
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_YAML: Final = yaml.resolver.Resolver()


def json_of(node: Node) -> Any:
    """Return what JSON ``node`` is, or raise WrongError. Nothing is guessed: see values.py."""
    match node:
        case Refused(line, sentence):
            raise WrongError(f"{sentence} (in line {line})")
        case Sequence(_, items):
            return [json_of(item) for item in items]
        case Mapping(_, pairs):
            made = {name.text: json_of(value) for name, value in pairs}
            if len(made) < len(pairs):
                raise WrongError(f"has a key that is written twice (below line {node.line})")
            return made
        case Scalar():
            return _scalar(node)


def _scalar(node: Scalar) -> Any:
    text = node.text
    if node.tag:
        raise WrongError(f"has {node.tag} in line {node.line}, which means nothing here")
    if not node.plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    resolved = _YAML.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if resolved.rpartition(":")[2] != "str":
        sentence = f"has {text[:40]} in line {node.line}, which YAML does not read as a text"
        raise WrongError(f"{sentence}; quote it")
    return text
