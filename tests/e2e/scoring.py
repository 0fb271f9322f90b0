"""How much of what was said was understood."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).parents[2] / "docs" / "mqtt"
NUMBERS = {"17": "seventeen", "25": "twenty five", "21": "twenty one", "42": "forty two"}


def words(text: str) -> list[str]:
    """Lower case, no punctuation, the demo's numbers as words."""
    plain = re.sub(r"[^a-z0-9' ]+", " ", text.lower().replace("-", " "))
    return " ".join(NUMBERS.get(word, word) for word in plain.split()).split()


def word_errors(reference: list[str], heard: list[str]) -> int:
    """The least number of words to insert, delete or replace."""
    row = list(range(len(heard) + 1))
    for i, wanted in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, word in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (wanted != word))
    return row[-1]


def messages(done: subprocess.CompletedProcess[str]) -> dict[str, list[Any]]:
    """What ``demo --json`` printed, by the last part of the topic; each obeys its schema."""
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Any]] = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        assert message.keys() == {"topic", "payload"}
        name = message["topic"].rpartition("/")[2]
        found.setdefault(name, []).append(message["payload"])
        if name != "status":
            schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
            jsonschema.validate(message["payload"], schema)
    return found
