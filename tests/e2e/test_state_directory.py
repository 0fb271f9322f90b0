"""What outlasts the program: its numbers, its folder, and who may have it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from program import Daemon, Run, recorded
from scripted_server import Script, running

from satellite.cli.children import free_port


def config(folder: Path, state: Path) -> Path:
    whole: dict[str, Any] = {
        "name": "kitchen",
        "realtime": {"provider": "compatible", "url": "ws://127.0.0.1:1/v1", "model": "local"},
        "mqtt": {"host": "127.0.0.1", "port": free_port()},
        "audio": {"output": {"device": "none"}},
        "state_dir": str(state),
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(whole))
    return path


def test_numbers_go_on_after_a_restart_and_a_clean_stop_is_quick(daemon: Daemon) -> None:
    script = Script(answers=["One.", "Two."])
    hears = {"input": {"file": [recorded("hello-world")]}}
    with running(script) as url:
        daemon.start(url, audio={**hears, "output": {"device": "none"}})
        first = daemon.until("turn")
        assert first["seq"] == 3
        daemon.until("state", state="idle")
        code, took = daemon.stop()
        assert (code, took < 2.5) == (0, True)
        assert daemon.until("status") in {"online", "offline"}
        assert not list((daemon.folder / "state").glob("*-wal"))
        daemon.start(url, audio={**hears, "output": {"device": "none"}})
        second = daemon.until("turn")
        assert (second["seq"], second["id"][:12] != first["id"][:12]) == (6, True)
        daemon.stop()


def test_two_on_one_folder(daemon: Daemon, satellite: Run) -> None:
    with running(Script()) as url:
        daemon.start(url)
        daemon.until("status")
        assert daemon.process is not None
        path = config(daemon.folder, daemon.folder / "state")
        other = satellite("run", "-c", str(path))
    assert other.returncode == 75
    assert f"another satellite, process {daemon.process.pid}, uses" in other.stderr
    assert len(other.stderr.splitlines()) == 1


@pytest.mark.parametrize("kind", ["newer", "a file", "of others", "behind a file"])
def test_a_folder_that_cannot_be_used_is_said_at_once(
    satellite: Run, tmp_path: Path, kind: str
) -> None:
    state = tmp_path / "state"
    match kind:
        case "newer":
            state.mkdir(mode=0o700)
            db = sqlite3.connect(state / "outbox.db")
            db.execute("pragma user_version=99")
            db.close()
        case "a file":
            state.write_text("")
        case "of others":
            state.mkdir()
            state.chmod(0o777)
        case "behind a file":
            state.write_text("")
            state = state / "inner"
    began = time.monotonic()
    done = satellite("run", "-c", str(config(tmp_path, state)))
    assert time.monotonic() - began < 10
    assert done.returncode == 78
    (sentence,) = done.stderr.splitlines()
    assert str(state) in sentence
    assert "Traceback" not in done.stderr
