"""A secret for one connection: asked of a server, or printed by a program.

The home's server keeps the key, the satellite only gets what opens a session for some minutes.
Runs in the connection's own thread. Bounds: the seconds that are given, MOST_ANSWER bytes, and
whoever closes the connection ends the fetching at once. No secret is in any sentence or ``repr``,
nor is what a server or program said, which may hold one.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from satellite.errors import SecretError
from satellite.model.ports import OnClose

MOST_ANSWER: Final = 1 << 16  # a secret with its session has some KiB
_SECRET: Final = re.compile("[A-Za-z0-9._~+/=:-]{1,4096}")  # what tokens are made of: RFC 6750


@dataclass(frozen=True, slots=True)
class FromServer:
    """POST ``body`` to ``url``; ``token`` is what that server wants to see."""

    url: str = field(repr=False)
    body: dict[str, Any]
    token: str | None = field(default=None, repr=False)

    def __call__(self, timeout_s: float, on_close: OnClose) -> str:
        """Return the secret. Raises SecretError."""
        parts = urlsplit(self.url)
        place = f"the client secret's server {parts.hostname}"
        deadline = time.monotonic() + timeout_s
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        try:
            connection.connect()
            assert connection.sock is not None
            on_close(_shutter(connection.sock))
            status, answer = self._ask(connection, deadline)
        except TimeoutError:
            raise SecretError(f"{place} did not answer in time") from None
        except (OSError, http.client.HTTPException, ValueError) as exc:
            what = getattr(exc, "strerror", None) or type(exc).__name__
            raise SecretError(f"{place} cannot be asked: {what}") from None
        finally:
            connection.close()
        if status not in {200, 201}:
            raise SecretError(f"{place} answered with HTTP {status}", status)
        return _read(answer, place)

    def _ask(self, connection: http.client.HTTPConnection, deadline: float) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        connection.request("POST", path, msgspec.json.encode(self.body), headers)
        answer = b""
        with connection.getresponse() as response:
            while piece := response.read1(4096):
                answer += piece
                if len(answer) > MOST_ANSWER:
                    raise SecretError(f"the client secret's server {parts.hostname} says too much")
                if time.monotonic() > deadline:
                    raise TimeoutError
            return response.status, answer


@dataclass(frozen=True, slots=True)
class FromCommand:
    """Run ``words``, without a shell; what it prints is the secret, or the answer of a server."""

    words: Sequence[str] = field(repr=False)

    def __call__(self, timeout_s: float, on_close: OnClose) -> str:
        """Return the secret. Raises SecretError."""
        name = os.path.basename(self.words[0])  # noqa: PTH119 - a word, not a path
        place = f"the client secret's command {name}"
        try:
            child = subprocess.Popen(  # noqa: S603 - the owner's own command
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # may say the secret
                start_new_session=True,
            )
        except OSError as exc:
            raise SecretError(f"{place} cannot be started: {exc.strerror}") from None
        on_close(lambda: _kill(child))
        try:
            answer = _output(child, time.monotonic() + timeout_s, place)
        finally:
            _kill(child)
            child.wait()
            assert child.stdout is not None
            child.stdout.close()
        if child.returncode:
            raise SecretError(f"{place} failed with exit code {child.returncode}")
        return _read(answer, place)


def _output(child: subprocess.Popen[bytes], deadline: float, place: str) -> bytes:
    """All that it prints until it ends."""
    assert child.stdout is not None
    answer = b""
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([child.stdout], [], [], left_s)[0]:
            raise SecretError(f"{place} did not end in time")
        piece = os.read(child.stdout.fileno(), 4096)
        answer += piece
        if len(answer) > MOST_ANSWER:
            raise SecretError(f"{place} prints too much")
        if not piece:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            return answer


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End it and what it started, unless its end was seen. Safe at any time, and twice."""
    if child.returncode is None:  # not poll(): what it started may outlive it, and hold its output
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)


def _shutter(sock: socket.socket) -> Callable[[], None]:
    def shut() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    return shut


class _Nested(msgspec.Struct):
    value: str


class _Answer(msgspec.Struct):
    """The form of today, or that of the beta."""

    value: str | None = None
    client_secret: _Nested | None = None


def _read(answer: bytes, place: str) -> str:
    text = answer.strip()
    if text.startswith(b"{"):
        try:
            found = msgspec.json.decode(text, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise SecretError(f"{place} gave JSON without a value") from None
        nested = found.client_secret
        secret = found.value or (nested.value if nested is not None else "")
    else:
        secret = text.decode(errors="replace")
    if not _SECRET.fullmatch(secret):
        raise SecretError(f"{place} gave no secret")
    return secret
