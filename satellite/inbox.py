"""The one queue into the deciding thread.

``SimpleQueue.put`` is reentrant, so a signal handler may post while the same thread posts; every
thread and callback may call ``post``, which never waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from satellite.model import events as ev

MOST_WAITING: Final = 2000  # the core is sick long before; a flood is a bug, not weather
FULL: Final = 500
PATIENCE_S: Final = 1.0


class Inbox:
    """Events wait here, in the order they were posted."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[ev.Event] = SimpleQueue()

    def post(self, event: ev.Event) -> None:
        """Hand one fact to the core. Any thread; returns at once."""
        self._queue.put(event)

    def post_patiently(self, event: ev.Event) -> None:
        """Hand one fact to the core, but not faster than it decides.

        For a thread whose peer may say anything at any rate: while FULL facts wait it sleeps, at
        most PATIENCE_S, and so does the peer.
        """
        deadline = time.monotonic() + PATIENCE_S
        while self._queue.qsize() > FULL and time.monotonic() < deadline:
            time.sleep(0.002)
        self._queue.put(event)

    def take(self, timeout_s: float) -> ev.Event | None:
        """Wait at most ``timeout_s`` for the next fact. Core only.

        Raises OverflowError when more than MOST_WAITING wait.
        """
        waiting = self._queue.qsize()
        if waiting > MOST_WAITING:
            raise OverflowError(f"{waiting} events wait for the core")
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
        except Empty:
            return None


Post = Callable[[ev.Event], None]
