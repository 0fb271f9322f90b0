"""A session with the real engines and no socket: telephone sound, noise, live transcription."""

from __future__ import annotations

import base64
import itertools
import json
import random
import re
from array import array
from collections.abc import Callable
from typing import Any

import pytest

from satellite.local import sound
from satellite.local.behaviour import Kind
from satellite.local.engines import Engines
from satellite.local.outputs import Answer, Recognise, Send, Speak
from satellite.local.session import Session
from satellite.model import commands as cmd
from satellite.wire import realtime

COMPLETED = "conversation.item.input_audio_transcription.completed"
DELTA = "conversation.item.input_audio_transcription.delta"


class Bench:
    """Carries out a session's work at once."""

    def __init__(self, engines: Engines, kind: Kind = "realtime") -> None:
        numbers = itertools.count()
        self._engines = engines
        self._session = Session(
            "m", 0, lambda prefix: f"{prefix}_{next(numbers)}", engines.detector(), kind
        )
        self.events: list[dict[str, Any]] = []
        self._take(self._session.open())

    def _take(self, outputs: list[Any]) -> None:
        for output in outputs:
            match output:
                case Send(event):
                    self.events.append(event)
                case Recognise(item_id, pcm):
                    text = self._engines.recogniser.transcribe(pcm)
                    self._take(self._session.recognised(item_id, text))
                case Answer(response_id, text, tools):
                    reply = self._engines.responder.answer(text, tools)
                    self._take(self._session.answered(response_id, reply))
                case Speak(response_id, text, speed):
                    for pcm in self._engines.synthesiser.speak(text, speed):
                        self._take(self._session.spoken(response_id, pcm))
                    self._take(self._session.speech_ended(response_id))

    def receive(self, message: str) -> None:
        self._take(self._session.receive(message))

    def send(self, kind: str, **keys: Any) -> None:
        self.receive(json.dumps({"type": kind, **keys}))
        while self._session.has_unheard:
            self._take(self._session.listen())

    def append(self, data: bytes, size: int = 4800) -> None:
        for at in range(0, len(data), size):
            piece = base64.b64encode(data[at : at + size]).decode()
            self.send("input_audio_buffer.append", audio=piece)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


@pytest.mark.checklist("S17")
@pytest.mark.parametrize("law", ["audio/pcmu", "audio/pcma"])
def test_telephone_sound_is_understood_and_answered(
    real_engines: Engines, say: Callable[[str], bytes], law: str
) -> None:
    bench = Bench(real_engines)
    wire = {"type": law}
    audio = {
        "input": {"format": wire, "transcription": {"model": "whisper-1"}},
        "output": {"format": wire},
    }
    bench.send("session.update", session={"type": "realtime", "audio": audio})
    telephone = sound.named(wire)
    bench.append(sound.encoded(say("What is seventeen plus twenty five?"), telephone))
    (heard,) = bench.told(COMPLETED)
    assert "plus" in heard["transcript"].lower()
    (done,) = bench.told("response.done")
    assert done["response"]["output"][0]["content"][0]["transcript"] == "That is 42."
    deltas = [event["delta"] for event in bench.told("response.output_audio.delta")]
    spoken = sound.decoded(b"".join(map(base64.b64decode, deltas)), telephone)
    said = real_engines.recogniser.transcribe(spoken).lower().replace("-", " ")
    assert "42" in said or "forty two" in said


def noise(level: float) -> bytes:
    """Two seconds of wind: brown noise, of which the recogniser makes words."""
    steps, at = random.Random(1), 0.0
    samples = array("h")
    for _ in range(48_000):
        at = at * 0.99 + steps.gauss(0, level / 7)
        samples.append(int(max(-32_768, min(32_767, at))))
    return samples.tobytes()


@pytest.mark.parametrize("level", [100, 1000, 4000])
def test_noise_that_is_committed_has_no_words(real_engines: Engines, level: float) -> None:
    assert real_engines.recogniser.transcribe(noise(4000))  # it does make words of it
    bench = Bench(real_engines)
    audio = {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}
    bench.send("session.update", session={"type": "realtime", "audio": audio})
    bench.append(noise(level))
    bench.send("input_audio_buffer.commit")
    (heard,) = bench.told(COMPLETED)
    assert heard["transcript"] == ""


def test_one_short_word_that_is_committed_is_heard(real_engines: Engines) -> None:
    bench = Bench(real_engines)
    audio = {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}
    bench.send("session.update", session={"type": "realtime", "audio": audio})
    bench.append(b"".join(real_engines.synthesiser.speak("Stop.", 1.0)))
    bench.send("input_audio_buffer.commit")
    (heard,) = bench.told(COMPLETED)
    assert heard["transcript"].lower().startswith("stop")


@pytest.mark.checklist("S37")
def test_s37_live_transcription_tells_before_the_end(
    real_engines: Engines, say: Callable[[str], bytes]
) -> None:
    bench = Bench(real_engines, "transcription")
    audio = {"input": {"turn_detection": None, "transcription": {"model": "gpt-live-transcribe"}}}
    bench.send("session.update", session={"type": "transcription", "audio": audio})
    bench.append(say("Turn on the lights in the kitchen.") * 2)
    early = [event["delta"] for event in bench.told(DELTA)]
    assert "lights" in "".join(early).lower()
    bench.send("input_audio_buffer.commit")
    (heard,) = bench.told(COMPLETED)
    assert "".join(event["delta"] for event in bench.told(DELTA)) == heard["transcript"]
    assert heard["transcript"].lower().count("kitchen") == 2
    kinds = [event["type"] for event in bench.events]
    assert kinds.index(DELTA) < kinds.index("input_audio_buffer.committed")
    assert not [kind for kind in kinds if kind.startswith(("response", "rate_limits"))]


@pytest.mark.parametrize(
    "text",
    [
        "Dinner is ready.",
        "The washing machine has finished.",
        "Somebody is at the front door.",
        "Please close the window, it begins to rain!",
        "Turn on the lights in the kitchen.",  # an order to a model, words to a voice
    ],
)
def test_what_is_to_be_said_is_heard_word_for_word(real_engines: Engines, text: str) -> None:
    """Our own order, the real voice, and what the real recogniser makes of it."""
    bench = Bench(real_engines)
    (message,) = realtime.encode(cmd.SpeakText("boot-t1", text), "m1")
    bench.receive(message.decode())
    (done,) = bench.told("response.done")
    assert done["response"]["output"][0]["content"][0]["transcript"] == text
    deltas = [event["delta"] for event in bench.told("response.output_audio.delta")]
    heard = real_engines.recogniser.transcribe(b"".join(map(base64.b64decode, deltas)))
    assert words(heard) == words(text)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
