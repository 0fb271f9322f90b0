"""The demo's other processes: a broker, the local server, the daemon. Gone when the demo is.

Each function is a context manager that starts one process, waits until it is ready, and ends it.
A demo that is killed cannot end them: so each asks the kernel for a SIGTERM when its parent dies.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from satellite.errors import SetupError

READY_S: Final = 120.0  # loading the models on a slow machine
END_S: Final = 5.0
_MOSQUITTO: Final = "/usr/sbin/mosquitto"  # Debian puts it outside a user's PATH


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[tuple[str, int]]:
    """Start an MQTT broker on a free loopback port; yield its name and port."""
    port = free_port()
    mosquitto = shutil.which("mosquitto") or shutil.which(_MOSQUITTO)
    if mosquitto is not None:
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n"
        )
        name, command = "mosquitto", [mosquitto, "-c", str(config)]
    else:
        name = "iotcore"
        serve = (
            "import iotcore, time; "
            f"b = iotcore.Broker(port={port}, listen='127.0.0.1'); b.start(); time.sleep(1 << 30)"
        )
        command = [sys.executable, "-c", serve]
    with _process(command, folder / "broker.log") as child:
        deadline = time.monotonic() + 20
        while not _answers(port):
            if child.poll() is not None or time.monotonic() > deadline:
                raise SetupError(f"the MQTT broker {name} did not start: {tail(child.log)}")
            time.sleep(0.05)
        yield name, port


@contextlib.contextmanager
def server(folder: Path, *options: str) -> Iterator[str]:
    """Start the local Realtime server; yield its address when its models are loaded."""
    command = [sys.executable, "-m", "satellite", "serve", "--port", "0", *options]
    with _process(command, folder / "server.log", read_output=True) as child:
        yield _ready_line(child).removeprefix("ready:").strip()


@contextlib.contextmanager
def daemon(folder: Path, config: Path) -> Iterator[Child]:
    """Start ``satellite run`` with ``config``."""
    command = [sys.executable, "-m", "satellite", "run", "-c", str(config)]
    with _process(command, folder / "satellite.log") as child:
        yield child


class Child:
    """A running process and where its words go."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self.process.poll()


def tail(log: Path) -> str:
    """The last thing a process said."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].removeprefix("satellite: ") if lines else "it said nothing"


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _ready_line(child: Child) -> str:
    """Wait for the line ``ready: ADDRESS`` on the process's standard output."""
    assert child.process.stdout is not None
    watchdog = time.monotonic() + READY_S
    os.set_blocking(child.process.stdout.fileno(), False)
    while time.monotonic() < watchdog:
        line = child.process.stdout.readline()
        if line.startswith("ready:"):
            return line
        if child.poll() is not None:
            break
        time.sleep(0.05)
    raise SetupError(f"the local Realtime server did not start: {tail(child.log)}")


@contextlib.contextmanager
def _process(command: list[str], log: Path, *, read_output: bool = False) -> Iterator[Child]:
    with log.open("w") as sink:
        tied = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
        process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
            [*tied, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if read_output else sink,
            stderr=sink,
            text=True,
        )
    try:
        yield Child(process, log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
