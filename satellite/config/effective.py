"""The configuration as it holds: every key with its value, and where that is from.

It is made of what was loaded and of the file as nodes, so that the daemon carries none of it. What
stands behind ``!secret`` and ``!credential`` is never in it, nor are secrets behind ``!env``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, is_dataclass
from typing import Any, Final

from satellite.config import nodes
from satellite.config.nodes import Node, Scalar
from satellite.config.schema import Config
from satellite.config.setting import Setting, keys_of
from satellite.config.spelling import spelled
from satellite.config.tags import SECRETS_FILE
from satellite.config.values import looks_secret

_HARMLESS: Final = "api-version="  # in an address: no secret, and azure's says which protocol


@dataclass(frozen=True, slots=True)
class Tagged:
    """What is written in place of a value that is not to be seen."""

    tag: str
    name: str

    def __str__(self) -> str:
        return f"{self.tag} {self.name}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key, such as ``audio.input.file[0]``: its value, of JSON's kinds or Tagged, its origin.

    ``idle``: it holds only once it is written, since now the server decides.
    """

    key: str
    value: Any
    origin: str
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Origins:
    """Where values come from beside the defaults.

    ``root`` is the file, ``secrets`` the line of each name in the other one. ``chosen`` are the
    values that hold in place of these, by key; ``meant`` says what a key means that has no value,
    ``idle`` are the keys that are left to the server.
    """

    source: str
    root: Node | None
    secrets: Mapping[str, int] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict, repr=False)
    meant: Mapping[str, str] = field(default_factory=dict)
    idle: frozenset[str] = frozenset()


def entries(config: Config, origins: Origins) -> Iterator[Entry]:
    """Yield every key in the order of the schema."""
    yield from _section(config, origins.root, "", origins)


def _section(whole: Any, node: Node | None, path: str, origins: Origins) -> Iterator[Entry]:
    pairs = node.pairs if isinstance(node, nodes.Mapping) else ()
    written = {name.text: value for name, value in pairs}
    for entry in keys_of(type(whole)):
        key = f"{path}.{entry.name}" if path else entry.name
        value, inner = getattr(whole, entry.name), written.get(entry.name)
        if is_dataclass(value):
            yield from _section(value, inner, key, origins)
        elif isinstance(value, tuple) and value and inner is not None:
            yield from _items(entry, value, inner, key, origins)
        else:
            yield _entry(entry, value, inner, key, origins)


def _items(
    entry: Field[Any], values: tuple[Any, ...], node: Node, key: str, origins: Origins
) -> Iterator[Entry]:
    items = node.items if isinstance(node, nodes.Sequence) else (node,)
    for n, (value, item) in enumerate(zip(values, items, strict=True)):
        if is_dataclass(value):
            yield from _section(value, item, f"{key}[{n}]", origins)
        else:
            yield _entry(entry, value, item, f"{key}[{n}]", origins)


def _entry(entry: Field[Any], value: Any, node: Node | None, key: str, origins: Origins) -> Entry:
    about: Setting = entry.metadata["setting"]
    found = _shown(about, value, node)
    origin = _origin(node, origins)
    if key in origins.chosen:
        before = "another text" if about.prose else spelled_as(found)
        origin = f"chosen over MQTT, in place of {before} ({origin})"
        return Entry(key, origins.chosen[key], origin)
    if key in origins.idle and node is None:
        return Entry(key, found, "left to the server", idle=True)
    if value is None and key in origins.meant:
        origin = f"{origin}, here {origins.meant[key]}"
    return Entry(key, found, origin)


def _origin(node: Node | None, origins: Origins) -> str:
    if node is None:
        return "default"
    if not isinstance(node, Scalar) or not node.tag:
        return f"{origins.source}:{node.mark.line}"
    line = origins.secrets.get(node.text) if node.tag == "!secret" else None
    return f"{node.tag} {node.text}" + (f" ({SECRETS_FILE}:{line})" if line else "")


def _shown(about: Setting, value: Any, node: Node | None) -> Any:
    if isinstance(node, Scalar) and node.tag:
        private = about.keep_as or about.prose or not about.shown or looks_secret(str(value))
        if private or node.tag != "!env":
            return Tagged(node.tag, node.text)
    if isinstance(value, str) and not about.shown and "://" in value:
        return _without_query(value)
    return value


def _without_query(url: str) -> str:
    """Some servers take their key there."""
    address, mark, query = url.partition("?")
    parts = [part if part.startswith(_HARMLESS) else _masked(part) for part in query.split("&")]
    return address + mark + "&".join(parts) if query else url


def _masked(part: str) -> str:
    name, equals, _ = part.partition("=")
    return f"{name}=***" if equals else "***"


def spelled_as(value: Any) -> str:
    """Return ``value`` as it is written in a configuration."""
    return str(value) if isinstance(value, Tagged) else spelled(value)
