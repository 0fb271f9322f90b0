"""What systemd is told while we run: that all of us are alive, and how we are.

It is told that we live only while every thread that works for us still takes its orders (law 2:
evidence with an age). A thread is not asked to prove it by itself: most of them sleep until there
is something to do, and stay asleep. Each is asked when systemd is to be told, and has until the
next time to answer. So a thread that hangs is noticed at the second time after it did, and systemd
ends the process one WatchdogSec= after the last time that all answered.

A thread that sits in a call of a device, or that waits for a name to be resolved, cannot answer and
is not hung: the core judges devices by themselves (satellite/logic/microphone.py), and a machine
without a network or a microphone is never started anew for that. It is excused for HELD_S.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from satellite.adapters.systemd import Notifier
from satellite.model import records as rec
from satellite.model.ports import Worker

HELD_S: Final = 120.0  # three name servers that do not answer may take a minute

log = logging.getLogger(__name__)


class Rounds:
    """Who still takes orders. Core only; the answers come from the threads themselves."""

    def __init__(self, workers: Mapping[str, Worker], clock: Callable[[], float]) -> None:
        self._workers = workers
        self._clock = clock
        self._owing: set[str] = set()

    def ask(self) -> list[str]:
        """Who owes us the answer to the last time, and has no excuse; all others are asked anew."""
        silent: list[str] = []
        for name, worker in self._workers.items():
            if name not in self._owing:
                self._owing.add(name)
                worker.knock(functools.partial(self._owing.discard, name))
            elif not self._is_held(worker):
                silent.append(name)
        return silent

    def _is_held(self, worker: Worker) -> bool:
        since = worker.held_since
        return since is not None and self._clock() - since < HELD_S


class Alive:
    """Feeds the watchdog at its pace, and tells systemd how we are when it changes. Core only."""

    def __init__(
        self,
        notifier: Notifier,
        workers: Mapping[str, Worker],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier
        self._clock = clock
        self._rounds = Rounds(workers, clock)
        self._said = ""
        self._silent: list[str] = []
        self._asked_at = float("-inf")

    def __call__(self, shown: rec.State | None) -> None:
        """The core has just made a decision; ``shown`` is what it says of itself."""
        said = status(shown)
        if said != self._said:
            self._said = said
            self._notifier.status(said)
        now, interval = self._clock(), self._notifier.interval_s
        if interval is not None and now - self._asked_at >= interval:
            self._asked_at = now
            self._go_round()

    def _go_round(self) -> None:
        silent = self._rounds.ask()
        for name in silent:
            if name not in self._silent:
                log.error(
                    "the %s thread has not taken an order for %.0f s;"
                    " unless it does soon, systemd starts the satellite again",
                    name,
                    self._notifier.interval_s,
                )
        self._silent = silent
        if not silent:
            self._notifier.watchdog()


def status(shown: rec.State | None) -> str:
    """One line for `systemctl status`: the state, and the first problem with what to do."""
    if shown is None:
        return "starting"
    if not shown.problems:
        return shown.state
    first, more = shown.problems[0], len(shown.problems) - 1
    others = f" (and {more} more)" if more else ""
    return f"{shown.state}; {first.code}: {first.detail}; {first.fix}{others}"
