"""A microphone that goes and comes back, through real PortAudio at a real sound server (P2, F41).

SATELLITE_CYCLES=200 pytest tests/audio/test_coming_back.py -s    as often as you like
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

import pytest
from pulse_card import PulseCard

USER: Final = Path(__file__).with_name("coming_back_user.py")
CYCLES: Final = int(os.environ.get("SATELLITE_CYCLES", "30"))
SETTLED: Final = 6  # cycles after which all libraries are loaded
NOISE: Final = bytes(range(1, 241)) * 80  # 0.4 s


class Census(NamedTuple):
    threads: int
    files: int
    resident_kib: int


class Ears:
    """coming_back_user.py as a process, and what it says."""

    def __init__(self, card: PulseCard, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(USER), "default", *options],
            env={**os.environ, **card.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())

    def until(self, name: str, timeout_s: float = 10.0) -> str:
        """The next line of that name."""
        deadline, seen = time.monotonic() + timeout_s, []
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {name} came, but {seen}") from None
            seen.append(line)
            if line.split()[0] == name:
                return line

    def rest(self) -> list[str]:
        return [self._lines.get() for _ in range(self._lines.qsize())]

    def tell(self, what: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(what + "\n")

    def census(self) -> Census:
        self.tell("census")
        return Census(*(int(each) for each in self.until("census").split()[1:]))


@pytest.fixture
def ears(pulse: PulseCard) -> Iterator[Callable[..., Ears]]:
    made: list[Ears] = []

    def make(*options: str) -> Ears:
        made.append(Ears(pulse, *options))
        return made[-1]

    yield make
    for each in made:
        each.process.kill()
        each.process.communicate()


def pull_out(card: PulseCard) -> Callable[[], None]:
    card.unplug_mic()
    return card.plug_mic


def put_to_sleep(card: PulseCard) -> Callable[[], None]:
    card.suspend_mic(True)
    return lambda: card.suspend_mic(False)


def kill_the_server(card: PulseCard) -> Callable[[], None]:
    card.kill()
    return card.start


WAYS: Final = (pull_out, put_to_sleep, kill_the_server)


def hears(ears: Ears, card: PulseCard) -> None:
    """What is said now is heard, and of the microphone: the monitor is silent."""
    card.feed(NOISE)
    ears.until("Heard")


def test_p2_lost_and_back_again_and_again_without_a_trace(
    pulse: PulseCard, ears: Callable[..., Ears]
) -> None:
    user = ears("quick")
    user.until("MicReady")
    before = user.census()
    for n in range(CYCLES):
        come_back = WAYS[n % len(WAYS)](pulse)
        user.until("MicLost")
        come_back()
        user.until("MicReady")
        if n % 10 < len(WAYS):
            hears(user, pulse)
        if n == SETTLED:
            before = user.census()
    after = user.census()
    print(f"{CYCLES} times: {before} then, {after} now")
    assert after.threads == before.threads
    assert after.files == before.files
    assert after.resident_kib - before.resident_kib < 1024 + 8 * CYCLES


@pytest.mark.parametrize("go", WAYS)
def test_f41_it_is_told_within_3_s_and_hears_within_10_s_after_it_is_back(
    pulse: PulseCard, ears: Callable[..., Ears], go: Callable[[PulseCard], Callable[[], None]]
) -> None:
    user = ears()
    user.until("MicReady")
    gone = time.monotonic()
    come_back = go(pulse)
    user.until("MicLost")
    assert time.monotonic() - gone < 3.0
    time.sleep(1.5)
    come_back()
    back = time.monotonic()
    user.until("MicReady", 10.0)
    assert time.monotonic() - back < 10.0
    hears(user, pulse)


def test_f49_a_process_that_was_stopped_hears_on_and_has_lost_nothing_but_time(
    pulse: PulseCard, ears: Callable[..., Ears]
) -> None:
    user = ears()
    user.until("MicReady")
    user.process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    user.rest()
    user.process.send_signal(signal.SIGCONT)
    user.until("MicGap")
    hears(user, pulse)
    assert not [line for line in user.rest() if line.startswith("MicLost")]


@pytest.mark.parametrize("go", WAYS)
def test_p7_mute_while_it_is_gone_or_looked_for(
    pulse: PulseCard, ears: Callable[..., Ears], go: Callable[[PulseCard], Callable[[], None]]
) -> None:
    user = ears("quick")
    user.until("MicReady")
    come_back = go(pulse)
    for wait_s in (0.05, 0.4):
        time.sleep(wait_s)
        before = time.monotonic()
        user.tell("mute")
        user.until("MicClosed")
        assert time.monotonic() - before < 0.5  # 0.2 of it for the device, as test_muting has it
        if go is not kill_the_server:
            assert pulse.hearers() == []
        user.tell("unmute")
    come_back()
    user.until("MicReady")
