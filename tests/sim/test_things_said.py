"""Texts that are said, asked and cancelled over MQTT, at any moment of a conversation."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from test_simulation import SESSIONS, conversation, settled
from world import Faults, World

from satellite.logic import conversation as conversation_
from satellite.logic import speech, talk
from satellite.model import records as rec
from satellite.model.requests import Ask, Cancel, Order, Say, What

WHATS: list[What] = ["response", "say", "all"]


def busy(world: World) -> None:
    """Every few seconds, and sometimes many at once, somebody wants something."""
    rng = random.Random(world.seed + 1_000_000)
    if world.faults != Faults():
        odd = {name: rng.choice([0, 0, 0.02, 0.2]) for name in ("refuse_say", "no_name")}
        world.faults = replace(world.faults, **odd)
    when, number = 1.0, 0
    while when < 180:
        number += 1
        text = f"Say number {number} {'word ' * rng.randrange(8)}".strip()
        order: Order = Say(text)
        match rng.randrange(8):
            case 0 | 1:
                order = Ask(f"ask{number}", respond=rng.random() < 0.7)
            case 2:
                order = Cancel(rng.choice(WHATS))
            case 3:
                order = Say(text, interrupt=True)
        world.at(when, lambda order=order: world.request(order))  # type: ignore[misc]
        when += rng.choice([0.0, 0.3, 2.0, 10.0, 30.0]) * rng.random()


@pytest.mark.parametrize("seed", range(16))
def test_without_faults_every_text_is_said_or_was_in_somebodys_way(seed: int) -> None:
    world = conversation(seed, half_duplex=seed % 2 == 0, faulty=False, prepare=busy)
    settled(world)
    results = [results[0] for results in world.ledger.results.values()]
    assert {result.status for result in results} >= {"done"}
    assert not [r for r in results if r.status in {"failed", "expired"}]
    rejected = [r.error or "" for r in results if r.status == "rejected"]
    assert all(error.startswith("busy") for error in rejected)
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    assert {"voice", "say", "ask"} == {turn.source for turn in turns}
    world.ledger.settle(turns, losses=0)


@pytest.mark.parametrize("seed", range(400, 420))
def test_with_faults_every_text_has_one_end(seed: int) -> None:
    settled(conversation(seed, half_duplex=seed % 2 == 0, faulty=True, prepare=busy))


@pytest.mark.parametrize("seed", range(440, 448))
@pytest.mark.parametrize("name", SESSIONS)
def test_in_sessions_of_any_kind(seed: int, name: str) -> None:
    settled(
        conversation(
            seed,
            half_duplex=seed % 2 == 0,
            faulty=True,
            session=SESSIONS[name],
            lifetime_s=[None, 25.0, 90.0][seed % 3],
            prepare=busy,
        )
    )


def test_a_server_that_tells_no_names_has_every_text_said() -> None:
    def prepare(world: World) -> None:
        busy(world)
        world.faults = Faults(no_name=1.0)

    for seed in range(3):
        settled(conversation(seed, half_duplex=True, faulty=False, prepare=prepare))


def speak_at_any_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(speech, "_is_occupied", lambda talk, now, settings: False)


def never_tell_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(speech, "note_end", lambda talk, turn: talk)


def tell_the_end_of_what_was_in_the_way(patch: pytest.MonkeyPatch) -> None:
    """It is tried again, but was told to have ended."""
    original = speech.note_end

    def note_end(one: Any, turn: Any) -> Any:
        after = original(one, turn)
        entry = next((each for each in one.asked if each.turn_id == turn.turn_id), None)
        if entry is None or len(after.asked) < len(one.asked):
            return after
        over = talk.Ended(entry.request, "cancelled", "the user spoke")
        return replace(after, ended=(*after.ended, over))

    patch.setattr(speech, "note_end", note_end)


def leave_the_server_speaking(patch: pytest.MonkeyPatch) -> None:
    """A response beside the conversation is not stopped by speech."""
    patch.setattr(talk, "silenced", lambda turn, answer, *, cancel: [])


def forget_what_waits_for_a_lost_session(patch: pytest.MonkeyPatch) -> None:
    original = conversation_.settle

    def settle(one: Any, *rest: Any) -> Any:
        waiting = tuple(each for each in one.asked if each.alone_since is None)
        return original(replace(one, asked=waiting), *rest)

    patch.setattr(conversation_, "settle", settle)


@pytest.mark.parametrize(
    "plant",
    [
        speak_at_any_time,
        never_tell_the_end,
        tell_the_end_of_what_was_in_the_way,
        leave_the_server_speaking,
        forget_what_waits_for_a_lost_session,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    for seed in range(400, 440):
        try:
            settled(conversation(seed, half_duplex=seed % 2 == 0, faulty=True, prepare=busy))
        except AssertionError:
            return
    raise AssertionError(f"{plant.__name__} was not found")
