"""How an answer is sent, at once or paced (S28), and the record of what a client sends (S42)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_bench import sound, types
from local_socket import MODEL, run, until
from websockets.asyncio.client import connect

from satellite.errors import SetupError
from satellite.local import server
from satellite.local.background import in_background
from satellite.local.engines import Engines


async def heard(url: str) -> list[tuple[float, dict[str, Any]]]:
    """The answer to one response.create, each event with the time when it came."""
    clock = asyncio.get_running_loop().time
    events = []
    async with connect(url + MODEL) as websocket:
        await websocket.send('{"type":"response.create"}')
        async for message in websocket:
            events.append((clock(), json.loads(message)))
            if events[-1][1]["type"] == "response.done":
                return events
    raise AssertionError("closed before response.done")


def deltas(events: list[tuple[float, dict[str, Any]]]) -> list[tuple[float, bytes]]:
    """When each delta of sound came, in seconds after the first, and what was in it."""
    found = [(at, e) for at, e in events if e["type"] == "response.output_audio.delta"]
    return [(at - found[0][0], base64.b64decode(event["delta"])) for at, event in found]


def long_speech(_text: str, _speed: float) -> Iterator[bytes]:
    yield sound(1000)


@pytest.mark.checklist("S28")
def test_s28_sound_is_sent_at_once(fake_engines: Engines) -> None:
    fake_engines.synthesiser.speak = long_speech
    pieces = deltas(run(fake_engines, heard))
    assert sum(len(pcm) for _, pcm in pieces) == 2 * 48_000  # two sentences of a second
    assert pieces[-1][0] < 0.7  # it sounds for 2 s


@pytest.mark.checklist("S28")
def test_s28_paced_sound_comes_about_as_fast_as_it_sounds(fake_engines: Engines) -> None:
    fake_engines.synthesiser.speak = long_speech
    at_once = deltas(run(fake_engines, heard))
    events = run(fake_engines, heard, server.Settings(paced=True))
    paced = deltas(events)
    assert b"".join(pcm for _, pcm in paced) == b"".join(pcm for _, pcm in at_once)
    sent_s = 0.0
    for at_s, pcm in paced:
        assert sent_s <= at_s + 0.2 + 0.02  # never further ahead than the lead
        sent_s += len(pcm) / 48_000
    assert types([event for _, event in events])[-1] == "response.done"


@pytest.mark.checklist("S28")
def test_s28_a_paced_answer_can_be_cancelled(fake_engines: Engines) -> None:
    fake_engines.synthesiser.speak = lambda _text, _speed: iter([sound(60_000)])

    async def talk(url: str) -> str:
        async with connect(url + MODEL) as websocket:
            await websocket.send('{"type":"response.create"}')
            await until(websocket, "response.output_audio.delta")
            await websocket.send('{"type":"response.cancel"}')
            status: str = (await until(websocket, "response.done"))[-1]["response"]["status"]
            return status

    assert run(fake_engines, talk, server.Settings(paced=True)) == "cancelled"


def test_a_record_tells_frames_and_times_and_no_words(
    fake_engines: Engines, tmp_path: Path
) -> None:
    record = tmp_path / "frames.jsonl"
    audio = base64.b64encode(sound(100)).decode()
    frames: list[str | bytes] = [
        json.dumps({"type": "input_audio_buffer.append", "audio": audio}),
        json.dumps({"type": "input_audio_buffer.clear", "event_id": "mine"}),
        json.dumps({"type": "session.update", "session": {"instructions": "SECRET"}}),
        json.dumps({"type": "SECRET", "event_id": {"SECRET": 1}}),
        "SECRET",
        b"SECRET",
        '["SECRET"]',
    ]

    async def talk(url: str) -> None:
        header = {"Authorization": "Bearer SECRET"}
        async with connect(url + MODEL, additional_headers=header) as websocket:
            for frame in frames:
                await websocket.send(frame)
            await websocket.send('{"type":"response.cancel"}')
            await until(websocket, "error")
            while record.read_text().count("\n") < len(frames) + 1:
                await asyncio.sleep(0.01)

    run(fake_engines, talk, server.Settings(record=record))
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [(line["type"], line["event_id"], line["audio_bytes"]) for line in lines] == [
        ("input_audio_buffer.append", None, 4800),
        ("input_audio_buffer.clear", "mine", 0),
        ("session.update", None, 0),
        ("(unknown)", None, 0),
        ("(not a JSON object)", None, 0),
        ("(binary)", None, 0),
        ("(not a JSON object)", None, 0),
        ("response.cancel", None, 0),
    ]
    assert [line["bytes"] for line in lines[:-1]] == [len(frame) for frame in frames]
    assert len({line["session"] for line in lines}) == 1
    times = [line["t"] for line in lines]
    assert times == sorted(times)
    assert "SECRET" not in record.read_text()


def test_a_record_that_fails_ends_no_session(
    fake_engines: Engines, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(url: str) -> None:
        async with connect(url + MODEL) as websocket:
            for _ in range(2):
                await websocket.send('{"type":"input_audio_buffer.clear"}')
                await until(websocket, "input_audio_buffer.cleared")

    run(fake_engines, talk, server.Settings(record=Path("/dev/full")))
    assert [r.getMessage() for r in caplog.records if "recording ends" in r.getMessage()] == [
        "recording ends: No space left on device"
    ]


def test_a_record_that_cannot_be_written_is_one_sentence(
    fake_engines: Engines, tmp_path: Path
) -> None:
    with (
        pytest.raises(SetupError, match=r"Cannot write --record .*: Is a directory"),
        in_background(fake_engines, server.Settings(record=tmp_path)),
    ):
        pass
