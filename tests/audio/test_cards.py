"""The virtual cards themselves: what is fed and played, to the last sample."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable

import numpy as np
import pytest
from audio_types import MakeCard, Use
from known_sound import Follower, Tally, known_sound
from pulse_card import PulseCard
from room import Room
from virtual_card import VirtualCard


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
    user = use(pulse.env, "hear", "default", "60", "960")
    opened(user)
    wait_until(lambda: pulse.hearers() == ["mic"])

    def all_is_heard(heard: bytes) -> bool:
        if sound in heard:
            return True
        if not pulse.unheard():  # again where a busy machine lost some of it
            pulse.feed(sound)
        return False

    heard_until(user, all_is_heard)
    user.kill()
    wait_until(lambda: pulse.hearers() == [])


def heard_until(user: subprocess.Popen[bytes], enough: Callable[[bytes], bool]) -> bytes:
    """What it heard so far, once that is enough; 20 s of it at most."""
    assert user.stdout is not None
    heard = b""
    while not enough(heard):
        heard += user.stdout.read(4800)
        assert len(heard) < 20 * 48_000
    return heard


def test_through_the_sound_server_every_sample_is_played_once(pulse: PulseCard, use: Use) -> None:
    sound, follower = known_sound()[: 2 * 24_000], Follower()
    user = use(pulse.env, "play", "pulse")
    opened(user)
    user.communicate(sound, timeout=20)

    def all_is_played() -> bool:
        follower.hear(pulse.take_played())
        return follower.tally.right == 24_000

    wait_until(all_is_played)
    # the server puts silence where a busy machine writes late
    assert follower.tally == Tally(right=24_000, foreign=follower.tally.foreign)
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


def test_in_a_room_the_loudspeaker_is_heard_late_and_with_noise(
    make_card: MakeCard, use: Use
) -> None:
    card = make_card(room=Room(delay_ms=120, gain=0.5, walls_ms=80))
    mouth = use(card.env, "play", "default")
    opened(mouth)
    ear = use(card.env, "hear", "default", "60", "960")
    opened(ear)  # last: while nobody takes what it hears, it hears no more
    sound = np.frombuffer(noise(24_000), "<i2")
    speaks = threading.Thread(target=mouth.communicate, args=(sound.tobytes(),))
    speaks.start()
    ends: list[int] = []

    def is_over(heard: bytes) -> bool:
        if sound.tobytes() in card.played():  # whole: the echo takes nothing away
            ends.append(len(heard))
        return bool(ends) and len(heard) > ends[0] + 24_000

    heard = np.frombuffer(heard_until(ear, is_over), "<i2").astype(float)
    speaks.join()
    # a busy machine hears pieces of it: how loud it is, not how much
    pieces = heard[: len(heard) // 240 * 240].reshape(-1, 240).std(axis=1)
    loud = pieces[pieces > 1000]
    assert len(loud) >= 10
    assert np.median(loud) == pytest.approx(0.5 * sound.std(), rel=0.2)
    quiet = heard[:2400]
    assert 10 < quiet.std() < 30
    assert quiet.any()


def test_a_room_answers_at_its_delay_to_the_sample() -> None:
    room = Room(delay_ms=120, gain=1.0, noise=0.0)
    played = noise(4800)
    heard = b"".join(room(bytes(1920), played[at : at + 1920]) for at in range(0, 24_000, 1920))
    assert heard[: 2880 * 2 + 9600] == bytes(2880 * 2) + played


SIX = """
import sys, pyaudio
stream = pyaudio.PyAudio().open(24_000, 6, pyaudio.paInt16, input=True, frames_per_buffer=960)
sys.stdout.buffer.write(b"".join(stream.read(960, exception_on_overflow=False) for _ in range(20)))
"""


def test_of_an_array_every_channel_is_heard(make_card: MakeCard) -> None:
    card = make_card(channels=6)
    sound = noise(6 * 9600)
    card.feed(sound)
    env = {**os.environ, **card.env}
    heard = subprocess.run([sys.executable, "-c", SIX], env=env, capture_output=True, timeout=20)
    assert sound in heard.stdout


def test_one_direction_stands_still_and_the_other_goes_on(card: VirtualCard, use: Use) -> None:
    card.stall(True, speaker=False)
    ear, mouth = use(card.env, "hear", "default", "0.5", "960"), use(card.env, "play", "default")
    opened(ear)
    opened(mouth)
    sound = noise(9600)
    mouth.communicate(sound, timeout=20)
    wait_until(lambda: sound in card.played())
    assert ear.poll() is None
    card.stall(False)
    ear.communicate(timeout=20)


def test_a_device_vanishes_and_is_found_again(card: VirtualCard, use: Use) -> None:
    for plugged in (True, False, True):
        (card.plug if plugged else card.unplug)()
        out, _ = use(card.env, "hear", "default", "0.1", "960").communicate(timeout=20)
        assert out.startswith(b"open\n" if plugged else b"no microphone found")
