"""The tables of configurations beside this file, right and broken ones."""

from __future__ import annotations

from pathlib import Path

from satellite.config.loader import load
from satellite.config.schema import Config

HERE = Path(__file__).parent
KNOWN = {"key": "k-1", "spaced": "not a key"}


def cases(name: str) -> list[str]:
    """The paragraphs of a table."""
    return (HERE / name).read_text(encoding="utf-8").strip("\n").split("\n\n")


def loaded(text: str) -> Config:
    """A right one, where everything that the tables name is there."""
    return load(
        text,
        source="c",
        base="/etc/sat",
        environment={"KEY": "k-2", "NAME": "hall", "VOICE": "cedar"},
        secrets=lambda: KNOWN,
        credentials={"password": "k-3"},
    )
