"""The official client holds a spoken turn with the real server: nothing about it is faked."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

from openai import AsyncOpenAI


async def _turn(url: str, speech: bytes) -> list:
    events = []
    client = AsyncOpenAI(
        api_key="local", websocket_base_url=url.removesuffix("/realtime"), max_retries=0
    )
    async with client, client.realtime.connect(model="gpt-realtime-2.1") as connection:
        transcription = {"model": "gpt-4o-mini-transcribe", "language": "en"}
        session = {"type": "realtime", "audio": {"input": {"transcription": transcription}}}
        await connection.session.update(session=session)
        for at in range(0, len(speech), 4800):
            piece = base64.b64encode(speech[at : at + 4800]).decode()
            await connection.input_audio_buffer.append(audio=piece)
        done = set()
        async for event in connection:
            events.append(event)
            assert event.type != "error", event
            done |= {event.type} & {
                "response.done",
                "conversation.item.input_audio_transcription.completed",
            }
            if len(done) == 2:
                break
    return events


async def _run(url: str, speech: bytes) -> list:
    return await asyncio.wait_for(_turn(url, speech), 60)


def test_official_client_holds_a_spoken_turn(real_server: str, say: Callable[..., bytes]) -> None:
    events = asyncio.run(_run(real_server, say("What is seventeen plus twenty five?")))
    types = [event.type for event in events]
    order = [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "response.created",
        "response.output_audio.delta",
        "response.done",
    ]
    assert [kind for kind in order if kind in types] == order
    assert sorted(order, key=types.index) == order
    (heard,) = [event for event in events if event.type.endswith("transcription.completed")]
    assert "plus" in heard.transcript.lower()
    assert heard.usage.input_tokens > 0
    answer = events[types.index("response.done")].response
    assert answer.status == "completed"
    assert answer.output[0].content[0].transcript == "That is 42."
    deltas = [event.delta for event in events if event.type == "response.output_audio.delta"]
    sound = b"".join(map(base64.b64decode, deltas))
    assert len(sound) > 24_000  # half a second at least
    assert max(sound) > 0
