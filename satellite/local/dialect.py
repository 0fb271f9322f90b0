"""What the words of a session are called. The GA dialect is the one that sessions think in."""

from __future__ import annotations

from typing import Any, Protocol

from satellite.local import client_events
from satellite.local.behaviour import Kind
from satellite.local.schema import Refusal

Event = dict[str, Any]


class Dialect(Protocol):
    def understood(self, event: Event, kind: Kind) -> Event:
        """A client event, checked, in GA words. Raises Refusal in the dialect's own words."""

    def refused(self, refusal: Refusal) -> Refusal:
        """What a session refuses in GA words, in those of the dialect."""

    def said(self, event: Event) -> list[Event]:
        """A GA server event, without its id, as this dialect says it: one event, none or more."""

    def begun(self, session: Event) -> Event:
        """The start values of a session, of GA, with those that differ here."""


class GA:
    """Satisfies Dialect."""

    def understood(self, event: Event, kind: Kind) -> Event:
        client_events.check(event, kind)
        return event

    def refused(self, refusal: Refusal) -> Refusal:
        return refusal

    def said(self, event: Event) -> list[Event]:
        return [event]

    def begun(self, session: Event) -> Event:
        return session
