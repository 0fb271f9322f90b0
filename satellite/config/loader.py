"""The text of a configuration becomes a Config, or all its problems, in the order of the file."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, is_dataclass, replace
from datetime import date
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from satellite.config import advice, former, mistakes, nodes, rules, session_rules
from satellite.config.former import FORMER, Former
from satellite.config.free import json_of
from satellite.config.nodes import NOWHERE, Mark, Node, Refused, Scalar
from satellite.config.schema import Config
from satellite.config.setting import Setting, keys_of
from satellite.config.tags import Sources, WrongError
from satellite.config.values import guess, looks_secret, one_of, read
from satellite.errors import ConfigError

_NOT_A_SECTION: Final = "must be a section: lines of the form key: value, indented below it"
_KEY_START: Final = re.compile("[A-Za-z0-9_-]{1,40}")

_Problem = tuple[Mark, str, str]  # where, which key, the sentence
Look = Callable[[Literal["read", "write", "folder"], str], str | None]


def _accept(use: str, path: str) -> None:
    """Look at no disk."""


def load(
    text: str,
    *,
    source: str,
    base: str,
    environment: Mapping[str, str],
    secrets: Callable[[], Mapping[str, str]],
    credentials: Mapping[str, str],
    look: Look = _accept,
    formerly: Mapping[str, Former] = FORMER,
) -> Config:
    """Return the configuration in ``text`` or raise ConfigError with all its problems.

    ``source`` is the name in sentences, ``base`` the folder that relative paths start from.
    ``secrets`` is called when the first ``!secret`` is met; it may raise ConfigError. ``look`` says
    what is wrong with an absolute path that will be read or written, None when nothing is.
    ``formerly`` are the keys of earlier versions.
    """
    secrets = functools.cache(secrets)
    reading = _Reading(Sources(base, environment, secrets, credentials, look))
    try:
        root = nodes.parse(text)
    except nodes.UnreadableError as error:
        raise ConfigError([_format(source, error.mark, "", error.sentence)]) from None
    if root is not None:
        root = _renew(root, formerly, reading)
    config = _read_section(Config, root, "", reading) if root else Config()
    assert isinstance(config, Config)
    config = replace(config, marks=reading.marks)
    _apply_rules(config, reading)
    if reading.problems:
        raise ConfigError(
            [_format(source, *problem) for problem in sorted(reading.problems, key=_order)]
        )
    return config


def warnings(
    config: Config, *, source: str, today: date, formerly: Mapping[str, Former] = FORMER
) -> list[str]:
    """Say what is not wrong in a configuration that was loaded, but should be known (C55)."""
    old = [(key, formerly[key].warning) for key in formerly if key in config.marks]
    given = [(found.keys[0], found.sentence) for found in advice.given(config, today)]
    return [
        _format(source, config.marks.get(key, NOWHERE), key, sentence)
        for key, sentence in (*old, *given)
    ]


def load_secrets(text: str, *, source: str) -> dict[str, str]:
    """Return the names and values of a ``secrets.yaml`` or raise ConfigError. Echoes no value."""
    try:
        root = nodes.parse(text)
    except nodes.UnreadableError as error:
        raise ConfigError([_format(source, error.mark, "", error.sentence)]) from None
    if root is None or (isinstance(root, Scalar) and root.is_null):
        return {}
    sentence = 'must hold lines of the form name: "value"'
    if not isinstance(root, nodes.Mapping):
        raise ConfigError([_format(source, root.mark, "", f"{sentence} and nothing else")])
    found = {}
    for key, value in root.pairs:
        if not isinstance(value, Scalar) or value.tag or key.text in found:
            raise ConfigError([_format(source, key.mark, "", f"{sentence}, each name once")])
        found[key.text] = value.text
    return found


@dataclass(slots=True)
class _Reading:
    """What is known while one file is read."""

    sources: Sources
    problems: list[_Problem] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)  # of every known key that is written
    wrong: set[str] = field(default_factory=set)  # keys that no rule may look at

    def refuse(self, mark: Mark, key: str, sentence: str) -> None:
        self.problems.append((mark, key, sentence))
        self.wrong.add(key)

    def mark_of(self, key: str) -> Mark:
        """Return the place of ``key``, else of the section it belongs in, else of all."""
        while key and key not in self.marks:
            key = key.rpartition(".")[0]
        return self.marks.get(key, NOWHERE)


def _renew(root: Node, formerly: Mapping[str, Former], reading: _Reading) -> Node:
    """Carry the values of former keys over; refuse those whose new key is written too."""
    renewed = former.renewed(root, formerly)
    for key, mark in former.found(root, formerly):
        reading.marks[key] = mark
        now = formerly[key].now
        if now and former.is_written(root, now):
            reading.refuse(mark, key, f"is now called {now}, which is written too; delete this one")
    return renewed


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _order(problem: _Problem) -> tuple[bool, Mark]:
    """Problems without a place come after those with one."""
    return problem[0] == NOWHERE, problem[0]


def _format(source: str, mark: Mark, key: str, sentence: str) -> str:
    where = source if mark == NOWHERE else f"{source}:{mark.line}:{mark.column}"
    return ": ".join(filter(None, (where, key, sentence)))


def _read_section(kind: type[Any], node: Node, path: str, reading: _Reading) -> Any:
    if isinstance(node, Scalar) and (sentence := mistakes.said_of(path, node.text)):
        reading.refuse(node.mark, path, sentence)
        return kind()
    if isinstance(node, Scalar) and node.is_null:
        if node.text and path:  # null was written, as if it could be switched off
            reading.refuse(node.mark, path, "cannot be switched off with null; delete the line")
        return kind()  # else all of its keys are commented out
    if not isinstance(node, nodes.Mapping):
        reading.refuse(node.mark, path, _no_section(node))
        return kind()
    written = _written(kind, node, path, reading)
    kinds = get_type_hints(kind)
    values = {}
    for entry in keys_of(kind):
        if entry.name in written:
            key = _join(path, entry.name)
            try:
                values[entry.name] = _read_field(
                    entry, kinds[entry.name], written[entry.name], key, reading
                )
            except WrongError as error:
                for mark, sentence in error.said:
                    reading.refuse(mark or written[entry.name].mark, key, sentence)
    return kind(**values)


def _no_section(node: Node) -> str:
    """Say what ``node`` is where a section must be. Its text may be a secret."""
    if isinstance(node, Refused):
        return node.sentence
    what = "a list" if isinstance(node, nodes.Sequence) else "one value"
    return f"is {what}, {_NOT_A_SECTION}"


def _read_field(entry: Field[Any], kind: Any, node: Node, key: str, reading: _Reading) -> Any:
    if isinstance(kind, type) and is_dataclass(kind):
        return _read_section(kind, node, key, reading)
    if isinstance(node, Scalar) and (sentence := mistakes.said_of(key, node.text)):
        raise WrongError(sentence)
    about: Setting = entry.metadata["setting"]
    if get_origin(kind) is tuple and is_dataclass(get_args(kind)[0]):
        return _read_sections(get_args(kind)[0], node, key, reading)
    if about.free:
        return _read_free(node)
    return read(node, kind, about, entry.default, reading.sources)


def _read_sections(kind: Any, node: Node, key: str, reading: _Reading) -> tuple[Any, ...]:
    """A list of sections; the places of each are known as those of ``key[0]``, ``key[1]`` ..."""
    if isinstance(node, Scalar) and node.is_null:
        return ()
    if not isinstance(node, nodes.Sequence):
        what = "one value" if isinstance(node, Scalar) else "a section"
        raise WrongError(f"is {what}, must be a list: lines of the form - name: value")
    found = []
    for n, item in enumerate(node.items):
        name = f"{key}[{n}]"
        reading.marks[name] = item.mark
        found.append(_read_section(kind, item, name, reading))
    return tuple(found)


def _read_free(node: Node) -> Any:
    made = json_of(node)
    if not isinstance(made, dict):
        raise WrongError(_no_section(node))
    return made


def _written(kind: type[Any], node: nodes.Mapping, path: str, reading: _Reading) -> dict[str, Node]:
    """Return the values of the known keys; refuse unknown ones and those written twice."""
    known = [entry.name for entry in keys_of(kind)]
    found: dict[str, Node] = {}
    for name, value in node.pairs:
        key = _join(path, name.text)
        if name.text not in known:
            reading.refuse(name.mark, *_unknown(name.text, path, known))
        elif name.text in found:
            first = reading.marks[key].line
            reading.refuse(name.mark, key, f"is written twice, first in line {first}; delete one")
        else:
            found[name.text] = value
            reading.marks[key] = name.mark
    return found


def _unknown(name: str, path: str, known: list[str]) -> tuple[str, str]:
    """Return the key to show and the sentence for a key that is not in the schema."""
    if sentence := mistakes.KEYS.get(_join(path, name)):
        return _join(path, name), f"is not a known key ({sentence})"
    meant = guess(name, known)
    elsewhere = [key for key in _all_keys(Config, "") if key.rpartition(".")[2] == name]
    hint = ""
    if ":" in name:
        hint = "; write a space after its colon"
    elif meant:
        hint = f"; did you mean {meant}?"
    elif elsewhere:
        hint = f"; did you mean {one_of(elsewhere)}?"
    else:
        hint = f"; valid here: {', '.join(known)}"
    return _join(path, _printable(name)), f"is not a known key{hint}"


def _printable(name: str) -> str:
    """Return an unknown key without what may be a value: a space after the colon may be missing."""
    start = _KEY_START.match(name)
    if not start or looks_secret(start[0]):
        return "(a key)"
    return start[0] if start[0] == name else f"{start[0]}..."


def _all_keys(kind: type[Any], path: str) -> Iterator[str]:
    kinds = get_type_hints(kind)
    for name in (entry.name for entry in keys_of(kind)):
        key, inner = _join(path, name), kinds[name]
        yield key
        if is_dataclass(inner) and isinstance(inner, type):
            yield from _all_keys(inner, key)


def _apply_rules(config: Config, reading: _Reading) -> None:
    for rule in (*rules.broken(config), *session_rules.broken(config)):
        if any(_is_wrong(key, reading.wrong) for key in rule.keys):
            continue
        written = [key for key in rule.keys if key in reading.marks]
        mark = reading.mark_of(written[0] if written else rule.keys[0])
        reading.problems.append((mark, rule.keys[0], rule.sentence))


def _is_wrong(key: str, wrong: set[str]) -> bool:
    return any(bad in ("", key) or key.startswith(f"{bad}.") for bad in wrong)
