"""The server on a real socket, with fake engines (S4, S6, S9, S10, S12, and its edges)."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from local_bench import check_s1, silence, sound, types
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode

from satellite.errors import SetupError
from satellite.local import server
from satellite.local.background import in_background
from satellite.local.engines import Engines

MODEL = "?model=gpt-realtime-2.1"


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_test() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), thread.name


def run(
    engines: Engines,
    talk: Callable[[str], Awaitable[Any]],
    settings: server.Settings | None = None,
) -> Any:
    """``talk`` with a server of its own, within 20 s."""

    async def both() -> Any:
        async with server.running(engines, settings or server.Settings()) as url:
            return await asyncio.wait_for(talk(url), 20)

    return asyncio.run(both())


async def until(websocket: ClientConnection, kind: str) -> list[dict]:
    """Events up to the first of ``kind``, every one checked for S1."""
    events = []
    async for message in websocket:
        event = json.loads(message)
        check_s1(event)
        events.append(event)
        if event["type"] == kind:
            return events
    raise AssertionError(f"closed before {kind}")


async def everything(url: str, **options: Any) -> tuple[list[dict], int | None, str | None]:
    """All events until the server closes; then its code and reason."""
    events = []
    async with connect(url, **options) as websocket:
        try:
            while True:
                events.append(json.loads(await websocket.recv()))
        except ConnectionClosed:
            return events, websocket.close_code, websocket.close_reason


REFUSED = [
    ("", {}, "missing_model", 4000, "invalid_request_error.missing_model"),
    (
        MODEL,
        {"OpenAI-Beta": "realtime=v1"},
        "beta_api_shape_disabled",
        4000,
        "invalid_request_error.beta_api_shape_disabled",
    ),
    ("?intent=transcription", {}, "invalid_value", 4000, "invalid_request_error.invalid_value"),
    (
        MODEL,
        {"Authorization": "Bearer wrong"},
        "invalid_api_key",
        3000,
        "invalid_request_error.invalid_api_key",
    ),
    (MODEL, {"Authorization": ""}, None, 3000, "invalid_request_error"),
]


@pytest.mark.parametrize(("query", "headers", "code", "close", "reason"), REFUSED)
def test_s6_refusals_come_after_the_upgrade(
    fake_engines: Engines, query: str, headers: dict, code: str | None, close: int, reason: str
) -> None:
    given = {"Authorization": "Bearer right", **headers}
    given = {name: value for name, value in given.items() if value}
    events, close_code, close_reason = run(
        fake_engines,
        lambda url: everything(url + query, additional_headers=given),
        server.Settings(api_key="right"),
    )
    (event,) = events
    check_s1(event)
    assert (event["error"]["code"], close_code, close_reason) == (code, close, reason)


def test_s6_the_right_key_is_let_in_and_without_one_any_is(fake_engines: Engines) -> None:
    async def opened(url: str, header: dict) -> str:
        async with connect(url + MODEL, additional_headers=header) as websocket:
            return json.loads(await websocket.recv())["type"]

    right = {"Authorization": "Bearer right"}
    keyed = server.Settings(api_key="right")
    assert run(fake_engines, lambda url: opened(url, right), keyed) == "session.created"
    assert run(fake_engines, lambda url: opened(url, {})) == "session.created"
    assert run(fake_engines, lambda url: opened(url, right)) == "session.created"


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


def test_s9_the_server_pings(fake_engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server._PING_S == 20
    monkeypatch.setattr(server, "_PING_S", 0.05)
    pinged = asyncio.Event()

    class Watching(ClientConnection):
        def process_event(self, event: Any) -> None:
            if getattr(event, "opcode", None) is Opcode.PING:
                pinged.set()
            super().process_event(event)

    async def talk(url: str) -> None:
        async with connect(url + MODEL, create_connection=Watching):
            await asyncio.wait_for(pinged.wait(), 5)

    run(fake_engines, talk)


def test_s10_the_session_ends_with_the_exact_reason(fake_engines: Engines) -> None:
    events, code, reason = run(
        fake_engines, lambda url: everything(url + MODEL), server.Settings(session_s=0.1)
    )
    assert [event["type"] for event in events] == ["session.created", "error"]
    assert events[1]["error"]["code"] == "session_expired"
    assert code == 1001
    assert reason == "Your session hit the maximum duration of 60 minutes."


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


def test_a_client_that_never_reads_is_closed(
    fake_engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satellite.local import connection

    monkeypatch.setattr(connection, "_OUTBOX", 20_000_000)

    async def flood(websocket: ClientConnection) -> None:
        audio = base64.b64encode(bytes(1_000_000)).decode()
        content = [{"type": "input_audio", "audio": audio}]
        item = {"id": "big", "type": "message", "role": "user", "content": content}
        await websocket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        while True:
            await websocket.send('{"type":"conversation.item.retrieve","item_id":"big"}')
            await asyncio.sleep(0.001)

    async def talk(url: str) -> None:
        async with connect(url + MODEL, max_queue=1, close_timeout=0.2) as websocket:
            with pytest.raises(ConnectionClosed):
                await flood(websocket)

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
