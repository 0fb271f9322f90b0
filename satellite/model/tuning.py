"""What of the configuration can change while we run, beside the session and what MQTT can set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from satellite.model.commands import Chime


@dataclass(frozen=True, slots=True)
class Tuning:
    """Seconds, and US dollars, None for no cap.

    ``drop_phantoms``: what probably nobody said is not published; ``partials`` are.
    """

    idle_close_s: float
    follow_up_s: float
    chimes: frozenset[Chime]
    drop_phantoms: bool
    partials: bool
    remote_unmute: bool
    cap_day: float | None
    cap_month: float | None
