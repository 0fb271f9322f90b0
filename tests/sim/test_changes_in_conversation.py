"""People change the settings while they talk, and connections break: what is wanted comes about."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from test_simulation import SESSIONS, settled
from world import Faults, World

from satellite.logic.link import Phase
from satellite.model import records as rec

KINDS = tuple(SESSIONS)


def changing(seed: int, faults: Faults) -> World:
    """A minute of people who talk and change their minds, then half a minute of quiet."""
    rng = random.Random(seed)
    session = SESSIONS[KINDS[seed % 4]]
    world = World(seed, half_duplex=seed % 8 < 4, session=session, faults=faults)
    world.begin()
    for _ in range(12):
        world.at(rng.uniform(0, 60), world.change)
    when = 1.0
    while when < 60:
        length = rng.choice([0.3, 1.0, 2.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        when += length + rng.uniform(0.3, 8)
    world.run(60)
    world.faults = Faults()
    world.run(45)
    return world


def came_about(world: World) -> None:
    """The server has what is wanted, but for a voice that it cannot change any more."""
    link = world.state.link
    assert link.phase is Phase.READY
    assert link.settled.asked is None
    assert link.settled.has == world.server.has
    voice = link.settled.has.voice if link.settled.spoke else link.settled.wanted.voice
    assert link.settled.has == replace(link.settled.wanted, voice=voice)


@pytest.mark.checklist("C24")
@pytest.mark.parametrize("seed", range(24))
def test_c24_what_is_wanted_comes_about_and_no_turn_suffers(seed: int) -> None:
    world = changing(seed, Faults())
    settled(world)
    came_about(world)
    assert world.state.link.number == 1
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    assert all(turn.event_type != "failed" for turn in turns)


@pytest.mark.parametrize("seed", range(24))
def test_what_is_refused_forgotten_or_cut_off_leaves_no_doubt_of_what_the_server_has(
    seed: int,
) -> None:
    faults = Faults(refuse_change=0.3, forget_change=0.05, drop_link=0.01, refuse=0.1)
    world = changing(seed, faults)
    complaint = world.state.link.settled.complaint
    states = [r for r in world.published if isinstance(r, rec.State)]
    codes = [problem.code for problem in states[-1].problems]
    assert codes == (["setting_refused"] if complaint else [])
    assert world.state.talk.turns == ()
    came_about(world)
