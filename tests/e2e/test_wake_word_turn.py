"""The whole daemon with a wake word: without it no byte leaves, with it there is a turn."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import pytest
from program import Daemon, Run, recorded
from scripted_server import Script, running

from satellite.cli import demo
from satellite.local import synthesiser
from satellite.model.audio import RATE


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording that begins with the word."""
    path = tmp_path_factory.mktemp("spoken") / "called.wav"
    voice = synthesiser.load()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(voice.speak("Hey Jarvis, what time is it?", 1.0)))
    return str(path)


def start(daemon: Daemon, url: str, files: list[str], follow_up_s: int) -> None:
    daemon.start(
        url,
        audio={"input": {"file": files}},
        gate={"activation": "wake_word"},
        wake_word={"model": "hey_jarvis", "follow_up_s": follow_up_s},
    )


def test_without_the_word_no_byte_is_sent_and_with_it_there_is_a_turn(
    daemon: Daemon, called: str
) -> None:
    script = Script(answers=["It is noon."])
    with running(script) as url:
        start(daemon, url, [recorded("please-try-again"), called, recorded("please-try-again")], 0)
        daemon.until("wake")
        assert script.heard_ms == 0, "somebody spoke, but not to us"
        daemon.until("state", state="listening")
        turn = daemon.until("turn")
        heard_ms = script.heard_ms
        daemon.problem("recording_ended")
        assert daemon.stop()[0] == 0
    assert turn["event_type"] == "answered"
    assert heard_ms < 4000
    assert script.heard_ms < heard_ms + 200, "and after the answer the word is needed again"
    topics = [topic.rpartition("/")[2] for topic, _ in daemon.all]
    assert (topics.count("wake"), topics.count("turn")) == (1, 1)


def test_after_an_answer_one_goes_on_without_the_word(daemon: Daemon, called: str) -> None:
    script = Script(answers=["It is noon.", "You are welcome."])
    with running(script) as url:
        start(daemon, url, [called, recorded("please-try-again")], 20)
        daemon.until("wake")
        first, second = daemon.until("turn"), daemon.until("turn")
    assert [turn["response"] for turn in (first, second)] == ["It is noon.", "You are welcome."]
    assert [topic for topic, _ in daemon.all if topic.endswith("/wake")] == [f"{demo.BASE}/wake"]


def test_a_wake_word_that_is_not_installed_ends_with_what_to_do(
    satellite: Run, tmp_path: Path
) -> None:
    (tmp_path / "pymicro_wakeword.py").write_text("raise ImportError('none here')\n")
    (tmp_path / "config.yaml").write_text(
        "realtime: {provider: compatible, url: 'ws://127.0.0.1:9/'}\n"
        "gate: {activation: wake_word}\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    for command in ("run", "check"):
        done = satellite(command, env={**os.environ, "PYTHONPATH": path})
        assert done.returncode == 78
        assert done.stderr.strip().endswith("run: pip install 'realtime-satellite[wake]'")
        assert len(done.stderr.splitlines()) == 1
