"""The beta dialect: old names, the same session behind (3.3, 3.4, 4.11)."""

from __future__ import annotations

import base64

import pytest
from local_bench import Client, error, silence, sound, types

from satellite.local.behaviour import Kind
from satellite.local.beta import BetaSession
from satellite.local.engines import Call
from satellite.local.session import Session

TURN = sound(960) + silence(640)
SPOKEN = [
    "response.output_item.added",
    "conversation.item.created",
    "response.content_part.added",
    *["response.audio_transcript.delta", "response.audio.delta", "response.audio.delta"] * 2,
    "response.audio.done",
    "response.audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


@pytest.fixture
def beta() -> Client:
    return Client(BetaSession)


@pytest.fixture
def hearing() -> Client:
    return Client(BetaSession, kind="transcription")


@pytest.mark.checklist("S1", "S7")
def test_a_session_begins_with_its_conversation(beta: Client) -> None:
    created, conversation = beta.events
    assert created["type"] == "session.created"
    assert conversation["type"] == "conversation.created"
    session = created["session"]
    assert "type" not in session
    assert session["modalities"] == ["text", "audio"]
    assert (session["voice"], session["temperature"]) == ("alloy", 0.8)
    assert session["input_audio_format"] == session["output_audio_format"] == "pcm16"
    assert session["input_audio_transcription"] is None
    assert session["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "create_response": True,
        "interrupt_response": True,
    }


@pytest.mark.checklist("S1", "S14")
def test_every_key_of_the_flat_session_is_taken_and_shown(beta: Client) -> None:
    flat = {
        "modalities": ["text"],
        "instructions": "Be brief.",
        "voice": "echo",
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "g711_alaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": None},
        "input_audio_noise_reduction": {"type": "near_field"},
        "turn_detection": {
            "type": "semantic_vad",
            "eagerness": "low",
            "create_response": False,
            "interrupt_response": True,
        },
        "tools": [{"type": "function", "name": "f", "parameters": {}}],
        "tool_choice": "f",
        "temperature": 0.7,
        "max_response_output_tokens": 100,
        "speed": 1.1,
    }
    (updated,) = beta.update(**flat)
    assert {key: updated["session"][key] for key in flat} == flat
    (kept,) = beta.update(turn_detection=None)
    assert kept["session"] == {**updated["session"], "turn_detection": None}


@pytest.mark.checklist("S1", "S26", "S27", "S33")
def test_a_turn_in_the_order_of_4_11(beta: Client) -> None:
    beta.update(input_audio_transcription={"model": "whisper-1"})
    events = beta.append(TURN)
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "response.created",
        "rate_limits.updated",
    ]
    assert [limit["name"] for limit in events[-1]["rate_limits"]] == ["requests", "tokens"]
    response = events[-2]["response"]
    assert (response["modalities"], response["voice"]) == (["text", "audio"], "alloy")
    assert (response["output_audio_format"], response["temperature"]) == ("pcm16", 0.8)
    events = beta.work()
    assert [kind.rpartition(".")[2] for kind in types(events)[:2]] == ["delta", "completed"]
    assert types(events)[2:] == SPOKEN
    (item,) = events[-1]["response"]["output"]
    assert item["content"] == [{"type": "audio", "transcript": "It is noon. Time to eat."}]


@pytest.mark.checklist("S1")
def test_text_alone(beta: Client) -> None:
    beta.say()
    beta.send("response.create", response={"modalities": ["text"], "temperature": 1.0})
    events = beta.work()
    assert types(events)[3:6] == [*["response.text.delta"] * 2, "response.text.done"]
    assert events[-1]["response"]["modalities"] == ["text"]
    assert events[-1]["response"]["temperature"] == 1.0
    assert events[-1]["response"]["output"][0]["content"][0]["type"] == "text"


@pytest.mark.checklist("S1", "S35")
def test_a_function_call_has_no_name_at_its_end(beta: Client) -> None:
    beta.update(tools=[{"type": "function", "name": "turn_on"}])
    beta.responder.reply = Call("turn_on", {"name": "light"})
    beta.say()
    beta.send("response.create")
    events = beta.work()
    done = next(event for event in events if event["type"].endswith("arguments.done"))
    assert "name" not in done
    output = {"type": "function_call_output", "call_id": done["call_id"], "output": "{}"}
    assert types(beta.send("conversation.item.create", item=output)) == [
        "conversation.item.created"
    ]


@pytest.mark.parametrize(
    "choice",
    ["turn_on", {"type": "function", "name": "turn_on"}, {"function": {"name": "turn_on"}}],
)
def test_a_function_is_forced_in_every_old_way(beta: Client, choice: object) -> None:
    beta.update(tools=[{"type": "function", "name": name} for name in ("turn_on", "turn_off")])
    (updated,) = beta.update(tool_choice=choice)
    assert updated["session"]["tool_choice"] == "turn_on"
    beta.say()
    beta.send("response.create")
    assert [tool["name"] for tool in beta.jobs[-1].tools] == ["turn_on"]


