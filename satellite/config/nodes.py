"""YAML as values that know their line: a file's text becomes nodes, or one sentence why not.

Only what a configuration needs: sections, lists and texts. A scalar stays the text that was
written; what YAML would make of it is the reader's business. Work and memory are bounded: 64 KiB,
ten levels, no aliases (law 9). Built on events, so that a deep or huge file is refused cheaply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

MAX_BYTES: Final = 64 * 1024  # a real configuration has 4 KiB
MAX_DEPTH: Final = 10  # the schema needs four
TAGS: Final = ("!secret", "!env", "!credential")

# The C parser is ten times as fast; some installations lack it.
_PARSER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_TEXT: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as it was written. ``plain``: without quotes, so YAML may read more into it."""

    line: int
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

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file; a key may be there twice."""

    line: int
    pairs: tuple[tuple[Scalar, Node], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that YAML knows and a configuration does not accept, and why."""

    line: int
    sentence: str


Node = Scalar | Sequence | Mapping | Refused


class UnreadableError(Exception):
    """The text as a whole cannot be read. ``line`` is 0 when it is about all of it."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
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
        line = mark.line + 1 if mark else 0
        raise UnreadableError(line, _sentence(text, line, error.problem or "")) from None
    except yaml.YAMLError:
        raise UnreadableError(0, "is not valid YAML") from None
    finally:
        parser.dispose()


def _check_text(text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise UnreadableError(
            0, f"has more than {MAX_BYTES} bytes; a configuration is much smaller"
        )
    if text.startswith("\ufeff"):
        raise UnreadableError(
            1, "starts with a byte order mark; save the file as UTF-8 without BOM"
        )
    if found := _NOT_TEXT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise UnreadableError(line, f"has a control character (code {ord(found[0])}); delete it")


def _sentence(text: str, line: int, problem: str) -> str:
    """Say what a person did wrong. The parser's own words could quote a value, so none is shown."""
    lines = text.split("\n")
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or (
        "start any token" in problem and "\t" in here
    ):
        return "has a tab; YAML is indented with spaces: replace it"
    for part, sentence in _EXPLAINED.items():
        if part in problem:
            return f"is not valid YAML: {sentence}"
    return (
        "is not valid YAML; look at the indentation, the colons and the quotes of this line"
        " and the one before"
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
            line = extra.start_mark.line + 1
            raise UnreadableError(line, "starts a second document with ---; keep only one")
        return node

    def _node(self, event: Any, depth: int) -> Node:
        line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise UnreadableError(line, f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            return Refused(
                line, "is a YAML alias (*), which is not supported; use quotes or repeat"
            )
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(line, event.value, not event.style, event.tag or "")
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(line, depth)
        else:
            node = self._mapping(line, depth)
        return _refusal(event, node) or node

    def _sequence(self, line: int, depth: int) -> Sequence:
        items = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(line, tuple(items))

    def _mapping(self, line: int, depth: int) -> Mapping:
        pairs = []
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar) or key.tag:
                raise UnreadableError(key.line, "has a key that is not plain text")
            pairs.append((key, self._node(self._next(), depth + 1)))
        return Mapping(line, tuple(pairs))


def _refusal(event: Any, node: Node) -> Refused | None:
    if event.anchor:
        return Refused(node.line, "has a YAML anchor (&), which is not supported; use quotes")
    if not event.tag:
        return None
    if event.tag not in TAGS:
        return Refused(
            node.line, f"has a YAML tag (!) other than {', '.join(TAGS)}; use quotes for a text"
        )
    if not isinstance(node, Scalar):
        return Refused(node.line, f"has {event.tag} before something that is not a name")
    return None
