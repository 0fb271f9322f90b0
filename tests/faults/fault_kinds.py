"""What can go wrong with a Realtime server, as small declarations for ``fault_proxy.FaultProxy``.

A fault looks at every message that passes and says in steps what becomes of it. It says nothing of
GA or beta: types are given by the test, and both dialects share the others. What is counted, is
counted from 1 in each connection.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Event = dict[str, Any]


@dataclass(frozen=True)
class Pass:
    """This message goes on, where it was going."""

    text: str | bytes


@dataclass(frozen=True)
class Say:
    """The client gets this as well; later faults do not look at it."""

    text: str


@dataclass(frozen=True)
class Wait:
    """Nothing more in this direction for so long; what comes meanwhile waits its turn."""

    seconds: float


@dataclass(frozen=True)
class Close:
    """A close frame to the client."""

    code: int
    reason: str = ""

    def __post_init__(self) -> None:
        if self.code in (1004, 1005, 1006, 1015) or not 1000 <= self.code < 5000:
            raise ValueError(f"{self.code} cannot be sent in a close frame; for 1006 use reset()")


@dataclass(frozen=True)
class Reset:
    """TCP RST to the client."""


@dataclass(frozen=True)
class Stall:
    """The connection stays open, and nothing comes any more: no frame, PING or PONG."""


Step = Pass | Say | Wait | Close | Reset | Stall
Direction = Literal["server", "client"]
# What becomes of one message: of whom, its type ("" when it is no JSON object) and itself.
Judge = Callable[[Direction, str, str | bytes], list[Step]]


@dataclass(frozen=True)
class Fault:
    """``begin`` makes the judge of one connection; ``connection`` picks one of them, None all."""

    begin: Callable[[], Judge]
    connection: int | None = None


@dataclass(frozen=True)
class Refusal:
    """The handshake gets this HTTP answer instead of an upgrade."""

    status: int
    body: str
    connection: int | None = None


@dataclass(frozen=True)
class On:
    """The ``n``-th event of this type; 0 is every one. ``by`` whom it is sent."""

    type: str
    n: int = 1
    by: Direction = "server"
    connection: int | None = None


def fault(on: On, steps: Callable[[str | bytes], list[Step]]) -> Fault:
    """At each event that ``on`` names, ``steps`` instead of passing it."""

    def begin() -> Judge:
        seen = 0

        def judge(by: Direction, kind: str, text: str | bytes) -> list[Step]:
            nonlocal seen
            if by != on.by or kind != on.type:
                return [Pass(text)]
            seen += 1
            return steps(text) if on.n in (0, seen) else [Pass(text)]

        return judge

    return Fault(begin, on.connection)


def close(on: On, code: int, reason: str = "") -> Fault:
    """Passes the event, then closes."""
    step = Close(code, reason)
    return fault(on, lambda text: [Pass(text), step])


def reset(on: On) -> Fault:
    """Passes the event, then resets the TCP connection."""
    return fault(on, lambda text: [Pass(text), Reset()])


def stall(on: On) -> Fault:
    """Passes the event, then says and hears nothing more."""
    return fault(on, lambda text: [Pass(text), Stall()])


def delay(on: On, seconds: float) -> Fault:
    """Holds the event and, to keep the order, all that follow it."""
    return fault(on, lambda text: [Wait(seconds), Pass(text)])


def slow_start(seconds: float, connection: int | None = None) -> Fault:
    return delay(On("session.created", connection=connection), seconds)


def duplicate(on: On) -> Fault:
    """The same event twice, ``event_id`` and all."""
    return fault(on, lambda text: [Pass(text), Pass(text)])


def insert(on: On, text: str) -> Fault:
    """Passes the event, then says ``text``, of whatever form."""
    return fault(on, lambda passed: [Pass(passed), Say(text)])


def unknown_event(on: On) -> Fault:
    event = {"type": "response.from_the_future", "event_id": "event_future", "new": [1]}
    return insert(on, json.dumps(event))


def malformed(on: On) -> Fault:
    return insert(on, '{"type": "response.done", ')


def drop(kind: str, n: int = 0, connection: int | None = None) -> Fault:
    """Every event of this type (or the ``n``-th) is lost."""
    return fault(On(kind, n, connection=connection), lambda _: [])


def no_credit(connection: int | None = None) -> Fault:
    """What the service says to an empty account, instead of ``session.created``."""
    error = {
        "type": "insufficient_quota",
        "code": "insufficient_quota",
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "param": None,
        "event_id": None,
    }
    text = json.dumps({"type": "error", "event_id": "event_quota", "error": error})
    end = Close(1013, "insufficient_quota.insufficient_quota")
    return fault(On("session.created", connection=connection), lambda _: [Say(text), end])


def refused(status: int, body: str = "", connection: int | None = None) -> Refusal:
    """HTTP at the handshake, as reverse proxies and some services do."""
    return Refusal(status, body, connection)


def rewritten(
    begin: Callable[[], Callable[[Event], list[Event]]], connection: int | None = None
) -> Fault:
    """Server events become others; ``begin`` makes what remembers one connection."""

    def begin_judging() -> Judge:
        rewrite = begin()

        def judge(by: Direction, kind: str, text: str | bytes) -> list[Step]:
            if by == "client" or not kind:
                return [Pass(text)]
            event = json.loads(text)
            written = rewrite(event)
            return [Pass(text if new is event else json.dumps(new)) for new in written]

        return judge

    return Fault(begin_judging, connection)
