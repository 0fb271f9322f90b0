"""Answers ``cmd/replay``: what the journal has, in order, a few at a time, then a result."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from satellite.delivery.keeping import Keeping
from satellite.logic.report import timestamp
from satellite.model import records as rec
from satellite.model.ports import Message, Stored
from satellite.model.requests import Reply
from satellite.wire import mqtt

MOST: Final = 1000  # for one request; reliability F15
CHUNK: Final = 100
WINDOW: Final = 20  # in flight, so that a consumer keeps up
_TOPICS: Final = frozenset({"transcript", "response", "turn"})


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody wants to be told again. ``id`` is that of their request."""

    since: int
    most: int
    reply: Reply | None
    id: str | None


@dataclass(slots=True)
class Retelling:
    """One request, being answered. The outbox thread's."""

    ask: Ask
    base_topic: str
    flying: set[int] = field(default_factory=set)
    told: int = 0
    _rows: deque[Stored] = field(default_factory=deque)
    _next: int = 0
    _first: int | None = None
    _refused: int = 0
    _over: bool = False

    def __post_init__(self) -> None:
        self._next = max(0, self.ask.since)

    def more(self, keeping: Keeping) -> list[Message]:
        """What may be sent now."""
        messages: list[Message] = []
        while len(self.flying) + len(messages) < WINDOW:
            row = self._take(keeping)
            if row is None:
                break
            self.told += 1
            if (message := self._message(row)) is not None:
                messages.append(message)
        return messages

    def acked(self, number: int, *, refused: bool) -> None:
        """One has been answered by the broker."""
        self.flying.discard(number)
        self._refused += refused

    @property
    def is_over(self) -> bool:
        """All is told and acknowledged."""
        return self._over and not self.flying

    def results(self, wall: float) -> tuple[Message, ...]:
        """The last word: on the topic for all, and where the requester waits."""
        error = None
        if self._refused:
            error = f"the broker refused {self._refused} of {self.told} messages"
        elif self._first is not None and self._first > self.ask.since > 0:
            error = f"what has a seq below {self._first} is not kept any more"
        elif self._first is None:
            error = f"nothing from seq {self.ask.since} on is kept"
        elif self.told >= self._most:
            error = f"there may be more: ask again, since {self._next}"
        return self.end("failed" if self._refused else "done", error, wall)

    def end(
        self, status: Literal["done", "failed"], error: str | None, wall: float
    ) -> tuple[Message, ...]:
        """The last word where there is nothing to tell."""
        result = rec.Result(
            cmd="replay", id=self.ask.id, status=status, error=error, ts=timestamp(wall)
        )
        return mqtt.results(result, self.ask.reply, self.base_topic)

    @property
    def _most(self) -> int:
        return min(self.ask.most, MOST)

    def _take(self, keeping: Keeping) -> Stored | None:
        if self.told >= self._most:
            self._over = True
        if not self._rows and not self._over:
            self._rows.extend(keeping.since(self._next, min(CHUNK, self._most - self.told)))
            if not self._rows:
                self._over = True
        if self._over:
            return None
        row = self._rows.popleft()
        assert row.message.seq is not None
        if self._first is None:
            self._first = row.message.seq
        self._next = row.message.seq + 1
        return row

    def _message(self, row: Stored) -> Message | None:
        message = row.message
        topic = message.topic.removeprefix(f"{self.base_topic}/")
        if topic not in _TOPICS or message.seq is None:
            return None
        again = rec.Replayed(
            topic=topic,  # type: ignore[arg-type]
            seq=message.seq,
            record=msgspec.Raw(message.payload),
        )
        told = mqtt.encode(again, self.base_topic, retain_text=False)
        if self.ask.reply is None:
            return told
        return mqtt.answer(told, self.ask.reply, self.base_topic)
