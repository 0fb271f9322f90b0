"""Where the broker is, who we are to it, and the way to it."""

from __future__ import annotations

import select
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Final

from satellite.errors import SetupError

CONNECT_S: Final = 5.0  # for each address of the name
HANDSHAKE_S: Final = 10.0
USER_TIMEOUT_MS: Final = 10_000  # Linux: how long sent data may stay unacknowledged


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who we are to it. The password is in no ``repr``."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


def tls_context(broker: Broker) -> ssl.SSLContext:
    """Verify the broker, and show our certificate if we have one. Raises SetupError."""
    try:
        context = ssl.create_default_context(cafile=broker.ca_file)
    except (ssl.SSLError, OSError) as exc:
        raise SetupError(
            f"mqtt.ca_file: {broker.ca_file} holds no certificate in PEM form; give the file of"
            " your authority that begins with -----BEGIN CERTIFICATE-----"
        ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if broker.cert_file is not None:
        try:
            context.load_cert_chain(broker.cert_file, broker.key_file, password="")
        except (ssl.SSLError, OSError, ValueError) as exc:
            raise SetupError(
                f"mqtt.cert_file: {broker.cert_file} and mqtt.key_file: {broker.key_file} are not a"
                " certificate and its key in PEM form, without a pass phrase"
            ) from exc
    return context


def open_socket(
    broker: Broker, context: ssl.SSLContext | None, wake: socket.socket
) -> socket.socket:
    """Connect, with TLS where there is a ``context``. Raises OSError; at once when ``wake`` ends.

    Only the name's resolution may take longer than CONNECT_S an address and HANDSHAKE_S.
    """
    sock = socket.create_connection((broker.host, broker.port), CONNECT_S)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        sock.setblocking(False)
        if context is not None:
            sock = context.wrap_socket(
                sock, server_hostname=broker.host, do_handshake_on_connect=False
            )
            _shake_hands(sock, wake)
    except BaseException:
        sock.close()
        raise
    return sock


def _shake_hands(sock: ssl.SSLSocket, wake: socket.socket) -> None:
    deadline = time.monotonic() + HANDSHAKE_S
    while True:
        reading, writing = [wake], []
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            reading.append(sock)
        except ssl.SSLWantWriteError:
            writing.append(sock)
        else:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        readable, _, _ = select.select(reading, writing, [], left)
        if wake in readable and not _keep_awake(wake):
            raise ConnectionAbortedError  # nobody waits for it any more


def _keep_awake(wake: socket.socket) -> bool:
    """Take what woke us; False when it has been closed: the end."""
    try:
        return bool(wake.recv(4096))
    except BlockingIOError:
        return True
