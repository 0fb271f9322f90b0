"""People press a button and let go of it, and others speak beside them, in virtual time."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from test_simulation import SESSIONS, settled
from world import Faults, World

from satellite.logic.chosen import ChosenSettings
from satellite.model import records as rec

KINDS = tuple(SESSIONS)


def pressing(seed: int, faults: Faults) -> World:
    """A minute of people who speak, some of whom press before, and some let go too early."""
    rng = random.Random(seed)
    session = SESSIONS[KINDS[seed % 4]]
    half_duplex = seed % 8 < 4
    world = World(seed, half_duplex, session, faults=faults, activation="push_to_talk")
    world.begin()
    when = 1.0
    while when < 60:
        length = rng.choice([0.04, 0.3, 1.0, 2.0, 3.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        if rng.random() < 0.6:
            world.at(when - rng.uniform(0, 1), lambda: world.press(rng.choice([0.5, 3, 10])))
        if rng.random() < 0.5:
            world.at(when + rng.uniform(0, length + 1), world.gate.end)
        when += length + rng.uniform(0.3, rng.choice([2, 6]))
    world.run(65)
    world.faults = Faults()
    world.run(60)
    return world


@pytest.mark.parametrize("seed", range(24))
def test_whoever_was_heard_gets_an_end_and_nobody_else(seed: int) -> None:
    world = pressing(seed, Faults())
    settled(world)
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    assert all(turn.event_type != "failed" for turn in turns)
    world.ledger.settle(turns, losses=0)


@pytest.mark.parametrize("seed", range(400, 420))
def test_whatever_goes_wrong(seed: int) -> None:
    settled(pressing(seed, Faults.draw(random.Random(seed))))


def test_it_is_used_and_not_used() -> None:
    heard = sum(pressing(seed, Faults()).counts["GateOpened"] for seed in range(8))
    assert 8 < heard < 80, "of about 120 who spoke"


def holding(seed: int, faults: Faults) -> World:
    """A minute of people who hold a button, some too short, some long after they have spoken."""
    rng = random.Random(seed)
    session = SESSIONS[KINDS[seed % 4]]
    world = World(seed, seed % 8 < 4, session, faults=faults, activation="push_to_talk")
    world.settings = replace(world.settings, chosen=ChosenSettings(activation="push_to_talk"))
    world.begin()
    when, free = 1.0, 0.0
    while when < 60:
        length = rng.choice([0.04, 0.3, 1.0, 3.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        pressed = max(free, when - rng.uniform(-0.3, 1))
        if rng.random() < 0.7 and pressed < when + length:
            held = max(0.05, when - pressed + length + rng.uniform(-0.3, rng.choice([0.5, 5])))
            world.at(pressed, lambda held=held: world.hold(held))  # type: ignore[misc]
            free = pressed + held + 0.01
        when += length + rng.uniform(0.3, rng.choice([2, 6]))
    world.run(75)
    world.faults = Faults()
    world.run(60)
    return world


@pytest.mark.parametrize("seed", range(500, 524))
def test_whoever_holds_the_button_gets_an_end(seed: int) -> None:
    world = holding(seed, Faults())
    settled(world)
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    assert {turn.reason for turn in turns if turn.event_type == "failed"} <= {"cancelled"}
    world.ledger.settle(turns, losses=0)


@pytest.mark.parametrize("seed", range(600, 620))
def test_whatever_goes_wrong_while_it_is_held(seed: int) -> None:
    settled(holding(seed, Faults.draw(random.Random(seed))))


def test_the_button_is_used() -> None:
    assert sum(holding(seed, Faults()).counts["GateOpened"] for seed in range(500, 508)) > 30
