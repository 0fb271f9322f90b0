"""The whole daemon at real devices: a cough into an answer costs a pause, and not a word."""

from __future__ import annotations

import random
from array import array

from program import Daemon, recorded
from pulse_card import PERIOD_MS, PulseCard
from room import Diary, Room, runs
from scripted_server import Script, running, wait_until

from satellite.adapters import recording
from satellite.model.audio import RATE, SAMPLE_BYTES, silence

DEVICES = {
    "input": {"device": "default"},
    "output": {"device": "default", "volume": 100},
    "duplex": "full",
}
COUGH = slice(RATE * SAMPLE_BYTES * 200 // 1000, RATE * SAMPLE_BYTES * 500 // 1000)


def voice(seconds: int) -> bytes:
    """Loud, and without one zero, so that what is played can be told from silence."""
    rng = random.Random(1)
    some = (rng.choice((-1, 1)) * rng.randint(1, 8000) for _ in range(seconds * RATE))
    return array("h", some).tobytes()


def without_silence(pcm: bytes) -> bytes:
    return array("h", (sample for sample in memoryview(pcm).cast("h") if sample)).tobytes()


def jump(heard: bytes, said: bytes) -> float:
    """Where ``heard`` is ``said`` but for one jump: its length in ms, less than 0 if repeated."""
    pairs = zip(heard[::2], said[::2], heard[1::2], said[1::2], strict=False)
    same = next((n for n, (a, b, c, d) in enumerate(pairs) if (a, c) != (b, d)), len(said) // 2)
    rest = heard[2 * same :]
    assert said.endswith(rest), "and from there on it is the rest of it"
    return (len(said) - len(rest) - 2 * same) / SAMPLE_BYTES * 1000 / RATE


def test_a_cough_pauses_the_answer_which_goes_on_where_it_stopped(
    daemon: Daemon, pulse: PulseCard
) -> None:
    diary = Diary(Room(gain=0.0))
    pulse.room = diary
    script = Script(answers=["A long story."], voice=voice(4), notices=1)
    speech = recording.load(recorded("conf-kicked"))
    with running(script) as url:
        daemon.start(url, env=pulse.env, audio=DEVICES)
        wait_until(lambda: pulse.hearers() == ["mic"])
        pulse.feed(speech + silence(200))
        wait_until(lambda: sum(diary.played) > 50)
        pulse.feed(speech[COUGH] + silence(200))
        daemon.until("state", state="speaking")
        daemon.until("state", state="listening")
        daemon.until("state", state="speaking")
        response = daemon.until("response")
        assert daemon.stop()[0] == 0
    assert (response["event_type"], response["interrupted"]) == ("completed", False)
    assert response["played_ms"] == response["audio_ms"] == 4000
    (_, paused), (went_on, _) = runs(diary.played, apart=10)
    _, (coughed, _) = runs(diary.said)
    print(f"silent {(paused - coughed) * PERIOD_MS} ms after the cough began,")
    print(f"and for {(went_on - paused) * PERIOD_MS} ms")
    jump_ms = jump(without_silence(pulse.played()), script.voice)
    print(f"and went on {jump_ms:.1f} ms off")
    assert abs(jump_ms) <= 3 * PERIOD_MS, "as exact as a sound server's word on what has sounded"
    assert (paused - coughed) * PERIOD_MS < 1000
