"""What waits for the socket."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from satellite.model.ports import Message

MOST_WAITING: Final = 100  # nothing that is kept elsewhere is dropped


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish. ``link`` and ``number``: on that connection only, Acked follows."""

    message: Message
    link: int | None = None
    number: int = 0


class Waiting:
    """What waits for the socket, in order; of a retained topic only the newest."""

    def __init__(self) -> None:
        self._queue: OrderedDict[object, Outgoing] = OrderedDict()
        self._number = 0

    def add(self, outgoing: Outgoing) -> None:
        """Queue it. The oldest that nothing replaces is dropped when too many wait."""
        message = outgoing.message
        self._number += 1
        key: object = self._number
        if message.retain and outgoing.link is None:
            key = message.topic
            self._queue.pop(key, None)
        self._queue[key] = outgoing
        if len(self._queue) > MOST_WAITING:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        for key, outgoing in self._queue.items():
            if outgoing.link is None and not isinstance(key, str):
                del self._queue[key]
                return

    def next(self) -> Outgoing | None:
        """Take the first one out."""
        return self._queue.popitem(last=False)[1] if self._queue else None

    def clear(self) -> None:
        """Forget all."""
        self._queue.clear()

    def __len__(self) -> int:
        return len(self._queue)
