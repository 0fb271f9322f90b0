"""What the fixtures of this folder give."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from virtual_card import VirtualCard

MakeCard = Callable[..., VirtualCard]
Use = Callable[..., "subprocess.Popen[bytes]"]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Return at once, that much later."""
        assert seconds > 0
        self.now += seconds
