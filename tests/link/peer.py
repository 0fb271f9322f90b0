"""The other end of a Realtime connection: a real socket with a script, in a thread."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator

from websockets.sync.server import ServerConnection, serve


@contextlib.contextmanager
def websocket_peer(script: Callable[[ServerConnection], None]) -> Iterator[str]:
    """Serve ``script`` on a free loopback port; yield the address."""

    def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            script(connection)

    with serve(handle, "127.0.0.1", 0, max_size=None, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever, name="peer")
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def raw_peer(script: Callable[[socket.socket], None]) -> Iterator[str]:
    """Accept one TCP connection and do to it what ``script`` says; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    script(connection)

        thread = threading.Thread(target=accept, name="raw-peer")
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/realtime"
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def message(**body: object) -> str:
    return json.dumps(body)


CREATED = message(type="session.created", session={"type": "realtime"})
