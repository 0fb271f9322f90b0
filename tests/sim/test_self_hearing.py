"""A microphone that hears the loudspeaker: in half duplex nothing of it reaches a server."""

from __future__ import annotations

import random

import pytest
from test_simulation import settled
from world import Faults, World

from satellite.logic import assistant, conversation
from satellite.logic.gate import Gate
from satellite.model import records as rec
from satellite.model.session import Session

ROOM_S = 0.25  # the longest that a sound is late and rings


def living_room(
    seed: int,
    *,
    seconds: float = 240,
    half_duplex: bool = True,
    faults: Faults | None = None,
    session: Session | None = None,
) -> World:
    """People who hardly wait for the end of an answer, in a room with hard walls."""
    rng = random.Random(seed)
    world = World(seed, half_duplex, session or Session(), faults=faults or Faults())
    delay_s = rng.uniform(0, ROOM_S)
    world.echo_s = (delay_s, ROOM_S - delay_s)
    world.begin()
    when = 1.0
    while when < seconds:
        length = rng.choice([0.3, 0.5, 1.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        when += length + rng.uniform(1.5, 6)
    world.run(seconds)
    world.faults = Faults()
    world.run(60)
    return world


def turns_of(world: World) -> list[rec.TurnRecord]:
    return [record for record in world.published if isinstance(record, rec.TurnRecord)]


def hears_nothing_of_itself(seeds: range) -> tuple[int, float]:
    """How many turns were answered, and for how many seconds the speaker sounded."""
    answered, sounded = 0, 0.0
    for seed in seeds:
        world = living_room(seed)
        settled(world)
        assert world.server.own == 0, f"seed {seed}: {world.server.own} frames"
        answered += sum(turn.event_type == "answered" for turn in turns_of(world))
        sounded += sum(until - since for since, until in world.speaker.sounded)
    return answered, sounded


def test_f55_a_thousand_turns_in_half_duplex_and_not_one_frame_of_its_own_voice() -> None:
    answered, sounded = hears_nothing_of_itself(range(22))
    assert answered >= 1000
    assert sounded > 1000, "seconds of it, in the room"


@pytest.mark.parametrize("seed", range(100, 110))
def test_whatever_goes_wrong(seed: int) -> None:
    rng = random.Random(seed)
    faults = Faults.draw(rng)
    session = Session(manual=seed % 2 == 0)
    world = living_room(seed, seconds=90, faults=faults, session=session)
    settled(world)
    assert world.server.own == 0


def test_in_full_duplex_without_a_headset_it_stops_answering_itself() -> None:
    """A person says one thing; without an end to it, it would talk to itself for minutes."""
    for seed in range(3):
        world = living_room(seed, seconds=2, half_duplex=False)
        assert world.server.own > 0, "the room is an echoing one"
        states = [record for record in world.published if isinstance(record, rec.State)]
        assert any(p.code == "self_loop" for state in states for p in state.problems)
        assert 3 <= len(turns_of(world)) <= 12


def forget_the_room(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(assistant, "TAIL_S", 0.0)


def hear_again_when_the_server_is_done(patch: pytest.MonkeyPatch) -> None:
    """Law 6: the answer has been sent, and not been played."""
    patch.setattr(
        conversation,
        "is_sounding",
        lambda talk: any(
            t.answer is not None and t.answer.sounding and t.answer.status is None
            for t in talk.turns
        ),
    )


def hear_while_it_speaks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Gate, "shut_off", lambda self, on: setattr(self, "shut", False))


@pytest.mark.parametrize(
    "plant", [forget_the_room, hear_again_when_the_server_is_done, hear_while_it_speaks]
)
def test_a_planted_bug_is_found(plant: object, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)  # type: ignore[operator]
    with pytest.raises(AssertionError):
        hears_nothing_of_itself(range(3))
