"""What a thread under test posts, and how a test waits for it."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import TypeVar

from satellite.model import events as ev

T = TypeVar("T")


class Events:
    """Collects what a thread posts; a test waits for what it expects, with a deadline."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[ev.Event] = SimpleQueue()
        self.all: list[ev.Event] = []

    def post(self, event: ev.Event) -> None:
        self._queue.put(event)

    def until(self, kind: type[T], timeout_s: float = 5.0) -> T:
        """Wait for the next event of one kind, or what the server said of that kind.

        Those before it are in ``all`` as well.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                event = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {kind.__name__} came; came: {self.all}") from None
            self.all.append(event)
            said = event.event if isinstance(event, ev.FromServer) else event
            if isinstance(said, kind):
                return said

    def rest(self) -> list[ev.Event]:
        """What has been posted and not been waited for."""
        fresh = []
        while True:
            try:
                fresh.append(self._queue.get_nowait())
            except Empty:
                self.all += fresh
                return fresh
