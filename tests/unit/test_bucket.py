"""How often something may come."""

from __future__ import annotations

from satellite.logic import bucket


def taken(seconds: float, step: float, start: float = 100.0) -> int:
    made, count, n = bucket.full(10, 20, start), 0, 0
    while n * step < seconds:
        made, got = made.take(start + n * step)
        count, n = count + got, n + 1
    return count


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    assert taken(0.001, 0.00001) == 20
    assert taken(10, 0.001) == 20 + 99
    assert taken(10, 0.2) == 50  # slower than the rate: all


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    made = bucket.full(10, 1, 100.0)
    made, got = made.take(100.0)
    assert got
    for now in (100.0, 99.0, 99.05):
        made, got = made.take(now)
        assert not got
