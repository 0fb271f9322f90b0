"""A Realtime server with faults: a proxy on a free loopback port in front of a real one.

    with FaultProxy(url, close(On("response.created"), 1011, "oops")) as proxy:
        ... connect to proxy.url as to url ...
        assert proxy.types().count("input_audio_buffer.append") == 50

It passes messages, not frames: each side has PINGs of its own (``ping_s`` towards the client). It
passes the query, headers and subprotocols of a request, and what the server behind refuses by HTTP.
Plain HTTP requests are not passed. Every message of a client is kept in ``frames``.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from faults.fault_kinds import (
    Close,
    Direction,
    Fault,
    Judge,
    Pass,
    Refusal,
    Reset,
    Say,
    Stall,
    Step,
    Wait,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

_OURS = ("host", "upgrade", "connection", "user-agent")
_NO_LIMITS: dict[str, Any] = {"max_size": None, "compression": None, "ping_interval": None}


@dataclass(frozen=True)
class Frame:
    """One message of a client, as it came."""

    at_s: float  # monotonic
    connection: int  # from 1
    content: str | bytes
    event: dict[str, Any]  # {} when it is no JSON object

    @property
    def type(self) -> str:
        return str(self.event.get("type", ""))

    @property
    def event_id(self) -> str | None:
        return self.event.get("event_id")

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        content = self.content
        return len(content if isinstance(content, bytes) else content.encode())


class FaultProxy:
    """Works while its block runs; any thread may read ``frames``."""

    def __init__(self, upstream: str, *faults: Fault | Refusal, ping_s: float = 20.0) -> None:
        self._upstream = urlsplit(upstream)
        self._faults = [fault for fault in faults if isinstance(fault, Fault)]
        self._refusals = [fault for fault in faults if isinstance(fault, Refusal)]
        self._ping_s = ping_s
        self._connections = 0
        self._behind: dict[ServerConnection, tuple[int, ClientConnection]] = {}
        self._grew = threading.Condition()
        self.frames: list[Frame] = []
        self.url = ""

    def __enter__(self) -> Self:
        ready: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(ready),))
        self._thread.start()
        self.url, self._loop, self._stop = ready.result(10)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def types(self) -> list[str]:
        return [frame.type for frame in self.frames]

    def wait_for(self, kind: str, n: int = 1, timeout_s: float = 5.0) -> Frame:
        """The ``n``-th frame of a type, once it has come."""

        def found() -> list[Frame]:
            return [frame for frame in self.frames if frame.type == kind]

        with self._grew:
            came = self._grew.wait_for(lambda: len(found()) >= n, timeout_s)
        assert came, f"no {n} of {kind}; came: {self.types()}"
        return found()[n - 1]

    async def _run(self, ready: Future[Any]) -> None:
        stop = asyncio.Event()
        async with serve(
            self._hold,
            "127.0.0.1",
            0,
            process_request=self._upgrade,
            select_subprotocol=self._subprotocol,
            close_timeout=1,
            **_NO_LIMITS,
        ) as listening:
            port = listening.sockets[0].getsockname()[1]
            url = urlunsplit(("ws", f"127.0.0.1:{port}", self._upstream.path, "", ""))
            ready.set_result((url, asyncio.get_running_loop(), stop))
            await stop.wait()
            for client in self._behind:
                client.transport.abort()

    async def _upgrade(self, client: ServerConnection, request: Request) -> Response | None:
        """Connect to the server behind before the client is told anything."""
        self._connections += 1
        number = self._connections
        for refusal in self._refusals:
            if refusal.connection in (None, number):
                return client.respond(refusal.status, refusal.body)
        headers = [
            (name, value)
            for name, value in request.headers.raw_items()
            if name.lower() not in _OURS and not name.lower().startswith("sec-websocket")
        ]
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        subprotocols = [Subprotocol(word.strip()) for word in offered.split(",") if word.strip()]
        url = urlunsplit(self._upstream._replace(query=urlsplit(request.path).query))
        try:
            behind = await connect(
                url,
                additional_headers=headers,
                subprotocols=subprotocols or None,
                proxy=None,
                **_NO_LIMITS,
            )
        except InvalidStatus as refused:
            return client.respond(refused.response.status_code, refused.response.body.decode())
        except OSError:
            return client.respond(502, "The server behind the proxy does not answer.")
        self._behind[client] = (number, behind)
        return None

    def _subprotocol(self, client: ServerConnection, _offered: object) -> Subprotocol | None:
        return self._behind[client][1].subprotocol

    async def _hold(self, client: ServerConnection) -> None:
        number, behind = self._behind[client]
        judges = [f.begin() for f in self._faults if f.connection in (None, number)]
        link = _Link(client, behind, judges, lambda message: self._keep(number, message))
        try:
            await link.run(self._ping_s)
        finally:
            await behind.close()
            del self._behind[client]

    def _keep(self, number: int, message: str | bytes) -> None:
        with self._grew:
            self.frames.append(Frame(time.monotonic(), number, message, _object(message)))
            self._grew.notify_all()


class _Over(Exception):  # noqa: N818  a way out of both pumps, not a fault
    """The client's connection has been ended."""


