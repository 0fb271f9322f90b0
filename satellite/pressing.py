"""The button thread: the only owner of the button, if there is one.

It sleeps until the button is pressed or let go and posts that; what it means is decided in
satellite/logic/pressing.py. A button that is lost counts as let go, is said once, and is tried
again after 1, 2, 4, then every 8 s.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from satellite.errors import DeviceError, Why
from satellite.inbox import Post
from satellite.logic.backoff import Backoff
from satellite.model import events as ev
from satellite.model.ports import Button, Knock

REOPEN: Final = Backoff(first_s=1.0, most_s=8.0)

log = logging.getLogger(__name__)


class Pressing:
    """Owns ``button``. ``start``, ``stop`` and ``knock`` may be called from any thread."""

    held_since: float | None = None  # it is woken from wherever it waits

    def __init__(self, button: Button, post: Post) -> None:
        self._button = button
        self._post = post
        self._stop = threading.Event()
        self._orders: SimpleQueue[Knock | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="button", daemon=True)
        self._pressed = False
        self._failures = 0
        self._said: str | None = None

    def start(self) -> None:
        """Begin to listen for it."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end and wait for it; False when the device holds it."""
        self._stop.set()
        self._orders.put(None)
        self._button.wake()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def knock(self, answer: Callable[[], None]) -> None:
        """See model.ports.Worker."""
        self._orders.put(Knock(answer))
        self._button.wake()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except DeviceError as exc:
                self._lost(str(exc), exc.why)
            except Exception as exc:
                log.exception("the button thread failed")
                self._lost(f"{type(exc).__name__} in the button thread; see the log", "failed")
            finally:
                self._button.close()
            if self._failures:
                self._obey(REOPEN.delay_s(self._failures, lambda _, most: most))

    def _watch(self) -> None:
        self._button.open()
        self._failures = 0
        if self._said is not None:
            self._said = None
            self._post(ev.ButtonReady())
        while not self._stop.is_set():
            pressed = self._button.read()
            self._obey(0.0)
            if pressed is not None:
                self._note(pressed)

    def _obey(self, wait_s: float) -> None:
        """Take the orders of so long a time, or until the end."""
        until = time.monotonic() + wait_s
        while not self._stop.is_set():
            try:
                order = self._orders.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                return
            if order is not None:
                order.answer()

    def _note(self, pressed: bool) -> None:
        if pressed != self._pressed:
            self._pressed = pressed
            self._post(ev.Pressed() if pressed else ev.Released())

    def _lost(self, detail: str, why: Why) -> None:
        self._note(False)
        self._failures += 1
        if detail != self._said:
            self._said = detail
            self._post(ev.ButtonLost(detail, why))
