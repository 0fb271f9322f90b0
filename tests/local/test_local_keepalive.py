"""PINGs, and clients that do not answer them (S9)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from local_socket import MODEL, run, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Opcode

from satellite.local import keepalive, server
from satellite.local.engines import Engines


class PongLess(ClientConnection):
    """Reads everything, answers no PING."""

    pings = 0

    def process_event(self, event: Any) -> None:
        if getattr(event, "opcode", None) is Opcode.PING:
            type(self).pings += 1
        super().process_event(event)

    def send_data(self) -> None:
        self.protocol.writes[:] = [data for data in self.protocol.writes if data[:1] != b"\x8a"]
        super().send_data()


@pytest.mark.checklist("S9")
def test_s9_pings_at_the_configured_pace_and_missed_pongs_are_recorded(
    fake_engines: Engines, caplog: pytest.LogCaptureFixture
) -> None:
    assert server.Settings().ping_s == 20
    caplog.set_level(logging.INFO, "satellite.local")
    PongLess.pings = 0

    async def talk(url: str) -> None:
        async with connect(url + MODEL, create_connection=PongLess, close_timeout=1) as websocket:
            while PongLess.pings < 3:
                await asyncio.sleep(0.01)
            await websocket.send('{"type":"input_audio_buffer.clear"}')
            await until(websocket, "input_audio_buffer.cleared")  # still open

    run(fake_engines, talk, server.Settings(ping_s=0.05))
    lines = [record.getMessage() for record in caplog.records]
    assert sum("did not answer a PING in 0.05 s" in line for line in lines) == 1
    (end,) = [line for line in lines if line.endswith("PINGs unanswered")]
    assert int(end.split()[-3]) >= 2


@pytest.mark.checklist("S9")
def test_s9_a_client_that_answers_is_not_accused(
    fake_engines: Engines, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "satellite.local")
    seen = asyncio.Event()

    class Watching(ClientConnection):
        def process_event(self, event: Any) -> None:
            if getattr(event, "opcode", None) is Opcode.PING:
                seen.set()
            super().process_event(event)

    async def talk(url: str) -> None:
        async with connect(url + MODEL, create_connection=Watching):
            await asyncio.wait_for(seen.wait(), 5)

    run(fake_engines, talk, server.Settings(ping_s=0.2))
    assert any(" 0 PINGs unanswered" in record.getMessage() for record in caplog.records)


def test_a_pong_that_waits_behind_our_own_work_is_not_missed() -> None:
    class Mute:
        pings = 0

        async def ping(self) -> asyncio.Future[float]:
            self.pings += 1
            return asyncio.get_running_loop().create_future()

    async def missed(busy: bool) -> int:
        mute = Mute()
        watch = keepalive.Keepalive(mute, 0.01, "s", lambda: busy)
        task = asyncio.create_task(watch.run())
        while mute.pings < 3:
            await asyncio.sleep(0)
        task.cancel()
        return watch.missed

    assert asyncio.run(missed(busy=True)) == 0
    assert asyncio.run(missed(busy=False)) >= 2
