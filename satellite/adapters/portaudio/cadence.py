"""When to look for sound, so that one look a block is enough and no block waits for us.

A device gives its sound in pieces whose size it does not tell: 1 ms on one, 40 ms on another. To
sleep for what is missing would find a few samples too few, and look again and again. But a block is
complete one block's length after the last one was. We come a little earlier each time, until it is
too early: that costs one more look, and tells the right moment again. So a device whose clock is
not ours stays in step.

What is left in the device at the right moment is the rest of a piece; if it is more, we are late by
that, and look so much earlier the next time. A busy machine wakes us late: then less is learned.
"""

from __future__ import annotations

from typing import Final

RETRY_S: Final = 0.002  # the longest that a block waits for us
PIECE_S: Final = 0.040  # the longest; what is later than that may be later still
EARLIER: Final = 0.00125  # of each block: 0.1 ms of 80; clocks differ by less
SEEKING: Final = 0.05  # of each block, while the right moment is not known: within a second
_SOON: Final = 20  # looks
_FORGET: Final = 0.998  # of the rest, each block


class Cadence:
    """Moments on one clock, in seconds."""

    def __init__(self) -> None:
        self._due: float | None = None  # when the last block was complete
        self._looks = 0
        self._rest_s = 0.0  # of a piece, left in the device when a block is complete
        self._earlier = SEEKING

    def at_once(self, now: float, left_s: float) -> None:
        """A block was there before anybody waited for it, and ``left_s`` of sound more."""
        self._due = now - left_s
        self._earlier = SEEKING

    def first(self, now: float, block_s: float, missing_s: float) -> float:
        """The moment at which a block will be complete, of which ``missing_s`` are not there."""
        due = now + missing_s if self._due is None else self._due + block_s * (1 - self._earlier)
        soonest = now + max(RETRY_S, missing_s - PIECE_S)
        self._due = min(max(due, soonest), now + missing_s + PIECE_S)
        self._looks = 0
        return self._due

    def again(self) -> float:
        """It was not complete at that moment: the next one."""
        assert self._due is not None
        self._looks += 1
        self._due += RETRY_S if self._looks <= _SOON else PIECE_S
        return self._due

    def complete(self, now: float, left_s: float) -> None:
        """The block that was waited for is there, and ``left_s`` of sound more."""
        assert self._due is not None
        late_s = left_s - self._rest_s
        self._rest_s *= _FORGET
        if self._looks:  # this was the right moment, as far as we were woken at it
            self._earlier = EARLIER if now - self._due <= PIECE_S / 4 else SEEKING
            if now - self._due <= RETRY_S:
                self._rest_s = max(left_s, self._rest_s)
        elif late_s > RETRY_S and now - self._due <= RETRY_S:
            self._due -= late_s
            self._earlier = SEEKING
