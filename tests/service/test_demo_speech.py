"""The demo's recordings: as small, as plain and as free as the folder says."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "satellite" / "demo"


def _requests() -> list[dict[str, str]]:
    with (DEMO / "requests.tsv").open(newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


def test_the_table_names_every_recording_in_order() -> None:
    assert [request["file"] for request in _requests()] == sorted(
        path.name for path in DEMO.glob("*.wav")
    )


def test_at_least_three_voices_each_with_its_licence() -> None:
    voices = {request["voice"] for request in _requests()}
    licences = (DEMO / "LICENSES.md").read_text()
    assert len(voices) >= 3
    for request in _requests():
        row = next(line for line in licences.splitlines() if f"| `{request['voice']}`" in line)
        assert request["file"][:2] in row.rsplit("|", 2)[1]


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.wav")), ids=lambda path: path.name)
def test_each_is_small_and_16_khz_mono(path: Path) -> None:
    assert path.stat().st_size < 100_000
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (16_000, 2, 1)
        assert 0.5 < file.getnframes() / 16_000 < 5
