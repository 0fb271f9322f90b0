"""What both programs need: a broker that can be killed, the daemon's configuration, silence."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import Any

import yaml

NAME = "bench"
BASE = f"satellite/{NAME}"


class Mosquitto:
    """A broker on one port, started again and again; it remembers nothing."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        path = self._folder / "mosquitto.conf"
        path.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            "persistence false\nmax_queued_messages 0\n"
        )
        self.process = subprocess.Popen([program, "-c", str(path)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise SystemExit("mosquitto did not start")

    def kill(self) -> None:
        """As a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def write_config(folder: Path, url: str, port: int, state: Path | None = None) -> Path:
    """The daemon's, with a recording of silence as the microphone."""
    silence = folder / "silence.wav"
    with wave.open(str(silence), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(bytes(24_000 * 2 * 10))
    config: dict[str, Any] = {
        "name": NAME,
        "audio": {"input": {"file": str(silence), "loop": True}, "output": {"device": "none"}},
        "realtime": {"provider": "compatible", "url": url, "model": "local", "output": "text"},
        "mqtt": {"host": "127.0.0.1", "port": port, "discovery": "none"},
        "state_dir": str(state or folder / "state"),
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def start_daemon(folder: Path, config: Path) -> subprocess.Popen[bytes]:
    """``satellite run``; its words are added to a file."""
    with (folder / "satellite.log").open("a") as log:
        command = [sys.executable, "-m", "satellite", "run", "-c", str(config)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def share(values: list[float], part: float) -> float:
    """The value below which so much of them are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
