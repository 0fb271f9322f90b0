"""What any test may ask for, and how many lines of the protocol's checklist hold."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from pulse_card import PulseCard

# a machine with more to do takes its time: for an example, and for making it
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "checklist(number, ...): a MUST of docs/realtime-checklist.md, by its number"
    )
    # a daemon that was given no folder of its own must not write into the user's
    home = tempfile.TemporaryDirectory(prefix="satellite-tests-")
    config.add_cleanup(home.cleanup)
    os.environ["XDG_STATE_HOME"] = home.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A property travels with the report to the process that sums up."""
    for item in items:
        for marker in item.iter_markers("checklist"):
            item.user_properties.extend(("checklist", number) for number in marker.args)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A number holds where every test that names it passed."""
    passed, broken = set(), set()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            named = [v for k, v in getattr(report, "user_properties", ()) if k == "checklist"]
            (passed if outcome == "passed" else broken).update(named if outcome else ())
    held = passed - broken
    if not held and not broken:
        return
    client = sum(number.startswith("C") for number in held)
    line = f"checklist: client {client} of 56 hold, server {len(held) - client} of 42 hold"
    terminalreporter.write_line(line)
    if broken:
        terminalreporter.write_line(f"checklist: broken or skipped: {', '.join(sorted(broken))}")


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """No thread outlives its test."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"threads left: {left}"


@pytest.fixture
def pulse() -> Iterator[PulseCard]:
    """A card at a sound server: 24 kHz, the source ``mic``, the sink ``speaker``."""
    card = PulseCard()
    try:
        card.start()
        yield card
    finally:
        card.close()
