"""A client behind the proxy, and what it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from faults.fault_kinds import Fault, Refusal
from faults.fault_proxy import FaultProxy
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

MODEL = "?model=gpt-realtime-2.1"
CREATED = "session.created"
DONE = "response.done"


@contextmanager
def through(
    url: str, *faults: Fault | Refusal, **options: Any
) -> Iterator[tuple[FaultProxy, ClientConnection]]:
    """A proxy with faults and a client connected through it."""
    with (
        FaultProxy(url, *faults, ping_s=options.pop("ping_s", 20.0)) as proxy,
        connect(proxy.url + MODEL, close_timeout=1, **options) as websocket,
    ):
        yield proxy, websocket


def until(websocket: ClientConnection, *last: str) -> list[dict[str, Any]]:
    """Events up to the first of a type."""
    events = []
    while not events or events[-1]["type"] not in last:
        events.append(json.loads(websocket.recv(5)))
    return events


def everything(websocket: ClientConnection) -> Iterator[str | bytes]:
    """Messages until the connection is closed."""
    with suppress(ConnectionClosed):
        while True:
            yield websocket.recv(5)


def answer(websocket: ClientConnection, last: str = "rate_limits.updated") -> list[dict[str, Any]]:
    websocket.send('{"type":"response.create","event_id":"ask"}')
    return until(websocket, last)


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def the(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (event,) = [event for event in events if event["type"] == kind]
    return event
