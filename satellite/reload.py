"""SIGHUP: take over what can change while the daemon runs, say what cannot."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from satellite import hearing_setup, house_setup, session_setup
from satellite.config import changes
from satellite.config.schema import Config
from satellite.errors import ConfigError, SetupError
from satellite.inbox import Post
from satellite.model import events as ev
from satellite.model.requests import Setting

log = logging.getLogger(__name__)


class Reload:
    """Reads the configuration again, in a thread of its own; the core decides what to do with it.

    ``request`` is called from the main thread, also within a signal handler. A configuration that
    is wrong changes nothing.
    """

    def __init__(self, read: Callable[[], Config], running: Config, post: Post) -> None:
        self._read = read
        self._running = running
        self._post = post
        self._rejected = False
        self._requests: SimpleQueue[None] = SimpleQueue()  # its put is reentrant
        threading.Thread(target=self._run, name="reload", daemon=True).start()

    def request(self) -> None:
        """Begin to read; one that comes while it is being read has it read again."""
        self._requests.put(None)

    def _run(self) -> None:
        while True:
            self._requests.get()
            while not self._requests.empty():  # one reading answers all that came before it
                self._requests.get()
            try:
                self._take_over()
            except Exception:
                log.exception("the configuration was not taken over")

    def _take_over(self) -> None:
        try:
            given = self._read()
            hearing_setup.find(given)  # or else the next start would be the last
        except SetupError as exc:
            problems = exc.problems if isinstance(exc, ConfigError) else [str(exc)]
            for problem in problems:
                log.warning("the configuration was not taken over: %s", problem)
            self._rejected = True
            self._post(ev.ConfigRead(tuple(problems)))
            return
        if self._rejected:
            self._rejected = False
            self._post(ev.ConfigRead())
        keys = changes.changed(self._running, given)
        live = [key for key in keys if can_change(self._running, key)]
        later = [key for key in keys if key not in live]
        if later:
            log.warning("needs a restart to take effect: %s", ", ".join(later))
        if live:
            log.info("taken over from the configuration: %s", ", ".join(live))
            self._running = changes.taken_over(self._running, given, live)
            self._post(change(self._running))
        elif not later:
            log.info("the configuration has not changed")


def can_change(running: Config, key: str) -> bool:
    """Say whether a new value needs no restart; what is left to the server does need one."""
    return changes.is_live(key) and key not in session_setup.unsent(running)


def change(config: Config) -> ev.ChangeRequested:
    """What the core is asked for, so that it is as configured."""
    settings: dict[Setting, str | int] = {
        "volume": config.audio.output.volume,
        "sensitivity": config.gate.aggressiveness,
        "activation": config.gate.activation,
    }
    return ev.ChangeRequested(session_setup.session(config), settings, house_setup.tuning(config))
