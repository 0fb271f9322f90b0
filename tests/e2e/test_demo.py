"""The demo, whole: shipped requests, real recognition, real answers, a real broker."""

from __future__ import annotations

import re
import subprocess
import sys
import wave
from pathlib import Path

from program import Run, recorded
from scoring import messages, word_errors, words
from scripted_server import wait_until

from satellite.cli import demo

REQUESTS = Path(demo.__file__).parents[1] / "demo" / "requests.tsv"


def test_the_demo_holds_a_real_conversation(satellite: Run) -> None:
    done = satellite("demo", "--json")
    found = messages(done)
    rows = [line.split("\t") for line in REQUESTS.read_text().splitlines()[1:]]
    assert len({voice for _, _, voice in rows}) >= 2
    reference = [word for _, text, _ in rows for word in words(text)]
    heard = [word for one in found["transcript"] for word in words(one["text"])]
    assert word_errors(reference, heard) <= len(reference) // 10, heard
    assert [turn["event_type"] for turn in found["turn"]] == ["answered"] * len(rows)
    answers = [response["text"] for response in found["response"]]
    assert "42" in answers[2] or "forty" in answers[2].lower()
    assert all(answers)
    assert not any("turned on" in answer.lower() for answer in answers), "no home is connected"
    assert found["status"] == ["online"]
    envelopes = found["transcript"] + found["response"] + found["turn"]
    assert sorted(one["seq"] for one in envelopes) == list(range(1, len(envelopes) + 1))
    for turn in found["turn"]:
        assert turn["speech_s"] < turn["sent_s"]
        assert turn["speech_end_to_audio_ms"] > 0
    match = re.search(r"The spoken answers: (\S+)", done.stderr)
    assert match
    answered = sorted(Path(match[1]).parent.glob("answer-*.wav"))
    assert len(answered) == len(rows)
    for path, response in zip(answered, found["response"], strict=True):
        with wave.open(str(path)) as sound:
            assert sound.getframerate() == 24_000
            seconds = sound.getnframes() / 24_000
        assert abs(seconds - response["audio_ms"] / 1000) < 0.05


def test_nothing_of_a_demo_that_is_killed_is_left() -> None:
    command = [sys.executable, "-m", "satellite", "demo", recorded("vm-goodbye")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "[3/3]" not in process.stdout.readline():
            pass
        wait_until(lambda: len(children_of(process.pid)) == 3, 60.0)
        started = children_of(process.pid)
        process.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), 60.0)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
