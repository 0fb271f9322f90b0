"""What only sounds like people is counted and keeps no session; people get through."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from world import World

from satellite.logic import idling, openings, talk
from satellite.model import records as rec


def day(seed: int, minutes: int = 12) -> World:
    """A television that the server takes for none, a door now and then, and few people."""
    rng = random.Random(seed)
    world = World(seed, half_duplex=seed % 2 == 0)
    world.begin()
    when, end = 2.0, minutes * 60.0
    while when < end - 60:
        if rng.random() < 0.1:
            when += 8.0  # nobody speaks into the television: that would be one opening
            length = rng.uniform(1.0, 3.0)
            world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
            when += length + 15.0
            continue
        length = rng.choice([0.1, 0.3, 2.0, 20.0, 45.0])
        world.at(when, lambda length=length: world.blare(length))  # type: ignore[misc]
        when += length + rng.choice([0.2, 1.5, 1.5, 20.0])
    world.run(end)
    return world


def people_get_through(world: World) -> None:
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    world.ledger.settle_sound(turns, world.state.talk.counted)
    world.ledger.settle(turns, losses=0)
    counted = world.state.talk.counted.openings
    assert counted.refused > 10
    assert all(turn.opened is not None and turn.opened.agreed for turn in turns)
    told = sum(turn.sent_in_vain_s for turn in turns) + counted.untold_s
    assert told == pytest.approx(counted.vain_bytes / 48_000, abs=0.001 * len(turns))


@pytest.mark.parametrize("seed", range(4))
def test_the_television_is_counted_and_people_get_through(seed: int) -> None:
    people_get_through(day(seed))


def an_open_gate_keeps_the_session(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(idling, "_believed_until", lambda known: float("inf") if known.gate_open else 0.0)
    patch.setattr(idling, "_is_used", lambda known, settings: talk.is_busy(known))


def what_was_in_vain_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    original = openings._refuse
    patch.setattr(
        openings,
        "_refuse",
        lambda known, opening: original(known, replace(opening, sent_bytes=0)),
    )


def a_person_is_taken_for_noise(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(openings, "take", lambda known, *given, **named: known)


def a_person_waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(idling, "SURE_MS", 60_000)


def a_second_is_told_twice(patch: pytest.MonkeyPatch) -> None:
    original = talk.report.tell

    def tell(counted: Any, *given: Any) -> Any:
        after, turn, records = original(counted, *given)
        return replace(after, sent_bytes=counted.sent_bytes), turn, records

    patch.setattr(talk.report, "tell", tell)


def run_all() -> None:
    for seed in range(4):
        people_get_through(day(seed))


PLANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    an_open_gate_keeps_the_session,
    what_was_in_vain_is_not_counted,
    a_person_is_taken_for_noise,
    a_person_waits_for_ever,
    a_second_is_told_twice,
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run_all()
