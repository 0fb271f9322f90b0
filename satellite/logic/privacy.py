"""Whether the microphone is closed on a person's order, and until when. Pure.

Rule 1: whoever may write to our topics may close it, for a while or for good; what closed it for
longer is never made shorter by that.
Rule 2: it is opened over MQTT only where the owner allows that; else by whoever is at the machine,
or by itself after the time that was asked for.
Rule 3: it is remembered over restarts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from satellite.model import commands as cmd
from satellite.model.audio import Instant
from satellite.model.requests import Mute

LONGEST_S: Final = 86_400.0  # a clock that was wrong must not close it for longer
KEPT: Final = "muted"
NOT_FROM_HERE: Final = (
    "the microphone is opened at the machine only: systemctl kill -s USR2 satellite, or set"
    " privacy.remote_unmute to true in its configuration"
)


@dataclass(frozen=True, slots=True)
class Privacy:
    """``until`` in monotonic seconds; None while muted: until somebody opens it."""

    muted: bool = False
    until: float | None = None


Step = tuple[Privacy, tuple[cmd.Command, ...]]


def begin(kept: object, now: Instant) -> Step:
    """As it was before the restart. ``kept`` is a bool or {"until": epoch seconds}."""
    until = kept.get("until") if isinstance(kept, dict) else None
    if isinstance(until, int | float) and not isinstance(until, bool):
        left = min(until - now.wall, LONGEST_S)
        if left <= 0:
            return Privacy(), (cmd.Keep(KEPT, None),)
        return Privacy(True, now.mono + left), (cmd.MuteMic(True),)
    muted = kept is True or isinstance(kept, dict)  # in doubt nobody is heard
    return Privacy(muted), (cmd.MuteMic(True),) if muted else ()


def is_open(privacy: Privacy, order: Mute) -> bool:
    """True for an order that opens the microphone."""
    return privacy.muted if order.on is None else not order.on


def is_allowed(privacy: Privacy, order: Mute, *, remote_unmute: bool) -> bool:
    """False for an order over MQTT that opens what only a person at the machine may."""
    return remote_unmute or not privacy.muted or not is_open(privacy, order)


def close(privacy: Privacy, for_s: float | None, now: Instant, *, remote_unmute: bool) -> Step:
    """Close the microphone, for ``for_s`` seconds or for good."""
    until = None if for_s is None else now.mono + for_s
    if privacy.muted and not remote_unmute:
        longer = privacy.until is None or until is None
        until = None if longer else max(until or 0.0, privacy.until or 0.0)
    kept = True if until is None else {"until": round(now.wall + until - now.mono, 3)}
    return Privacy(True, until), (cmd.MuteMic(True), cmd.Keep(KEPT, kept))


def open_again(privacy: Privacy) -> Step:
    """Open the microphone."""
    if not privacy.muted:
        return privacy, ()
    return Privacy(), (cmd.MuteMic(False), cmd.Keep(KEPT, None))


def expire(privacy: Privacy, now: float) -> Step:
    """Open it when its time is over."""
    if privacy.until is None or now < privacy.until:
        return privacy, ()
    return open_again(privacy)
