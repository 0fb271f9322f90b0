"""A broker and a daemon for each test; no process outlives it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import Daemon, Run

from satellite.cli import children, demo


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with contextlib.ExitStack() as stack:
        _, port = stack.enter_context(children.broker(tmp_path))
        seen = stack.enter_context(demo.onlooker(port))
        made = Daemon(tmp_path, port, seen)
        yield made
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait()


@pytest.fixture
def satellite(tmp_path: Path) -> Run:
    """Run one command to its end."""

    def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "satellite", *arguments],
            capture_output=True,
            text=True,
            timeout=150,
            cwd=tmp_path,
            **more,
        )

    return run
