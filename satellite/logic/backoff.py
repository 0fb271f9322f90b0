"""When to try again. Full jitter: a broken server is not met by every satellite at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from ``first_s`` to ``most_s``."""

    first_s: float = 0.5
    most_s: float = 30.0

    def delay_s(self, attempt: int, uniform: Callable[[float, float], float]) -> float:
        """Seconds before attempt ``attempt`` (1 is the first retry), at least a tenth of a second.

        ``uniform(a, b)`` draws from [a, b]; the first retry is quick, later ones spread out.
        """
        ceiling = min(self.most_s, self.first_s * 2.0 ** min(attempt - 1, 16))
        return max(0.1, uniform(0.0, ceiling))
