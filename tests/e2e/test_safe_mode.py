"""Five crashes in ten minutes: what is left tells of it, hears nobody, and can be told to go on."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from asker import asking
from program import Daemon, recorded
from scripted_server import Script, running

from satellite.adapters.starts import Starts
from satellite.model import commands as cmd


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody who starts it again: they are told how it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        yield {"NOTIFY_SOCKET": str(tmp_path / "notify")}


def crashed(daemon: Daemon, times: int) -> None:
    state = daemon.folder / "state"
    state.mkdir(mode=0o700)
    for _ in range(times):
        Starts(state).note()


def test_after_five_crashes_it_tells_and_hears_nobody(
    daemon: Daemon, supervised: dict[str, str]
) -> None:
    script = Script()
    crashed(daemon, 5)
    recording = {"input": {"file": [recorded("vm-goodbye")]}}
    with running(script) as url, asking(daemon.port) as asker:
        daemon.start(url, env=supervised, audio=recording)
        problem = daemon.problem("safe_mode")
        assert problem["detail"].startswith("it crashed 5 times")
        assert "cmd/restart" in problem["fix"]
        refused = asker.ask("ask", "Is anybody there?")
        assert refused["status"] == "rejected"
        assert "it crashed 5 times" in refused["error"]
        assert script.sessions == 0
        asker.send("restart")
        assert daemon.process is not None
        assert daemon.process.wait(10) == cmd.START_AGAIN
        daemon.start(url, env=supervised, audio=recording)  # as systemd does
        daemon.cured("safe_mode")
        daemon.until("turn")
        assert daemon.stop()[0] == 0
    assert not (daemon.folder / "state/starts").exists()


def test_four_crashes_are_bad_luck(daemon: Daemon, supervised: dict[str, str]) -> None:
    crashed(daemon, 4)
    with running(Script()) as url:
        daemon.start(url, env=supervised, audio={"input": {"file": [recorded("vm-goodbye")]}})
        daemon.until("turn")
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.start(url, env=supervised)
        assert daemon.problem("safe_mode")["detail"].startswith("it crashed 5 times")
        assert daemon.stop()[0] == 0


def test_a_wrong_setup_is_no_crash(daemon: Daemon, supervised: dict[str, str]) -> None:
    crashed(daemon, 2)
    missing = {"activation": "wake_word"}, {"model": str(daemon.folder / "none.tflite")}
    daemon.start("ws://127.0.0.1:9", env=supervised, gate=missing[0], wake_word=missing[1])
    assert daemon.process is not None
    assert daemon.process.wait(20) == 78
    assert Starts(daemon.folder / "state").note() in {0, 2}  # forgotten, or not even begun


def test_who_starts_it_by_hand_sees_it_crash(daemon: Daemon) -> None:
    crashed(daemon, 9)
    with running(Script()) as url:
        daemon.start(url, audio={"input": {"file": [recorded("vm-goodbye")]}})
        daemon.until("turn")
        assert daemon.stop()[0] == 0
