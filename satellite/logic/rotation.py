"""When a session gives way to a new one, before the server ends it. Pure.

The service ends every session after a fixed time, without a warning and without a way to resume
(realtime-protocol 1.6). So the satellite changes over by itself, in a moment in which nobody
speaks or is owed something; near the end, in any.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from satellite.model.audio import Instant

QUIET_S: Final = 300.0  # before the end: from then on in the first quiet moment
FORCED_S: Final = 30.0  # from then on in any
LONGEST_S: Final = 7200.0  # no service lets a session live longer than an hour
ASSUMED_S: Final = 1800.0  # where the two clocks cannot be compared; the shortest that was seen


class Lifetime(NamedTuple):
    """Monotonic seconds from which a session is changed when it is quiet, and in any case."""

    quiet_at: float
    forced_at: float


def lifetime(expires_at: float | None, now: Instant) -> Lifetime | None:
    """How long a session is used; None for a server that sets no end.

    ``expires_at`` is in epoch seconds of the server's clock. A machine without a clock of its own
    may be years away from that until it is synchronised. A short session is used for half of its
    time at least.
    """
    if not expires_at:
        return None
    left = expires_at - now.wall
    if not 0 < left <= LONGEST_S:
        left = ASSUMED_S
    end = now.mono + left
    return Lifetime(end - min(QUIET_S, left / 2), end - min(FORCED_S, left / 4))


def is_due(life: Lifetime | None, now: float, *, busy: bool) -> bool:
    """True when it is time for a new session."""
    return life is not None and now >= (life.forced_at if busy else life.quiet_at)
