"""Clients that send more than the server can do at once, and those of them that go away."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from local_bench import LoudnessDetector, sound
from local_socket import MODEL, run, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.protocol import State

from satellite.local import server
from satellite.local.connection import Connection, Threads
from satellite.local.engines import Engines
from satellite.local.outputs import Wake
from satellite.local.session import Session

_MINUTE = json.dumps(
    {"type": "input_audio_buffer.append", "audio": base64.b64encode(sound(60_000)).decode()}
)


def item(item_id: str | None, pcm: bytes) -> str:
    part = {"type": "input_audio", "audio": base64.b64encode(pcm).decode()}
    message = {"id": item_id, "type": "message", "role": "user", "content": [part]}
    return json.dumps({"type": "conversation.item.create", "item": message})


class SlowDetector(LoudnessDetector):
    """Takes 9 s for a minute of sound."""

    def frames(self, pcm: bytes) -> Iterator[float]:
        time.sleep(0.02)
        yield from super().frames(pcm)


async def seconds(engines: Engines, leaves: bool, messages: list[str], kind: str) -> float:
    """From the event ``kind``, which ``messages`` bring about, to the end of the server.

    ``leaves``: the client goes first.
    """
    clock = asyncio.get_running_loop().time
    async with server.running(engines, server.Settings()) as url:
        websocket = await connect(url + MODEL)
        for message in messages:
            await websocket.send(message)
        await until(websocket, kind)
        began = clock()
        if leaves:
            websocket.transport.abort()
    took = clock() - began
    websocket.transport.abort()
    await websocket.wait_closed()
    return took


@pytest.mark.parametrize("leaves", [False, True])
def test_long_sound_is_not_judged_to_its_end_for_nobody(
    fake_engines: Engines, leaves: bool
) -> None:
    engines = replace(fake_engines, detector=SlowDetector)
    kind = "input_audio_buffer.speech_started"
    assert asyncio.run(seconds(engines, leaves, [_MINUTE], kind)) < 3


@pytest.mark.parametrize("leaves", [False, True])
def test_work_that_waits_does_not_hold_a_connection_that_ended(
    fake_engines: Engines, leaves: bool
) -> None:
    goes_on = threading.Event()

    class Stuck:
        def transcribe(self, _pcm: bytes) -> str:
            goes_on.wait(10)
            return ""

    engines = replace(fake_engines, recogniser=Stuck())
    try:
        assert (
            asyncio.run(
                seconds(engines, leaves, [item(None, sound(100))] * 80, "conversation.item.done")
            )
            < 3
        )
    finally:
        goes_on.set()


async def twelve(websocket: ClientConnection) -> None:
    """46 MB, of which the sockets hold a few."""
    for _ in range(12):
        await websocket.send(_MINUTE)


def test_no_more_than_a_message_is_read_ahead(fake_engines: Engines) -> None:
    """Each may have 20 MB, and a minute of sound is judged for seconds."""

    async def ahead() -> None:
        engines = replace(fake_engines, detector=SlowDetector)
        async with server.running(engines, server.Settings()) as url:
            websocket = await connect(url + MODEL)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(twelve(websocket), 1.5)
            websocket.transport.abort()
            await websocket.wait_closed()

    asyncio.run(ahead())


def test_an_id_used_again_gets_its_own_words(fake_engines: Engines) -> None:
    """The words of the long sound that had the id before come after those of the short one."""
    short = sound(100)
    fake_engines.recogniser.transcribe = lambda pcm: "short" if pcm == short else "long"

    async def again() -> list[str]:
        async with (
            server.running(fake_engines, server.Settings()) as url,
            connect(url + MODEL) as websocket,
        ):
            await websocket.send(item("a", sound(30_000)))
            await websocket.send('{"type":"conversation.item.delete","item_id":"a"}')
            await websocket.send(item("a", short))
            await websocket.send('{"type":"response.create"}')
            await until(websocket, "response.done")
        return fake_engines.responder.asked

    assert asyncio.run(again()) == ["short"]


@pytest.mark.parametrize("leaves", [False, True])
def test_what_a_session_kept_goes_with_it(fake_engines: Engines, leaves: bool) -> None:
    """Not when Python looks for rings of references, which it does rarely: sound is large."""
    made: list[weakref.ref[LoudnessDetector]] = []

    def detector() -> LoudnessDetector:
        made.append(weakref.ref(fresh := LoudnessDetector()))
        return fresh

    async def come_and_go(url: str) -> None:
        async with connect(url + MODEL) as websocket:
            await websocket.send(_MINUTE)
            await websocket.send('{"type":"input_audio_buffer.commit"}')
            await websocket.send('{"type":"response.create"}')
            await until(websocket, "response.done")
            if leaves:
                websocket.transport.abort()
        while made[0]() is not None:
            await asyncio.sleep(0.01)

    gc.disable()
    try:
        run(replace(fake_engines, detector=detector), come_and_go)
    finally:
        gc.enable()


class Burst:
    """A WebSocket whose messages all came in one piece of TCP; it ends with ``end``, if any."""

    state = State.OPEN

    def __init__(self, messages: int = 500, end: asyncio.Event | None = None) -> None:
        self._messages = messages
        self._end = end

    async def __aiter__(self) -> AsyncIterator[str]:
        for _ in range(self._messages):
            yield "{}"
        if self._end is not None:
            await self._end.wait()

    async def send(self, _text: str) -> None:
        pass

    async def wait_closed(self) -> None:
        await asyncio.Event().wait()


def test_a_burst_of_small_messages_lets_others_have_their_turn(fake_engines: Engines) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def both() -> None:
        session = Session("gpt-realtime-2.1", 0, lambda prefix: prefix, LoudnessDetector())
        beside = asyncio.create_task(other())
        threads = Threads()
        await Connection(cast(Any, Burst()), session, fake_engines, threads).run()
        threads.close()
        beside.cancel()

    asyncio.run(both())
    assert turns >= 500


class Behind:
    """A session with 20 slices of sound to judge when its Wake is due."""

    def __init__(self, woken: asyncio.Event) -> None:
        self._woken = woken
        self._left = 0

    def open(self) -> list[Any]:
        return [Wake(0, 1)]

    def receive(self, _message: str, _at_s: float) -> list[Any]:
        self._left = 20
        return []

    @property
    def has_unheard(self) -> bool:
        return self._left > 0

    def listen(self) -> list[Any]:
        self._left -= 1
        return []

    def end(self) -> None:
        pass

    def woken(self, _number: int) -> list[Any]:
        assert not self._left, "all of it would be judged in one go"
        self._woken.set()
        return []


def test_a_wake_waits_for_long_sound_to_be_judged(fake_engines: Engines) -> None:
    async def wake() -> None:
        woken, threads = asyncio.Event(), Threads()
        websocket, session = cast(Any, Burst(1, woken)), cast(Any, Behind(woken))
        connection = Connection(websocket, session, fake_engines, threads)
        await asyncio.wait_for(connection.run(), 5)
        threads.close()

    asyncio.run(wake())
