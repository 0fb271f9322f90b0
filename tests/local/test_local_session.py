"""What a client may ask and what it is told (S1 to S5, S7, S13 to S15)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_bench import Client, error, types

from satellite.local import client_events
from satellite.local.input_buffer import InputBuffer
from satellite.local.response import sentences

PCM = {"type": "audio/pcm", "rate": 24000}


@pytest.mark.checklist("S7")
def test_s7_created_is_first_with_live_defaults(client: Client) -> None:
    (created,) = client.events
    session = created["session"]
    assert created["type"] == "session.created"
    assert session["type"] == "realtime"
    assert session["id"].startswith("sess_")
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }
    assert session["audio"]["input"]["transcription"] is None
    assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == PCM
    assert session["output_modalities"] == ["audio"]
    assert (session["tools"], session["tool_choice"]) == ([], "auto")
    assert session["max_output_tokens"] == "inf"


@pytest.mark.checklist("S2", "S4")
@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("nonsense", "invalid_json", None),
        ("[" * 100_000, "invalid_json", None),
        ("[]", "invalid_event", None),
        (b"{}", "invalid_event", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type":"ping"}', "invalid_value", "type"),
        ('{"type":7}', "invalid_type", "type"),
        ('{"type":"transcription_session.update","session":{}}', "invalid_value", "type"),
        ('{"type":"output_audio_buffer.clear"}', "invalid_value", "type"),
        ('{"type":"response.cancel","why":1}', "unknown_parameter", "why"),
        ('{"type":"session.update"}', "missing_required_parameter", "session"),
        ('{"type":"response.cancel","event_id":7}', "invalid_type", "event_id"),
    ],
)
def test_s2_s4_bad_messages_are_told_and_survived(
    client: Client, message: str | bytes, code: str, param: str | None
) -> None:
    refused = error(client.raw(message))
    assert (refused["code"], refused["param"]) == (code, param)
    assert types(client.update(instructions="still here")) == ["session.updated"]


@pytest.mark.checklist("S4")
def test_s4_unknown_type_lists_every_type(client: Client) -> None:
    message = error(client.raw('{"type":"ping"}'))["message"]
    assert message.startswith("Invalid value: 'ping'. Supported values are: 'session.update', ")
    assert all(f"'{name}'" in message for name in client_events.TYPES)


@pytest.mark.checklist("S2")
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["type", "session", "item", "audio", "response", "input", "id"])
                | st.text(),
                inner,
            )
        ),
    ),
    st.sampled_from(client_events.TYPES),
)
def test_s2_no_content_of_an_event_raises(content: Any, kind: str) -> None:
    client = Client()
    for message in (content, {"type": kind, "session": content, "item": content}):
        client.raw(json.dumps(message))
    for key in ("audio", "response", "item_id", "session"):
        client.raw(json.dumps({"type": kind, key: content}))


@pytest.mark.checklist("S2")
def test_s2_event_id_is_echoed(client: Client) -> None:
    assert error(client.raw('{"type":"ping","event_id":"mine"}'))["event_id"] == "mine"


@pytest.mark.checklist("S3")
def test_s3_unknown_nested_key_discards_the_whole_update(client: Client) -> None:
    audio = {"input": {"transcription": {"model": "whisper-1", "enabled": True}}}
    refused = error(client.update(instructions="other", audio=audio))
    assert refused["code"] == "unknown_parameter"
    assert refused["param"] == "session.audio.input.transcription.enabled"
    assert refused["message"] == ("Unknown parameter: 'session.audio.input.transcription.enabled'.")
    session = client.update()[0]["session"]
    assert session == client.events[0]["session"]


VALUE_RULES = [
    ({"output_modalities": ["audio", "text"]}, "invalid_value", "output_modalities"),
    ({"audio": {"input": {"format": "pcm16"}}}, "invalid_type", "audio.input.format"),
    (
        {"audio": {"output": {"format": {"type": "audio/pcm"}}}},
        "missing_required_parameter",
        "audio.output.format.rate",
    ),
    (
        {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
        "integer_below_min_value",
        "audio.input.format.rate",
    ),
    (
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": None}}}},
        "invalid_type",
        "audio.input.turn_detection.create_response",
    ),
    (
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
        "decimal_above_max_value",
        "audio.input.turn_detection.threshold",
    ),
    (
        {"audio": {"input": {"turn_detection": {"type": "off"}}}},
        "invalid_value",
        "audio.input.turn_detection.type",
    ),
    ({"audio": {"output": {"speed": 2}}}, "decimal_above_max_value", "audio.output.speed"),
    ({"max_output_tokens": 0}, "integer_below_min_value", "max_output_tokens"),
    ({"tools": [{"type": "mcp"}]}, "invalid_value", "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
    ({"temperature": 0.8}, "unknown_parameter", "temperature"),
    ({"prompt": {"id": "pmpt_1"}}, "invalid_value", "prompt"),
    ({"model": "other"}, "invalid_value", "model"),
]


@pytest.mark.checklist("S5")
@pytest.mark.parametrize(("session", "code", "param"), VALUE_RULES)
def test_s5_value_rules(client: Client, session: dict, code: str, param: str) -> None:
    refused = error(client.update(**session))
    assert (refused["code"], refused["param"]) == (code, f"session.{param}")


@pytest.mark.checklist("S5")
def test_s5_texts_of_the_live_service(client: Client) -> None:
    assert error(client.update(output_modalities=["audio", "text"]))["message"] == (
        "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio']."
    )
    assert error(client.update(audio={"input": {"format": "pcm16"}}))["message"] == (
        "Invalid type for 'session.audio.input.format': expected an object, but got a string "
        "instead."
    )


@pytest.mark.checklist("S13")
@pytest.mark.parametrize(
    ("session", "code", "param", "message"),
    [
        (
            {"type": "transcription"},
            "invalid_parameter",
            "",
            "Passing a transcription session update event to a realtime session is not allowed.",
        ),
        (
            {"instructions": "x"},
            "missing_required_parameter",
            "session.type",
            "Missing required parameter: 'session.type'.",
        ),
        (
            {"type": ["realtime"]},
            "invalid_type",
            "session.type",
            (
                "Invalid type for 'session.type': expected one of 'realtime' and 'transcription', "
                "but got an array instead."
            ),
        ),
    ],
)
def test_s13_updates_of_the_wrong_type(
    client: Client, session: dict, code: str, param: str, message: str
) -> None:
    refused = error(client.send("session.update", session=session))
    assert (refused["code"], refused["param"], refused["message"]) == (code, param, message)


@pytest.mark.checklist("S14")
def test_s14_updated_is_whole_and_omitted_keys_stay(client: Client) -> None:
    client.update(instructions="Be brief.")
    client.update(audio={"input": {"transcription": {"model": "whisper-1", "language": "en"}}})
    (updated,) = client.update(
        audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 500}}}
    )
    session = updated["session"]
    assert session["instructions"] == "Be brief."
    heard = {"model": "whisper-1", "language": "en", "prompt": None}
    assert session["audio"]["input"]["transcription"] == heard
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500
    assert session["audio"]["input"]["turn_detection"]["threshold"] == 0.5


@pytest.mark.checklist("S14")
def test_s14_an_event_already_made_does_not_change(client: Client) -> None:
    before = json.dumps(client.events[0])
    client.update(instructions="other", audio={"output": {"voice": "cedar"}})
    assert json.dumps(client.events[0]) == before


@pytest.mark.checklist("S14")
def test_s14_nulls_and_empty_values_clear(client: Client) -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    client.update(
        instructions="x",
        tools=[tool],
        audio={
            "input": {
                "transcription": {"model": "whisper-1"},
                "noise_reduction": {"type": "far_field"},
            }
        },
    )
    (updated,) = client.update(
        instructions="",
        tools=[],
        audio={"input": {"transcription": None, "noise_reduction": None, "turn_detection": None}},
    )
    session = updated["session"]
    assert (session["instructions"], session["tools"]) == ("", [])
    assert session["audio"]["input"] == {
        "format": PCM,
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": None,
    }


@pytest.mark.checklist("S14")
def test_s14_semantic_vad_replaces_server_vad_whole(client: Client) -> None:
    (updated,) = client.update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
    assert updated["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


@pytest.mark.checklist("S15")
def test_s15_voice_is_refused_after_assistant_audio(client: Client) -> None:
    voice = {"output": {"voice": "cedar"}}
    assert client.update(audio=voice)[0]["session"]["audio"]["output"]["voice"] == "cedar"
    client.say()
    client.send("response.create")
    client.work()
    refused = error(client.update(audio=voice))
    assert refused["code"] == "cannot_update_voice"
    assert refused["message"] == (
        "Cannot update a conversation's voice if assistant audio is present."
    )
    assert types(client.update(instructions="y")) == ["session.updated"]


def test_an_error_never_repeats_much_of_what_was_sent(client: Client) -> None:
    secret = "x" * 40 + "SECRET" * 200
    refused = error(client.update(tool_choice=secret))
    assert len(refused["message"]) < 300


@pytest.mark.checklist("S2")
def test_s2_a_deeply_nested_update_is_told_and_survived(client: Client) -> None:
    nested = '{"a":' * 600 + "1" + "}" * 600
    tool = '{"type":"function","name":"t","parameters":' + nested + "}"
    message = '{"type":"session.update","session":{"type":"realtime","tools":[' + tool + "]}}"
    told = client.raw(message)
    assert types(told) in (["error"], ["session.updated"])
    assert types(client.update(instructions="still here")) == ["session.updated"]


def test_half_a_sample_does_not_shift_what_comes_after_a_clear() -> None:
    buffer = InputBuffer()
    buffer.append(b"\x01")
    buffer.clear()
    buffer.append(b"\x02\x03")
    assert buffer.hear() == b"\x02\x03"


def test_half_a_sample_does_not_shift_what_comes_after_a_commit() -> None:
    buffer = InputBuffer()
    buffer.append(b"\x01\x02\x03")
    buffer.hear()
    assert buffer.take(0, None) == b"\x01\x02"
    buffer.append(b"\x04\x05")
    assert buffer.hear() == b"\x04\x05"


@given(st.text(max_size=3000))
def test_no_sentence_is_long_and_no_word_is_lost(text: str) -> None:
    parts = sentences(text)
    assert all(len(part) <= 201 for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.checklist("S13")
@pytest.mark.parametrize("kind", ["realtime", "transcription"])
def test_s13_the_beta_update_is_an_unknown_type(kind: str) -> None:
    client = Client(kind=kind)
    refused = error(client.send("transcription_session.update", session={}))
    assert (refused["code"], refused["param"]) == ("invalid_value", "type")
    assert refused["message"].startswith(
        "Invalid value: 'transcription_session.update'. Supported values are: 'session.update', "
    )


@pytest.mark.checklist("S16")
def test_s16_a_pinned_session_begins_so_and_may_be_updated() -> None:
    pinned = {
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "audio": {"output": {"voice": "cedar"}},
    }
    client_events.check_session(pinned)
    client = Client(pinned=pinned)
    session = client.events[0]["session"]
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "cedar",
        "speed": 1.0,
    }
    (updated,) = client.update(instructions="Be brief.")
    assert updated["session"]["instructions"] == "Be brief."
    assert updated["session"]["audio"]["output"]["voice"] == "cedar"
    assert updated["session"]["id"] == session["id"]
