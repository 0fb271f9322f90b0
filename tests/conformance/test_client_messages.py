"""Every message we send is one that the service's own types know, whole and with no key more."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeClientEvent
from pydantic import BaseModel, Field, TypeAdapter

from satellite.model import commands as cmd
from satellite.model.audio import silence
from satellite.model.session import Session
from satellite.wire import realtime

CLIENT: TypeAdapter[Any] = TypeAdapter(Annotated[RealtimeClientEvent, Field(discriminator="type")])

text = st.text(max_size=40)
sessions = st.builds(
    Session,
    kind=st.sampled_from(["realtime", "transcription"]),
    instructions=text,
    voice=st.sampled_from(["marin", "cedar"]),
    output=st.sampled_from(["audio", "text"]),
    transcription_model=st.sampled_from(["gpt-4o-mini-transcribe", "whisper-1"]),
    transcription_prompt=text,
    language=st.none() | st.just("en"),
    threshold=st.floats(0, 1),
    prefix_padding_ms=st.integers(0, 2000),
    silence_duration_ms=st.integers(100, 2000),
    noise_reduction=st.sampled_from([None, "near_field", "far_field"]),
)
orders = st.one_of(
    st.builds(cmd.Configure, st.just("configure-1"), sessions),
    st.binary(max_size=30_000).map(lambda pcm: cmd.AppendAudio(b"\0\0" + pcm[: len(pcm) // 2 * 2])),
    st.just(cmd.CommitInput()),
    st.just(cmd.CreateResponse()),
    text.map(cmd.CancelResponse),
    st.builds(cmd.TruncateItem, text, st.integers(0, 3), st.integers(0, 100_000)),
    text.map(cmd.DeleteItem),
    st.just(cmd.ClearInput()),
    st.builds(cmd.AddText, st.sampled_from(["user", "assistant"]), text),
    st.builds(cmd.AddToolOutput, text, text),
)


def a_session() -> Session:
    return Session(
        instructions="Be brief.",
        voice="marin",
        output="audio",
        transcription_model="gpt-4o-mini-transcribe",
        transcription_prompt="",
        language="en",
        threshold=0.5,
        prefix_padding_ms=300,
        silence_duration_ms=500,
        noise_reduction=None,
    )


def unknown_keys(value: object, path: str = "") -> list[str]:
    if isinstance(value, BaseModel):
        found = [f"{path}.{key}" for key in value.model_extra or {}]
        for key in type(value).model_fields:
            found += unknown_keys(getattr(value, key, None), f"{path}.{key}")
        return found
    if isinstance(value, list | tuple):
        return [key for i, item in enumerate(value) for key in unknown_keys(item, f"{path}[{i}]")]
    return []


@given(orders)
def test_c17_every_message_is_known_to_the_official_types(order: cmd.LinkCommand) -> None:
    for message in realtime.encode(order, "m1"):
        assert unknown_keys(CLIENT.validate_json(message)) == []


@given(orders)
def test_c19_every_message_but_an_append_has_its_event_id(order: cmd.LinkCommand) -> None:
    for message in realtime.encode(order, "m1"):
        body = json.loads(message)
        if body["type"] == "input_audio_buffer.append":
            assert "event_id" not in body
        else:
            assert body["event_id"] == ("configure-1" if isinstance(order, cmd.Configure) else "m1")


def configured(session: Session) -> dict[str, Any]:
    (message,) = realtime.encode(cmd.Configure("configure-1", session), "m1")
    update: dict[str, Any] = json.loads(message)["session"]
    return update


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


@given(sessions)
def test_c26_what_must_never_be_sent_is_not(session: Session) -> None:
    update = configured(session)
    assert not {"prompt", "temperature", "modalities", "model"} & update.keys()
    assert "enabled" not in update["audio"]["input"]["transcription"]


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


def test_c2_the_address_has_the_model_and_no_intent() -> None:
    assert realtime.session_url("wss://host/v1/realtime", "gpt realtime") == (
        "wss://host/v1/realtime?model=gpt%20realtime"
    )
    assert realtime.session_url("wss://host/v1?a=b", "m") == "wss://host/v1?a=b&model=m"


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


def test_secrets_and_texts_of_a_session_are_in_no_repr() -> None:
    assert "Be brief" not in repr(a_session())
