"""The watchdog is fed while every thread takes its orders, and only then."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from satellite.adapters.systemd import Notifier
from satellite.alive import HELD_S, Alive, status
from satellite.model import records as rec

ROUND_S = 10.0


@dataclass
class Thread:
    """One that answers at once, or not at all."""

    answers: bool = True
    held_since: float | None = None
    owed: list[Callable[[], None]] = field(default_factory=list)

    def knock(self, answer: Callable[[], None]) -> None:
        answer() if self.answers else self.owed.append(answer)


@dataclass
class Watched:
    """The core's loop, with a systemd that notes what it is told."""

    alive: Alive
    systemd: socket.socket
    clock: list[float]

    def told(self, rounds: int = 1, shown: rec.State | None = None) -> list[str]:
        """Everything that systemd heard in so many rounds."""
        words: list[str] = []
        for _ in range(rounds):
            self.alive(shown)
            self.clock[0] += ROUND_S
            while True:
                try:
                    words.append(self.systemd.recv(4096).decode())
                except BlockingIOError:
                    break
        return words

    def fed(self, rounds: int = 1) -> int:
        return self.told(rounds).count("WATCHDOG=1")


@pytest.fixture
def threads() -> dict[str, Thread]:
    return {"capture": Thread(), "outbox": Thread()}


@pytest.fixture
def watched(tmp_path: Path, threads: dict[str, Thread]) -> Iterator[Watched]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        clock = [1000.0]
        notifier = Notifier(str(tmp_path / "notify"), ROUND_S)
        yield Watched(Alive(notifier, threads, lambda: clock[0]), systemd, clock)


def test_it_is_fed_once_a_round_while_all_answer(watched: Watched) -> None:
    assert watched.told(rounds=3) == ["STATUS=starting", *["WATCHDOG=1"] * 3]
    watched.clock[0] -= ROUND_S / 2
    watched.alive(None)
    watched.clock[0] -= ROUND_S / 2
    assert watched.fed() == 0  # not twice in a round


@pytest.mark.parametrize("name", ["capture", "outbox"])
def test_one_thread_that_hangs_ends_the_feeding(
    watched: Watched,
    threads: dict[str, Thread],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    watched.fed()
    threads[name].answers = False
    assert watched.fed() == 1  # it is asked, and has a round to answer
    assert watched.fed(rounds=5) == 0
    assert len(threads[name].owed) == 1  # no heap of questions for one that cannot answer
    (line,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert line.getMessage().startswith(f"the {name} thread has not taken an order for 10 s")


def test_one_that_was_slow_is_forgiven(watched: Watched, threads: dict[str, Thread]) -> None:
    thread = threads["outbox"]
    thread.answers = False
    watched.fed()
    assert watched.fed() == 0
    thread.answers = True
    thread.owed.pop()()
    assert watched.fed(rounds=3) == 3


def test_one_that_a_device_holds_is_excused_but_not_for_ever(
    watched: Watched, threads: dict[str, Thread]
) -> None:
    thread = threads["capture"]
    thread.answers, thread.held_since = False, watched.clock[0]
    rounds = int(HELD_S / ROUND_S)
    assert watched.fed(rounds) == rounds
    assert watched.fed(rounds=3) == 0


def test_a_device_that_was_slow_does_not_excuse_a_thread_that_hangs(
    watched: Watched, threads: dict[str, Thread]
) -> None:
    thread = threads["capture"]
    thread.answers, thread.held_since = False, watched.clock[0]
    assert watched.fed(rounds=2) == 2
    thread.held_since = None  # it came back from the device, and takes no order all the same
    assert watched.fed() == 0


def test_nobody_is_asked_where_nobody_watches(threads: dict[str, Thread]) -> None:
    threads["capture"].answers = False
    alive = Alive(Notifier(), threads, lambda: 0.0)
    alive(None)
    assert threads["capture"].owed == []


def a_state(*codes: str, state: str = "idle") -> rec.State:
    since = "2026-11-21T08:00:00.000Z"
    problems = tuple(
        rec.Problem(code=code, since=since, detail=f"{code} is seen", fix=f"mend {code}")
        for code in codes
    )
    return rec.State(state=state, since=since, problems=problems)  # type: ignore[arg-type]


def test_systemctl_status_says_what_is_wrong_and_what_to_do(watched: Watched) -> None:
    one = a_state("mic_missing", state="error")
    assert status(one) == "error; mic_missing: mic_missing is seen; mend mic_missing"
    assert status(a_state("a", "b", "c")) == "idle; a: a is seen; mend a (and 2 more)"
    assert status(a_state()) == "idle"
    assert watched.told(shown=one)[0] == f"STATUS={status(one)}"
    assert watched.told(shown=one) == ["WATCHDOG=1"]  # only what is new
