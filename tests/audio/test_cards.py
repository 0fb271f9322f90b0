"""The virtual cards themselves: what is fed and played, to the last sample."""

from __future__ import annotations

import os
import random
import subprocess
import time
from array import array
from collections.abc import Callable

import pytest
from audio_types import Use
from pulse_card import PulseCard


def noise(samples: int) -> bytes:
    """Samples that are never zero, so that added silence shows."""
    rng = random.Random(samples)
    return array(
        "h", [rng.choice((-1, 1)) * rng.randint(1, 32000) for _ in range(samples)]
    ).tobytes()


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def opened(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == b"open\n", (line, process.communicate())


def test_through_the_sound_server_every_sample_is_heard_once(pulse: PulseCard, use: Use) -> None:
    sound = noise(24_000)
    user = use(pulse.env, "hear", "default", "1.5", "960")
    opened(user)
    wait_until(lambda: pulse.hearers() == ["mic"])
    pulse.feed(sound)
    out, err = user.communicate(timeout=20)
    assert err == b""
    assert sound in out
    assert pulse.hearers() == []


def test_through_the_sound_server_every_sample_is_played_once(pulse: PulseCard, use: Use) -> None:
    sound = noise(24_000)
    user = use(pulse.env, "play", "pulse")
    opened(user)
    user.communicate(sound, timeout=20)
    wait_until(lambda: sound in pulse.played())
    assert pulse.players() == []


@pytest.mark.parametrize("what", ["pulled out", "put to sleep", "its server killed"])
def test_a_microphone_is_lost_and_comes_back(pulse: PulseCard, what: str) -> None:
    command = ["parec", "--raw", "--rate=24000", "--format=s16le", "--channels=1", "-d", "mic"]
    lost, back = {
        "pulled out": (pulse.unplug_mic, pulse.plug_mic),
        "put to sleep": (lambda: pulse.suspend_mic(True), lambda: pulse.suspend_mic(False)),
        "its server killed": (pulse.kill, pulse.start),
    }[what]
    lost()
    if what != "its server killed":
        assert pulse.hearers() == []
    back()
    sound = noise(4800)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env={**os.environ, **pulse.env}, stdout=pipe) as recorder:
        wait_until(lambda: pulse.hearers() == ["mic"])
        pulse.feed(sound)
        heard = b""
        assert recorder.stdout is not None
        while sound not in heard:
            heard += recorder.stdout.read(480)
            assert len(heard) < 48_000 * 10
        recorder.kill()


def test_a_microphone_that_is_pulled_out_leaves_its_hearers_at_the_loudspeaker(
    pulse: PulseCard, use: Use
) -> None:
    """The server moves them without a word: whoever uses it has to look."""
    opened(use(pulse.env, "hear", "default", "20", "960"))
    wait_until(lambda: pulse.hearers() == ["mic"])
    pulse.unplug_mic()
    assert pulse.hearers() == ["speaker.monitor"]


def test_a_loudspeaker_that_is_pulled_out_takes_its_monitor_with_it(pulse: PulseCard) -> None:
    pulse.unplug_speaker()
    with pulse.control() as control:
        assert [source.name for source in control.source_list()] == ["mic"]
    pulse.plug_speaker()
    with pulse.control() as control:
        assert [sink.name for sink in control.sink_list()] == ["speaker"]
