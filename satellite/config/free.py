"""A part of the configuration that is free: JSON, written as YAML."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from satellite.config.nodes import Mapping, Node, Refused, Scalar, Sequence
from satellite.config.tags import WrongError
from satellite.config.values import holds_key

_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None, "~": None, "": None}
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_YAML: Final = yaml.resolver.Resolver()


def json_of(node: Node) -> Any:
    """Return what JSON ``node`` is, or raise WrongError. Nothing is guessed: see values.py."""
    match node:
        case Refused(mark, sentence):
            raise WrongError(sentence, at=mark)
        case Sequence(_, items):
            return [json_of(item) for item in items]
        case Mapping(_, pairs):
            return _object(pairs)
        case Scalar():
            return _scalar(node)


def _object(pairs: tuple[tuple[Scalar, Node], ...]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        _refuse_key(name)
        if name.text in made:
            raise WrongError("has a key that is written twice; delete one", at=name.mark)
        made[name.text] = json_of(value)
    return made


def _refuse_key(node: Scalar) -> None:
    if holds_key(node.text):
        sentence = "holds a secret in clear, which every server would be told; delete it"
        raise WrongError(sentence, at=node.mark)


def _scalar(node: Scalar) -> Any:
    text = node.text
    if node.tag:
        raise WrongError(f"has {node.tag}, which means nothing here; quote it", at=node.mark)
    _refuse_key(node)
    if not node.plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    resolved = _YAML.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if resolved.rpartition(":")[2] != "str":
        sentence = f"has {text[:40]}, which YAML does not read as a text; quote it"
        raise WrongError(sentence, at=node.mark)
    return text
