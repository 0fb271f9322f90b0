"""The server on a real socket, with fake engines (S4, S10, S12, and its edges)."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from local_bench import silence, sound, types
from local_socket import MODEL, everything, run, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from satellite.errors import SetupError
from satellite.local import server
from satellite.local.background import in_background
from satellite.local.engines import Engines


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_test() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), thread.name


def test_another_path_is_not_found(fake_engines: Engines) -> None:
    async def other(url: str) -> None:
        async with connect(url + "/translations" + MODEL):
            raise AssertionError("upgraded")

    with pytest.raises(InvalidStatus) as refused:
        run(fake_engines, other)
    assert refused.value.response.status_code == 404


def test_the_realtime_subprotocol_is_echoed_and_no_other(fake_engines: Engines) -> None:
    async def chosen(url: str, offered: list[str] | None) -> str | None:
        async with connect(url + MODEL, subprotocols=offered) as websocket:
            return websocket.subprotocol

    offered = ["realtime", "openai-insecure-api-key.abc"]
    assert run(fake_engines, lambda url: chosen(url, offered)) == "realtime"
    assert run(fake_engines, lambda url: chosen(url, offered[1:])) is None
    assert run(fake_engines, lambda url: chosen(url, None)) is None


def test_a_whole_turn_over_the_socket(fake_engines: Engines) -> None:
    async def talk(url: str) -> list[dict]:
        async with connect(url + MODEL) as websocket:
            pcm = silence(320) + sound(960) + silence(640)
            audio = base64.b64encode(pcm).decode()
            await websocket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
            return await until(websocket, "rate_limits.updated")

    kinds = types(run(fake_engines, talk))
    assert kinds[0] == "session.created"
    assert kinds.index("input_audio_buffer.committed") < kinds.index("response.created")
    assert kinds[-2] == "response.done"


@pytest.mark.checklist("S4")
def test_s4_binary_and_garbage_do_not_close(fake_engines: Engines) -> None:
    async def talk(url: str) -> list[dict]:
        async with connect(url + MODEL) as websocket:
            await websocket.send(b"\x00\x01")
            await websocket.send("garbage")
            await websocket.send('{"type":"input_audio_buffer.clear"}')
            return await until(websocket, "input_audio_buffer.cleared")

    events = run(fake_engines, talk)
    codes = [event["error"]["code"] for event in events if event["type"] == "error"]
    assert codes == ["invalid_event", "invalid_json"]


TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
MANUAL = {"turn_detection": None, "transcription": {"model": "gpt-4o-transcribe"}}


@pytest.mark.checklist("S10")
def test_s10_the_session_ends_with_the_exact_reason(fake_engines: Engines) -> None:
    events, code, reason = run(
        fake_engines, lambda url: everything(url + MODEL), server.Settings(session_s=0.1)
    )
    assert [event["type"] for event in events] == ["session.created", "error"]
    assert events[1]["error"]["code"] == "session_expired"
    assert code == 1001
    assert reason == "Your session hit the maximum duration of 60 minutes."


def test_a_session_ends_in_time_for_a_client_that_does_not_read(
    fake_engines: Engines, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "_FAREWELL_S", 0.2)
    caplog.set_level(logging.INFO, "satellite.local")

    async def talk(url: str) -> None:
        async with connect(url + MODEL, **DEAF) as websocket:
            await deaf_flood(websocket, 20)
            while not any(" closed, code" in record.getMessage() for record in caplog.records):
                await asyncio.sleep(0.01)
            while any("conn_handler" in repr(task) for task in asyncio.all_tasks()):
                await asyncio.sleep(0.01)  # the library's own, which ends with the connection

    run(fake_engines, talk, server.Settings(session_s=1.0))


def test_a_client_that_does_not_read_cannot_hold_up_the_end(fake_engines: Engines) -> None:
    async def talk() -> None:
        async with server.running(fake_engines, server.Settings()) as url:
            websocket = await connect(url + MODEL, **DEAF)
            await deaf_flood(websocket, 20)
        await websocket.close()

    asyncio.run(asyncio.wait_for(talk(), 10))


@pytest.mark.checklist("S12")
def test_s12_a_message_of_20_mb_is_taken(fake_engines: Engines) -> None:
    async def talk(url: str) -> list[dict]:
        async with connect(url + MODEL) as websocket:
            detection = {"input": {"turn_detection": None}}
            session = {"type": "realtime", "audio": detection}
            await websocket.send(json.dumps({"type": "session.update", "session": session}))
            audio = base64.b64encode(bytes(15 * 1024 * 1024)).decode()
            await websocket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
            await websocket.send('{"type":"input_audio_buffer.commit"}')
            return await until(websocket, "input_audio_buffer.committed")

    assert "error" not in types(run(fake_engines, talk))


@pytest.mark.checklist("S12")
@pytest.mark.parametrize("excess", [1, 3 * 1024 * 1024])
def test_s12_more_than_15_mib_of_audio_is_refused_and_the_session_lives(
    fake_engines: Engines, excess: int
) -> None:
    async def talk(url: str) -> list[dict]:
        async with connect(url + MODEL) as websocket:
            audio = base64.b64encode(bytes(15 * 1024 * 1024 + excess)).decode()
            append = {"type": "input_audio_buffer.append", "event_id": "big", "audio": audio}
            await websocket.send(json.dumps(append))
            await websocket.send('{"type":"input_audio_buffer.clear"}')
            return await until(websocket, "input_audio_buffer.cleared")

    _, refused, cleared = run(fake_engines, talk)
    assert refused["error"]["event_id"] == "big"
    assert "15 MiB" in refused["error"]["message"]
    assert cleared["type"] == "input_audio_buffer.cleared"


def test_sessions_are_independent_and_a_blocked_engine_stops_no_reading(
    fake_engines: Engines,
) -> None:
    release = threading.Event()
    fake_engines.recogniser.transcribe = lambda _pcm: release.wait(10) and "what time is it"

    async def talk(url: str) -> list[str]:
        speech = base64.b64encode(sound(960) + silence(640)).decode()
        append = json.dumps({"type": "input_audio_buffer.append", "audio": speech})
        async with connect(url + MODEL) as first, connect(url + MODEL) as second:
            await first.send(append)
            await until(first, "response.created")
            await first.send(append)  # barge-in while the recogniser is stuck
            events = await until(first, "response.done")
            await until(first, "rate_limits.updated")
            await second.send('{"type":"input_audio_buffer.clear"}')
            await until(second, "input_audio_buffer.cleared")
            release.set()
            answered = await until(first, "rate_limits.updated")
            return [events[-1]["response"]["status"], answered[-2]["response"]["status"]]

    assert run(fake_engines, talk) == ["cancelled", "completed"]


def test_who_speaks_long_makes_nobody_else_wait_for_it_all(fake_engines: Engines) -> None:
    """Three pieces of a long utterance, a short one of another session after the first."""
    heard: list[int] = []
    first, go_on = threading.Event(), threading.Event()

    def transcribe(pcm: bytes) -> str:
        heard.append(len(pcm))
        first.set()
        assert go_on.wait(10)
        return f"part {len(heard)}"

    fake_engines.recogniser.transcribe = transcribe

    async def said(websocket: ClientConnection, pcm: bytes) -> None:
        session = {"type": "realtime", "audio": {"input": MANUAL}}
        await websocket.send(json.dumps({"type": "session.update", "session": session}))
        audio = base64.b64encode(pcm).decode()
        await websocket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        await websocket.send('{"type":"input_audio_buffer.commit"}')
        await until(websocket, "input_audio_buffer.committed")

    async def talk(url: str) -> tuple[str, list[int]]:
        async with connect(url + MODEL) as long, connect(url + MODEL) as short:
            await said(long, sound(30_000))
            await asyncio.to_thread(first.wait, 10)
            await said(short, sound(1000))
            go_on.set()
            await until(short, TRANSCRIBED)
            return (await until(long, TRANSCRIBED))[-1]["transcript"], heard

    transcript, order = run(fake_engines, talk)
    assert order.index(48_000) == 1
    assert sum(order) == 31 * 48_000
    assert max(order) <= 14 * 48_000
    assert transcript == "part 1 part 3 part 4"


def test_a_raising_engine_fails_one_response_and_logs_no_words(
    fake_engines: Engines, caplog: pytest.LogCaptureFixture
) -> None:
    def raises(_text: str, _tools: object) -> None:
        raise RuntimeError("what the person said: SECRET")

    fake_engines.responder.answer = raises
    caplog.set_level(logging.DEBUG)

    async def talk(url: str) -> list[dict]:
        header = {"Authorization": "Bearer SECRET"}
        async with connect(url + MODEL, additional_headers=header) as websocket:
            content = [{"type": "input_text", "text": "SECRET"}]
            item = {"type": "message", "role": "user", "content": content}
            await websocket.send(json.dumps({"type": "conversation.item.create", "item": item}))
            await websocket.send('{"type":"response.create"}')
            events = await until(websocket, "response.done")
            await websocket.send('{"type":"input_audio_buffer.clear"}')
            await until(websocket, "input_audio_buffer.cleared")
            return events

    assert run(fake_engines, talk)[-1]["response"]["status"] == "failed"
    ours = [record for record in caplog.records if record.name.startswith("satellite")]
    assert any("RuntimeError" in record.getMessage() for record in ours)
    logged = "".join(record.getMessage() + (record.exc_text or "") for record in ours)
    assert "SECRET" not in logged


def test_a_cancelled_response_stops_the_synthesiser(fake_engines: Engines) -> None:
    pieces = []

    def endless(_text: str, _speed: float) -> Iterator[bytes]:
        while True:
            pieces.append(1)
            yield sound(20)

    fake_engines.synthesiser.speak = endless

    async def talk(url: str) -> tuple[int, int]:
        async with connect(url + MODEL) as websocket:
            await websocket.send('{"type":"response.create"}')
            await until(websocket, "response.output_audio.delta")
            await websocket.send('{"type":"response.cancel"}')
            await until(websocket, "response.done")
            at_once = len(pieces)
            await asyncio.sleep(0.2)
            return at_once, len(pieces)

    at_once, later = run(fake_engines, talk)
    assert later <= at_once + 1  # the piece that was being made


def test_compression_is_declined(fake_engines: Engines) -> None:
    async def agreed(url: str) -> str | None:
        async with connect(url + MODEL, compression="deflate") as websocket:
            assert websocket.response is not None
            return websocket.response.headers.get("Sec-WebSocket-Extensions")

    assert run(fake_engines, agreed) is None


DEAF: dict[str, Any] = {"max_queue": 1, "max_size": None, "close_timeout": 0.2}


async def deaf_flood(websocket: ClientConnection, times: int = 10_000) -> None:
    """Ask for 1 MB again and again, and read none of it."""
    audio = base64.b64encode(bytes(1_000_000)).decode()
    content = [{"type": "input_audio", "audio": audio}]
    item = {"id": "big", "type": "message", "role": "user", "content": content}
    await websocket.send(json.dumps({"type": "conversation.item.create", "item": item}))
    for _ in range(times):
        await websocket.send('{"type":"conversation.item.retrieve","item_id":"big"}')
        await asyncio.sleep(0.001)


def test_a_client_that_never_reads_is_closed(
    fake_engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satellite.local import connection

    monkeypatch.setattr(connection, "_OUTBOX", 20_000_000)

    async def talk(url: str) -> None:
        async with connect(url + MODEL, **DEAF) as websocket:
            with pytest.raises(ConnectionClosed):
                await deaf_flood(websocket)

    run(fake_engines, talk)


def test_a_port_in_use_is_one_sentence(fake_engines: Engines) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(SetupError, match=rf"127\.0\.0\.1:{port} is in use"),
            in_background(fake_engines, server.Settings(port=port)),
        ):
            pass


def test_in_background_closes_open_sessions_with_1001(fake_engines: Engines) -> None:
    from websockets.sync.client import connect as connect_sync

    with in_background(fake_engines) as url:
        websocket = connect_sync(url + MODEL)
        assert json.loads(websocket.recv())["type"] == "session.created"
    with pytest.raises(ConnectionClosed):
        websocket.recv(5)
    assert websocket.close_code == 1001
    websocket.close()


def test_the_key_is_in_no_repr() -> None:
    assert "SECRET" not in repr(server.Settings(api_key="SECRET"))
