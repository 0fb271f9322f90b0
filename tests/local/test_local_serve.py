"""satellite serve as a process: one line when ready, stops at once, tells what is wrong."""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from satellite.cli import serve
from satellite.errors import SetupError
from satellite.local import loading, server
from satellite.local.behaviour import TRANSCRIPTS, Behaviour
from satellite.local.engines import Engines

PROGRAM = (
    "import argparse; from satellite.cli import serve; p = argparse.ArgumentParser();"
    "serve.register(p.add_subparsers()); a = p.parse_args(); raise SystemExit(a.run(a))"
)


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, "serve", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )


def parsed(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    serve.register(parser.add_subparsers())
    return parser.parse_args(["serve", *options])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_when_ready_and_stops_within_a_second(number: signal.Signals) -> None:
    with start("--port", "0") as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 60)[0], "not ready within 60 s"
        line = process.stdout.readline()
        assert line.startswith("ready: ws://127.0.0.1:")
        assert line.endswith("/v1/realtime\n")
        port = int(line.split(":")[3].split("/")[0])
        socket.create_connection(("127.0.0.1", port), 5).close()
        began = time.monotonic()
        process.send_signal(number)
        output, progress = process.communicate(timeout=10)
        assert time.monotonic() - began < 2  # 1 s, and room for a busy machine
        assert process.returncode == 0
        assert output == ""
        assert progress.splitlines()[0] == "loading speech detection"
        assert "Traceback" not in progress


def test_a_key_file_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="Cannot read --api-key-file"):
        serve.run(parsed("--api-key-file", str(tmp_path / "none")))
    empty = tmp_path / "empty"
    empty.write_text("\n")
    with pytest.raises(SetupError, match="is empty"):
        serve.run(parsed("--api-key-file", str(empty)))


def test_a_bad_port_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    for port in ("x", "70000", "-1"):
        with pytest.raises(SystemExit) as stopped:
            parsed(f"--port={port}")
        assert stopped.value.code == 2
    capsys.readouterr()


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")
    assert "satellite serve --port" in capsys.readouterr().out


def test_every_option_reaches_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fake_engines: Engines
) -> None:
    given: list[server.Settings] = []

    @asynccontextmanager
    async def running(_engines: Engines, settings: server.Settings) -> AsyncIterator[str]:
        given.append(settings)
        signal.raise_signal(signal.SIGTERM)
        yield "ws://"

    monkeypatch.setattr(server, "running", running)
    monkeypatch.setattr(loading, "load", lambda _say: fake_engines)
    key = tmp_path / "key"
    key.write_text("k\n")
    options = (
        "--host ::1 --port 0 --session-s 1.5 --ping-s 2 --models a,b --out-of-credit --beta"
        f" --paced --transcripts never --record {tmp_path / 'r'} --api-key-file {key}"
    )
    assert serve.run(parsed(*options.split())) == 0
    assert serve.run(parsed()) == 0
    assert given == [
        server.Settings(
            "::1", 0, "k", 1.5, 2.0, ("a", "b"), out_of_credit=True, beta=True, paced=True,
            behaviour=Behaviour(transcripts="never"), record=tmp_path / "r",
        ),
        server.Settings(port=8765),
    ]  # fmt: skip


def test_every_order_of_transcripts_can_be_chosen() -> None:
    for when in TRANSCRIPTS:
        assert parsed("--transcripts", when).transcripts == when


@pytest.mark.parametrize("option", ["--session-s=0", "--session-s=x", "--ping-s=-1", "--models=a,"])
def test_a_bad_value_is_a_usage_error(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parsed(option)
    assert stopped.value.code == 2
    assert option.partition("=")[0] in capsys.readouterr().err
