"""Bad input: one clear sentence each, what to do, the right exit code, never a traceback."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest
from program import Run

GOOD = """\
realtime: {provider: compatible, url: "ws://127.0.0.1:9/v1/realtime"}
audio: {output: {device: none}}
"""


def sentence(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line on stderr of a command that failed as it should."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_no_configuration(satellite: Run) -> None:
    said = sentence(satellite("run", "-c", "nowhere.yaml"), 78)
    assert "nowhere.yaml" in said
    assert "cp config.example.yaml" in said


def test_an_unknown_key(satellite: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(GOOD + "gate: {agressiveness: 3}\n")
    said = sentence(satellite("run"), 78)
    assert said.startswith("config.yaml:3:8: gate.agressiveness: ")
    assert "aggressiveness" in said


def test_every_problem_at_once(satellite: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "name: Küche\ngate: {hangover_ms: 100}\nmqtt: {prot: 1}\n"
    )
    done = satellite("check")
    assert done.returncode == 78
    assert [line.split(":")[1] for line in done.stderr.splitlines()][:3] == ["1", "2", "3"]
    assert len(done.stderr.splitlines()) == 4  # and no key


def test_a_good_configuration(satellite: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(GOOD)
    done = satellite("check")
    assert done.returncode == 0
    assert done.stdout.endswith("config.yaml: ok\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.wav", b""), ("text.wav", b"hello, I am no sound\n" * 20), ("cut.wav", b"RIFF\x24")],
)
def test_a_wav_that_is_none(satellite: Run, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    said = sentence(satellite("demo", name), 2)
    assert name in said
    (tmp_path / "config.yaml").write_text(
        GOOD.replace("audio: {", f"audio: {{input: {{file: {name}}}, ")
    )
    said = sentence(satellite("run"), 78)
    assert said.startswith("config.yaml")
    assert name in said


def test_a_wav_that_is_not_there(satellite: Run) -> None:
    assert "nowhere.wav" in sentence(satellite("demo", "nowhere.wav"), 2)


def test_a_microphone_and_recordings(satellite: Run) -> None:
    assert "exclude each other" in sentence(satellite("demo", "--mic", "x.wav"), 2)


def test_no_microphone_for_the_demo(satellite: Run) -> None:
    assert "no microphone found: plug one in" in sentence(satellite("demo", "--mic"), 78)


def test_a_port_that_is_taken(satellite: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = satellite("serve", "--port", str(port))
    assert done.returncode == 78
    assert str(port) in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_no_command(satellite: Run) -> None:
    assert satellite().returncode == 2


@pytest.mark.parametrize("command", ["run", "demo", "serve", "check", "devices", "tune"])
def test_help_has_an_example(satellite: Run, command: str) -> None:
    done = satellite(command, "--help")
    assert done.returncode == 0
    example = done.stdout.lower().partition("example")[2]
    assert f"satellite {command}" in example
