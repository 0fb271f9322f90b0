"""What is left after crashes in a row: MQTT, which says so, and takes the order to start again.

Nothing here opens a device or a session, or makes a decision of the core: whatever crashed is not
among it. Everybody who looks sees why, on the broker, in Home Assistant, in `systemctl status`.
After LASTS_S it tries again by itself (reliability P17).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from msgspec import structs

from satellite.adapters.systemd import Notifier
from satellite.alive import Alive
from satellite.bus_setup import MqttBus
from satellite.inbox import Inbox
from satellite.logic import privacy
from satellite.logic.asked import Status
from satellite.logic.report import timestamp
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model import requests as req
from satellite.model.audio import Instant
from satellite.wire import mqtt

CRASHES: Final = 5  # within the ten minutes of adapters/starts.py
LASTS_S: Final = 900.0
LOOK_S: Final = 1.0
STOP_S: Final = 1.8

log = logging.getLogger(__name__)


class SafeMode:
    """In place of an App. Main thread only, but for ``inbox.post``."""

    def __init__(
        self,
        inbox: Inbox,
        bus: MqttBus,
        notifier: Notifier,
        base_topic: str,
        crashes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.inbox = inbox
        self.base_topic = base_topic
        self._bus = bus
        self._notifier = notifier
        self._clock = clock
        self._alive = Alive(notifier, {"outbox": bus.outbox, "MQTT": bus.link}, clock)
        now = Instant(clock(), time.time())
        self._state = _state(crashes, now, muted=privacy.begin(bus.begun.values.get("muted"), now))

    def run(self) -> int:
        """Tell, and wait; return the exit code."""
        problem = self._state.problems[0]
        log.error("safe mode: %s; %s", problem.detail, problem.fix)
        self._bus.start()
        self._notifier.ready("safe mode")
        end = self._clock() + LASTS_S
        code = None
        while code is None:
            code = self._look(end)
        self._notifier.stopping()
        self._tell(structs.replace(self._state, state="offline"))
        self._bus.stop(STOP_S)
        return code

    def _look(self, end: float) -> int | None:
        """Take one fact; the exit code when it is over."""
        event = self.inbox.take(LOOK_S)
        self._alive(self._state)
        match event:
            case ev.StopRequested():
                return 0
            case ev.BusUp():
                self._bus.outbox.publish(mqtt.status(self.base_topic, mqtt.ONLINE))
                self._tell(self._state)
            case ev.Asked(request) if isinstance(request.order, req.Restart):
                self._answer(request, "accepted")
                return cmd.START_AGAIN
            case ev.Asked(request):
                self._answer(request, "rejected")
        return cmd.START_AGAIN if self._clock() >= end else None

    def _tell(self, record: rec.Record) -> None:
        self._bus.outbox.publish(mqtt.encode(record, self.base_topic, retain_text=False))

    def _answer(self, request: req.Request, status: Status) -> None:
        why = (
            None if status == "accepted" else f"{self._state.problems[0].detail}; send cmd/restart"
        )
        result = rec.Result(
            cmd=request.verb, id=request.id, status=status, error=why, ts=timestamp(time.time())
        )
        for message in mqtt.results(result, request.reply, self.base_topic):
            self._bus.outbox.publish(message)


def _state(crashes: int, now: Instant, muted: privacy.Step) -> rec.State:
    since = timestamp(now.wall)
    problem = rec.Problem(
        code="safe_mode",
        since=since,
        detail=f"it crashed {crashes} times within ten minutes, and hears nobody for now",
        fix="`journalctl -u satellite` says why; then send cmd/restart or have systemd restart it;"
        f" it tries again by itself after {LASTS_S / 60:.0f} minutes",
    )
    return rec.State(state="error", since=since, muted=muted[0].muted, problems=(problem,))
