"""Plain HTTP on the port of the WebSockets: one request a connection, and a JSON answer.

websockets reads GET and nothing else, and no bodies; so a connection whose first bytes are not
"GET " comes here. Headers are parsed by the standard library. ``Incoming`` is pure; ``door`` is the
seam to the socket.
"""

from __future__ import annotations

import asyncio
import http.client
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec
from websockets.asyncio.server import ServerConnection

_LONGEST_HEAD: Final = 16 * 1024
_LONGEST_BODY: Final = 64 * 1024
_LINGER_S: Final = 0.5  # for a client that still sends what is refused, to read the answer
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str  # with its query
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: HTTPStatus
    body: dict[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class Malformed(Exception):  # noqa: N818  an answer, not a fault
    """Not a request that can be read; ``status`` and text are for the client."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


def refused(
    status: HTTPStatus, code: str | None, message: str, param: str | None = None, **headers: str
) -> HttpAnswer:
    """An error in the form of the service."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return HttpAnswer(status, {"error": error}, headers)


class Incoming:
    """Collects the bytes of one request."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._body_at = 0  # 0: the head is not complete
        self._length = 0
        self._head: tuple[str, str, Mapping[str, str]] = ("", "", {})

    def feed(self, data: bytes) -> HttpRequest | None:
        """The request once it is complete. Raises Malformed."""
        self._data += data
        if not self._body_at:
            end = self._data.find(_END)
            if end < 0 and len(self._data) <= _LONGEST_HEAD:
                return None
            if not 0 <= end <= _LONGEST_HEAD:
                raise Malformed(HTTPStatus.BAD_REQUEST, "The head of this request is too long.")
            self._head = _head(bytes(self._data[: end + len(_END)]))
            self._body_at, self._length = end + len(_END), _length(self._head[2])
        if len(self._data) < self._body_at + self._length:
            return None
        body = bytes(self._data[self._body_at : self._body_at + self._length])
        return HttpRequest(*self._head, body)


def _head(head: bytes) -> tuple[str, str, Mapping[str, str]]:
    line, _, rest = head.partition(b"\r\n")
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or not parts[0].isalpha() or not parts[2].startswith("HTTP/1."):
        raise Malformed(HTTPStatus.BAD_REQUEST, "This is not an HTTP/1.1 request.")
    try:
        headers = http.client.parse_headers(io.BytesIO(rest))
    except http.client.HTTPException:
        raise Malformed(HTTPStatus.BAD_REQUEST, "These headers are too many.") from None
    return parts[0], parts[1], {name.lower(): value for name, value in headers.items()}


def _length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        message = "Send the body in one piece, with Content-Length."
        raise Malformed(HTTPStatus.LENGTH_REQUIRED, message)
    text = headers.get("content-length", "0").strip()
    if not (text.isascii() and text.isdigit()):
        raise Malformed(HTTPStatus.BAD_REQUEST, "Content-Length must be a number of bytes.")
    if len(text) > 18 or int(text) > _LONGEST_BODY:
        message = f"The body of a request may have {_LONGEST_BODY} bytes."
        raise Malformed(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    return int(text)


def written(answer: HttpAnswer) -> bytes:
    """The answer as it goes over the wire."""
    body = msgspec.json.encode(answer.body)
    lines = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join(lines).encode("latin-1") + _END + body


def door(answer: Callable[[HttpRequest], HttpAnswer]) -> type[ServerConnection]:
    """WebSocket connections that let ``answer`` have every request that is no GET.

    The library's limit for opening handshakes bounds how long a request may take to come in.
    """

    class Door(ServerConnection):
        _first = b""
        _incoming: Incoming | None = None
        _answered = False

        def data_received(self, data: bytes) -> None:
            if self._answered:
                return
            if self.request is None and self._incoming is None:
                self._first += data
                if len(self._first) < 4 and b"GET ".startswith(self._first):
                    return
                data, self._first = self._first, b""
                if not data.startswith(b"GET "):
                    self._incoming = Incoming()
            if self._incoming is None:
                super().data_received(data)
            else:
                self._plain(self._incoming, data)

        def _plain(self, incoming: Incoming, data: bytes) -> None:
            try:
                request = incoming.feed(data)
                if request is None:
                    return
                reply, wait_s = answer(request), 0.0
            except Malformed as malformed:
                reply, wait_s = refused(malformed.status, None, malformed.message), _LINGER_S
            self._answered = True
            self.transport.write(written(reply))
            asyncio.get_running_loop().call_later(wait_s, self.transport.close)

    return Door
