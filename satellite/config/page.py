"""The table of ``docs/configuration.md``: every key, and what it takes to change it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_type_hints

from satellite.config import changes
from satellite.config.schema import Config
from satellite.config.setting import keys_of


def table() -> str:
    """Return the table in Markdown, in the order of the schema."""
    rows = ["| key | `systemctl reload` | over MQTT |", "| --- | --- | --- |"]
    for key in leaves():
        live = "yes" if changes.is_live(key) else "needs a restart"
        verb = changes.OVER_MQTT.get(key)
        rows.append(f"| `{key}` | {live} | {f'`cmd/{verb}`' if verb else 'no'} |")
    return "\n".join(rows) + "\n"


def leaves(kind: type[Any] = Config, path: str = "") -> Iterator[str]:
    """Yield the keys that have a value of their own; those of a list of sections are one."""
    kinds = get_type_hints(kind)
    for entry in keys_of(kind):
        key, inner = f"{path}{entry.name}", kinds[entry.name]
        if is_dataclass(inner) and isinstance(inner, type):
            yield from leaves(inner, f"{key}.")
        else:
            yield key
