"""People mute the microphone whenever they like: nothing is heard, nothing half is answered."""

from __future__ import annotations

import random

import pytest
from test_simulation import SESSIONS, settled
from world import Faults, World

from satellite.logic import endings, muting, satellite
from satellite.model import records as rec

KINDS = tuple(SESSIONS)


def muting_now_and_then(seed: int, faults: Faults | None = None) -> World:
    """A minute of people who talk and mute in between, then a minute of quiet."""
    rng = random.Random(seed)
    world = World(
        seed,
        half_duplex=seed % 8 < 4,
        session=SESSIONS[KINDS[seed % 4]],
        faults=Faults() if faults is None else faults,
    )
    world.begin()
    when = 1.0
    while when < 60:
        length = rng.choice([0.04, 0.3, 1.0, 2.0, 3.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        if rng.random() < 0.5:
            closed = when + rng.uniform(0, length + 2)
            world.at(closed, lambda: world.mute(True))
            world.at(closed + rng.uniform(0.02, 6), lambda: world.mute(False))
        when += length + rng.uniform(0.3, rng.choice([2, 6]))
    world.at(64, lambda: world.mute(False))
    world.run(65)
    world.faults = Faults()
    world.run(60)
    return world


@pytest.mark.parametrize("seed", range(50))
def test_f56_no_sound_after_it_and_every_utterance_is_told(seed: int) -> None:
    """The world itself asserts at each step that no sound is sent of somebody who is muted."""
    world = muting_now_and_then(seed)
    settled(world)
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    world.ledger.settle(turns, world.mutes)
    assert {turn.reason for turn in turns if turn.event_type == "failed"} <= {"muted"}


@pytest.mark.parametrize("seed", range(400, 420))
def test_whatever_else_goes_wrong(seed: int) -> None:
    settled(muting_now_and_then(seed, Faults.draw(random.Random(seed))))


def test_it_happens_before_in_and_after_sentences() -> None:
    """What the two hundred prove depends on what they hit."""
    muted = answered = 0
    for seed in range(0, 200, 5):
        world = muting_now_and_then(seed)
        turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
        muted += sum(turn.reason == "muted" for turn in turns)
        answered += sum(turn.event_type in {"answered", "transcribed"} for turn in turns)
    assert muted > 40
    assert answered > 100


def seeds() -> None:
    for seed in range(200):
        test_f56_no_sound_after_it_and_every_utterance_is_told(seed)


def let_the_server_answer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(muting, "open_turn", lambda talk: None)


def send_what_waited(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(muting, "_forget_waiting", lambda link, talk, *rest: (link, talk, ()))


def tell_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(endings, "give_up_utterance", lambda talk, *rest: (talk, ()))


def go_on_as_if_nothing_was(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(satellite, "_hush", lambda state, now, settings: (state, ()))


@pytest.mark.parametrize(
    "plant", [let_the_server_answer, send_what_waited, tell_nobody, go_on_as_if_nothing_was]
)
def test_a_planted_bug_is_found(plant: object, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)  # type: ignore[operator]
    with pytest.raises(AssertionError):
        seeds()
