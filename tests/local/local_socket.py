"""A server on a real socket for one conversation, and what a client reads from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from local_bench import check_s1
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from satellite.local import server
from satellite.local.engines import Engines

MODEL = "?model=gpt-realtime-2.1"


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
