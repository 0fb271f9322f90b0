"""The socket side of the local Realtime server: WebSockets in, sessions and engine threads behind.

One event loop does everything but the engines, which have one thread each (so none needs a lock,
and a session that speaks never stops another from being heard). The loop never waits for an engine
or for a slow reader: barge-in depends on it. No log line holds audio, words, instructions or keys.

A connection is always upgraded and then, if it must be, refused by ``error`` and a close frame, as
the live service does (realtime-protocol.md 1.3). Client secrets come by HTTP from the same port.
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
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from satellite.errors import SetupError
from satellite.local.admission import (
    Admitted,
    Closed,
    Rules,
    admit,
    check_key,
    expired,
    overloaded,
)
from satellite.local.behaviour import Behaviour
from satellite.local.beta import BetaSession
from satellite.local.client_secrets import ClientSecrets, TooMany
from satellite.local.connection import Connection, Threads, fresh_id
from satellite.local.engines import Engines
from satellite.local.keepalive import Keepalive
from satellite.local.outputs import error_event
from satellite.local.plain_http import HttpAnswer, HttpRequest, door, refused
from satellite.local.recorder import Recorder
from satellite.local.schema import Refusal
from satellite.local.session import Session

PATH: Final = "/v1/realtime"
SECRETS_PATH: Final = f"{PATH}/client_secrets"
_OTHER_PROTOCOLS: Final = (f"{PATH}/translations", "/v1/live/sessions")
# 15 MiB of audio in base64 are 20 MiB: S12. The rest is there so that a little too much is refused
# in words, and only what is far off by a close frame.
_MAX_MESSAGE: Final = 32 * 1024 * 1024
_MAX_QUEUE: Final = 1  # messages read ahead; each may be of that size
_MAX_SESSIONS: Final = 64
_FAREWELL_S: Final = 0.8  # the library gives a client 0.5 s for its half of the close

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
    ping_s: float = 20.0  # what the service does: realtime-protocol.md 1.5
    models: tuple[str, ...] | None = None  # None: every model that can hold a conversation
    out_of_credit: bool = False  # refuse everybody as the service refuses an empty account
    beta: bool = False  # obey the beta header instead of refusing it
    paced: bool = False  # send speech about as fast as it sounds instead of at once
    behaviour: Behaviour = field(default_factory=Behaviour)  # of every session
    record: Path | None = None  # one line a client frame: recorder.py


@asynccontextmanager
async def running(engines: Engines, settings: Settings) -> AsyncIterator[str]:
    """Serve while the block runs; gives the URL.

    Raises SetupError when the port is not free or the record cannot be written.
    """
    recorder = None if settings.record is None else Recorder(settings.record)
    server = _Server(engines, settings, recorder)
    listener = serve(
        server.hold,
        settings.host,
        settings.port,
        process_request=_not_found,
        select_subprotocol=_subprotocol,
        create_connection=door(server.answer),
        compression=None,
        max_size=_MAX_MESSAGE,
        max_queue=_MAX_QUEUE,
        ping_interval=None,
        close_timeout=0.5,
        logger=_library_log,
    )
    try:
        try:
            listening = await listener
        except OSError as error:
            raise _cannot_listen(error, settings) from None
        port = listening.sockets[0].getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        try:
            yield f"ws://{host}:{port}{PATH}"
        finally:
            await server.leave(listening)
    finally:
        server.threads.close()
        if recorder is not None:
            recorder.close()


def _cannot_listen(error: OSError, settings: Settings) -> SetupError:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return SetupError(f"{where} is in use by another program; choose another --port")
    return SetupError(f"Cannot listen on {where}: {error.strerror or 'unknown address'}")


def _not_found(connection: ServerConnection, request: Request) -> Response | None:
    path = _plain(request.path)
    if path == PATH:
        return None
    answer = _no_such(path)
    response = connection.respond(answer.status, msgspec.json.encode(answer.body).decode())
    del response.headers["Content-Type"]
    response.headers.update({"Content-Type": "application/json", **answer.headers})
    return response


def _plain(path: str) -> str:
    """The path alone; "" for what is none, as "//[" is."""
    try:
        return urlsplit(path).path.rstrip("/")
    except ValueError:
        return ""


def _no_such(path: str) -> HttpAnswer:
    if path == PATH:
        text = "This address takes WebSockets; open it with ws:// and GET."
        return refused(HTTPStatus.METHOD_NOT_ALLOWED, None, text, Allow="GET")
    if path == SECRETS_PATH:
        text = "Ask for a client secret with POST."
        return refused(HTTPStatus.METHOD_NOT_ALLOWED, None, text, Allow="POST")
    if path in _OTHER_PROTOCOLS:
        text = f"{path} is another protocol than Realtime's and is not served here; use {PATH}."
        return refused(HTTPStatus.NOT_FOUND, None, text)
    text = f"Only GET {PATH} (WebSocket) and POST {SECRETS_PATH} are served here."
    return refused(HTTPStatus.NOT_FOUND, None, text)


def _subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Echo ``realtime``; other offers, which may carry a browser's key, are not answered."""
    realtime = Subprotocol("realtime")
    return realtime if realtime in offered else None


