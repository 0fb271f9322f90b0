"""The real wake words, spoken by the local server's voice and by a person's recordings."""

from __future__ import annotations

import random
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from satellite.adapters import wake
from satellite.adapters.recording import load
from satellite.adapters.resampler import Resampler
from satellite.adapters.wake import WakeWords
from satellite.errors import SetupError
from satellite.local import synthesiser
from satellite.model.audio import FRAME_BYTES, FRAME_MS, RATE, silence

SPEECH = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
WORDS = {"hey_jarvis": "Hey Jarvis.", "hey_mycroft": "Hey Mycroft.", "alexa": "Alexa."}
Say = Callable[[str], bytes]


@pytest.fixture(scope="module")
def say() -> Say:
    """A text as speech, the same each time."""
    voice = synthesiser.load()
    return lambda text: b"".join(voice.speak(text, 1.0))


def room(seconds: float) -> bytes:
    """A quiet room: noise of 20 of 32,767."""
    rng = random.Random(3)
    return array("h", [round(rng.gauss(0, 20)) for _ in range(round(RATE * seconds))]).tobytes()


def frames_of(pcm: bytes) -> Iterator[bytes]:
    for start in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        yield pcm[start : start + FRAME_BYTES]


def noticed(pcm: bytes, model: str, threshold: float | None = None) -> list[float]:
    """Seconds at which the word was noticed."""
    word = WakeWords([model], threshold, Resampler)
    heard = [word.hear(frame) for frame in frames_of(pcm)]
    assert set(heard) <= {None, model}
    return [n * FRAME_MS / 1000 for n, each in enumerate(heard) if each is not None]


@pytest.mark.parametrize("model", WORDS)
def test_a_word_is_noticed_once_each_time_soon_after_it_was_said(say: Say, model: str) -> None:
    spoken = say(WORDS[model])
    (first, second) = noticed(room(1.5) + (spoken + room(2)) * 2, model)
    ends = 1.5 + len(spoken) / RATE / 2
    assert ends - 0.6 < first < ends + 0.3
    assert second - first == pytest.approx(len(spoken) / RATE / 2 + 2, abs=0.1)


def test_whoever_goes_on_speaking_is_noticed_too(say: Say) -> None:
    assert len(noticed(room(1.5) + say("Hey Jarvis, what time is it?"), "hey_jarvis")) == 1


def test_of_several_words_each_is_noticed_by_its_name(say: Say) -> None:
    words = {**WORDS, "okay_nabu": "Okay nah boo."}
    ears = WakeWords(list(words), None, Resampler)
    sound = room(1.5) + b"".join(say(text) + room(1) for text in words.values())
    assert [word for frame in frames_of(sound) if (word := ears.hear(frame))] == list(words)


@pytest.mark.parametrize("model", WORDS)
def test_one_word_is_not_another(say: Say, model: str) -> None:
    others = b"".join(say(text) + room(1) for name, text in WORDS.items() if name != model)
    assert noticed(room(1.5) + others, model) == []


@pytest.mark.parametrize("model", [*WORDS, "okay_nabu"])
def test_other_speech_is_none(model: str) -> None:
    names = sorted(SPEECH.glob("conf-*.wav"))[:30]
    assert len(names) == 30, "install asterisk-core-sounds-en-wav; scripts/setup test does it"
    assert noticed(b"".join(map(load, names)), model) == []


def test_a_lower_threshold_hears_what_is_not_said_well(say: Say) -> None:
    sound = silence(1500) + say("Okay naboo.") + silence(1000)
    assert noticed(sound, "okay_nabu") == []
    assert len(noticed(sound, "okay_nabu", 0.2)) >= 1


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymicro_wakeword", None)
    with pytest.raises(SetupError, match=r"pip install 'realtime-satellite\[wake\]'"):
        WakeWords(["alexa"], None, Resampler)


def test_asking_whether_it_is_there_loads_nothing() -> None:
    asks = "import sys; from satellite.adapters import wake; assert wake.is_installed()"
    subprocess.run(
        [sys.executable, "-c", f"{asks}; assert not {{'numpy', 'soxr'}} & set(sys.modules)"],
        check=True,
    )
    assert wake.is_installed()
