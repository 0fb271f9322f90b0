"""The official client in every type of session, with the real server and its engines."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI

from satellite.local import background, server, sound
from satellite.local.engines import Engines

Talk = Callable[[Any], Awaitable[None]]
COMPLETED = "conversation.item.input_audio_transcription.completed"
ULAW = {"type": "audio/pcmu"}
HEADERS = {"OpenAI-Beta": "realtime=v1"}


@pytest.fixture(scope="module")
def both_dialects(real_engines: Engines) -> Iterator[str]:
    with background.in_background(real_engines, server.Settings(beta=True)) as url:
        yield url.removesuffix("/realtime")


def heard(url: str, opens: Callable[[AsyncOpenAI], Any], talk: Talk, *ends: str) -> list[Any]:
    """All events of a session, until each of ``ends`` has come."""

    async def session() -> list[Any]:
        events: list[Any] = []
        client = AsyncOpenAI(api_key="local", websocket_base_url=url, max_retries=0)
        async with client, opens(client) as connection:
            await talk(connection)
            async for event in connection:
                events.append(event)
                assert event.type != "error", event
                if set(ends) <= {event.type for event in events}:
                    break
        return events

    return asyncio.run(asyncio.wait_for(session(), 60))


async def append(connection: Any, data: bytes, size: int = 4800) -> None:
    for at in range(0, len(data), size):
        piece = base64.b64encode(data[at : at + size]).decode()
        await connection.input_audio_buffer.append(audio=piece)


def only(events: list[Any], kind: str) -> Any:
    (event,) = [event for event in events if event.type == kind]
    return event


@pytest.mark.checklist("S1", "S36", "S38")
def test_a_transcription_session(both_dialects: str, say: Callable[[str], bytes]) -> None:
    async def talk(connection: Any) -> None:
        words = {"model": "gpt-4o-mini-transcribe", "language": "en"}
        await connection.session.update(
            session={
                "type": "transcription",
                "audio": {"input": {"transcription": words}},
                "include": ["item.input_audio_transcription.logprobs"],
            }
        )
        await append(connection, say("What is seventeen plus twenty five?"))

    events = heard(
        both_dialects,
        lambda client: client.realtime.connect(extra_query={"intent": "transcription"}),
        talk,
        COMPLETED,
    )
    assert events[0].session.type == "transcription"
    done = only(events, COMPLETED)
    assert "plus" in done.transcript.lower()
    assert "".join(piece.token for piece in done.logprobs) == done.transcript
    deltas = [event.delta for event in events if event.type.endswith("transcription.delta")]
    assert "".join(deltas) == done.transcript
    assert not [event.type for event in events if event.type.startswith("response")]


@pytest.mark.checklist("S37")
def test_a_live_transcription(both_dialects: str, say: Callable[[str], bytes]) -> None:
    async def talk(connection: Any) -> None:
        words = {"model": "gpt-live-transcribe", "languages": ["en"]}
        audio = {"input": {"transcription": words, "turn_detection": None}}
        await connection.session.update(session={"type": "transcription", "audio": audio})
        await append(connection, say("Turn on the lights in the kitchen."))
        await connection.input_audio_buffer.commit()

    events = heard(
        both_dialects,
        lambda client: client.realtime.connect(extra_query={"intent": "transcription"}),
        talk,
        COMPLETED,
    )
    done = only(events, COMPLETED)
    assert "kitchen" in done.transcript.lower()
    assert done.usage.type == "duration"


@pytest.mark.checklist("S1")
def test_a_conversation_in_telephone_sound(both_dialects: str, say: Callable[[str], bytes]) -> None:
    async def talk(connection: Any) -> None:
        audio = {"input": {"format": ULAW}, "output": {"format": ULAW}}
        await connection.session.update(session={"type": "realtime", "audio": audio})
        speech = sound.encoded(say("What is seventeen plus twenty five?"), sound.named(ULAW))
        await append(connection, speech, 800)

    events = heard(
        both_dialects,
        lambda client: client.realtime.connect(model="gpt-realtime-2.1"),
        talk,
        "response.done",
    )
    response = only(events, "response.done").response
    assert response.output[0].content[0].transcript == "That is 42."
    deltas = [event.delta for event in events if event.type == "response.output_audio.delta"]
    spoken_ms = sum(len(base64.b64decode(delta)) for delta in deltas) / 8
    tokens = response.usage.output_token_details.audio_tokens
    assert 500 < spoken_ms < 5000
    assert tokens == int(spoken_ms) // 50


@pytest.mark.checklist("S1", "S27")
def test_a_beta_conversation(both_dialects: str, say: Callable[[str], bytes]) -> None:
    async def talk(connection: Any) -> None:
        await connection.session.update(
            session={
                "modalities": ["text", "audio"],
                "voice": "alloy",
                "input_audio_transcription": {"model": "whisper-1"},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
            }
        )
        await append(connection, say("What is seventeen plus twenty five?"))

    model = "gpt-4o-realtime-preview"
    events = heard(
        both_dialects,
        lambda client: client.beta.realtime.connect(model=model, extra_headers=HEADERS),
        talk,
        "response.done",
        COMPLETED,
    )
    types = [event.type for event in events]
    assert types[:2] == ["session.created", "conversation.created"]
    assert types[types.index("response.created") + 1] == "rate_limits.updated"
    assert "conversation.item.created" in types
    assert "response.audio.delta" in types
    assert not [kind for kind in types if "output_" in kind and "output_item" not in kind]
    response = only(events, "response.done").response
    assert response.output[0].content[0].transcript == "That is 42."
    assert "plus" in only(events, COMPLETED).transcript.lower()


@pytest.mark.checklist("S36")
def test_a_beta_transcription(both_dialects: str, say: Callable[[str], bytes]) -> None:
    async def talk(connection: Any) -> None:
        words = {"model": "whisper-1", "language": "en"}
        await connection.transcription_session.update(session={"input_audio_transcription": words})
        await append(connection, say("Turn on the lights in the kitchen."))

    events = heard(
        both_dialects,
        lambda client: client.beta.realtime.connect(
            model="", extra_query={"intent": "transcription"}, extra_headers=HEADERS
        ),
        talk,
        COMPLETED,
    )
    types = [event.type for event in events]
    assert types[0] == "transcription_session.created"
    assert "transcription_session.updated" in types
    assert "kitchen" in only(events, COMPLETED).transcript.lower()
