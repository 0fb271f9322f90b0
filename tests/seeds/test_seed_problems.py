"""Five people's problems with the Realtime protocol, as far as configuration and messages go.

Each section retells the situation of one published question, and shows that whoever brings it here
is told what to do, or cannot get into it at all.
"""

from __future__ import annotations

import argparse
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from satellite import session_setup
from satellite.adapters import recording
from satellite.cli import check
from satellite.config.loader import load
from satellite.config.schema import Config
from satellite.errors import ConfigError
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.session import Session
from satellite.wire import beta, realtime
from satellite.wire.server_events import Decoder

decode = Decoder()


def loaded(keys: str) -> Config:
    return load(
        f"realtime: {{{keys}}}",
        source="config.yaml",
        base="/",
        environment={},
        secrets=lambda: {"key": "k-1"},
        credentials={},
    )


def refused(keys: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(f"api_key: !secret key, {keys}")
    (problem,) = caught.value.problems
    return problem


def said(order: cmd.LinkCommand, spell: realtime.Spell = realtime.as_is) -> list[dict[str, Any]]:
    return [json.loads(message) for message in realtime.encode(order, "m1", spell)]


# --- 1: a new transcription prompt, sent as an update of the wrong kind --------------------------


@pytest.mark.checklist("C16")
@pytest.mark.parametrize("kind", ["realtime", "transcription"])
def test_1_an_update_is_always_of_the_sessions_own_kind(kind: Any) -> None:
    session = Session(kind=kind, language="fr")
    changed = replace(session, transcription_prompt="Expect room names: salon, cuisine.")
    for order in (cmd.Configure("c1", session), cmd.Configure("c2", changed, session)):
        (update,) = said(order)
        assert (update["type"], update["session"]["type"]) == ("session.update", kind)
    (old,) = said(cmd.Configure("c1", session), beta.spell)
    names = {"realtime": "session.update", "transcription": "transcription_session.update"}
    assert old["type"] == names[kind]


def test_1_a_new_prompt_is_all_that_a_change_of_prompt_sends() -> None:
    before = Session(transcription_model="gpt-4o-transcribe", language="fr")
    after = replace(before, transcription_prompt="Expect room names: salon, cuisine.")
    (update,) = said(cmd.Configure("cfg_7", after, before))
    transcription = {
        "model": "gpt-4o-transcribe",
        "language": "fr",
        "prompt": "Expect room names: salon, cuisine.",
    }
    assert update == {
        "type": "session.update",
        "event_id": "cfg_7",
        "session": {"type": "realtime", "audio": {"input": {"transcription": transcription}}},
    }


@pytest.mark.checklist("C2")
@pytest.mark.parametrize("kind", ["conversation", "transcription"])
def test_1_the_kind_is_a_key_and_never_part_of_the_address(kind: str) -> None:
    assert "set session: conversation or transcription" in refused(
        f"session: {kind}, url: 'wss://x/v1/realtime?intent=transcription'"
    )
    assert "holds model=; delete it there" in refused(
        f"session: {kind}, url: 'wss://x/v1/realtime?model=gpt-4o-transcribe'"
    )
    url = session_setup.endpoint(loaded(f"api_key: !secret key, session: {kind}")).url
    assert ("intent=transcription" in url, "model=" in url) in {(True, False), (False, True)}


@pytest.mark.checklist("C15")
def test_1_the_kind_that_the_server_opened_is_known_before_anything_is_sent() -> None:
    opened = b'{"type":"session.created","session":{"type":"transcription","expires_at":1}}'
    assert decode(opened) == ev.SessionCreated("transcription", 1)


# --- 2: a WAV file in an item: its header as sound, at the wrong rate, and never transcribed -----


def their_recording(folder: Path, rate: int = 44_100, seconds: float = 2.04) -> Path:
    """As it was posted: RIFF, mono, 16 bit."""
    path = folder / "speech.wav"
    at = np.arange(round(rate * seconds)) / rate
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * at), rate, subtype="PCM_16")
    assert path.read_bytes().startswith(b"RIFF")
    return path


