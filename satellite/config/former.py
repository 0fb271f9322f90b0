"""Keys of earlier versions: what became of each. Who has one is warned, and not refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from satellite.config import nodes
from satellite.config.nodes import Mark, Node, Scalar


@dataclass(frozen=True, slots=True)
class Former:
    """``now`` is the key that has its value since then, empty where there is none."""

    now: str = ""
    sentence: str = ""  # what to do, where there is none

    @property
    def warning(self) -> str:
        """What its owner should know."""
        return f"is now called {self.now}; rename it" if self.now else self.sentence


FORMER: Final[Mapping[str, Former]] = {
    "privacy.log_text": Former(
        sentence="has no effect any more, since nothing that is said is logged; delete the line"
    ),
}


def found(root: Node, table: Mapping[str, Former]) -> Iterator[tuple[str, Mark]]:
    """Yield the former keys in ``root``, and the place of each."""
    for old in table:
        if (pair := _find(root, old.split("."))) is not None:
            yield old, pair[0].mark


def renewed(root: Node, table: Mapping[str, Former]) -> Node:
    """Return ``root`` with each value below its new key, at its old place; what is there stays."""
    for old, became in table.items():
        path = old.split(".")
        if (pair := _find(root, path)) is None:
            continue
        root = _without(root, path)
        if became.now and not is_written(root, became.now):
            root = _with(root, became.now.split("."), *pair)
    return root


def is_written(root: Node, key: str) -> bool:
    """Say whether ``key`` is in the file."""
    return _find(root, key.split(".")) is not None


def _find(node: Node, path: list[str]) -> tuple[Scalar, Node] | None:
    name, *rest = path
    pairs = node.pairs if isinstance(node, nodes.Mapping) else ()
    pair = next((each for each in pairs if each[0].text == name), None)
    return pair if pair is None or not rest else _find(pair[1], rest)


def _without(node: Node, path: list[str]) -> Node:
    name, *rest = path
    if not isinstance(node, nodes.Mapping):
        return node
    kept = (
        (key, _without(value, rest) if rest and key.text == name else value)
        for key, value in node.pairs
        if rest or key.text != name
    )
    return nodes.Mapping(node.mark, tuple(kept))


def _with(node: Node, path: list[str], key: Scalar, value: Node) -> Node:
    """Add a pair, and the sections around it that are missing; no place for it leaves all."""
    name, *rest = path
    if isinstance(node, Scalar) and node.is_null:
        node = nodes.Mapping(node.mark, ())
    if not isinstance(node, nodes.Mapping):
        return node
    if rest and _find(node, [name]) is not None:
        pairs = (
            (each, _with(inner, rest, key, value) if each.text == name else inner)
            for each, inner in node.pairs
        )
        return nodes.Mapping(node.mark, tuple(pairs))
    inner = _with(nodes.Mapping(key.mark, ()), rest, key, value) if rest else value
    return nodes.Mapping(node.mark, (*node.pairs, (Scalar(key.mark, name, plain=True), inner)))
