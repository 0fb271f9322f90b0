"""What a satellite keeps over restarts, read from beside it while it may be running.

Rule 1: its own file is only copied. To open it would wait for a lock that the daemon holds for as
long as it runs, or leave files in its folder that it could not open.
Rule 2: the copy is in memory where there is such a folder: it has words that are to be forgotten.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Final

from satellite.errors import StoreError

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - only a folder in it, which is ours alone
_TRIES: Final = 5


def read(path: Path) -> dict[str, object] | None:
    """Return the values in the database ``path`` by name, as of a moment ago; None without one.

    Raises StoreError where it is not ours to read, or cannot be understood.
    """
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    try:
        with tempfile.TemporaryDirectory(dir=where) as folder:
            return _values(_copied(path, Path(folder)))
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StoreError(f"{path} cannot be read: {(exc.strerror or 'error').lower()}") from None
    except (sqlite3.Error, ValueError):
        raise StoreError(f"{path} cannot be understood") from None


def _copied(path: Path, folder: Path) -> Path:
    """Copy database and log so that they belong together: no log was carried over in between."""
    copy = folder / path.name
    log, copied_log = Path(f"{path}-wal"), Path(f"{copy}-wal")
    for _ in range(_TRIES):
        before = _state(path)
        shutil.copyfile(path, copy)
        copied_log.unlink(missing_ok=True)
        if log.exists():
            shutil.copyfile(log, copied_log)
        if _state(path) == before:
            return copy
    raise StoreError(f"{path} is being written to; try again")


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _values(path: Path) -> dict[str, object]:
    db = sqlite3.connect(path)
    try:
        found = db.execute("select name, value from kept").fetchall()
    finally:
        db.close()
    return {name: json.loads(text) for name, text in found}
