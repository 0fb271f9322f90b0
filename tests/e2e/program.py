"""The installed program as a process, and the recordings that it hears."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import yaml

from satellite.cli import demo

Run = Callable[..., subprocess.CompletedProcess[str]]
SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")


def recorded(name: str) -> str:
    """A real recorded utterance, 8 kHz."""
    path = SOUNDS / f"{name}.wav"
    assert path.exists(), "install asterisk-core-sounds-en-wav; scripts/setup test does it"
    return str(path)


@dataclass
class Daemon:
    """``satellite run`` with a configuration of the test's."""

    folder: Path
    port: int
    seen: SimpleQueue[tuple[str, Any]]
    process: subprocess.Popen[str] | None = None
    all: list[tuple[str, Any]] = field(default_factory=list)
    program: tuple[str, ...] = ("-m", "satellite")  # for the interpreter

    def start(self, url: str, *, env: dict[str, str] | None = None, **config: Any) -> None:
        whole = {
            "name": demo.NAME,
            "realtime": {"provider": "compatible", "url": url, "model": "local"},
            "mqtt": {"host": "127.0.0.1", "port": self.port, "discovery": "none"},
            "audio": {"output": {"device": "none"}},
            "state_dir": str(self.folder / "state"),
        }
        for key, value in config.items():
            merged = isinstance(value, dict)
            whole[key] = {**whole.get(key, {}), **value} if merged else value  # type: ignore[dict-item]
        path = self.folder / "config.yaml"
        path.write_text(re.sub(r"'(![a-z]+ \w+)'", r"\1", yaml.safe_dump(whole)))  # tags as tags
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "run", "-c", str(path)],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **(env or {})},
                text=True,
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def until(self, topic: str, timeout_s: float = 20.0, **values: Any) -> Any:
        """The next payload on a topic that has the values."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                found, payload = self.seen.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"nothing on {topic} with {values}:\n{self.log}") from None
            self.all.append((found, payload))
            if found != f"{demo.BASE}/{topic}":
                continue
            if not values or (isinstance(payload, dict) and values.items() <= payload.items()):
                return payload

    def told(self, topic: str, timeout_s: float = 20.0, **values: Any) -> Any:
        """A payload on a topic that has the values: one that has come, or the next."""
        for found, payload in self.all:
            if found == f"{demo.BASE}/{topic}" and values.items() <= payload.items():
                return payload
        return self.until(topic, timeout_s, **values)

    def problem(self, code: str, timeout_s: float = 20.0) -> dict[str, str]:
        """Wait until the state names a problem."""
        deadline = time.monotonic() + timeout_s
        while True:
            state = self.until("state", max(0.1, deadline - time.monotonic()))
            for problem in state["problems"]:
                if problem["code"] == code:
                    return dict(problem)

    def cured(self, code: str, timeout_s: float = 20.0) -> None:
        """Wait until the state does not name that problem any more."""
        deadline = time.monotonic() + timeout_s
        while True:
            state = self.until("state", max(0.1, deadline - time.monotonic()))
            if code not in {problem["code"] for problem in state["problems"]}:
                return

    def stop(self) -> tuple[int, float]:
        """SIGTERM; return the exit code and the seconds that it took."""
        assert self.process is not None
        before = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        return code, time.monotonic() - before
