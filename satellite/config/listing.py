"""Entries of a configuration as YAML: one key a line, and behind it where its value is from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from satellite.config.effective import Entry, spelled_as

_PART: Final = re.compile(r"[^.\[\]]+|\[\d+\]")
_WIDEST: Final = 56  # behind a line that is longer, the comment stands where the line ends


def listing(entries: Iterable[Entry]) -> str:
    """Return YAML that a configuration may begin with."""
    lines = list(_lines(entries))
    width = max((len(text) for text, _ in lines if len(text) <= _WIDEST), default=0)
    return "".join(f"{text:{width}}  # {said}\n" if said else f"{text}\n" for text, said in lines)


def _lines(entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """Yield each line and what is said behind it; sections come before their first key."""
    before: list[str] = []
    for entry in entries:
        parts = _PART.findall(entry.key)
        same = _common(before, parts)
        for depth in range(same, len(parts)):
            begins_item = depth > same and parts[depth - 1].startswith("[")
            indent = "  " * (depth - 1) + "- " if begins_item else "  " * depth
            indent += "# " if entry.idle and depth == len(parts) - 1 else ""
            is_item, is_last = parts[depth].startswith("["), depth == len(parts) - 1
            if is_last:
                name = "- " if is_item else f"{parts[depth]}: "
                yield f"{indent}{name}{spelled_as(entry.value)}", entry.origin
            elif not is_item:
                yield f"{indent}{parts[depth]}:", ""
        before = parts


def _common(one: list[str], other: list[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
