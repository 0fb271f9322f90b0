"""The voice detector on recorded speech, on silence and on noise."""

from __future__ import annotations

import random
import sys
from array import array
from pathlib import Path

import pytest

from satellite.adapters.recording import load
from satellite.adapters.voice import make_judge
from satellite.errors import SetupError
from satellite.model.audio import FRAME_BYTES, FRAME_SAMPLES

SPEECH = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
SENTENCES = ("agent-alreadyon", "demo-congrats", "agent-incorrect")


def frames_of(pcm: bytes) -> list[bytes]:
    whole = len(pcm) - len(pcm) % FRAME_BYTES
    return [pcm[start : start + FRAME_BYTES] for start in range(0, whole, FRAME_BYTES)]


def share(frames: list[bytes], aggressiveness: int) -> float:
    judge = make_judge(aggressiveness)
    return sum(map(judge, frames)) / len(frames)


def sentence(name: str) -> list[bytes]:
    path = SPEECH / f"{name}.wav"
    assert path.exists(), f"{path} is missing; run: sudo apt install asterisk-core-sounds-en-wav"
    return frames_of(load(path))


def loud(frame: bytes) -> bool:
    return max(memoryview(frame).cast("h")) > 1000


def noise(level: float) -> list[bytes]:
    rng = random.Random(3)
    values = (round(rng.gauss(0, level)) for _ in range(FRAME_SAMPLES * 250))
    return frames_of(array("h", values).tobytes())


@pytest.mark.parametrize("name", SENTENCES)
def test_recorded_speech_is_speech(name: str) -> None:
    spoken = [frame for frame in sentence(name) if loud(frame)]
    assert len(spoken) > 50
    assert share(spoken, 2) > 0.85


@pytest.mark.parametrize("aggressiveness", [0, 1, 2, 3])
def test_silence_is_none(aggressiveness: int) -> None:
    assert share([bytes(FRAME_BYTES)] * 100, aggressiveness) == 0.0


def test_the_hiss_of_a_quiet_room_is_none() -> None:
    assert share(noise(20)[25:], 2) < 0.05


def test_more_aggressive_takes_less_for_speech() -> None:
    sound = sentence("demo-congrats")
    shares = [share(sound, aggressiveness) for aggressiveness in range(4)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[3]


@pytest.mark.parametrize("size", [0, FRAME_BYTES - 2, FRAME_BYTES + 2, 2 * FRAME_BYTES])
def test_only_whole_frames_are_judged(size: int) -> None:
    with pytest.raises(ValueError, match=f"a frame has 960 bytes, not {size}"):
        make_judge(2)(bytes(size))


def test_the_wrapper_judges_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = sentence("agent-incorrect")
    direct = list(map(make_judge(2), sound))
    import webrtcvad  # noqa: F401 - it holds on to the compiled part that goes away now

    monkeypatch.setitem(sys.modules, "_webrtcvad", None)
    assert list(map(make_judge(2), sound)) == direct


def test_without_a_detector_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_webrtcvad", None)
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(SetupError, match="pip install webrtcvad-wheels"):
        make_judge(2)
