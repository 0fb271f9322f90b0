"""The playback thread and real PortAudio: what is told of an answer is what sounded, to the sample.

At the sound server a sink without a buffer of its own is used, whose monitor tells each sample
within 20 ms; the pipe of the virtual card would add what it holds.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from audio_types import MakeCard, Use
from device_user import counted
from pulse_card import PulseCard
from virtual_card import VirtualCard

from satellite.logic import chime
from satellite.model.audio import silence

STEP = 480  # samples: a sound server takes 20 ms at once
SINK = "sink_name=quick rate=24000 channels=1 format=s16le norewinds=1"
RECORD = ["--raw", "--rate=24000", "--format=s16le", "--channels=1", "--latency-msec=20"]


def wait_until(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


class Monitor:
    """What the sound server plays at its sink ``quick``."""

    def __init__(self, pulse: PulseCard) -> None:
        self.env = {**pulse.env, "PULSE_SINK": "quick"}
        with pulse.control() as control:
            control.module_load("module-null-sink", SINK)
        command = ["parec", "-d", "quick.monitor", *RECORD]
        env = {**os.environ, **pulse.env}
        self._recorder = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
        self.pcm = bytearray()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        wait_until(lambda: self.pcm)

    def sounded(self) -> list[int]:
        """The samples that were no silence."""
        return [n for n in array("h", bytes(self.pcm)) if n]

    def quiet(self) -> list[int]:
        """The same, once nothing sounds any more."""
        size = len(self.pcm)
        wait_until(lambda: len(self.pcm) > size + 24_000 and not any(self.pcm[-12_000:]))
        return self.sounded()

    def close(self) -> None:
        self._recorder.kill()
        self._thread.join()
        assert self._recorder.stdout is not None
        self._recorder.stdout.close()
        self._recorder.wait()

    def _read(self) -> None:
        assert self._recorder.stdout is not None
        while piece := os.read(self._recorder.stdout.fileno(), 4096):
            self.pcm += piece


@pytest.fixture
def monitor(pulse: PulseCard) -> Iterator[Monitor]:
    made = Monitor(pulse)
    yield made
    made.close()


class Player:
    """The playback thread in a process of its own; its orders and its events."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def order(self, *orders: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{each}\n" for each in orders).encode())
        self._process.stdin.flush()

    def until(self, event: str) -> str:
        """Wait for an event; returns what it told."""
        assert self._process.stdout is not None
        while line := self._process.stdout.readline().decode():
            name, told = line.rstrip("\n").split(" ")
            if name == event:
                return told
        raise AssertionError(f"no {event} came: {self._process.communicate()}")

    def finish(self, *, quietly: bool = True) -> None:
        """End in order; ``quietly``: with nothing on stderr, of any library."""
        out, err = self._process.communicate(timeout=20)
        assert self._process.returncode == 0, (out, err)
        assert not quietly or err == b""


def samples(ms: int) -> list[int]:
    return list(memoryview(counted(0, ms * 24)).cast("h"))


# --- at the sound server -------------------------------------------------------------------------


def test_every_sample_of_an_answer_sounds_once(monitor: Monitor, use: Use) -> None:
    player = Player(use(monitor.env, "answer", "default"))
    player.order("play 250", "play 33", "play 410", "end")
    assert player.until("PlayoutDrained") == "693"
    assert monitor.quiet() == samples(693)
    player.finish()


@pytest.mark.parametrize("ms", [5, 39, 41])
def test_an_answer_shorter_than_a_period_sounds(monitor: Monitor, use: Use, ms: int) -> None:
    player = Player(use(monitor.env, "answer", "default"))
    player.order(f"play {ms}", "end")
    assert player.until("PlayoutDrained") == str(ms)
    assert monitor.quiet() == samples(ms)
    player.finish()


def test_a_flush_silences_it_within_60_ms_and_tells_what_sounded(
    monitor: Monitor, use: Use
) -> None:
    """Counted in samples: how many more sound after the order. A busy machine may spoil a few."""
    player = Player(use(monitor.env, "answer", "default"))
    after, wrong = [], []
    for _ in range(5):
        done = len(monitor.sounded())
        player.order("play 20000")
        wait_until(lambda done=done: len(monitor.sounded()) > done + 5000)
        before = len(monitor.sounded())
        player.order("flush")
        told = int(player.until("PlayoutFlushed")) * 24
        sounded = len(monitor.quiet())
        after.append(sounded - before)
        wrong.append(abs(sounded - done - told))
    assert sorted(after)[2] <= 60 * 24 + 2 * STEP  # the monitor is late by two steps
    assert sorted(wrong)[2] <= STEP + 24
    player.finish()


