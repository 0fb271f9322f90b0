"""PINGs at a steady pace, as the service sends them; what stays unanswered is counted.

Nothing is closed for want of a PONG: what the live service does then is not known, and a person who
debugs a client wants to be told (realtime-protocol.md 1.5). TCP ends a link that is really dead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

_log = logging.getLogger(__name__)


class Keepalive:
    """``busy`` says whether we are behind with reading, when a PONG may wait through our fault."""

    def __init__(
        self, websocket: ServerConnection, every_s: float, number: str, busy: Callable[[], bool]
    ) -> None:
        self._websocket = websocket
        self._every_s = every_s
        self._number = number
        self._busy = busy
        self.missed = 0  # PINGs not answered before the next was due

    async def run(self) -> None:
        """Until cancelled or the connection ends."""
        clock = asyncio.get_running_loop().time
        wait_s = self._every_s
        while True:
            await asyncio.sleep(wait_s)
            began = clock()
            try:
                async with asyncio.timeout(self._every_s):
                    await (await self._websocket.ping())
            except TimeoutError:
                self._count()
            except ConnectionClosed:
                return
            wait_s = max(0.0, began + self._every_s - clock())

    def _count(self) -> None:
        if self._busy():
            return
        self.missed += 1
        if self.missed == 1:
            _log.warning("session %s did not answer a PING in %g s", self._number, self._every_s)
