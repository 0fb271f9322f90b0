"""When to look for sound, so that one look a block is enough.

A device gives its sound in pieces whose size it does not tell: 1 ms on one, 40 ms on another. To
sleep for what is missing would find a few samples too few, and look again and again. But a block is
complete one block's length after the last one was. We come a little earlier each time, until it is
too early: that costs one more look, and tells the right moment again. So nothing is late for long,
and a device whose clock is not ours stays in step. At first, and after a block that came late, the
moment is anybody's guess: then we come much earlier each time.
"""

from __future__ import annotations

from typing import Final

RETRY_S: Final = 0.005  # the longest that a block waits for us
SLOW_RETRY_S: Final = 0.040  # once it is late by more than any piece is long
EARLIER: Final = 0.00125  # of each block: 0.1 ms of 80; clocks differ by less
MUCH_EARLIER: Final = 0.05  # of each block: 4 ms of 80, so in step again within a second
_SOON: Final = 8  # looks


class Cadence:
    """Moments on one clock, in seconds."""

    def __init__(self) -> None:
        self._due: float | None = None  # when the last block was complete
        self._looks = 0
        self._in_step = False

    def at_once(self, now: float, block_s: float) -> None:
        """A block was there before anybody waited for it."""
        self._due = now if self._due is None else min(self._due + block_s, now)

    def first(self, now: float, block_s: float, missing_s: float) -> float:
        """The moment at which a block will be complete, of which ``missing_s`` are not there."""
        earlier = EARLIER if self._in_step else MUCH_EARLIER
        due = now + missing_s if self._due is None else self._due + block_s * (1 - earlier)
        self._due = min(max(due, now + RETRY_S), now + missing_s + SLOW_RETRY_S)
        self._looks = 0
        return self._due

    def again(self) -> float:
        """It was not complete at that moment: the next one."""
        assert self._due is not None
        self._looks += 1
        self._in_step = self._looks == 1  # a second one, and it is the block that is late
        self._due += RETRY_S if self._looks <= _SOON else SLOW_RETRY_S
        return self._due
