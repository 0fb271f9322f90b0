"""The daemon and the local server, both as processes, in every kind of session there is.

Real recognition and a real voice: the same recorded request must be understood and, where the
session answers, answered, whatever the two have agreed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import Daemon
from scoring import words

from satellite.cli import children, demo

REQUEST = str(Path(demo.__file__).parents[1] / "demo" / "03-sum.wav")
TEXT = ["what", "is", "seventeen", "plus", "twenty", "five"]
MANUAL = {"turn_detection": {"type": "manual"}}
WRITTEN = {"session": "transcription"}
LIVE = {"transcription": {"model": "gpt-live-transcribe"}}
KINDS: dict[str, dict[str, Any]] = {
    "conversation": {},
    "text": {"output": "text"},
    "manual": MANUAL,
    "transcription": WRITTEN,
    "manual transcription": {**WRITTEN, **MANUAL},
    "live transcription": {**WRITTEN, **MANUAL, **LIVE},
    "telephone sound": {"input_format": "pcmu", "output_format": "pcma"},
    "beta": {"dialect": "beta"},
    "beta, manual, telephone sound": {"dialect": "beta", **MANUAL, "input_format": "pcma"},
    "beta transcription": {"dialect": "beta", **WRITTEN},
    "confidence": {"transcription": {"confidence": True}},
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with children.server(tmp_path_factory.mktemp("server"), "--beta") as address:
        yield address


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_is_understood_and_answered(
    kind: str, url: str, daemon: Daemon, tmp_path: Path
) -> None:
    sound = {"input": {"file": [REQUEST]}, "output": {"file": str(tmp_path / "answer-{n}.wav")}}
    daemon.start(url, realtime=KINDS[kind], audio=sound)
    turn = daemon.until("turn", 30.0)
    state = daemon.problem("recording_ended")
    daemon.stop()
    problems = {p["code"] for t, s in daemon.all if t.endswith("/state") for p in s["problems"]}
    assert problems <= {"recording_ended"}, (problems, state)
    assert words(turn["transcript"]) in (TEXT, [*TEXT[:4], "twentyfive"]), turn["transcript"]
    transcripts = [p for t, p in daemon.all if t.endswith("/transcript")]
    assert [t["event_type"] for t in transcripts] == ["final"]
    if "session" in KINDS[kind]:
        assert (turn["event_type"], turn["response"]) == ("transcribed", None)
        return
    assert turn["event_type"] == "answered"
    assert "42" in turn["response"] or "forty-two" in turn["response"].lower()
    spoken = sum(path.stat().st_size for path in tmp_path.glob("answer-*.wav"))
    assert (spoken > 24_000) == (kind != "text")
    if kind == "confidence":
        assert 0 < transcripts[0]["confidence"] <= 1
    if "manual" not in kind:
        assert 300 < turn["speech_end_to_stop_ms"] < 1500