def test_a_pause_goes_on_with_the_sample_after_the_last_that_sounded(
    monitor: Monitor, use: Use
) -> None:
    player = Player(use(monitor.env, "answer", "default"))
    player.order("play 1500", "end")
    for heard in (3000, 9000, 20_000):
        wait_until(lambda heard=heard: len(monitor.sounded()) > heard)
        player.order("pause")
        monitor.quiet()
        player.order("resume")
    assert player.until("PlayoutDrained") == "1500"
    sounded = monitor.quiet()
    jumps = [(a, b) for a, b in pairwise(sounded) if b != a % 30_000 + 1]
    assert len(jumps) <= 3
    assert all(0 <= (a - b + 1) % 30_000 <= 3 * STEP for a, b in jumps), (
        jumps
    )  # said again, none lost
    assert sorted(set(sounded)) == list(range(1, 30_001))
    player.finish()


@pytest.mark.parametrize(("ms", "hz"), [(5, 48_000), (41, 48_000), (79, 44_100), (517, 44_100)])
def test_what_a_resampler_holds_back_sounds_too(
    monitor: Monitor, use: Use, ms: int, hz: int
) -> None:
    player = Player(use(monitor.env, "answer", "default", str(hz)))
    for done in (0, ms):
        player.order(f"play {ms}", "end")
        assert player.until("PlayoutDrained") == str(ms)
        whole = (done + ms) * 24
        wait_until(lambda whole=whole: len(monitor.sounded()) >= whole - 120)
        assert len(monitor.quiet()) == pytest.approx(whole, abs=120)
    player.finish()


def test_a_speaker_that_takes_nothing_is_stalled_and_the_next_answer_tries_again(
    pulse: PulseCard, use: Use
) -> None:
    player = Player(use(pulse.env, "answer", "default"))
    player.order("play 5000")
    player.until("PlayoutStarted")
    wait_until(lambda: any(pulse.played()))
    pulse.suspend_speaker(True)
    assert player.until("SpeakerLost") == "stalled"
    told = int(player.until("PlayoutDrained"))
    assert 0 < told < 5000
    player.order("end")
    assert int(player.until("PlayoutDrained")) == told
    pulse.suspend_speaker(False)
    player.order("play 100", "end")
    player.until("SpeakerReady")
    assert player.until("PlayoutDrained") == "100"
    player.finish()


def test_a_speaker_whose_server_is_killed_is_lost_and_comes_back(
    pulse: PulseCard, use: Use
) -> None:
    player = Player(use(pulse.env, "answer", "default"))
    player.order("play 5000")
    player.until("PlayoutStarted")
    pulse.kill()
    assert player.until("SpeakerLost") == "missing"
    assert 0 <= int(player.until("PlayoutDrained")) < 5000
    player.order("end")
    player.until("PlayoutDrained")
    pulse.start()
    player.order("play 100", "end")
    player.until("SpeakerReady")
    player.finish(quietly=False)  # PortAudio has its say


# --- at a card that does not tell how much room it has -------------------------------------------


def test_at_a_bare_card_every_sample_sounds_from_the_first_to_the_last(
    card: VirtualCard, use: Use
) -> None:
    player = Player(use(card.env, "answer", "default"))
    player.order("play 250", "play 33", "play 410", "end")
    assert player.until("PlayoutDrained") == "693"
    wait_until(lambda: counted(0, 693 * 24) in card.played())
    player.finish()


def test_at_a_bare_card_silence_fills_what_the_server_did_not_send(
    card: VirtualCard, use: Use
) -> None:
    player = Player(use(card.env, "answer", "default"))
    player.order("play 200")
    player.until("PlayoutStarted")
    time.sleep(0.5)
    player.order("play 200", "end")
    assert player.until("PlayoutDrained") == "400"
    sound = counted(0, 400 * 24)
    first, second = sound[:9600], sound[9600:]
    wait_until(lambda: second in card.played())
    begin, again = card.played().index(first), card.played().index(second)
    assert not any(card.played()[begin + 9600 : again])
    assert again - begin - 9600 > len(silence(100))
    player.finish()


def test_a_chime_before_an_answer_at_48_khz(make_card: MakeCard, use: Use) -> None:
    """What the resampler holds back comes out with the end."""
    card = make_card(rate=48_000, plug=True)
    player = Player(use(card.env, "answer", "default"))
    player.order("chime message", "play 300", "end")
    assert player.until("PlayoutDrained") == "300"
    size = 2 * len(chime.sound("message") + counted(0, 300 * 24))
    wait_until(lambda: len(card.played().strip(b"\0")) > size - 200)
    player.finish()
