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
from pathlib import Path

import pytest

from satellite.cli import serve
from satellite.errors import SetupError

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
