"""The outbox thread: what must be delivered, kept or told again goes through it."""

from satellite.delivery.keeping import Begun, Open, begin
from satellite.delivery.thread import Delivery

__all__ = ["Begun", "Delivery", "Open", "begin"]
