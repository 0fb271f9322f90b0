"""The connection breaks at any word of the server, 200 times: no turn is lost in silence (C53)."""

from __future__ import annotations

import random

import pytest
from test_simulation import SESSIONS, settled
from world import Faults, World

from satellite.model import records as rec

KINDS = tuple(SESSIONS)


def killed(seed: int) -> World:
    """Thirty seconds of people talking, with one to three kills, then time to recover."""
    rng = random.Random(seed)
    world = World(
        seed,
        half_duplex=seed % 8 < 4,
        session=SESSIONS[KINDS[seed % 4]],
        faults=Faults(call_tool=0.3),
        kills=frozenset(rng.randrange(1, 60) for _ in range(rng.choice([1, 1, 2, 3]))),
    )
    world.begin()
    when = 1.0
    while when < 30:
        length = rng.choice([0.3, 1.0, 2.0, 3.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        when += length + rng.uniform(0.3, rng.choice([2, 6, 15]))
    world.run(60)
    return world


@pytest.mark.checklist("C53")
@pytest.mark.parametrize("seed", [*range(198), 1135, 2199])
def test_c53_every_utterance_is_told_whatever_breaks(seed: int) -> None:
    world = killed(seed)
    settled(world)
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    world.ledger.settle(turns, len(world.kills))
    allowed = {"answered", "interrupted", "transcribed", "failed", "unanswered"}
    assert {turn.event_type for turn in turns} <= allowed


def test_the_kills_happen_and_at_all_kinds_of_words() -> None:
    """What the two hundred prove depends on what they hit."""
    links, reasons = 0, set()
    for seed in range(0, 200, 5):
        world = killed(seed)
        links += world.state.link.number - 1
        reasons |= {r.reason for r in world.published if isinstance(r, rec.TurnRecord)}
    assert links > 40
    assert "connection_lost" in reasons
