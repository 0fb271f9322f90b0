"""Every line of docs/realtime-checklist.md has a test that names its number, and no other has."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "realtime-checklist.md"


def named() -> set[str]:
    """Numbers in marks, and those at the head of a case in the tables of broken configurations."""
    found: set[str] = set()
    for path in TESTS.rglob("*.py"):
        for arguments in re.findall(r"mark\.checklist\(([^)]*)\)", path.read_text()):
            found |= set(re.findall(r'"([CS]\d+)"', arguments))
    for path in (TESTS / "config").glob("broken_*.txt"):
        for line in re.findall(r"^# ((?:C\d+ ?)+)$", path.read_text(), re.MULTILINE):
            found |= set(line.split())
    return found


def test_every_line_has_a_test_and_every_number_a_line() -> None:
    lines = set(re.findall(r"^- \*\*([CS]\d+)\*\*", PAGE.read_text(), re.MULTILINE))
    assert len(lines) == 98
    assert named() == lines
