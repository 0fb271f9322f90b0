"""The whole daemon with a button: a FIFO stands in for the kernel's device."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import Daemon, recorded
from pulse_card import PulseCard
from scripted_server import Script, running, wait_until

from satellite.adapters import recording
from satellite.adapters.buttons import EVENT
from satellite.model.audio import silence

KEY = 183  # KEY_F13
DEVICES = {"input": {"device": "default"}, "output": {"device": "default"}}


class Keyboard:
    """Writes what the kernel would; ``path`` is the device."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: io.FileIO | None = None
        os.mkfifo(path)

    def plug_in(self) -> None:
        """Waits for the daemon to read it."""
        self.file = io.FileIO(self.path, "w")

    def pull_out(self) -> None:
        assert self.file is not None
        self.path.rename(self.path.with_name("elsewhere"))
        self.file.close()

    def put_back(self) -> None:
        self.path.with_name("elsewhere").rename(self.path)
        self.plug_in()

    def press(self, value: int) -> None:
        assert self.file is not None
        self.file.write(EVENT.pack(1, 2, 1, KEY, value) + EVENT.pack(1, 2, 0, 0, 0))


@pytest.fixture
def keyboard(tmp_path: Path) -> Iterator[Keyboard]:
    made = Keyboard(tmp_path / "keyboard")
    yield made
    with contextlib.suppress(OSError):
        if made.file is not None:
            made.file.close()


def config(keyboard: Keyboard, **more: Any) -> dict[str, Any]:
    button = {"device": str(keyboard.path), "key": "KEY_F13", **more}
    return {"gate": {"activation": "push_to_talk"}, "push_to_talk": button}


def spoken(name: str) -> bytes:
    return recording.load(recorded(name)) + silence(200)


def test_held_it_hears_who_speaks_and_a_press_stops_the_answer(
    daemon: Daemon, pulse: PulseCard, keyboard: Keyboard
) -> None:
    script = Script(answers=["A long one.", "Yes.", "No."], voice_ms=8000)
    with running(script) as url:
        daemon.start(url, env=pulse.env, audio=DEVICES, **config(keyboard))
        keyboard.plug_in()
        daemon.until("state", state="idle")
        wait_until(lambda: pulse.hearers() == ["mic"])
        pulse.feed(spoken("please-try-again"))
        keyboard.press(1)
        daemon.until("state", state="listening")
        keyboard.press(2)
        keyboard.press(0)
        daemon.until("state", state="speaking")
        first_ms = script.heard_ms
        assert first_ms > 500
        keyboard.press(1)
        turn = daemon.until("turn")
        assert (turn["event_type"], turn["response"]) == ("interrupted", "A long one.")
        daemon.until("state", state="listening")
        script.voice_ms = 300
        pulse.feed(spoken("please-try-again"))
        wait_until(lambda: script.heard_ms > first_ms + 500)
        keyboard.press(0)
        turn = daemon.until("turn")
        assert (turn["event_type"], turn["response"]) == ("answered", "Yes.")
        heard_ms = script.heard_ms
        daemon.until("state", state="idle")
        pulse.feed(spoken("please-try-again"))
        wait_until(lambda: pulse.unheard() == 0)
        assert script.heard_ms <= heard_ms + 200, "nobody had pressed"
        assert daemon.stop()[0] == 0
    assert "Traceback" not in daemon.log


def test_tapped_one_turn_is_heard_and_a_button_that_is_pulled_out_is_told(
    daemon: Daemon, keyboard: Keyboard
) -> None:
    script = Script(answers=["It is noon."] * 3)
    microphone = {"input": {"file": [recorded("please-try-again")], "loop": True}}
    with running(script) as url:
        daemon.start(url, audio=microphone, **config(keyboard, mode="tap"))
        keyboard.plug_in()
        daemon.until("state", state="idle")
        for _ in range(2):
            keyboard.press(1)
            keyboard.press(0)
            assert daemon.until("turn")["response"] == "It is noon."
            keyboard.pull_out()
            problem = daemon.problem("button_missing")
            assert str(keyboard.path) in problem["detail"]
            keyboard.put_back()
            daemon.cured("button_missing")
        assert daemon.stop()[0] == 0
    assert script.answers == ["It is noon."], "two presses, two turns"


def test_without_the_device_it_runs_and_says_so(daemon: Daemon, keyboard: Keyboard) -> None:
    keyboard.path.unlink()
    with running(Script()) as url:
        daemon.start(url, **config(keyboard))
        problem = daemon.problem("button_missing")
        assert "there is no button" in problem["detail"]
        assert daemon.stop()[0] == 0