def test_items_have_their_old_parts(beta: Client) -> None:
    content = [{"type": "text", "text": "It is noon."}]
    item = {"id": "a1", "type": "message", "role": "assistant", "content": content}
    beta.send("conversation.item.create", item=item)
    (kept,) = beta.send("conversation.item.retrieve", item_id="a1")
    assert kept["item"]["content"] == content
    refused = error(
        beta.send(
            "conversation.item.create",
            item={**item, "content": [{"type": "output_text", "text": ""}]},
        )
    )
    assert (refused["code"], refused["param"]) == ("invalid_value", "item.content[0].type")


A = "Passing a transcription session update event to a realtime session is not allowed."
B = "Passing a realtime session update event to a transcription session is not allowed."


@pytest.mark.checklist("S13")
@pytest.mark.parametrize(
    ("kind", "event", "message"),
    [
        ("realtime", "session.update", None),
        ("realtime", "transcription_session.update", A),
        ("transcription", "session.update", B),
        ("transcription", "transcription_session.update", None),
    ],
)
def test_s13_updates_by_kind(kind: Kind, event: str, message: str | None) -> None:
    client = Client(BetaSession, kind=kind)
    events = client.send(event, session={"input_audio_transcription": {"model": "whisper-1"}})
    if message is None:
        assert types(events) == [f"{event}d"]
        told = events[0]["session"]["input_audio_transcription"]
        assert told == {"model": "whisper-1", "language": None, "prompt": None}
    else:
        refused = error(events)
        assert (refused["code"], refused["param"]) == ("invalid_parameter", "")
        assert refused["message"] == message


@pytest.mark.checklist("S3", "S5")
@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"type": "realtime"}, "unknown_parameter", "type"),
        ({"audio": {}}, "unknown_parameter", "audio"),
        ({"modalities": ["audio"]}, "invalid_value", "modalities"),
        ({"input_audio_format": {"type": "audio/pcm"}}, "invalid_type", "input_audio_format"),
        ({"output_audio_format": "pcm24"}, "invalid_value", "output_audio_format"),
        ({"temperature": 2}, "decimal_above_max_value", "temperature"),
        ({"voice": "marin"}, "invalid_value", "voice"),
        (
            {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}},
            "unknown_parameter",
            "turn_detection.idle_timeout_ms",
        ),
        (
            {"input_audio_transcription": {"enabled": True}},
            "unknown_parameter",
            "input_audio_transcription.enabled",
        ),
        (
            {"input_audio_transcription": {"model": "gpt-live-transcribe"}},
            "invalid_value",
            "turn_detection",
        ),
        ({"model": "other"}, "invalid_value", "model"),
    ],
)
def test_value_rules_in_beta_words(beta: Client, session: dict, code: str, param: str) -> None:
    refused = error(beta.update(instructions="other", **session))
    assert (refused["code"], refused["param"]) == (code, f"session.{param}")
    assert beta.update()[0]["session"]["instructions"] != "other"


@pytest.mark.checklist("S15")
def test_voice_is_refused_after_assistant_audio(beta: Client) -> None:
    beta.say()
    beta.send("response.create")
    beta.work()
    refused = error(beta.update(voice="echo"))
    assert (refused["code"], refused["param"]) == ("cannot_update_voice", "session.voice")


@pytest.mark.checklist("S4")
def test_the_types_listed_are_those_of_beta(beta: Client, hearing: Client) -> None:
    listed = error(beta.send("ping"))["message"]
    assert "'transcription_session.update'" in listed
    assert "'response.create'" in listed
    refused = error(hearing.send("response.create"))
    assert refused["code"] == "invalid_value"
    assert "'response.create'" not in refused["message"].partition("Supported")[2]


@pytest.mark.checklist("S1", "S36")
def test_a_transcription_session(hearing: Client) -> None:
    assert types(hearing.events) == ["transcription_session.created"]
    hearing.update(
        modalities=["text"],
        input_audio_transcription={"model": "gpt-4o-transcribe"},
        turn_detection={"type": "server_vad", "silence_duration_ms": 200},
    )
    assert types(hearing.append(TURN) + hearing.work()) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        *["conversation.item.input_audio_transcription.delta"] * 4,
        "conversation.item.input_audio_transcription.completed",
    ]
    refused = error(hearing.update(turn_detection={"type": "server_vad", "create_response": True}))
    assert refused["param"] == "session.turn_detection.create_response"


def test_sound_of_both_g711_laws_goes_each_way(beta: Client) -> None:
    beta.update(input_audio_format="g711_alaw", output_audio_format="g711_ulaw")
    events = beta.append(b"\x2a" * (8 * 960) + b"\xd5" * (8 * 640)) + beta.work()
    assert events[1]["type"] == "input_audio_buffer.speech_stopped"
    deltas = [event["delta"] for event in events if event["type"] == "response.audio.delta"]
    assert sum(len(base64.b64decode(delta)) for delta in deltas) == 600 * 8


def test_both_dialects_have_the_same_methods() -> None:
    assert issubclass(BetaSession, Session)
