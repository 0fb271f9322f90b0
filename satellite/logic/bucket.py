"""How often something may come: a bucket of tokens, one taken by each, filled again at a rate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """``tokens`` were left ``at`` monotonic seconds; it holds ``burst``, and ``rate`` a second."""

    rate: float
    burst: float
    tokens: float
    at: float

    def take(self, now: float) -> tuple[Bucket, bool]:
        """Return the bucket after this moment, and whether there was a token to take."""
        tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)
        taken = tokens >= 1
        return Bucket(self.rate, self.burst, tokens - 1 if taken else tokens, now), taken


def full(rate: float, burst: float, now: float) -> Bucket:
    """A bucket as it is when nothing came for a while."""
    return Bucket(rate, burst, burst, now)
