"""Whatever people do and whatever breaks, no day costs more than its cap and one answer."""

from __future__ import annotations

import random

import pytest
from ledger import WALL
from test_simulation import settled
from world import Faults, World

from satellite.logic.link import Phase
from satellite.model import records as rec
from satellite.model.models import SPEAKERS
from satellite.model.session import Session

DAY_S = 120.0
CAP = 0.10
CALLS = Faults(call_tool=0.2, twice=0.1, no_transcript=0.1, invent=0.1)


def day_of(wall: float) -> str:
    """Days of two minutes, in one month."""
    return f"2026-11-{1 + int((wall - WALL - 1000) // DAY_S):02d}"


def spending(seed: int, session: Session, *, half_duplex: bool) -> tuple[World, list[float]]:
    """Five days of people who talk all the time; returns what the server billed for each."""
    rng = random.Random(seed)
    price = SPEAKERS["gpt-realtime-2.1"].price
    faults = rng.choice([Faults(), CALLS])
    world = World(
        seed,
        half_duplex,
        session,
        None,
        faults,
        price=price,
        caps={"cap_day": CAP},
        day_of=day_of,
    )
    world.begin()
    days: list[float] = []
    when = 1.0
    while when < 5 * DAY_S:
        length = rng.choice([0.3, 1.0, 2.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        when += length + rng.uniform(2, 8)
    for _ in range(5):
        before = world.billed
        world.run(DAY_S)
        days.append(world.billed - before)
    world.faults = Faults()
    return world, days


@pytest.mark.parametrize("manual", [False, True])
@pytest.mark.parametrize("seed", range(400, 406))
def test_no_day_costs_more_than_its_cap_and_one_answer(seed: int, manual: bool) -> None:
    world, days = spending(seed, Session(manual=manual), half_duplex=seed % 2 == 0)
    name = f"seed {seed}: {days}"
    assert all(usd <= CAP + world.dearest for usd in days), name
    assert sum(usd >= CAP * 0.9 for usd in days) >= 3, f"{name}: it was to be reached"
    states = [r for r in world.published if isinstance(r, rec.State)]
    assert any(p.code == "budget" for state in states for p in state.problems)
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    assert any(turn.reason == "budget" for turn in turns)
    told = [r for r in world.published if isinstance(r, rec.Usage)]
    assert max(r.cost_today_usd for r in told) >= CAP * 0.9
    world.run(DAY_S)  # nobody speaks, and it is another day
    settled(world)
    assert world.state.link.phase in {Phase.READY, Phase.DOWN}


def test_a_cap_that_is_not_kept_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from satellite.logic import usage

    monkeypatch.setattr(usage, "spent", lambda *rest: None)
    world, days = spending(400, Session(), half_duplex=True)
    assert max(days) > CAP + world.dearest