class _Link:
    """One client and the connection behind it."""

    def __init__(
        self,
        client: ServerConnection,
        behind: ClientConnection,
        judges: list[Judge],
        keep: Callable[[str | bytes], None],
    ) -> None:
        self._client = client
        self._behind = behind
        self._judges = judges
        self._keep = keep
        self._stalled = False

    async def run(self, ping_s: float) -> None:
        """Until one side is gone; then the other is closed with the same code and reason."""
        pumps: list[Callable[[], Awaitable[None]]] = [self._from_server, self._from_client]
        async with AsyncExitStack() as stack:
            tasks = [asyncio.ensure_future(pump()) for pump in pumps]
            tasks.append(asyncio.ensure_future(self._client.wait_closed()))
            pinging = asyncio.ensure_future(self._ping(ping_s))
            for task in (*tasks, pinging):
                stack.callback(task.cancel)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    with suppress(_Over):
                        task.result()

    async def _from_server(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self._behind:
                await self._carry_out("server", message)
        await self._while_stalled()
        await _end_as(self._behind, self._client)

    async def _from_client(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self._client:
                self._keep(message)
                await self._carry_out("client", message)
        await _end_as(self._client, self._behind)

    async def _while_stalled(self) -> None:
        if self._stalled:
            await asyncio.get_running_loop().create_future()  # until cancelled

    async def _ping(self, every_s: float) -> None:
        with suppress(ConnectionClosed):
            while not self._stalled:
                await asyncio.sleep(every_s)
                if not self._stalled:
                    await self._client.ping()

    async def _carry_out(self, by: Direction, message: str | bytes) -> None:
        steps: list[Step] = [Pass(message)]
        for judge in self._judges:
            steps = [new for step in steps for new in _judged(judge, by, step)]
        for step in steps:
            await self._while_stalled()
            await self._do(by, step)

    async def _do(self, by: Direction, step: Step) -> None:
        match step:
            case Pass(text):
                await (self._client if by == "server" else self._behind).send(text)
            case Say(text):
                await self._client.send(text)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Close(code, reason):
                await self._client.close(code, reason)
                raise _Over
            case Reset():
                _reset(self._client)
                raise _Over
            case Stall():
                self._stalled = True
                self._client.transport.pause_reading()
                await self._while_stalled()


def _judged(judge: Judge, by: Direction, step: Step) -> list[Step]:
    if not isinstance(step, Pass):
        return [step]
    return judge(by, str(_object(step.text).get("type", "")), step.text)


async def _end_as(ended: Connection, other: Connection) -> None:
    """Close ``other`` with the code and reason that closed ``ended``."""
    code = ended.close_code
    if code == 1006:
        other.transport.abort()
    else:
        await other.close(1000 if code in (None, 1005) else code, ended.close_reason or "")


def _reset(client: ServerConnection) -> None:
    """Abort with SO_LINGER 0, which sends RST instead of FIN."""
    plain: socket.socket = client.transport.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.transport.abort()


def _object(message: str | bytes) -> dict[str, Any]:
    try:
        event = json.loads(message)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
