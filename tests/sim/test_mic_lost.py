"""The microphone breaks whenever it likes: nothing that a person said half is answered."""

from __future__ import annotations

import random

import pytest
from test_simulation import SESSIONS, settled
from world import Faults, World

from satellite.logic import muting
from satellite.model import records as rec

KINDS = tuple(SESSIONS)


def breaking(seed: int, faults: Faults | None = None) -> World:
    """A minute of people who talk into a microphone that breaks every ten seconds or so."""
    rng = random.Random(seed)
    world = World(
        seed,
        half_duplex=seed % 8 < 4,
        session=SESSIONS[KINDS[seed % 4]],
        faults=faults or Faults(mic_gone=0.1),
    )
    world.begin()
    when = 1.0
    while when < 60:
        length = rng.choice([0.3, 1.0, 2.0, 3.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        when += length + rng.uniform(0.3, rng.choice([1, 4]))
    world.run(65)
    world.faults = Faults()
    world.run(60)
    return world


def turns_of(world: World) -> list[rec.TurnRecord]:
    return [record for record in world.published if isinstance(record, rec.TurnRecord)]


def answers_no_half(seed: int, faults: Faults | None = None) -> World:
    world = breaking(seed, faults)
    settled(world)
    halves = [turn for turn in turns_of(world) if turn.item_id in world.ledger.halves]
    for turn in halves:
        assert turn.event_type in {"failed", "unanswered"}, f"{turn.item_id} {turn.event_type}"
    return world


@pytest.mark.parametrize("seed", range(24))
def test_half_a_sentence_is_never_answered_and_every_one_is_told(seed: int) -> None:
    world = answers_no_half(seed)
    world.ledger.settle(turns_of(world), losses=len(world.ledger.whole))
    reasons = {turn.reason for turn in turns_of(world) if turn.event_type == "failed"}
    assert reasons <= {"microphone_lost"}


@pytest.mark.parametrize("seed", range(400, 410))
def test_whatever_else_goes_wrong(seed: int) -> None:
    drawn = vars(Faults.draw(random.Random(seed)))
    answers_no_half(seed, Faults(**{**drawn, "mic_gone": 0.1}))


def test_it_breaks_before_in_and_after_sentences() -> None:
    """What the forty prove depends on what they hit."""
    worlds = [breaking(seed) for seed in range(0, 40, 5)]
    reasons = [turn.reason for world in worlds for turn in turns_of(world)]
    assert sum(len(world.ledger.halves) for world in worlds) > 5
    assert reasons.count("microphone_lost") > 8
    assert sum(t.event_type == "answered" for world in worlds for t in turns_of(world)) > 10


def go_on_as_if_nothing_was(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(muting, "sever", lambda link, talk, now, settings: (link, talk, ()))


def let_the_server_answer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(muting, "open_turn", lambda talk: None)


def run_all() -> None:
    for seed in range(24):
        answers_no_half(seed)


@pytest.mark.parametrize("plant", [go_on_as_if_nothing_was, let_the_server_answer])
def test_a_planted_bug_is_found(plant: object, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)  # type: ignore[operator]
    with pytest.raises(AssertionError):
        run_all()
