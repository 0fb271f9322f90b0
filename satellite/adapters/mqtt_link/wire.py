"""The socket as paho sees it, and paho over it."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

MOST_AT_ONCE: Final = 65_536  # as much memory is taken, whatever comes


class Wire:
    """The socket as paho sees it. It notes when bytes came, and what the network said last."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.heard_at = self.sent_at = time.monotonic()
        self.error: OSError | None = None

    def recv(self, size: int) -> bytes:
        try:
            data = self._sock.recv(min(size, MOST_AT_ONCE))
        except OSError as exc:
            self._note(exc)
            raise
        if data:
            self.heard_at = time.monotonic()
        return data

    def send(self, data: bytes) -> int:
        try:
            sent = self._sock.send(data)
        except OSError as exc:
            self._note(exc)
            raise
        self.sent_at = time.monotonic()
        return sent

    def _note(self, exc: OSError) -> None:
        if not isinstance(exc, BlockingIOError | ssl.SSLWantReadError | ssl.SSLWantWriteError):
            self.error = exc

    def pending(self) -> bool:
        """TLS may hold decrypted bytes that ``select`` cannot see."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def close(self) -> None:
        self._sock.close()

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)


class Client(paho.Client):
    """paho over a socket that is open already."""

    def __init__(self, wire: Wire, client_id: str) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
        self._wire = wire

    def _create_socket(self) -> Any:
        return self._wire

    @property
    def coming(self) -> int:
        """Bytes of the packet that is on its way to us, as its first bytes say."""
        return int(self._in_packet["remaining_length"])
