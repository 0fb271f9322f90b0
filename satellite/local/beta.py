"""The beta dialect: the same session under its old names (realtime-protocol.md 3.4)."""

from __future__ import annotations

from satellite.local.session import Session


class BetaSession(Session):
    """Made and used exactly as Session."""
