"""The whole daemon as a process, what it hears, and a far end that hears words at our command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml
from house import MODES, PROJECT

sys.path.append(str(PROJECT / "tests" / "e2e"))  # the far end of those tests is ours too

import scripted_server

RATE: Final = 24_000
NAME: Final = "study"
BASE: Final = f"satellite/{NAME}"


class FarEnd(scripted_server.Script):
    """A Realtime server that takes whatever it hears for the words of ``words``."""

    def __init__(self, words: Callable[[], str]) -> None:
        super().__init__(answers=["Yes."] * 10_000, voice_ms=100)
        self.words = words


class Session(scripted_server.Session):
    """Tells the words in place of its own."""

    def say(self, kind: str, **body: Any) -> None:
        assert isinstance(self.script, FarEnd)
        if kind.endswith("input_audio_transcription.completed"):
            body["transcript"] = self.script.words()
        super().say(kind, **body)


scripted_server.Session = Session  # type: ignore[misc]


def sound(path: Path, speech: str | None, length_s: float) -> str:
    """A recording of so many seconds: a shipped one, cut, then silence; or silence alone."""
    voiced = b""
    if speech:
        with wave.open(str(PROJECT / "satellite/demo" / speech)) as shipped:
            rate = shipped.getframerate()
            voiced = shipped.readframes(shipped.getnframes())
    else:
        rate = RATE
    whole = int(rate * length_s) * 2
    with wave.open(str(path), "wb") as made:
        made.setparams((1, 2, rate, 0, "NONE", ""))
        made.writeframes(voiced[:whole].ljust(whole, b"\0"))
    return str(path)


class Satellite:
    """``satellite run`` named study, connected to the broker; its state directory outlives it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, url: str, **config: Any) -> None:
        """Start it with more of a configuration, by section."""
        whole: dict[str, Any] = {
            "name": NAME,
            "realtime": {"provider": "compatible", "url": url, "model": "local"},
            "mqtt": {"host": "127.0.0.1", "port": self.port, "discovery": MODES[-1]},
            "audio": {"output": {"file": str(self.folder / "answer.wav")}},
        }
        for key, value in config.items():
            whole[key] = {**whole.get(key, {}), **value}
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(whole))
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "satellite", "run", "-c", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "STATE_DIRECTORY": str(state)},
            )

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(15)

    def kill(self) -> None:
        """As a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def complaints(self) -> list[str]:
        """Errors of its log."""
        return re.findall(r"^.*(?:ERROR|Traceback).*$", self.log, re.MULTILINE)
