"""Crashes are counted, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from satellite.adapters import starts
from satellite.adapters.starts import MOST_KEPT, WITHIN_S, Starts


def test_each_start_that_did_not_end_in_order_counts(tmp_path: Path) -> None:
    assert [Starts(tmp_path).note(at) for at in (10.0, 20.0, 30.0)] == [0, 1, 2]
    Starts(tmp_path).forget()
    assert Starts(tmp_path).note(40.0) == 0


def test_what_is_ten_minutes_ago_is_forgotten(tmp_path: Path) -> None:
    kept = Starts(tmp_path)
    kept.note(10.0)
    kept.note(300.0)
    assert kept.note(10.0 + WITHIN_S) == 1


def test_a_boot_is_a_new_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Starts(tmp_path)
    kept.note(10.0)
    boot = tmp_path / "boot_id"
    boot.write_text("another\n")
    monkeypatch.setattr(starts, "BOOT_ID", boot)
    assert kept.note(20.0) == 0


def test_the_file_stays_small(tmp_path: Path) -> None:
    kept = Starts(tmp_path)
    for at in range(200):
        kept.note(float(at))
    assert kept.note(200.0) == MOST_KEPT + 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"boot": 1, "at": "x"}', "[" * 100_000, "\x00"])
def test_a_file_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "starts").write_text(text)
    kept = Starts(tmp_path)
    assert kept.note(10.0) == 0
    assert kept.note(20.0) == 1


def test_a_disk_that_takes_nothing_is_no_failure(tmp_path: Path) -> None:
    kept = Starts(tmp_path / "nowhere")
    assert (kept.note(10.0), kept.note(20.0)) == (0, 0)
    kept.forget()
