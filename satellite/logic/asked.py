"""Requests over MQTT: which are carried out, that each is carried out once, and its answers. Pure.

Rule 1: every request has exactly one last answer: done, rejected, failed, cancelled or expired.
What takes time is answered ``accepted`` before.
Rule 2: a request whose id was seen gets the answer that the first one has; it is not carried out
again (QoS 1 may deliver twice).
Rule 3: what was sent more than STALE_S ago is not carried out, as far as our own clock can tell.
Rule 4: whatever waits ends by a deadline, by what it waits for, or with the satellite.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from satellite.logic.report import timestamp
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant
from satellite.model.requests import Refused, Request

STALE_S: Final = 30.0  # reliability F23
MEMORY_S: Final = 600.0  # reliability F22
MOST_KNOWN: Final = 256
MOST_WAITING: Final = 100
BUILT: Final = 1_793_491_200.0  # 2026-11-01: a clock that shows less was never set
LIMITED: Final = "any"  # stands for the verbs of all that came too fast

Status = Literal["accepted", "done", "rejected", "cancelled", "expired", "failed"]


@dataclass(frozen=True, slots=True)
class AskedSettings:
    """``refused`` are verbs that the owner switched off."""

    refused: frozenset[str] = frozenset()
    remote_unmute: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A request with an id that came not long ago; ``result`` is its last answer so far."""

    verb: str
    id: str
    at: float
    result: rec.Result | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """One without its last answer. ``until`` is None where another machine sees to its end."""

    request: Request
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """``limited`` counts those that came too fast, as far as that was told."""

    known: tuple[Known, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    limited: int = 0
    limited_at: float = float("-inf")


Step = tuple[Asked, tuple[cmd.Command, ...]]


def admit(
    asked: Asked, request: Request, now: Instant, settings: AskedSettings
) -> tuple[Asked, tuple[cmd.Command, ...], bool]:
    """Note a request; True where it is to be carried out, else the orders answer it."""
    asked = replace(asked, known=_fresh(asked.known, now.mono))
    before = _known(asked, request)
    if before is not None:
        first = before.result
        again = first or _result(request.verb, request.id, "accepted", None, now)
        return asked, (cmd.Answer(again, request.reply),), False
    if request.id is not None:
        known = Known(request.verb, request.id, now.mono)
        asked = replace(asked, known=(*asked.known, known)[-MOST_KNOWN:])
    asked, orders = _make_room(asked, now)
    asked = replace(asked, waiting=(*asked.waiting, Waiting(request)))
    status, why = _judge(request, now, settings)
    if status is None:
        return asked, orders, True
    asked, answer = end(asked, request, status, now, why)
    return asked, (*orders, *answer), False


def _judge(
    request: Request, now: Instant, settings: AskedSettings
) -> tuple[Status | None, str | None]:
    if request.verb in settings.refused:
        why = f"{request.verb} is switched off here (commands.refuse in the configuration)"
        return "rejected", why
    if request.sent_at is not None and now.wall >= BUILT and now.wall - request.sent_at > STALE_S:
        late_s = min(now.wall - request.sent_at, 1e9)
        return "expired", (
            f"was sent {late_s:.0f} s ago, more than {STALE_S:.0f}; if that is not so, look at the"
            " clock of the sender"
        )
    return None, None


def misasked(refused: Refused, now: Instant) -> cmd.Answer:
    """The answer to what was not understood."""
    result = _result(refused.verb, refused.id, "rejected", refused.error, now)
    return cmd.Answer(result, refused.reply)


def accept(asked: Asked, request: Request, now: Instant, until: float | None = None) -> Step:
    """It has begun; its last answer follows, at the latest when ``until`` has passed."""
    waiting = tuple(
        replace(each, until=until) if each.request is request else each for each in asked.waiting
    )
    return _answer(replace(asked, waiting=waiting), request, "accepted", now, None)


def end(
    asked: Asked, request: Request, status: Status, now: Instant, error: str | None = None
) -> Step:
    """The last answer; nothing where that was given."""
    if not waits(asked, request):
        return asked, ()
    waiting = tuple(each for each in asked.waiting if each.request is not request)
    return _answer(replace(asked, waiting=waiting), request, status, now, error)


def end_all(
    asked: Asked,
    requests: Iterable[Request],
    status: Status,
    now: Instant,
    error: str | None = None,
) -> Step:
    """The same last answer for each."""
    orders: tuple[cmd.Command, ...] = ()
    for request in requests:
        asked, more = end(asked, request, status, now, error)
        orders = (*orders, *more)
    return asked, orders


def waits(asked: Asked, request: Request) -> bool:
    """True until its last answer."""
    return any(each.request is request for each in asked.waiting)


def overdue(asked: Asked, now: float) -> tuple[Request, ...]:
    """Those whose time is over."""
    return tuple(
        each.request for each in asked.waiting if each.until is not None and now >= each.until
    )


def deadline(asked: Asked) -> float | None:
    """When the next one's time is over."""
    return min((each.until for each in asked.waiting if each.until is not None), default=None)


def stop(asked: Asked, now: Instant) -> Step:
    """The satellite ends, and with it all that waits."""
    requests = tuple(each.request for each in asked.waiting)
    return end_all(asked, requests, "cancelled", now, "the satellite ends")


def _make_room(asked: Asked, now: Instant) -> Step:
    """The oldest give way where too many wait."""
    surplus = asked.waiting[: max(0, len(asked.waiting) + 1 - MOST_WAITING)]
    requests = tuple(each.request for each in surplus)
    return end_all(asked, requests, "failed", now, "too many others wait")


def count_limited(asked: Asked, tick: ev.Tick, now: Instant) -> Step:
    """Say once a second how many came too fast."""
    fresh = tick.limited - asked.limited
    if fresh <= 0 or now.mono - asked.limited_at < 1:
        return asked, ()
    many = "1 request was" if fresh == 1 else f"{fresh} requests were"
    why = f"rate_limited: {many} not carried out, because they came too fast; ask again, slower"
    asked = replace(asked, limited=tick.limited, limited_at=now.mono)
    return asked, (cmd.Answer(_result(LIMITED, None, "rejected", why, now), None),)


def _answer(
    asked: Asked, request: Request, status: Status, now: Instant, error: str | None
) -> Step:
    result = _result(request.verb, request.id, status, error, now)
    known = tuple(
        replace(each, result=result) if _is_of(each, request) else each for each in asked.known
    )
    return replace(asked, known=known), (cmd.Answer(result, request.reply),)


def _result(
    verb: str, name: str | None, status: Status, error: str | None, now: Instant
) -> rec.Result:
    return rec.Result(cmd=verb, id=name, status=status, error=error, ts=timestamp(now.wall))


def _fresh(known: tuple[Known, ...], now: float) -> tuple[Known, ...]:
    if known and now - known[0].at > MEMORY_S:
        return tuple(each for each in known if now - each.at <= MEMORY_S)
    return known


def _known(asked: Asked, request: Request) -> Known | None:
    return next((each for each in asked.known if _is_of(each, request)), None)


def _is_of(known: Known, request: Request) -> bool:
    return request.id is not None and (known.verb, known.id) == (request.verb, request.id)
