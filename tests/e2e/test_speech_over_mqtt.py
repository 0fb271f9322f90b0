"""Texts that are said and asked over a real broker, in the voice of the real local server."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asker import Asker, asking
from program import Daemon
from scoring import words

from satellite.cli import children, demo
from satellite.local import recogniser

TURN_ON = {
    "name": "HassTurnOn",
    "description": "Turns on a device.",
    "parameters": {
        "type": "object",
        "properties": {"area": {"type": "string"}, "domain": {"type": "string"}},
        "required": ["area"],
    },
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with children.server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def asker(daemon: Daemon) -> Iterator[Asker]:
    with asking(daemon.port) as made:
        yield made


def started(daemon: Daemon, url: str, folder: Path, **config: object) -> None:
    """A satellite in a silent room, whose answers are files."""
    silence = folder / "silence.wav"
    with wave.open(str(silence), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(bytes(48_000))
    answers = {"file": str(folder / "answer-{n}.wav"), "volume": 100}
    audio = {"input": {"file": [str(silence)]}, "output": answers}
    daemon.start(url, audio=audio, **config)
    daemon.until("state", state="idle")


def heard(folder: Path, number: int) -> list[str]:
    with wave.open(str(folder / f"answer-{number}.wav")) as file:
        pcm = file.readframes(file.getnframes())
    return words(recogniser.load().transcribe(pcm))


def test_texts_are_said_word_for_word_and_in_order(
    daemon: Daemon, url: str, asker: Asker, tmp_path: Path
) -> None:
    started(daemon, url, tmp_path)
    texts = ["Dinner is ready.", "Somebody is at the front door.", "Turn on the kitchen light."]
    for text in texts[:2]:
        asker.send("say", text)
    assert asker.ask("say", {"text": texts[2], "volume": 50, "id": "last"})["status"] == "done"
    for text in texts:
        response, turn = daemon.until("response"), daemon.until("turn")
        assert (response["text"], response["event_type"]) == (text, "completed")
        assert response["played_ms"] == response["audio_ms"] > 500
        assert (turn["source"], turn["transcript"], turn["tools"]) == ("say", None, [])
    assert [heard(tmp_path, n) for n in (1, 2, 3)] == [words(text) for text in texts]
    code, _ = daemon.stop()
    assert code == 0
    assert not [topic for topic, _ in daemon.all if topic.endswith("/transcript")]
    assert "Dinner" not in daemon.log


def test_what_is_said_is_stopped_at_once(
    daemon: Daemon, url: str, asker: Asker, tmp_path: Path
) -> None:
    started(daemon, url, tmp_path)
    asker.send("say", "This is a very long announcement. " * 10)
    daemon.until("state", state="speaking")
    assert asker.ask("cancel")["status"] == "done"
    response = daemon.until("response")
    assert (response["event_type"], response["reason"]) == ("cancelled", "cancelled")
    assert response["played_ms"] < response["audio_ms"] or response["audio_ms"] < 3_000
    daemon.until("state", state="idle")


def test_what_is_asked_has_the_house_do_it(
    daemon: Daemon, url: str, asker: Asker, tmp_path: Path
) -> None:
    started(daemon, url, tmp_path, tools={"mqtt": [TURN_ON], "builtin": []})
    asker.send("ask", "Turn on the lights in the kitchen.")
    call = daemon.until("tool/call")
    assert (call["name"], call["arguments"]["area"]) == ("HassTurnOn", "kitchen")
    result(asker, call_id=call["call_id"], output="The kitchen lights are on.")
    turn = daemon.until("turn")
    assert (turn["source"], turn["tools"]) == ("ask", ["HassTurnOn"])
    assert turn["transcript"] == "Turn on the lights in the kitchen."
    assert "kitchen lights are on" in turn["response"]
    assert last_answer(asker) == "done"


def test_a_sensitive_one_waits_for_a_persons_yes(
    daemon: Daemon, url: str, asker: Asker, tmp_path: Path
) -> None:
    started(daemon, url, tmp_path, tools={"mqtt": [{**TURN_ON, "sensitive": True}]})
    asker.send("ask", "Turn on the lights in the kitchen.")
    asked = daemon.until("tool/confirm")
    result(asker, call_id=asked["call_id"], confirmed=True)
    call = daemon.until("tool/call")
    assert call["call_id"] == asked["call_id"]
    result(asker, call_id=call["call_id"], output="Done.")
    assert daemon.until("turn")["event_type"] == "answered"
    topics = [topic.rpartition("tool/")[2] for topic, _ in daemon.all if "/tool/" in topic]
    assert topics == ["confirm", "result", "call", "result"]


def last_answer(asker: Asker) -> str:
    while True:
        _, answer = asker.answers.get(timeout=15)
        if answer["status"] != "accepted":
            return str(answer["status"])


def result(asker: Asker, **fields: Any) -> None:
    body = json.dumps({"v": 1, **fields})
    asker.client.publish(f"{demo.BASE}/tool/result", body, 1).wait_for_publish(5)
