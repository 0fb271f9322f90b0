"""SIGHUP on a running daemon: the smallest update reaches the server, the rest is named."""

from __future__ import annotations

import signal
from pathlib import Path

from program import Daemon, recorded
from scripted_server import Script, running, wait_until


def rewrite(folder: Path, old: str, new: str) -> None:
    path = folder / "config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_can_change_changes_and_what_cannot_is_named(daemon: Daemon) -> None:
    script = Script()
    transcription = {"prompt": "canary one", "language": "en"}
    with running(script) as url:
        daemon.start(
            url,
            realtime={"transcription": transcription},
            audio={"input": {"file": [recorded("vm-goodbye")]}},
        )
        daemon.until("turn")
        rewrite(daemon.folder, "canary one", "canary two")
        rewrite(daemon.folder, "name: demo", "name: other")
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: [f["type"] for f in script.frames].count("session.update") == 2)
        rewrite(daemon.folder, "canary two", "- a list\n- is wrong here")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "was not taken over" in daemon.log)
        assert daemon.stop()[0] == 0
    update = [f for f in script.frames if f["type"] == "session.update"][1]
    assert update["session"] == {
        "type": "realtime",
        "audio": {
            "input": {
                "transcription": {
                    "model": "gpt-4o-mini-transcribe",
                    "language": "en",
                    "prompt": "canary two",
                }
            }
        },
    }
    assert "needs a restart to take effect: name" in daemon.log
    assert "taken over from the configuration: realtime.transcription.prompt" in daemon.log
    assert "canary" not in daemon.log
