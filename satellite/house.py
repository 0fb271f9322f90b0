"""What the house asks of us over MQTT, on its way from the MQTT thread to the core.

The first edge: what comes is read or refused, and not more of it is let through than a core can
decide on. Mute, cancel and the end of listening always are: they are handed on no faster than the
core takes them, and the broker waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from satellite.inbox import Post
from satellite.logic import bucket
from satellite.model import events as ev
from satellite.model.ports import Incoming
from satellite.model.requests import Cancel, Listen, Mute, Refused, Request
from satellite.wire import requests

RATE: Final = 10.0  # a second; reliability F24
BURST: Final = 20.0

log = logging.getLogger(__name__)


class House:
    """``on_message`` belongs to the MQTT thread; ``limited`` may be read by any."""

    def __init__(
        self,
        base_topic: str,
        closed: tuple[str, ...],
        post: Post,
        post_patiently: Post,
        clock: Callable[[], float],
    ) -> None:
        self._commands = f"{base_topic}/cmd/"
        self._tool_result = f"{base_topic}/tool/result"
        self._closed = closed
        self._post = post
        self._post_patiently = post_patiently
        self._clock = clock
        self._asked = self._told = bucket.full(RATE, BURST, clock())
        self.limited = 0
        """Messages that came too fast, since the start."""

    def on_message(self, message: Incoming) -> None:
        """Hand on one message, refuse it, or count it. Never raises."""
        try:
            if message.topic == self._tool_result:
                self._hear_tool(message)
            elif message.topic.startswith(self._commands):
                self._hear_command(message)
        except Exception:
            log.exception("a message over MQTT was not read")

    def _hear_command(self, message: Incoming) -> None:
        verb = message.topic.removeprefix(self._commands)
        reply = requests.allowed(message.reply, self._closed)
        read = requests.read(verb, message.payload, retained=message.retain, reply=reply)
        if isinstance(read, Request) and _is_urgent(read):
            self._post_patiently(ev.Asked(read))
            return
        self._asked, taken = self._asked.take(self._clock())
        self._hand_on(ev.Misasked(read) if isinstance(read, Refused) else ev.Asked(read), taken)

    def _hear_tool(self, message: Incoming) -> None:
        read = requests.read_tool_result(message.payload, retained=message.retain)
        self._told, taken = self._told.take(self._clock())
        self._hand_on(ev.Misasked(read) if isinstance(read, Refused) else read, taken)

    def _hand_on(self, event: ev.Event, taken: bool) -> None:
        if taken:
            self._post(event)
        else:
            self.limited += 1


def _is_urgent(request: Request) -> bool:
    """What makes it quiet is never kept waiting."""
    order = request.order
    return isinstance(order, Mute | Cancel) or (isinstance(order, Listen) and not order.on)
