"""The daemon and the broker are killed again and again: benchmarks/mqtt/kills.py, a short run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

KILLS = Path(__file__).parents[2] / "benchmarks" / "mqtt" / "kills.py"


def test_nothing_that_was_numbered_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, KILLS, "--daemon", "10", "--broker", "8", "--folder", tmp_path],
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "missing at the consumer          0" in done.stdout
