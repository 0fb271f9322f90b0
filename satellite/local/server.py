"""The socket side of the local Realtime server: WebSockets in, sessions and engine threads behind.

One event loop does everything but the engines, which have one thread each (so none needs a lock,
and a session that speaks never stops another from being heard). The loop never waits for an engine
or for a slow reader: barge-in depends on it. No log line holds audio, words, instructions or keys.

A connection is always upgraded and then, if it must be, refused by ``error`` and a close frame, as
the live service does (realtime-protocol.md 1.3).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import math
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from satellite.errors import SetupError
from satellite.local.admission import Closed, admit, expired, overloaded
from satellite.local.connection import Connection, Threads, fresh_id
from satellite.local.engines import Engines
from satellite.local.outputs import error_event
from satellite.local.session import Session

PATH: Final = "/v1/realtime"
_MAX_MESSAGE: Final = 21 * 1024 * 1024  # 15 MiB of audio in base64, and its event: S12
_PING_S: Final = 20  # what the service does: realtime-protocol.md 1.5
_PONG_S: Final = 60  # an append of 15 MiB takes 20 s to judge; the pong waits behind it
_MAX_SESSIONS: Final = 64

_log = logging.getLogger(__name__)
_library_log = logging.getLogger(f"{__name__}.websockets")
# At DEBUG it writes headers, so keys, and messages; at ERROR the traceback of every port probe.
_library_log.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    api_key: str | None = field(default=None, repr=False)  # None: any key or none is fine
    session_s: float = 3600.0


@asynccontextmanager
async def running(engines: Engines, settings: Settings) -> AsyncIterator[str]:
    """Serve while the block runs; gives the URL. Raises SetupError when the port is not free."""
    server = _Server(engines, settings)
    listener = serve(
        server.hold,
        settings.host,
        settings.port,
        process_request=_not_found,
        select_subprotocol=_subprotocol,
        compression=None,
        max_size=_MAX_MESSAGE,
        ping_interval=_PING_S,
        ping_timeout=_PONG_S,
        close_timeout=0.5,
        logger=_library_log,
    )
    try:
        try:
            listening = await listener
        except OSError as error:
            raise _cannot_listen(error, settings) from None
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            yield f"ws://{host}:{port}{PATH}"
    finally:
        server.threads.close()


def _cannot_listen(error: OSError, settings: Settings) -> SetupError:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return SetupError(f"{where} is in use by another program; choose another --port")
    return SetupError(f"Cannot listen on {where}: {error.strerror or 'unknown address'}")


def _not_found(connection: ServerConnection, request: Request) -> Response | None:
    if urlsplit(request.path).path.rstrip("/") == PATH:
        return None
    return connection.respond(HTTPStatus.NOT_FOUND, f"Only {PATH} is served here.\n")


def _subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Echo ``realtime``; other offers, which may carry a browser's key, are not answered."""
    realtime = Subprotocol("realtime")
    return realtime if realtime in offered else None


class _Server:
    def __init__(self, engines: Engines, settings: Settings) -> None:
        self.threads = Threads()
        self._engines = engines
        self._settings = settings
        self._sessions = 0

    async def hold(self, websocket: ServerConnection) -> None:
        """One connection from its upgrade to its end."""
        try:
            model = self._admitted(websocket)
        except Closed as closed:
            await _close(websocket, closed)
            return
        self._sessions += 1
        number = secrets.token_hex(3)
        _log.info("session %s opened, %d now", number, self._sessions)
        try:
            await self._converse(websocket, model)
        except Exception as error:  # noqa: BLE001  a bug of ours ends one session, and its text may quote
            _log.error("session %s failed: %s", number, type(error).__name__)
            await websocket.close(1011, "server_error")
        finally:
            self._sessions -= 1
            _log.info("session %s closed, code %s", number, websocket.close_code)

    def _admitted(self, websocket: ServerConnection) -> str:
        """The model asked for. Raises Closed."""
        assert websocket.request is not None
        if self._sessions >= _MAX_SESSIONS:
            raise overloaded()
        return admit(websocket.request.path, websocket.request.headers, self._settings.api_key)

    async def _converse(self, websocket: ServerConnection, model: str) -> None:
        expires_at = math.ceil(time.time() + self._settings.session_s)
        session = Session(model, expires_at, fresh_id, self._engines.detector())
        try:
            async with asyncio.timeout(self._settings.session_s):
                await Connection(websocket, session, self._engines, self.threads).run()
        except TimeoutError:
            await _close(websocket, expired())


async def _close(websocket: ServerConnection, closed: Closed) -> None:
    event = error_event(closed.refusal, fresh_id("event"), None)
    event["error"]["type"] = closed.type
    with contextlib.suppress(ConnectionClosed):
        await websocket.send(msgspec.json.encode(event).decode())
    await websocket.close(closed.close_code, closed.reason)
