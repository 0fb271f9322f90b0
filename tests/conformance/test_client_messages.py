"""Every message we send is one that the service's own types know, whole and with no key more.

The sessions and orders that are tried are in ``asked.py``, the beta's in ``test_beta_messages.py``.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Annotated, Any

import pytest
from asked import a_session, orders, sessions, unknown_keys
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeClientEvent
from pydantic import Field, TypeAdapter

from satellite.model import commands as cmd
from satellite.model.audio import silence
from satellite.model.session import Session
from satellite.wire import realtime

CLIENT: TypeAdapter[Any] = TypeAdapter(Annotated[RealtimeClientEvent, Field(discriminator="type")])


@pytest.mark.checklist("C17")
@given(orders)
def test_c17_every_message_is_known_to_the_official_types(order: cmd.LinkCommand) -> None:
    for message in realtime.encode(order, "m1"):
        assert unknown_keys(CLIENT.validate_json(message)) == []


@pytest.mark.checklist("C19")
@given(orders)
def test_c19_every_message_but_an_append_has_its_event_id(order: cmd.LinkCommand) -> None:
    for message in realtime.encode(order, "m1"):
        body = json.loads(message)
        if body["type"] == "input_audio_buffer.append":
            assert "event_id" not in body
        else:
            assert body["event_id"] == EVENT_IDS.get(type(order), "m1")


EVENT_IDS: dict[type, str] = {cmd.Configure: "configure-1", cmd.SpeakText: "m1.boot-t1"}


def configured(session: Session) -> dict[str, Any]:
    (message,) = realtime.encode(cmd.Configure("configure-1", session), "m1")
    update: dict[str, Any] = json.loads(message)["session"]
    return update


@pytest.mark.checklist("C16", "C18", "C23", "C25")
def test_c16_c18_c23_c25_the_session_is_whole_and_explicit() -> None:
    session = configured(a_session())
    assert session["type"] == "realtime"
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "noise_reduction": None,  # C18: an explicit null survives
        "transcription": {"model": "gpt-4o-mini-transcribe", "language": "en"},
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
            "create_response": True,
            "interrupt_response": True,
        },
    }
    assert session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}


NEVER_IN = {"prompt", "temperature", "modalities", "model", "tracing"}


@pytest.mark.checklist("C11", "C26")
@given(orders)
def test_c26_what_must_never_be_sent_is_not(order: cmd.LinkCommand) -> None:
    for message in realtime.encode(order, "m1"):
        body = json.loads(message)  # C11: text that is JSON, and no ping of our own
        assert body["type"] not in {"ping", "output_audio_buffer.clear"}
        session = body.get("session", {})
        assert not NEVER_IN & session.keys()
        transcription = session.get("audio", {}).get("input", {}).get("transcription", {})
        assert "enabled" not in transcription


ONLY_CONVERSATIONS = {"instructions", "output_modalities", "tools", "tool_choice", "voice"}


@pytest.mark.checklist("C27")
@given(sessions)
def test_c27_a_transcription_session_has_no_key_of_a_conversation(session: Session) -> None:
    update = configured(replace(session, kind="transcription"))
    assert update["type"] == "transcription"
    assert not ONLY_CONVERSATIONS & update.keys()
    assert update["audio"].keys() == {"input"}
    turns = update["audio"]["input"]["turn_detection"] or {}
    assert not {"create_response", "interrupt_response", "idle_timeout_ms"} & turns.keys()


@pytest.mark.checklist("C16")
@given(orders)
def test_c16_every_update_says_what_kind_of_session_it_is_for(order: cmd.LinkCommand) -> None:
    for message in realtime.encode(order, "m1"):
        body = json.loads(message)
        if body["type"] == "session.update":
            assert isinstance(order, cmd.Configure)
            assert body["session"]["type"] == order.session.kind


@pytest.mark.checklist("C23", "C25")
@given(orders)
def test_c23_c25_objects_go_whole_and_formats_have_their_rate(order: cmd.LinkCommand) -> None:
    for message in realtime.encode(order, "m1"):
        session = json.loads(message).get("session", {})
        assert len(session.get("output_modalities", ["audio"])) == 1
        heard = session.get("audio", {}).get("input", {})
        turns = heard.get("turn_detection") or dict.fromkeys(NUMBERS, 0)
        assert turns.keys() >= NUMBERS
        assert all(isinstance(turns[name], int | float) for name in NUMBERS)
        assert "model" in heard.get("transcription", {"model": ""})
        for side in session.get("audio", {}).values():
            if "format" in side:
                assert side["format"] in FORMATS


NUMBERS = {"threshold", "prefix_padding_ms", "silence_duration_ms"}
FORMATS = (
    {"type": "audio/pcm", "rate": 24000},
    {"type": "audio/pcmu"},
    {"type": "audio/pcma"},
)


@pytest.mark.checklist("C18")
def test_c18_manual_turns_are_an_explicit_null() -> None:
    update = configured(replace(a_session(), manual=True))
    assert update["audio"]["input"]["turn_detection"] is None
    assert update["audio"]["input"]["noise_reduction"] is None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("whisper-1", {"language": "de", "prompt": "Flur"}),
        ("gpt-4o-transcribe-diarize", {"language": "de"}),
        ("gpt-transcribe", {"languages": ["de"], "prompt": "Flur", "keywords": ["Bad"]}),
        ("gpt-realtime-whisper", {"language": "de"}),
        ("my-own", {"language": "de", "prompt": "Flur", "keywords": ["Bad"]}),
    ],
)
def test_a_recogniser_is_given_what_it_takes(model: str, expected: dict[str, Any]) -> None:
    session = replace(
        a_session(),
        transcription_model=model,
        language="de",
        transcription_prompt="Flur",
        keywords=("Bad",),
    )
    assert configured(session)["audio"]["input"]["transcription"] == {"model": model, **expected}


@pytest.mark.parametrize(("model", "asked"), [("gpt-4o-transcribe", True), ("whisper-1", False)])
def test_probabilities_are_asked_of_those_that_tell(model: str, asked: bool) -> None:
    session = replace(a_session(), transcription_model=model, confidence=True)
    assert ("include" in configured(session)) is asked


@pytest.mark.checklist("C28", "C29")
@given(st.binary(max_size=60_000))
def test_c28_c29_sound_goes_whole_in_pieces_of_at_most_200_ms(noise: bytes) -> None:
    pcm = silence(20) + noise[: len(noise) // 2 * 2]
    sizes, joined = [], b""
    for message in realtime.encode(cmd.AppendAudio(pcm), "m1"):
        piece = base64.b64decode(json.loads(message)["audio"], validate=True)
        sizes.append(len(piece))
        joined += piece
    assert joined == pcm
    assert max(sizes) <= 9600
    assert all(size % 2 == 0 for size in sizes)


@pytest.mark.parametrize("head", [b"RIFF", b"OggS", b"fLaC", b"ID3\x03"])
def test_sound_that_looks_like_a_file_is_sound(head: bytes) -> None:
    """C28 is kept where files are read; a room may sound like anything."""
    (message,) = realtime.encode(cmd.AppendAudio(head + bytes(100)), "m1")
    assert base64.b64decode(json.loads(message)["audio"]).startswith(head)


@pytest.mark.checklist("C2")
def test_c2_the_address_has_the_model_and_no_intent() -> None:
    assert realtime.session_url("wss://host/v1/realtime", "gpt realtime") == (
        "wss://host/v1/realtime?model=gpt%20realtime"
    )
    assert realtime.session_url("wss://host/v1?a=b", "m") == "wss://host/v1?a=b&model=m"
    assert realtime.transcription_url("wss://host/v1") == "wss://host/v1?intent=transcription"


@pytest.mark.checklist("C21")
def test_c21_every_key_that_differs_is_named_and_no_text_is_shown() -> None:
    wanted = realtime.wanted(a_session())
    effective = json.loads(json.dumps(wanted))
    assert realtime.differences(wanted, effective) == ()
    effective["audio"]["input"]["turn_detection"]["silence_duration_ms"] = 200
    effective["audio"]["input"]["turn_detection"]["threshold"] = 0.5 + 1e-9
    effective["instructions"] = "canary"
    del effective["audio"]["output"]
    found = realtime.differences(wanted, effective)
    assert "audio.input.turn_detection.silence_duration_ms asked 500, got 200" in found
    assert "instructions differs" in found
    assert "audio.output.voice asked 'marin', got None" in found
    assert "canary" not in "".join(found)


@pytest.mark.checklist("C3")
def test_secrets_and_texts_of_a_session_are_in_no_repr() -> None:
    assert "Be brief" not in repr(a_session())


def test_what_a_server_made_of_a_setting_is_told_briefly() -> None:
    deep: object = "alloy"
    for _ in range(5000):  # more than repr() can follow
        deep = [deep]
    for odd in (deep, "x" * 1_000_000, list(range(1_000_000))):
        effective = {"audio": {"output": {"voice": odd}}}
        (told,) = realtime.differences({"audio": {"output": {"voice": "marin"}}}, effective)
        assert told.startswith("audio.output.voice asked 'marin', got ")
        assert len(told) < 200
