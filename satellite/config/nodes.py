"""YAML as values that know their place: a file's text becomes nodes, or one sentence why not.

Only what a configuration needs: sections, lists and texts. A scalar stays the text that was
written; what YAML would make of it is the reader's business. Work and memory are bounded: 64 KiB,
ten levels, no aliases (law 9). Built on events, so that a deep or huge file is refused cheaply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

MAX_BYTES: Final = 64 * 1024  # a real configuration has 4 KiB
MAX_DEPTH: Final = 10  # the schema needs four
TAGS: Final = ("!secret", "!env", "!credential")

# The C parser is ten times as fast; some installations lack it.
_PARSER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_TEXT: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Mark(NamedTuple):
    """A place in a file, line and column from 1 on, columns in characters."""

    line: int
    column: int


NOWHERE: Final = Mark(0, 0)  # all of a file


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as it was written. ``plain``: without quotes, so YAML may read more into it."""

    mark: Mark
    text: str = field(repr=False)
    plain: bool
    tag: str = ""  # one of TAGS or empty

    @property
    def is_null(self) -> bool:
        """Say whether YAML reads nothing here."""
        return self.plain and not self.tag and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    mark: Mark
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file; a key may be there twice."""

    mark: Mark
    pairs: tuple[tuple[Scalar, Node], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that YAML knows and a configuration does not accept, and why."""

    mark: Mark
    sentence: str


Node = Scalar | Sequence | Mapping | Refused


class UnreadableError(Exception):
    """The text as a whole cannot be read. ``mark`` is where it ends to be readable."""

    def __init__(self, mark: Mark, sentence: str) -> None:
        super().__init__(sentence)
        self.mark = mark
        self.sentence = sentence


def parse(text: str) -> Node | None:
    """Return the one document in ``text``, None when it is empty, or raise UnreadableError."""
    _check_text(text)
    parser = _PARSER(text)
    try:
        return _Builder(parser).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if "quoted scalar" in (error.context or "") and error.context_mark:
            mark = error.context_mark  # where the quote was opened; the problem is the end of file
        where = _mark(mark) if mark else NOWHERE
        raise _explained(text, where, error.problem or "") from None
    except yaml.YAMLError:
        raise UnreadableError(NOWHERE, "is not valid YAML") from None
    finally:
        parser.dispose()


def _mark(given: Any) -> Mark:
    """Return the place that YAML counts from 0 on."""
    return Mark(given.line + 1, given.column + 1)


def _check_text(text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise UnreadableError(
            NOWHERE, f"has more than {MAX_BYTES} bytes; a configuration is much smaller"
        )
    if text.startswith("\ufeff"):
        raise UnreadableError(
            Mark(1, 1), "starts with a byte order mark; save the file as UTF-8 without BOM"
        )
    if found := _NOT_TEXT.search(text):
        before = text[: found.start()]
        where = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise UnreadableError(where, f"has a control character (code {ord(found[0])}); delete it")


def _explained(text: str, where: Mark, problem: str) -> UnreadableError:
    """Say what a person did wrong. The parser's own words could quote a value, so none is shown."""
    lines = text.split("\n")
    here = lines[where.line - 1] if 0 < where.line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or (
        "start any token" in problem and "\t" in here
    ):
        tab = Mark(where.line, here.index("\t") + 1)
        return UnreadableError(tab, "has a tab; YAML is indented with spaces: replace it")
    for part, sentence in _EXPLAINED.items():
        if part in problem:
            return UnreadableError(where, f"is not valid YAML: {sentence}")
    return UnreadableError(
        where,
        "is not valid YAML; look at the indentation, the colons and the quotes of this line"
        " and the one before",
    )


_EXPLAINED: Final = {
    "start any token": "a text that starts with @, `, % or & needs quotes around it",
    "mapping values are not allowed": "a second colon, or a key that is indented too far;"
    " a text with a colon needs quotes",
    "unexpected end of stream": "a quote is opened here and never closed",
    "expected ',' or": "a list or section in brackets is not closed before this line",
    "expected ':'": "a key without a colon after it, on this line or the one before",
    "tag": "a text that starts with ! needs quotes around it",
}


class _Builder:
    """Makes nodes of one parser's events."""

    def __init__(self, parser: Any) -> None:
        self._next = parser.get_event

    def document(self) -> Node | None:
        self._next()  # the start of the stream
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        node = self._node(self._next(), 1)
        self._next()  # the end of the document
        extra = self._next()
        if not isinstance(extra, yaml.StreamEndEvent):
            raise UnreadableError(
                _mark(extra.start_mark), "starts a second document with ---; keep only one"
            )
        return node

    def _node(self, event: Any, depth: int) -> Node:
        mark = _mark(event.start_mark)
        if depth > MAX_DEPTH:
            raise UnreadableError(
                mark, f"is nested more than {MAX_DEPTH} levels deep; look for a bracket too many"
            )
        if isinstance(event, yaml.AliasEvent):
            return Refused(
                mark, "is a YAML alias (*), which is not supported; use quotes or repeat"
            )
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(mark, event.value, not event.style, event.tag or "")
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(mark, depth)
        else:
            node = self._mapping(mark, depth)
        return _refusal(event, node) or node

    def _sequence(self, mark: Mark, depth: int) -> Sequence:
        items = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(mark, tuple(items))

    def _mapping(self, mark: Mark, depth: int) -> Mapping:
        pairs = []
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar) or key.tag:
                raise UnreadableError(
                    key.mark, "has a key that is not plain text; write it as name: value"
                )
            pairs.append((key, self._node(self._next(), depth + 1)))
        return Mapping(mark, tuple(pairs))


def _refusal(event: Any, node: Node) -> Refused | None:
    if event.anchor:
        return Refused(node.mark, "has a YAML anchor (&), which is not supported; use quotes")
    if not event.tag:
        return None
    if event.tag not in TAGS:
        return Refused(
            node.mark, f"has a YAML tag (!) other than {', '.join(TAGS)}; use quotes for a text"
        )
    if not isinstance(node, Scalar):
        return Refused(node.mark, f"has {event.tag} before something that is not a name")
    return None
