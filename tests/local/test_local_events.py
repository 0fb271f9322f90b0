"""Against openai's own types: nothing else is sent (S1), and nothing they refuse is taken (S2)."""

from __future__ import annotations

import copy
import json
import re
from typing import Annotated, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_bench import Client, check_s1, error, silence, sound, types, unknown_keys
from openai.types.beta.realtime import RealtimeClientEvent as BetaClientEvent
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeClientEvent
from openai.types.realtime import RealtimeServerEvent as ServerEvent
from pydantic import Field, TypeAdapter, ValidationError

from satellite.local.behaviour import Behaviour
from satellite.local.beta import BetaSession
from satellite.local.engines import Call
from satellite.local.session import Session

GA = TypeAdapter(Annotated[RealtimeClientEvent, Field(discriminator="type")])
BETA = TypeAdapter(Annotated[BetaClientEvent, Field(discriminator="type")])
TURN = sound(960) + silence(640)
PCM = {"type": "audio/pcm", "rate": 24000}
TOOL = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
DETECTION = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
}
ANSWERING = {"create_response": True, "interrupt_response": True}
WORDS = {"model": "gpt-4o-transcribe", "language": "en", "prompt": "Rooms."}


def typed(text: str, part: str = "input_text", role: str = "user") -> dict:
    return {"type": "message", "role": role, "content": [{"type": part, "text": text}]}


BOTH = [
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": typed("hello"), "previous_item_id": "root"},
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "c", "output": "{}"},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    },
    {
        "type": "conversation.item.truncate",
        "item_id": "i",
        "content_index": 0,
        "audio_end_ms": 10,
    },
    {"type": "conversation.item.delete", "item_id": "i"},
    {"type": "conversation.item.retrieve", "item_id": "i"},
    {"type": "response.create"},
    {"type": "response.cancel", "response_id": "r"},
]
GA_EVENTS = [
    *BOTH,
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "instructions": "Be brief.",
            "output_modalities": ["audio"],
            "max_output_tokens": 100,
            "tools": [TOOL],
            "tool_choice": {"type": "function", "name": "f"},
            "tracing": "auto",
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
            "include": ["item.input_audio_transcription.logprobs"],
            "audio": {
                "input": {
                    "format": PCM,
                    "noise_reduction": {"type": "far_field"},
                    "transcription": WORDS,
                    "turn_detection": {**DETECTION, **ANSWERING, "idle_timeout_ms": 6000},
                },
                "output": {"format": {"type": "audio/pcmu"}, "voice": "marin", "speed": 1.0},
            },
        },
    },
    {
        "type": "response.create",
        "response": {
            "conversation": "none",
            "input": [typed("hi"), typed("hi", "output_text", "assistant")],
            "instructions": "Be brief.",
            "max_output_tokens": "inf",
            "metadata": {"key": "value"},
            "output_modalities": ["text"],
            "tool_choice": "none",
            "tools": [TOOL],
            "audio": {"output": {"format": PCM, "voice": "cedar"}},
        },
    },
]
HEARING_EVENTS = [
    *BOTH[:3],
    {
        "type": "session.update",
        "session": {
            "type": "transcription",
            "include": ["item.input_audio_transcription.logprobs"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcma"},
                    "noise_reduction": {"type": "near_field"},
                    "transcription": WORDS,
                    "turn_detection": DETECTION,
                }
            },
        },
    },
]
BETA_EVENTS = [
    *BOTH,
    {
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "instructions": "Be brief.",
            "voice": "alloy",
            "input_audio_format": "pcm16",
            "output_audio_format": "g711_ulaw",
            "input_audio_transcription": WORDS,
            "input_audio_noise_reduction": {"type": "far_field"},
            "turn_detection": {**DETECTION, **ANSWERING},
            "tools": [TOOL],
            "tool_choice": "auto",
            "temperature": 0.8,
            "max_response_output_tokens": 100,
            "speed": 1.0,
            "tracing": "auto",
        },
    },
    {
        "type": "response.create",
        "response": {
            "modalities": ["text"],
            "voice": "echo",
            "output_audio_format": "pcm16",
            "temperature": 0.8,
            "conversation": "none",
            "input": [typed("hi"), typed("hi", "text", "assistant")],
            "metadata": {"key": "value"},
            "tools": [TOOL],
        },
    },
]
BETA_HEARING_EVENTS = [
    *BOTH[:3],
    {
        "type": "transcription_session.update",
        "session": {
            "modalities": ["text"],
            "include": ["item.input_audio_transcription.logprobs"],
            "input_audio_format": "g711_alaw",
            "input_audio_transcription": WORDS,
            "input_audio_noise_reduction": {"type": "near_field"},
            "turn_detection": DETECTION,
        },
    },
]
SESSIONS = {
    "ga": (Session, "realtime", GA, GA_EVENTS),
    "ga hearing": (Session, "transcription", GA, HEARING_EVENTS),
    "beta": (BetaSession, "realtime", BETA, BETA_EVENTS),
    "beta hearing": (BetaSession, "transcription", BETA, BETA_HEARING_EVENTS),
}
UNLIKE_ITS_TYPE = {  # refused by the state of a fresh session, not by their shape
    "item_truncate_invalid_item_id",
    "item_delete_invalid_item_id",
    "item_retrieve_invalid_item_id",
    "input_audio_buffer_commit_empty",
    "response_cancel_not_active",
}


