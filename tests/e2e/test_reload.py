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


def test_a_wrong_configuration_changes_nothing_and_every_problem_is_told(daemon: Daemon) -> None:
    script = Script()
    with running(script) as url:
        daemon.start(url, audio={"input": {"file": [recorded("vm-goodbye")]}})
        daemon.until("turn")
        assert daemon.process is not None
        path = daemon.folder / "config.yaml"
        good = path.read_text()
        path.write_text(f"{good}gate: {{agressiveness: 3, onset_ms: fast}}\nname: other\n")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.log.count("was not taken over") == 3)
        problem = daemon.problem("config_rejected")
        path.write_text(good.replace("  url:", "  voice: cedar\n  url:"))
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "taken over from the configuration: realtime.voice" in daemon.log)
        daemon.cured("config_rejected")
        assert daemon.stop()[0] == 0
    assert "wrong and not in use: config.yaml:" in problem["detail"]
    assert problem["detail"].endswith("; and 2 more")
    written = good.count("\n")
    for where, sentence in (
        (
            f"{written + 1}:8",
            "gate.agressiveness: is not a known key; did you mean aggressiveness?",
        ),
        (f"{written + 1}:36", "gate.onset_ms: is 'fast', must be a whole number from 20 to 1000"),
        (f"{written + 2}:1", "name: is written twice"),
    ):
        assert f"was not taken over: config.yaml:{where}: {sentence}" in daemon.log
    assert "needs a restart" not in daemon.log


def test_what_it_may_cost_and_how_loud_it_is_change_without_a_restart(daemon: Daemon) -> None:
    with running(Script()) as url:
        daemon.start(
            url,
            realtime={"provider": "openai", "model": "gpt-realtime-2.1"},
            audio={"input": {"file": [recorded("vm-goodbye")]}},
            budget={"per_day": 1.5},
        )
        assert daemon.until("usage")["cap_day_usd"] == 1.5
        assert daemon.process is not None
        rewrite(daemon.folder, "per_day: 1.5", "per_day: 2.5")
        rewrite(daemon.folder, "  output:\n", "  output:\n    volume: 35\n")
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.until("usage", cap_day_usd=2.5)
        assert daemon.told("settings", volume=35)
        assert daemon.stop()[0] == 0
    assert "taken over from the configuration: audio.output.volume, budget.per_day" in daemon.log
