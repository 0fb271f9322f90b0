"""The button thread: presses come, devices come and go, and it ends when it is told to."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from posted import Events

from satellite.adapters.buttons import EVENT, InputButton
from satellite.logic.backoff import Backoff
from satellite.model import events as ev
from satellite.pressing import Pressing

pytestmark = pytest.mark.usefixtures("no_thread_left")

KEY = 148
DOWN, UP = (EVENT.pack(1, 2, 1, KEY, value) + EVENT.pack(1, 2, 0, 0, 0) for value in (1, 0))


@pytest.fixture(autouse=True)
def _quick_reopen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("satellite.pressing.REOPEN", Backoff(0.05, 0.05))


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "button"
    os.mkfifo(path)
    return path


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def pressing(device: Path, events: Events) -> Iterator[Pressing]:
    made = Pressing(InputButton(str(device), KEY), events.post)
    made.start()
    yield made
    assert made.stop(5)


def kinds(events: Events) -> list[type[ev.Event]]:
    events.rest()
    return [type(event) for event in events.all]


@pytest.mark.usefixtures("pressing")
def test_a_press_and_a_release_are_told(device: Path, events: Events) -> None:
    with device.open("wb", buffering=0) as keyboard:
        keyboard.write(DOWN)
        events.until(ev.Pressed)
        keyboard.write(UP)
        events.until(ev.Released)
    assert kinds(events)[:2] == [ev.Pressed, ev.Released]


@pytest.mark.usefixtures("pressing")
def test_one_that_goes_while_it_is_pressed_was_let_go_and_it_is_tried_again(
    device: Path, events: Events
) -> None:
    with device.open("wb", buffering=0) as keyboard:
        keyboard.write(DOWN)
        events.until(ev.Pressed)
        device.rename(device.with_name("elsewhere"))
    lost = events.until(ev.ButtonLost)
    assert lost.why == "missing"
    assert "is gone" in lost.detail
    assert "there is no button" in events.until(ev.ButtonLost).detail
    device.with_name("elsewhere").rename(device)
    events.until(ev.ButtonReady)
    with device.open("wb", buffering=0) as keyboard:
        keyboard.write(DOWN)
        events.until(ev.Pressed)
    assert kinds(events)[:5] == [
        ev.Pressed,
        ev.Released,
        ev.ButtonLost,
        ev.ButtonLost,
        ev.ButtonReady,
    ]


def test_it_is_said_once_that_there_is_none(tmp_path: Path, events: Events) -> None:
    button = InputButton(str(tmp_path / "none"), KEY)
    tries, opened = threading.Semaphore(0), button.open

    def count() -> None:
        tries.release()
        opened()

    button.open = count  # type: ignore[method-assign]
    pressing = Pressing(button, events.post)
    pressing.start()
    assert all(tries.acquire(timeout=5) for _ in range(4))
    assert pressing.stop(5)
    assert kinds(events) == [ev.ButtonLost]


class Broken:
    """A Button that fails in a way that nobody foresaw, once."""

    def __init__(self) -> None:
        self.opens = 0
        self.woken = threading.Event()

    def open(self) -> None:
        self.opens += 1
        if self.opens == 1:
            raise ValueError("a bug")

    def read(self) -> bool | None:
        assert self.woken.wait(5)
        return None

    def wake(self) -> None:
        self.woken.set()

    def close(self) -> None:
        pass


def test_a_failure_that_nobody_foresaw_is_tried_again(events: Events) -> None:
    pressing = Pressing(Broken(), events.post)
    pressing.start()
    lost = events.until(ev.ButtonLost)
    assert (lost.why, lost.detail) == ("failed", "ValueError in the button thread; see the log")
    events.until(ev.ButtonReady)
    assert pressing.stop(5)


def test_it_ends_at_once_in_a_pause_between_tries(
    tmp_path: Path, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("satellite.pressing.REOPEN", Backoff(60, 60))
    pressing = Pressing(InputButton(str(tmp_path / "none"), KEY), events.post)
    pressing.start()
    events.until(ev.ButtonLost)
    assert pressing.stop(5)


def test_it_shows_that_it_takes_orders(pressing: Pressing, device: Path, events: Events) -> None:
    """While it waits for a press, and while there is no button; and a press is still heard."""

    def knocked() -> bool:
        answered = threading.Event()
        pressing.knock(answered.set)
        return answered.wait(2)

    assert knocked()
    with device.open("wb", buffering=0) as keyboard:
        keyboard.write(DOWN)
        events.until(ev.Pressed)
        assert knocked()
        device.unlink()
    events.until(ev.ButtonLost)
    assert knocked()
    assert knocked()