@pytest.mark.checklist("C28", "C29")
@pytest.mark.parametrize("rate", [44_100, 16_000, 8_000])  # 16 kHz as 24 kHz is problem 4
def test_2_a_recording_is_heard_as_it_sounds(tmp_path: Path, rate: int) -> None:
    pcm = recording.load(their_recording(tmp_path, rate))
    pieces = [base64.b64decode(body["audio"]) for body in said(cmd.AppendAudio(pcm))]
    assert not any(piece.startswith(b"RIFF") for piece in pieces)
    sent = b"".join(pieces)
    assert len(sent) / 48_000 == pytest.approx(2.04, abs=0.01)  # not 1.5 or 1.84 times as fast
    samples = np.frombuffer(sent, "<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * 24_000 / len(samples) == pytest.approx(440, abs=1)


def test_2_sound_never_travels_in_an_item() -> None:
    """Only what is committed from the buffer is transcribed."""
    for order in (cmd.AddText("user", "Hi."), cmd.AddText("assistant", "Hi.")):
        (body,) = said(order)
        parts = [part["type"] for part in body["item"]["content"]]
        assert parts in (["input_text"], ["output_text"])
    assert said(cmd.AppendAudio(b"\0\0"))[0]["type"] == "input_audio_buffer.append"
    assert said(cmd.CommitInput()) == [{"type": "input_audio_buffer.commit", "event_id": "m1"}]


def test_2_a_transcript_comes_in_its_own_event_only() -> None:
    part = {"type": "input_audio", "transcript": None}
    item = {"id": "u1", "type": "message", "status": "completed", "content": [part]}
    for kind in ("created", "added", "done", "retrieved"):
        message = json.dumps({"type": f"conversation.item.{kind}", "item": item}).encode()
        assert isinstance(decode(message), ev.Ignored)


# --- 3: a library that configures a transcription session as a conversation, unasked ------------


@pytest.mark.checklist("C27")
def test_3_what_the_secret_settled_is_sent_by_nobody() -> None:
    config = loaded("session: transcription, client_secret: {command: [pass]}")
    (update,) = said(cmd.Configure("c1", session_setup.session(config)))
    session = update["session"]
    assert session.keys() == {"type", "audio"}
    assert session["type"] == "transcription"
    assert session["audio"].keys() == {"input"}
    assert session["audio"]["input"].keys() == {"format", "turn_detection"}


@pytest.mark.checklist("C27")
def test_3_what_only_conversations_know_is_not_sent_though_it_is_set() -> None:
    config = loaded(
        "api_key: !secret key, session: transcription, voice: cedar, instructions: Hi, output: text"
    )
    (update,) = said(cmd.Configure("c1", session_setup.session(config)))
    assert update["session"].keys() <= {"type", "audio", "include"}


# --- 4: no transcript, no further events ---------------------------------------------------------


def test_4_a_key_that_does_not_exist_is_refused_before_the_server_does() -> None:
    assert refused("transcription: {enabled: true}") == (
        "config.yaml:1:50: realtime.transcription.enabled: is not a known key"
        ' (transcription is on when "model" is set)'
    )


@pytest.mark.parametrize("silence_ms", [501, 800, 5000])
def test_4_a_gate_that_would_hide_the_silence_from_the_server_is_refused(silence_ms: int) -> None:
    problem = refused(f"turn_detection: {{silence_duration_ms: {silence_ms}}}")
    assert f"must be at least {silence_ms + 200}" in problem


@pytest.mark.checklist("C35")
def test_4_turns_have_one_owner() -> None:
    """Either the server's VAD ends them, or we do."""
    (vad,) = said(cmd.Configure("c1", session_setup.session(loaded("api_key: !secret key"))))
    assert vad["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    ours = loaded("api_key: !secret key, turn_detection: {type: manual}")
    (manual,) = said(cmd.Configure("c1", session_setup.session(ours)))
    assert manual["session"]["audio"]["input"]["turn_detection"] is None


def test_4_events_are_read_by_type_and_never_half() -> None:
    message = (
        b'{"type":"response.output_text.delta","response_id":"r","output_index":0,'
        b'"content_index":0,"delta":"Hi"}'
    )
    assert decode(message) == ev.TextDelta("r", 0, 0, "Hi")


def test_4_an_error_has_its_cause() -> None:
    error = {
        "type": "invalid_request_error",
        "code": "unknown_parameter",
        "message": "Unknown parameter: 'session.input_audio_transcription.enabled'.",
        "param": "session.input_audio_transcription.enabled",
        "event_id": "configure-1",
    }
    event = decode(json.dumps({"type": "error", "error": error}).encode())
    assert isinstance(event, ev.ServerError)
    assert (event.code, event.param, event.event_id) == (
        "unknown_parameter",
        "session.input_audio_transcription.enabled",
        "configure-1",
    )


def test_4_content_is_a_list() -> None:
    (body,) = said(cmd.AddText("user", "Hi."))
    assert isinstance(body["item"]["content"], list)


# --- 5: twenty questions about session.updated ---------------------------------------------------

ANSWERS = Path(__file__).parents[2] / "docs" / "realtime-answers.md"


@pytest.mark.checklist("C18", "C23", "C25")
def test_5_nothing_is_left_to_a_default() -> None:
    (update,) = said(cmd.Configure("c1", Session(noise_reduction=None)))
    session = update["session"]
    assert session["type"] == "realtime"
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"]["noise_reduction"] is None
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": True,
    }


@pytest.mark.checklist("C21")
def test_5_what_the_server_made_of_it_is_compared_key_by_key() -> None:
    config = loaded("api_key: !secret key")
    session = session_setup.session(config)
    effective = realtime.wanted(session)
    compare = session_setup.compare(config)
    assert compare(session, json.loads(json.dumps(effective))) == ()
    effective["audio"]["input"]["turn_detection"] = None
    assert "audio.input.turn_detection.silence_duration_ms asked 500, got None" in compare(
        session, effective
    )


def test_5_check_says_what_would_be_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("realtime: {provider: local, model: local}\n")
    parser = argparse.ArgumentParser()
    check.register(parser.add_subparsers())
    args = parser.parse_args(["check", "-c", str(tmp_path / "config.yaml")])
    assert args.run(args) == 0
    assert capsys.readouterr().out.splitlines() == [
        "server: local, 127.0.0.1:8765, with no key",
        "session: conversation, dialect ga, model local, answers as audio",
        (
            "written down by: gpt-4o-mini-transcribe; your turn is ended by the server, after its"
            " silence"
        ),
        "config.yaml: ok",
    ]


@pytest.mark.parametrize(
    "word",
    [
        "session.created",
        "session.updated",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer_commit_empty",
        "100 ms",
        "200",
        "null",
        "output_modalities",
        "rate_limits.updated",
    ],
)
def test_5_the_answers_are_written_down(word: str) -> None:
    assert word in ANSWERS.read_text(encoding="utf-8")
