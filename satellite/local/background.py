"""The local server inside another program: one thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from satellite.local import server
from satellite.local.engines import Engines


@contextmanager
def in_background(engines: Engines, settings: server.Settings | None = None) -> Iterator[str]:
    """Serve while the block runs; gives the URL, without ``?model=``.

    Raises SetupError when the port is not free. Sessions still open at the end are closed with
    1001; leaving takes at most a second. Any thread may use it.
    """
    ready: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        try:
            async with server.running(engines, settings or server.Settings()) as url:
                ready.set_result((url, asyncio.get_running_loop(), stop))
                await stop.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)  # raised where the block would have begun

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="local-server")
    thread.start()
    try:
        url, loop, stop = ready.result()
        try:
            yield url
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join()
