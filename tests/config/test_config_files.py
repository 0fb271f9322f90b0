"""Reading from the disk and ``satellite check``: files, permissions, credentials, exit codes."""

from __future__ import annotations

import argparse
import logging
import os
from datetime import date
from pathlib import Path

import pytest

from satellite.cli import check
from satellite.cli.read_config import look, read_config
from satellite.errors import ConfigError

GOOD = "realtime: {api_key: !secret key, transcription: {model: gpt-transcribe}}\n"
TODAY = date(2026, 11, 21)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(GOOD)
    secrets = tmp_path / "secrets.yaml"
    secrets.write_text('key: "k-1"\n')
    secrets.chmod(0o600)
    return tmp_path


def problems_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_config(path, TODAY)
    return caught.value.problems


def test_secrets_beside_the_file(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_config(folder / "config.yaml", TODAY).realtime.api_key == "k-1"
    assert not caplog.records


def test_a_relative_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.wav").touch()
    (folder / "config.yaml").write_text(GOOD + "audio: {input: {file: a.wav}}\n")
    monkeypatch.chdir(folder)
    assert read_config(Path("config.yaml"), TODAY).audio.input.file == (str(folder / "a.wav"),)


def test_secrets_that_everybody_can_read(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "secrets.yaml").chmod(0o644)
    (folder / "config.yaml").write_text(GOOD + "mqtt: {password: !secret key}\n")
    with caplog.at_level(logging.WARNING):
        read_config(folder / "config.yaml", TODAY)
    (record,) = caplog.records
    assert f"chmod 600 {folder / 'secrets.yaml'}" in record.getMessage()


def test_broken_secrets(folder: Path) -> None:
    (folder / "secrets.yaml").write_text("key: 'k-1")
    (problem,) = problems_of(folder / "config.yaml")
    assert problem.startswith(
        "config.yaml:1:21: realtime.api_key: !secret key cannot be looked up: secrets.yaml:1:6: is"
    )


def test_environment_and_credentials(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = folder / "credentials"
    given.mkdir()
    (given / "mqtt").write_text("two \n\n")
    (given / "binary").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    monkeypatch.setenv("SATELLITE_KEY", "from-environment")
    (given / "mqtt").write_text("from-credential\n")
    (folder / "config.yaml").write_text(
        "realtime: {api_key: !env SATELLITE_KEY}\nmqtt: {password: !credential mqtt}\n"
    )
    config = read_config(folder / "config.yaml", TODAY)
    assert (config.realtime.api_key, config.mqtt.password) == (
        "from-environment",
        "from-credential",
    )


def test_no_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    (problem,) = problems_of(path)
    assert problem == (
        "config.yaml: cannot be read (no such file or directory); cp config.example.yaml"
        f" {path}, then edit it"
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path)
    assert "cannot be read (is a directory)" in problem


def test_not_utf_8(folder: Path) -> None:
    (folder / "config.yaml").write_bytes(b"name: k\xfcche\n")
    assert problems_of(folder / "config.yaml") == [
        "config.yaml:1:8: is not UTF-8; save it as UTF-8"
    ]


def test_a_file_without_end(folder: Path) -> None:
    (folder / "config.yaml").unlink()
    (folder / "config.yaml").write_text("#" + "\u00fc" * 1_000_000)
    (problem,) = problems_of(folder / "config.yaml")
    assert "has more than 65536 bytes" in problem


def test_files_that_the_configuration_names(folder: Path) -> None:
    (folder / "config.yaml").write_text(
        GOOD
        + "audio:\n  input: {file: [gone.wav, .]}\n  output: {file: gone/x.wav}\n"
        + "mqtt: {tls: true, ca_file: ca.pem}\n"
    )
    sentences = [
        "3:18: audio.input.file: 'gone.wav' does not exist (looked for {}/gone.wav)",
        "3:28: audio.input.file: '.' is not a file",
        (
            "4:18: audio.output.file: 'gone/x.wav' is in a folder that does not exist;"
            " make it with mkdir -p {}/gone"
        ),
        "5:28: mqtt.ca_file: 'ca.pem' does not exist (looked for {}/ca.pem)",
    ]
    assert problems_of(folder / "config.yaml") == [
        f"config.yaml:{sentence.format(folder)}" for sentence in sentences
    ]


def test_a_folder_cannot_be_written_to_as_a_file(tmp_path: Path) -> None:
    assert look("write", str(tmp_path)) == "is a folder; add the name of a file"
    assert look("write", str(tmp_path / "new.wav")) is None


def test_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root has every permission
    (tmp_path / "a").touch()
    assert look("read", str(tmp_path / "a")) == "is not readable; check its permissions"
    assert look("write", str(tmp_path / "a")) == "cannot be written; check the permissions"


def test_what_we_may_not_look_into_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stat(path: Path, **_: bool) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", stat)  # root may look into every folder
    for use in ("read", "write", "folder"):
        said = look(use, "/etc/ssl/private/broker.pem")  # type: ignore[arg-type]
        assert said == "cannot be looked at (permission denied); check its permissions"
    (problem,) = problems_of(tmp_path / "config.yaml")
    assert problem.endswith("cannot be read (no such file or directory); check its permissions")


def test_check_says_ok(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_check("-c", str(folder / "config.yaml")) == 0
    assert capsys.readouterr().out.splitlines() == [
        "server: openai, api.openai.com:443, with your key",
        "session: conversation, dialect ga, model gpt-realtime-2.1, answers as audio",
        "written down by: gpt-transcribe; your turn is ended by the server, after its silence",
        "config.yaml: ok",
    ]


def test_check_prints_no_key_and_what_a_secret_settles(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.yaml").write_text(
        "realtime:\n"
        "  {provider: compatible, url: !secret address, voice: cedar, output_format: pcma,\n"
        "  client_secret: {command: [pass, show-hunter2]}}\n"
    )
    (folder / "secrets.yaml").write_text('address: "wss://host.lan/x?canary=hunter2"')
    assert run_check("-c", str(folder / "config.yaml")) == 0
    said = capsys.readouterr().out
    assert "server: compatible, host.lan:443, with a client secret for each connection" in said
    assert "the model of the secret" in said
    assert "sound: pcm to the server, pcma from it" in said
    left = "left to the server: instructions, noise_reduction, output, tools, transcription_model"
    assert left in said
    assert "hunter2" not in said


@pytest.mark.checklist("C55")
@pytest.mark.parametrize(
    ("day", "verb"), [(date(2027, 1, 19), "ends"), (date(2027, 1, 20), "ended")]
)
def test_a_model_that_ends_is_said_at_start(
    folder: Path, caplog: pytest.LogCaptureFixture, day: date, verb: str
) -> None:
    (folder / "config.yaml").write_text(
        "realtime:\n  api_key: !secret key\n  model: gpt-realtime\n"
        "  transcription: {model: gpt-transcribe}\n"
    )
    with caplog.at_level(logging.WARNING):
        read_config(folder / "config.yaml", day)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"config.yaml:3:3: realtime.model: gpt-realtime {verb} on 2027-01-20; take gpt-realtime-2.1"
    )


@pytest.mark.checklist("C55")
def test_a_model_that_ends_is_said_by_check(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.yaml").write_text("realtime: {api_key: !secret key}\n")
    assert run_check("-c", str(folder / "config.yaml")) == 0
    first = capsys.readouterr().out.partition("\n")[0]
    assert first.startswith(
        "warning: config.yaml: realtime.transcription.model: gpt-4o-mini-transcribe end"
    )
    assert first.endswith(" on 2027-02-26; take gpt-transcribe")


def test_check_lets_the_problems_out(folder: Path) -> None:
    (folder / "config.yaml").write_text("name: A B\n")
    with pytest.raises(ConfigError):
        run_check("-c", str(folder / "config.yaml"))


def test_check_has_a_default_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_check("--help")
    assert "example: satellite check -c config.yaml --connect" in capsys.readouterr().out


def run_check(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    check.register(parser.add_subparsers())
    args = parser.parse_args(["check", *arguments])
    code: int = args.run(args)
    return code
