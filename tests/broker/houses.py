"""A bus with its outbox, as the daemon has it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

from lookers import Onlooker
from posted import Events

from satellite import bus_setup
from satellite.config.schema import Config
from satellite.model import events as ev
from satellite.model.ports import Message

BASE = "satellite/kitchen"
TRANSCRIPT = f"{BASE}/transcript"


class House:
    """A bus under test; ``again`` is the next start of the program."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.begin()

    def begin(self) -> None:
        self.events, self.heard = Events(), Events()
        self.bus = bus_setup.build(self.config, self.events.post, self.heard.post)  # type: ignore[arg-type]
        self.bus.start()

    def again(self, **mqtt: Any) -> None:
        self.stop()
        changed = dataclasses.replace(self.config.mqtt, **mqtt)
        self.config = dataclasses.replace(self.config, mqtt=changed)
        self.begin()

    def stop(self) -> float:
        began = time.monotonic()
        assert self.bus.stop(2)
        if self.bus.lock is not None:
            self.bus.release()
        return time.monotonic() - began

    def up(self, timeout_s: float = 15) -> None:
        self.events.until(ev.BusUp, timeout_s)

    def tell(self, *seqs: int, topic: str = "transcript", size: int = 0, life: int = 120) -> None:
        for seq in seqs:
            payload = json.dumps({"seq": seq, "id": f"i{seq}", "text": "x" * size}).encode()
            self.bus.outbox.publish(Message(f"{BASE}/{topic}", payload, 1, False, life, seq))

    def noted(self, true: Callable[[ev.OutboxNoted], bool], timeout_s: float = 8) -> ev.OutboxNoted:
        deadline = time.monotonic() + timeout_s
        while True:
            note = self.events.until(ev.OutboxNoted, max(0.0, deadline - time.monotonic()))
            if true(note):
                return note


Make = Callable[..., House]


def numbers(look: Onlooker, count: int, topic: str = TRANSCRIPT) -> list[int]:
    return [json.loads(look.until(topic).payload)["seq"] for _ in range(count)]
