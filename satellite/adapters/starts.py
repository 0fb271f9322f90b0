"""Starts that did not come to an orderly end, in the state directory.

Each start is noted before anything else that could fail is done, and forgotten in an orderly end.
What is left of this boot and of the last WITHIN_S are crashes. Seconds since the boot, because the
clock on the wall may be wrong. A disk that does not take or give a note has none: never an error.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Final

WITHIN_S: Final = 600.0
MOST_KEPT: Final = 20
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Starts:
    """Whoever holds the lock of the state directory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "starts"

    def note(self, now: float | None = None) -> int:
        """Note this start; return how many before it ended in no order. ``now``: since the boot."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME) if now is None else now
        boot, recent = _boot(), [at for at in self._read() if 0 <= now - at < WITHIN_S]
        with contextlib.suppress(OSError):
            self._path.write_text(json.dumps({"boot": boot, "at": [*recent[-MOST_KEPT:], now]}))
        return len(recent)

    def forget(self) -> None:
        """It ended in order, or said why it does not start: no crash."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _read(self) -> list[float]:
        try:
            kept = json.loads(self._path.read_text())
            return [float(at) for at in kept["at"]] if kept["boot"] == _boot() else []
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return []


def _boot() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"
