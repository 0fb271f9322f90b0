"""People who speak into answers, and who cough: the user wins, and a cough costs no word."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from test_simulation import settled
from world import Faults, World

from satellite.logic import pausing, user
from satellite.logic.talk import interrupt
from satellite.model import events as ev
from satellite.model import records as rec

COUGH_S = 0.08  # opens the gate, and is less than the server takes for speech


def evening(
    seed: int,
    lengths: list[float],
    *,
    seconds: float = 120,
    faults: Faults | None = None,
    coughs: bool = True,
) -> World:
    """People who speak, and make other sounds whenever they like."""
    rng = random.Random(seed)
    world = World(seed, half_duplex=False, faults=faults or Faults())
    world.begin()
    when = 1.0
    while when < seconds:
        length = rng.choice(lengths)
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        when += length
        for _ in range(rng.randrange(3) if coughs else 0):
            when += rng.uniform(0.9, 1.6)  # the gate has closed
            world.at(when, lambda: world.speak(COUGH_S))
        when += rng.uniform(0.9, 2.5)
    world.run(seconds)
    world.faults = Faults()
    world.run(60)
    assert not world.speaker.paused
    return world


def turns_of(world: World) -> list[rec.TurnRecord]:
    return [record for record in world.published if isinstance(record, rec.TurnRecord)]


def answers_of(world: World) -> list[rec.Response]:
    return [record for record in world.published if isinstance(record, rec.Response)]


def polite(seed: int) -> World:
    """One sentence, then coughs until the answer is over."""
    rng = random.Random(seed)
    world = World(seed, half_duplex=False)
    world.begin()
    for n in range(12):
        world.at(1 + 15 * n, lambda: world.speak(1.0))
        when = 1 + 15 * n + 2.0
        for _ in range(rng.randrange(1, 6)):
            when += rng.uniform(0.9, 1.6)
            world.at(when, lambda: world.speak(COUGH_S))
    world.run(200)
    return world


def loses_no_sample(seeds: range) -> int:
    """Every answer is heard whole, each sample of it once. Returns how often one was paused."""
    pauses = 0
    for seed in seeds:
        world = polite(seed)
        settled(world)
        assert all(turn.event_type == "answered" for turn in turns_of(world))
        answers = answers_of(world)
        assert len(answers) == 12
        assert all(a.played_ms == a.audio_ms and not a.interrupted for a in answers)
        assert world.speaker.played == world.speaker.given
        pauses += world.speaker.pauses
    return pauses


def test_coughs_pause_answers_and_cost_no_sample_of_them() -> None:
    assert loses_no_sample(range(4)) > 40


@pytest.mark.parametrize("seed", range(10))
def test_the_user_always_wins(seed: int) -> None:
    """The world asserts at each step that nothing is played while the server hears the user."""
    world = evening(seed, [0.3, 1.0, 3.0])
    settled(world)
    turns = turns_of(world)
    assert all(turn.event_type != "failed" for turn in turns)
    world.ledger.settle(turns, losses=0)
    for item, played in world.speaker.played.items():
        assert played <= world.speaker.given[item], f"{item}: played twice"


def test_people_do_interrupt_and_coughs_do_pause() -> None:
    """What the others prove depends on what they hit."""
    worlds = [evening(seed, [0.3, 1.0, 3.0]) for seed in range(3)]
    assert sum(t.event_type == "interrupted" for world in worlds for t in turns_of(world)) > 10
    assert sum(world.speaker.pauses for world in worlds) > 30


@pytest.mark.parametrize("seed", range(3))
def test_a_server_that_never_says_that_it_hears_lets_an_answer_wait_for_two_seconds(
    seed: int,
) -> None:
    """The world asserts that none waits longer; the item that comes in the end interrupts."""
    settled(evening(seed, [0.3, 1.0, 4.0], faults=Faults(no_start=1.0)))


@pytest.mark.parametrize("seed", range(500, 520))
def test_whatever_goes_wrong(seed: int) -> None:
    rng = random.Random(seed)
    faults = Faults.draw(rng)
    faults = Faults(**{**vars(faults), "no_start": rng.choice([0, 0, 0.2])})
    faults = Faults(**{**vars(faults), "speaker_breaks": rng.choice([0, 0, 0.05])})
    settled(evening(seed, [0.04, 0.3, 1.0, 4.0], seconds=60, faults=faults))


# --- planted -------------------------------------------------------------------------------------


def never_go_on(patch: pytest.MonkeyPatch) -> None:
    original = pausing.steer

    def steer(*given: object) -> object:
        talk, orders = original(*given)  # type: ignore[arg-type]
        return talk, tuple(each for each in orders if each.on)  # type: ignore[attr-defined]

    patch.setattr(pausing, "steer", steer)


def wait_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pausing, "DECIDE_S", 1e9)


def never_flush(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(user, "interrupt", lambda talk, now, *, cancel: (talk, ()))


def a_cough_ends_the_answer(patch: pytest.MonkeyPatch) -> None:
    original = user.on_gate_opened

    def opened(talk: object, event: ev.GateOpened, now: float, settings: object) -> object:
        talk, _ = original(talk, event, now, settings)  # type: ignore[arg-type]
        return interrupt(talk, now, cancel=True)

    patch.setattr(user, "on_gate_opened", opened)


def run_all() -> None:
    loses_no_sample(range(1))
    for seed in range(3):
        settled(evening(seed, [0.3, 1.0, 3.0, 4.0], faults=Faults(no_start=0.5)))


@pytest.mark.parametrize(
    "plant",
    [never_go_on, wait_for_ever, never_flush, a_cough_ends_the_answer],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run_all()
