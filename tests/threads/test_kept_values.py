"""What a satellite keeps, read from beside it: whether it runs, was killed, or never was."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

from satellite.adapters import kept
from satellite.adapters.outbox import FILE, open_outbox
from satellite.errors import StoreError

HOUR = 3600.0


def listed(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_of_one_that_runs_and_nothing_of_it_is_touched(tmp_path: Path) -> None:
    store, _ = open_outbox(tmp_path, HOUR)
    store.write((), {}, {"set.volume": {"value": 35, "configured": 60}, "muted": True})
    before = listed(tmp_path)
    assert before[f"{FILE}-wal"][0] > 0, "it is in the log, not in the file yet"
    assert kept.read(tmp_path / FILE) == {
        "set.volume": {"value": 35, "configured": 60},
        "muted": True,
    }
    assert listed(tmp_path) == before
    store.write((), {}, {"muted": None})
    store.close()
    assert kept.read(tmp_path / FILE) == {"set.volume": {"value": 35, "configured": 60}}


def test_while_it_is_written_to_values_belong_together(tmp_path: Path) -> None:
    store, _ = open_outbox(tmp_path, HOUR)
    store.write((), {}, {"a": 0, "b": 0})
    ended = threading.Event()

    def write() -> None:
        for n in range(1, 2000):
            store.write((), {}, {"a": n, "b": n})
            if n % 50 == 0:
                store.tidy(0.0)
            if ended.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(20):
            with contextlib.suppress(StoreError):  # the writer was quicker, again and again
                found = kept.read(tmp_path / FILE)
                assert found is not None
                assert found["a"] == found["b"]
    finally:
        ended.set()
        writer.join()
        store.close()


def test_where_no_satellite_was(tmp_path: Path) -> None:
    assert kept.read(tmp_path / "nowhere" / FILE) is None


@pytest.mark.parametrize("content", [b"no database at all, but words", b"SQLite format 3\x00" * 99])
def test_a_file_that_is_broken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match=r"outbox\.db cannot be understood$"):
        kept.read(tmp_path / FILE)
    assert list(listed(tmp_path)) == [FILE]


def test_a_folder_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)  # root may read every folder
    with pytest.raises(StoreError, match="cannot be read: permission denied"):
        kept.read(tmp_path / FILE)
