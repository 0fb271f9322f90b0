"""``satellite config`` beside a running satellite, and for files that are right or wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from asker import asking
from program import Daemon, Run, recorded
from scripted_server import Script, running

from satellite.config.editors import schema

CANARY = "sk-canary-0123456789abcdefghij"
GOOD = """\
realtime: {provider: compatible, url: "ws://127.0.0.1:9/v1/realtime", api_key: !secret key}
mqtt: {password: !env PW}
state_dir: state
"""


def values_of(told: str) -> dict[str, object]:
    """Those of one value: a list has an origin for each item, or is a default as a whole."""
    entries = json.loads(told).items()
    values = {key: each["value"] for key, each in entries if "[" not in key}
    return {key: value for key, value in values.items() if not isinstance(value, list)}


def test_what_was_changed_over_mqtt_is_shown_and_the_satellite_goes_on(
    daemon: Daemon, satellite: Run
) -> None:
    with running(Script()) as url, asking(daemon.port) as asker:
        daemon.start(url, audio={"input": {"file": [recorded("vm-goodbye")]}})
        daemon.until("settings")
        assert asker.ask("volume", "35")["status"] == "done"
        assert asker.ask("language", "auto")["status"] == "done"
        done = satellite("config", "audio.output.volume", "realtime.transcription.language")
        assert (done.returncode, done.stderr) == (0, "")
        first, *rest = done.stdout.splitlines()
        assert first == (
            f"# Changed over MQTT, by {daemon.folder / 'state'}:"
            " audio.output.volume, realtime.transcription.language"
        )
        assert [" ".join(line.split()) for line in rest] == [
            "audio:",
            "output:",
            "volume: 35 # chosen over MQTT, in place of 60 (default)",
            "realtime:",
            "transcription:",
            "language: null # chosen over MQTT, in place of en (default)",
        ]
        assert asker.ask("volume", "36")["status"] == "done"
        assert daemon.stop()[0] == 0
    done = satellite("config", "--json", "audio.output.volume")
    assert done.stderr.startswith(f"Changed over MQTT, by {daemon.folder / 'state'}: ")
    assert json.loads(done.stdout)["audio.output.volume"]["value"] == 36


def test_it_can_be_fed_back_and_has_no_secret(
    satellite: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(GOOD)
    (tmp_path / "secrets.yaml").write_text(f"# mine\nkey: {CANARY}\n")
    (tmp_path / "secrets.yaml").chmod(0o600)
    monkeypatch.setenv("PW", CANARY)
    done = satellite("config")
    assert done.returncode == 0, done.stderr
    assert "api_key: !secret key " in done.stdout
    assert "# !secret key (secrets.yaml:2)" in done.stdout
    assert f"nothing; no satellite has run with {tmp_path / 'state'} yet" in done.stdout
    (tmp_path / "again.yaml").write_text(done.stdout)
    again = satellite("config", "--json", "-c", "again.yaml")
    once = values_of(satellite("config", "--json").stdout)
    assert once == values_of(again.stdout)
    assert len(once) > 60
    assert CANARY not in done.stdout + done.stderr + again.stdout + again.stderr


def test_a_wrong_file_is_told_as_check_does(satellite: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("name: A B\ngate: {onset: 60}\n")
    told, checked = satellite("config"), satellite("check")
    assert (told.returncode, told.stdout) == (78, "")
    assert told.stderr == checked.stderr
    assert len(told.stderr.splitlines()) == 3


def test_an_unknown_key_is_told(satellite: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(GOOD.partition("mqtt:")[0].replace("!secret key", "~"))
    done = satellite("config", "realtime.voise")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "satellite: realtime.voise is not a known key; did you mean realtime.voice?\n"
    )


def test_the_schema_needs_no_file(satellite: Run) -> None:
    done = satellite("config", "--schema")
    assert done.returncode == 0
    assert json.loads(done.stdout) == schema() == yaml.safe_load(done.stdout)
