"""The Realtime connection: websocket-client behind one I/O thread that alone touches the socket.

One thread, because concurrent TLS read and write on one socket is a data race in CPython's ssl
(audio.md 7). It sleeps in ``select`` on the socket and on a waker; the core only appends to the
outbox and writes one byte to the waker. ``websocket.WebSocket``, never ``WebSocketApp``, which
swallows exceptions and times its pings by the wall clock.

Bounds: a message, its fragments, the outbox, the handshake (by the core's deadline, which shuts the
socket down), and the time without a sign of life.

A secret for the connection, where one is needed, is fetched in the same thread before it connects,
and is known to nobody but this connection's headers and its decoder.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import websocket

from satellite.errors import ProtocolError, SecretError
from satellite.inbox import Post
from satellite.model import events as ev
from satellite.model.ports import OnClose
from satellite.wire.server_events import SILENT

MOST_MESSAGE: Final = 4 << 20  # 60 s of voice in one delta; reliability F37
MOST_FRAGMENTS: Final = 256
MOST_OUTBOX: Final = 4 << 20  # a minute of sound: a peer that takes less is as good as gone
RECV_S: Final = 0.2  # a half-arrived message does not keep ours waiting for longer
SEND_S: Final = 5.0
PING_AFTER_S: Final = 10.0
DEAD_AFTER_S: Final = 20.0  # the service pings every 20 s and answers pings (protocol 1.5)
USER_TIMEOUT_MS: Final = 10_000  # Linux: how long sent data may stay unacknowledged

log = logging.getLogger(__name__)

MOST_NAMES: Final = 100  # of messages that mean nothing to us, remembered so as not to repeat

Decode = Callable[[bytes], ev.ServerEvent]
MakeDecode = Callable[[str | None], Decode]  # for one connection, which has this secret
Fetch = Callable[[float, OnClose], str]  # within so many seconds; raises SecretError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect. ``headers`` hold the key and are in no ``repr``; ``fetch`` gets another."""

    url: str
    headers: tuple[str, ...]
    timeout_s: float
    fetch: Fetch | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.place})"

    @property
    def place(self) -> str:
        """Host and port, for a person."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{self.port}"

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "wss" else 80)


class RealtimeLink:
    """The core's side: one connection at a time. Core only; every method returns at once."""

    held_since: float | None = None  # one that is being opened has a deadline of its own

    def __init__(self, endpoint: Endpoint, make_decode: MakeDecode, post: Post) -> None:
        self._endpoint = endpoint
        self._make_decode = make_decode
        self._post = post
        self._connection: _Connection | None = None

    def connect(self, link: int) -> None:
        """Open connection number ``link``; FromServer events follow, and LinkDown at the end."""
        self.disconnect()
        self._connection = _Connection(link, self._endpoint, self._make_decode, self._post)
        self._connection.thread.start()

    def send(self, message: bytes) -> bool:
        """Queue one text message; False where there is no connection that could take it."""
        return self._connection is not None and self._connection.send(message)

    def disconnect(self) -> None:
        """End the connection, if any; what either side still has to say is not waited for."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def knock(self, answer: Callable[[], None]) -> None:
        """See model.ports.Worker. Without a session there is no thread that could hang."""
        answer() if self._connection is None else self._connection.knock(answer)

    def stop(self, timeout_s: float) -> bool:
        """End the connection and wait for its thread; False when it does not end."""
        connection, thread = self._connection, None
        if connection is not None:
            thread = connection.thread
        self.disconnect()
        if thread is None:
            return True
        thread.join(timeout_s)
        return not thread.is_alive()


class _Connection:
    """One socket, one thread. ``send`` and ``close`` are the core's, the rest is the thread's."""

    def __init__(self, link: int, endpoint: Endpoint, make_decode: MakeDecode, post: Post) -> None:
        self._link = link
        self._endpoint = endpoint
        self._make_decode = make_decode
        self._decode = make_decode(None)
        self._post = post
        self._outbox: deque[bytes] = deque()  # appended by the core, taken by the thread
        self._knocks: deque[Callable[[], None]] = deque()  # as _outbox
        self._queued = 0  # bytes ever queued: written by the core
        self._sent = 0  # bytes ever sent: written by the thread
        self._closing = False  # written by the core
        self._why = "closed by us"  # written by the core, before _closing
        self._over = False  # written by the thread
        self._sock: socket.socket | None = None  # written by the thread, shut down by the core
        self._end_fetch: Callable[[], None] | None = None  # written by the thread, for the core
        self._waker, self._wakee = socket.socketpair()
        self._waker.setblocking(False)
        self._wakee.setblocking(False)
        self._heard_at = 0.0
        self._pinged = False
        self._complaints: set[str] = set()
        self._ignored: Counter[str] = Counter()
        self.thread = threading.Thread(target=self._run, name=f"realtime-{link}", daemon=True)

    # --- the core's side ---

    def send(self, message: bytes) -> bool:
        if self._queued - self._sent + len(message) > MOST_OUTBOX:
            self._why = f"{self._endpoint.place} takes too little for too long"
            self.close()
        if self._over or self._closing:
            return False
        self._queued += len(message)
        self._outbox.append(message)
        self._wake()
        return True

    def knock(self, answer: Callable[[], None]) -> None:
        """Have the thread call ``answer``, if it serves a session; else it is called at once."""
        self._knocks.append(answer)
        self._wake()
        if self._over or not self._heard_at:  # it is being opened: the core gives that up by itself
            self._answer()

    def _answer(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._knocks.popleft()()

    def close(self) -> None:
        """End the thread. Closing the waker wakes it, for good."""
        self._closing = True
        self._waker.close()
        if (end_fetch := self._end_fetch) is not None:
            end_fetch()
        sock = self._sock
        if sock is not None and not self._heard_at:  # stuck in the handshake: nothing to say there
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is awake already; closed: it ends
            self._waker.send(b"x")

    # --- the thread's side ---

    def _run(self) -> None:
        ws = websocket.WebSocket(skip_utf8_validation=True, enable_multithread=False)
        _limit(ws)
        try:
            self._open(ws)
            down = self._serve(ws)
        except websocket.WebSocketBadStatusException as exc:
            detail = f"{self._endpoint.place} refused the upgrade with HTTP {exc.status_code}"
            if not exc.status_code:
                detail = f"{self._endpoint.place} is no WebSocket server"
            down = ev.LinkDown(self._link, detail, status=exc.status_code)
        except SecretError as exc:
            down = ev.LinkDown(self._link, str(exc), status=exc.status, reason="client_secret")
        except (OSError, websocket.WebSocketException) as exc:
            down = ev.LinkDown(self._link, _sentence(exc, self._endpoint))
        except Exception as exc:
            log.exception("the Realtime thread failed")
            down = ev.LinkDown(self._link, f"{type(exc).__name__} in the Realtime thread")
        self._over = True
        self._answer()
        with contextlib.suppress(OSError):
            ws.shutdown()  # type: ignore[no-untyped-call]
        if self._sock is not None:
            self._sock.close()
        self._wakee.close()
        if self._ignored:
            log.debug("ignored messages by type: %s", dict(self._ignored))
        self._post(down)

    def _open(self, ws: Any) -> None:
        endpoint = self._endpoint
        headers = self._headers()
        if self._closing:
            raise ConnectionAbortedError  # nobody waits for it any more
        parts = urlsplit(endpoint.url)
        assert parts.hostname is not None
        address = (parts.hostname, endpoint.port)
        sock = socket.create_connection(address, endpoint.timeout_s)
        self._sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        if parts.scheme == "wss":
            context = ssl.create_default_context()
            host = parts.hostname
            sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
            self._sock = sock  # before the handshake, so that close() can end it
            sock.do_handshake()
        ws.settimeout(endpoint.timeout_s)
        ws.connect(
            endpoint.url,
            socket=sock,
            header=headers,
            suppress_origin=True,
            redirect_limit=0,
        )
        self._heard_at = time.monotonic()

    def _headers(self) -> list[str]:
        """The headers of this connection; its secret, if any, comes from elsewhere."""
        endpoint = self._endpoint
        if endpoint.fetch is None:
            return list(endpoint.headers)
        secret = endpoint.fetch(endpoint.timeout_s, self._on_close)
        self._end_fetch = None
        self._decode = self._make_decode(secret)
        return [*endpoint.headers, f"Authorization: Bearer {secret}"]

    def _on_close(self, end: Callable[[], None]) -> None:
        self._end_fetch = end
        if self._closing:  # it was closed just before there was anything to end
            end()

    def _serve(self, ws: Any) -> ev.LinkDown:
        while not self._closing:
            self._wait(ws)
            self._answer()
            self._flush(ws)
            down = self._receive(ws)
            if down is not None:
                return down
            silent_s = time.monotonic() - self._heard_at
            if silent_s > DEAD_AFTER_S:
                detail = f"{self._endpoint.place} gave no sign of life for {DEAD_AFTER_S:.0f} s"
                return ev.LinkDown(self._link, detail)
            if silent_s > PING_AFTER_S and not self._pinged:
                ws.ping()
                self._pinged = True
        with contextlib.suppress(OSError, websocket.WebSocketException):
            ws.send_close()
        return ev.LinkDown(self._link, self._why)

    def _wait(self, ws: Any) -> None:
        """Sleep until the socket or the core has something, or a ping is due."""
        if _pending(ws) or self._outbox or self._knocks:
            return
        readable, _, _ = select.select([ws.sock, self._wakee], [], [], PING_AFTER_S / 2)
        if self._wakee in readable:
            with contextlib.suppress(BlockingIOError):
                self._wakee.recv(4096)

    def _flush(self, ws: Any) -> None:
        if not self._outbox:
            return
        ws.settimeout(SEND_S)
        while self._outbox and not self._closing:  # what is not sent by then never is
            message = self._outbox.popleft()
            ws.send(message, websocket.ABNF.OPCODE_TEXT)
            self._sent += len(message)

    def _receive(self, ws: Any) -> ev.LinkDown | None:
        """Take what has arrived; a message that is half here waits for the next round."""
        ws.settimeout(RECV_S)
        while not self._closing and (_pending(ws) or select.select([ws.sock], [], [], 0)[0]):
            try:
                opcode, frame = ws.recv_data_frame(True)
            except websocket.WebSocketTimeoutException:
                return None
            self._heard_at, self._pinged = time.monotonic(), False
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return self._closed(frame.data)
            if opcode in {websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY}:
                self._hand_on(frame.data)
            if self._outbox:
                return None  # sound first: the socket may have more for a long time
        return None

    def _hand_on(self, data: bytes) -> None:
        try:
            event = self._decode(data)
        except ProtocolError as exc:
            complaint = str(exc)
            if complaint not in self._complaints and len(self._complaints) < 100:
                self._complaints.add(complaint)
                log.warning("ignored a message of the Realtime server: %s", complaint)
            return
        if isinstance(event, ev.Ignored):  # nobody decides anything on it: wake nobody
            self._count(event.type)
        else:
            self._post(ev.FromServer(self._link, event))

    def _count(self, kind: str) -> None:
        """Say once for each type that is new to us; a server may say more than we understand."""
        if kind not in self._ignored:
            if len(self._ignored) >= MOST_NAMES:
                kind = "others"
            elif kind not in SILENT:
                log.debug("the Realtime server sends %r, which is not known; ignored", kind)
        self._ignored[kind] += 1

    def _closed(self, data: bytes) -> ev.LinkDown:
        code = int.from_bytes(data[:2], "big") if len(data) >= 2 else 1005
        reason = data[2:].decode(errors="replace")[:123]
        detail = f"{self._endpoint.place} closed the session with code {code}"
        return ev.LinkDown(self._link, detail, code=code, reason=reason)


def _pending(ws: Any) -> bool:
    """TLS may hold decrypted bytes that ``select`` cannot see."""
    return isinstance(ws.sock, ssl.SSLSocket) and ws.sock.pending() > 0


def _limit(ws: Any) -> None:
    """Give websocket-client the size limits it lacks (reliability.md, finding 6)."""
    buffer, fragments = ws.frame_buffer, ws.cont_frame
    read_length, add = buffer.recv_length, fragments.add
    counted = {"frames": 0, "bytes": 0}

    def recv_length() -> None:
        read_length()
        if buffer.length > MOST_MESSAGE:
            raise websocket.WebSocketProtocolException(f"a frame of {buffer.length} bytes")

    def add_fragment(frame: Any) -> None:
        counted["frames"] += 1
        counted["bytes"] += len(frame.data)
        if counted["frames"] > MOST_FRAGMENTS or counted["bytes"] > MOST_MESSAGE:
            raise websocket.WebSocketProtocolException("a message in too many or too large pieces")
        add(frame)
        if frame.fin:
            counted["frames"] = counted["bytes"] = 0

    buffer.recv_length = recv_length
    fragments.add = add_fragment


def _sentence(exc: Exception, endpoint: Endpoint) -> str:
    """What happened, without anything that a library puts into its texts (URLs, headers)."""
    place = endpoint.place
    match exc:
        case ConnectionRefusedError():
            return f"{place} refused the connection"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {place} is not valid: {exc.verify_message}"
        case ssl.SSLError():
            return f"no TLS with {place}: {exc.reason or 'the other side does not speak it'}"
        case socket.gaierror():
            return f"the name {urlsplit(endpoint.url).hostname} cannot be resolved"
        case TimeoutError() | websocket.WebSocketTimeoutException():
            return f"{place} did not answer in time"
        case websocket.WebSocketConnectionClosedException() | ConnectionResetError():
            return f"{place} ended the connection without a word"
        case websocket.WebSocketProtocolException():
            return f"{place} breaks the WebSocket protocol: {exc}"
        case OSError():
            return f"the connection to {place} failed: {exc.strerror or type(exc).__name__}"
        case _:
            return f"{place} is no WebSocket server ({type(exc).__name__})"