class _Server:
    def __init__(self, engines: Engines, settings: Settings, recorder: Recorder | None) -> None:
        self.threads = Threads()
        self._engines = engines
        self._settings = settings
        self._recorder = recorder
        self._secrets = ClientSecrets(time.time, fresh_id)
        self._rules = Rules(
            api_key=settings.api_key,
            pinned_by=self._secrets.pinned_by,
            models=settings.models,
            beta=settings.beta,
            out_of_credit=settings.out_of_credit,
        )
        self._open: set[ServerConnection] = set()

    async def leave(self, listening: Server) -> None:
        """Close every session with 1001; whoever does not read is cut off."""
        listening.close()
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await listening.wait_closed()
        except TimeoutError:
            for websocket in self._open:
                websocket.transport.abort()
            await listening.wait_closed()

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """A request that is no WebSocket. Never raises."""
        path = _plain(request.path)
        if path != SECRETS_PATH or request.method != "POST":
            return _no_such(path)
        try:
            return self._new_secret(request)
        except Exception as error:  # noqa: BLE001  a bug of ours, and its text may quote the client
            _log.error("a client secret failed: %s", type(error).__name__)
            text = "The server had an error while processing your request."
            return refused(HTTPStatus.INTERNAL_SERVER_ERROR, None, text)

    def _new_secret(self, request: HttpRequest) -> HttpAnswer:
        try:
            if check_key(request.headers.get("authorization"), self._rules) is not None:
                text = "A client secret cannot make another; use the API key."
                raise Closed(Refusal("invalid_api_key", text), 3000)
            return HttpAnswer(HTTPStatus.OK, self._secrets.create(request.body))
        except Closed as closed:
            refusal, status = closed.refusal, HTTPStatus.UNAUTHORIZED
        except Refusal as wrong:
            refusal, status = wrong, HTTPStatus.BAD_REQUEST
        except TooMany:
            text = "Too many client secrets are alive; try again when some have expired."
            refusal = Refusal("rate_limit_exceeded", text)
            status = HTTPStatus.TOO_MANY_REQUESTS
        return refused(status, refusal.code, refusal.message, refusal.param)

    async def hold(self, websocket: ServerConnection) -> None:
        """One connection from its upgrade to its end."""
        try:
            admitted = self._admitted(websocket)
        except Closed as closed:
            _log.info("connection refused: %s", closed.reason)
            await _close(websocket, closed)
            return
        self._open.add(websocket)
        number = secrets.token_hex(3)
        _log.info("session %s opened, %d now", number, len(self._open))
        missed = 0
        try:
            missed = await self._converse(websocket, admitted, number)
        except Exception as error:  # noqa: BLE001  a bug of ours ends one session, and its text may quote
            _log.error("session %s failed: %s", number, type(error).__name__)
            await websocket.close(1011, "server_error")
        finally:
            self._open.discard(websocket)
            code = websocket.close_code
            _log.info("session %s closed, code %s, %d PINGs unanswered", number, code, missed)

    def _admitted(self, websocket: ServerConnection) -> Admitted:
        """What the connection asked for. Raises Closed."""
        assert websocket.request is not None
        if len(self._open) >= _MAX_SESSIONS:
            raise overloaded()
        return admit(websocket.request.path, websocket.request.headers, self._rules)

    async def _converse(self, websocket: ServerConnection, admitted: Admitted, number: str) -> int:
        """Until the end of the session; the number of PINGs that stayed unanswered."""
        settings, recorder = self._settings, self._recorder
        expires_at = math.ceil(time.time() + settings.session_s)
        session = (BetaSession if admitted.dialect == "beta" else Session)(
            admitted.model,
            expires_at,
            fresh_id,
            self._engines.detector(),
            kind=admitted.kind,
            pinned=None if admitted.pinned is None else admitted.pinned.session,
            behaviour=settings.behaviour,
        )
        note = partial(recorder.note, number) if recorder else _ignore
        connection = Connection(
            websocket, session, self._engines, self.threads, note=note, paced=settings.paced
        )
        keepalive = Keepalive(websocket, settings.ping_s, number, lambda: connection.busy)
        pinging = asyncio.create_task(keepalive.run())
        try:
            async with asyncio.timeout(settings.session_s):
                await connection.run()
        except TimeoutError:
            await _close(websocket, expired())
        finally:
            pinging.cancel()
        return keepalive.missed


def _ignore(_message: str | bytes) -> None:
    pass


async def _close(websocket: ServerConnection, closed: Closed) -> None:
    event = error_event(closed.refusal, fresh_id("event"), None)
    event["error"]["type"] = closed.type
    try:
        async with asyncio.timeout(_FAREWELL_S):
            with contextlib.suppress(ConnectionClosed):
                await websocket.send(msgspec.json.encode(event).decode())
            await websocket.close(closed.close_code, closed.reason)
    except TimeoutError:
        websocket.transport.abort()  # a client that does not read cannot be told
