"""The openai-agents realtime runner holds a spoken turn that calls a function tool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner

_SPEECH = "Turn on the lights in the kitchen."


async def _turn(url: str, speech: bytes) -> tuple[list[dict], list[str], list[str]]:
    calls: list[dict] = []
    types: list[str] = []
    said: list[str] = []

    @function_tool(name_override="HassTurnOn")
    def turn_on(area: str, domain: str) -> str:
        """Turn on what is in a room."""
        calls.append({"area": area, "domain": domain})
        return '{"speech": "The kitchen light is on."}'

    agent = RealtimeAgent(name="home", instructions="Be brief.", tools=[turn_on])
    config = {"model_settings": {"model_name": "gpt-realtime-2.1"}}
    runner = RealtimeRunner(agent, config=config)
    where = {"url": f"{url}?model=gpt-realtime-2.1", "api_key": "local"}
    async with await runner.run(model_config=where) as session:
        for at in range(0, len(speech), 4800):
            await session.send_audio(speech[at : at + 4800])
        async for event in session:
            types.append(event.type)
            assert event.type != "error", event
            if event.type == "raw_model_event" and event.data.type == "raw_server_event":
                raw = event.data.data
                assert raw["type"] != "error", raw
                if raw["type"] == "response.output_audio_transcript.done":
                    said.append(raw["transcript"])
            if said:
                break
    return calls, types, said


async def _run(url: str, speech: bytes) -> tuple[list[dict], list[str], list[str]]:
    return await asyncio.wait_for(_turn(url, speech), 60)


@pytest.mark.checklist("S35")
def test_agents_runner_holds_a_turn_with_a_tool_call(
    real_server: str, say: Callable[..., bytes]
) -> None:
    calls, types, said = asyncio.run(_run(real_server, say(_SPEECH) + bytes(96_000)))
    assert calls == [{"area": "kitchen", "domain": "light"}]
    assert types.index("tool_start") < types.index("tool_end") < types.index("audio")
    assert said == ["The kitchen light is on."]