@pytest.mark.checklist("S2")
@pytest.mark.parametrize("name", SESSIONS)
def test_s2_what_openais_types_take_is_taken(name: str) -> None:
    dialect, kind, adapter, events = SESSIONS[name]
    for event in events:
        assert not unknown_keys(adapter.validate_python(event))
        client = Client(dialect, kind=kind)
        told = client.raw(json.dumps(event))
        if "error" in types(told):
            assert error(told)["code"] in UNLIKE_ITS_TYPE, (event["type"], told)


def paths(value: Any, path: tuple = ()) -> list[tuple]:
    """Every place in a JSON value but the whole and its type."""
    if isinstance(value, dict):
        inner = [place for key in value for place in paths(value[key], (*path, key))]
    elif isinstance(value, list):
        inner = [place for at, part in enumerate(value) for place in paths(part, (*path, at))]
    else:
        inner = []
    return [*inner, path] if path not in ((), ("type",)) else inner


_values = st.none() | st.booleans() | st.integers() | st.floats(-9, 9) | st.text(max_size=5)
_values = _values | st.just({}) | st.just([]) | st.dictionaries(st.text(max_size=3), _values)


@pytest.mark.checklist("S2")
@settings(deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", SESSIONS)
def test_s2_what_openais_types_refuse_is_refused(name: str, data: st.DataObject) -> None:
    """One place of a good event is taken away or gets another value, or a key is added."""
    dialect, kind, adapter, events = SESSIONS[name]
    event = copy.deepcopy(data.draw(st.sampled_from(events)))
    places = paths(event)
    if not places:
        return
    *way, last = data.draw(st.sampled_from(places))
    inside = event
    for key in way:
        inside = inside[key]
    match data.draw(st.sampled_from(["drop", "replace", "add"])):
        case "drop" if isinstance(inside, dict):
            del inside[last]
        case "add" if isinstance(inside[last], dict) and last not in ("parameters", "metadata"):
            inside[last]["no_such_key"] = data.draw(_values)
        case _:
            inside[last] = data.draw(_values)
    try:
        fine = not unknown_keys(adapter.validate_python(event))
    except ValidationError:
        fine = False
    told = Client(dialect, kind=kind).raw(json.dumps(event))
    if not fine and "tool_choice" not in (*way, last):  # of which the types know one form only
        assert types(told) == ["error"], event
        assert told[0]["error"]["type"] == "invalid_request_error"
        assert told[0]["error"]["code"] not in UNLIKE_ITS_TYPE, told


@pytest.mark.checklist("S2")
@settings(max_examples=25, deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", SESSIONS)
def test_s2_no_content_of_an_event_raises(name: str, data: st.DataObject) -> None:
    dialect, kind, _adapter, events = SESSIONS[name]
    client = Client(dialect, kind=kind)
    anything = st.recursive(
        _values, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6
    )
    for event in events:
        for key in event.keys() - {"type"}:
            client.raw(json.dumps({**event, key: data.draw(anything)}))


# What is sent


def everything(dialect: type[Session], kind: str) -> Client:
    """A session in which everything happens that can."""
    behaviour = Behaviour(transcripts="inside")
    client = Client(dialect, kind=kind, behaviour=behaviour)
    place = ("input_audio_transcription",) if dialect is BetaSession else ("audio", "input")
    words: dict = {"model": "gpt-4o-transcribe"}
    session = {place[0]: {"input": {"transcription": words}}}
    client.update(**(session if len(place) == 2 else {place[0]: words}))
    committed = client.append(TURN)[2]
    client.work()
    client.recogniser.words = RuntimeError()
    client.append(TURN)
    client.work()
    client.send("conversation.item.retrieve", item_id=committed["item_id"])
    client.send("conversation.item.delete", item_id=committed["item_id"])
    client.send("input_audio_buffer.clear")
    client.send("ping")
    if kind == "realtime":
        answers(client)
    return client


def answers(client: Client) -> None:
    client.say()
    old = isinstance(client.session, BetaSession)
    text = {"modalities": ["text"]} if old else {"output_modalities": ["text"]}
    client.send("response.create", response=text)
    client.work()
    client.say()
    client.send("response.create")
    client.work()
    (done,) = [event for event in client.events if event["type"] == "response.done"][-1:]
    item_id = done["response"]["output"][0]["id"]
    cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": 10}
    client.send("conversation.item.truncate", **cut)
    client.update(tools=[TOOL])
    client.responder.reply = Call("f", {"x": 1})
    client.say()
    client.send("response.create")
    client.work()


def known(union: Any) -> set[str]:
    """The types of all events in one of openai's unions."""
    events = get_args(get_args(union)[0])
    return {kind for event in events for kind in get_args(event.model_fields["type"].annotation)}


NEVER = re.compile(
    r"mcp|response\.mcp|output_audio_buffer|input_audio_buffer\.(dtmf|timeout)|.*\.segment"
)
ANSWERS = re.compile(r"response\.|rate_limits|conversation\.(created|item\.truncated)")


@pytest.mark.checklist("S1")
@pytest.mark.parametrize(("dialect", "kind"), [entry[:2] for entry in SESSIONS.values()])
def test_s1_every_kind_of_event_is_valid(dialect: type[Session], kind: str) -> None:
    """Each was checked when it was told; here, that none was left out."""
    beta = dialect is BetaSession
    wanted = known(BetaServerEvent if beta else ServerEvent)
    wanted = {name for name in wanted if not NEVER.match(name)}
    if kind == "transcription":
        wanted = {name for name in wanted if not ANSWERS.match(name)}
    if beta and kind == "transcription":
        wanted = {re.sub("^session", "transcription_session", name) for name in wanted}
    elif beta:
        wanted.remove("transcription_session.updated")
    else:
        wanted -= {"conversation.created", "conversation.item.created"}
    assert set(types(everything(dialect, kind).events)) == wanted


@pytest.mark.checklist("S1")
@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "input_audio_buffer.cleared"},
        {"type": "input_audio_buffer.cleared", "event_id": "e", "more": 1},
        {"type": "conversation.item.deleted", "event_id": "e"},
        {"type": "no.such.event", "event_id": "e"},
    ],
)
def test_s1_the_check_finds_what_is_wrong(wrong: dict) -> None:
    for dialect in (Session, BetaSession):
        with pytest.raises((AssertionError, KeyError, ValidationError)):
            check_s1(wrong, dialect)
