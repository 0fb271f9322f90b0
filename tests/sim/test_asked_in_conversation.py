"""Everybody asks for everything while people talk: each is answered once, and mute is mute."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from askers import AskedWorld
from test_simulation import SESSIONS
from world import Faults

from satellite.logic import asked as asked_
from satellite.logic import chosen, doing, privacy, speech
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.requests import Setting

KINDS = tuple(SESSIONS)


def asked(seed: int, faults: Faults, *, remote_unmute: bool = True) -> AskedWorld:
    """A minute of people who talk and of others who ask, then time for all of it to end."""
    rng = random.Random(seed)
    session = SESSIONS[KINDS[seed % 4]]
    world = AskedWorld(seed, seed % 8 < 4, session, faults=faults, remote_unmute=remote_unmute)
    world.begin()
    for _ in range(60):
        world.at(rng.uniform(0, 60), world.ask)
    when = 1.0
    while when < 60:
        length = rng.choice([0.3, 1.0, 2.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        when += length + rng.uniform(0.3, 8)
    world.run(60)
    world.faults = Faults()
    world.feed(ev.UnmuteRequested())
    world.run(200)
    return world


def settled(world: AskedWorld) -> None:
    """Nothing is owed, and every record has its turn."""
    assert world.state.talk.turns == ()
    assert world.state.talk.asked == ()
    states = [r for r in world.published if isinstance(r, rec.State)]
    assert states[-1].state == "idle", f"seed {world.seed} ends {states[-1].state}"
    envelopes = [r for r in world.published if isinstance(r, rec.Envelope)]
    assert [e.seq for e in envelopes] == list(range(1, len(envelopes) + 1))
    ended = [e.turn_id for e in envelopes if isinstance(e, rec.TurnRecord)]
    assert len(ended) == len(set(ended))
    assert {e.turn_id for e in envelopes} == set(ended)


def all_answered(world: AskedWorld) -> None:
    name = f"seed {world.seed}"
    assert world.state.asked.waiting == (), name
    for asking in world.askings.values():
        if asking.again:  # what the first delivery had by then
            assert len(asking.answers) == 1, name
            continue
        assert len(asking.last) == 1, f"{name}: {asking}"
        assert asking.answers[-1] is asking.last[0]
        assert len(asking.answers) <= 2, f"{name}: {asking}"
    choices = world.state.chosen.choices.items()
    kept = {key for key, value in world.kept.items() if value is not None and key != "usage"}
    assert kept == {f"set.{setting}" for setting, choice in choices if choice.keep}, name
    assert world.kept.get("muted") is None


@pytest.mark.parametrize("seed", range(24))
def test_each_is_answered_once_and_nothing_is_left(seed: int) -> None:
    world = asked(seed, Faults())
    settled(world)
    all_answered(world)
    turns = Counter(r.reason for r in world.published if isinstance(r, rec.TurnRecord))
    assert "connection_lost" not in turns


@pytest.mark.parametrize("seed", range(100, 120))
def test_whatever_else_goes_wrong(seed: int) -> None:
    world = asked(seed, Faults.draw(random.Random(seed)), remote_unmute=seed % 2 == 0)
    settled(world)
    all_answered(world)


def test_all_that_can_be_asked_for_was_done_and_refused() -> None:
    """The seeds above are worth something only if they come by everything."""
    found: Counter[tuple[str, str]] = Counter()
    for seed in range(12):
        for asking in asked(seed, Faults()).askings.values():
            if not asking.again:
                found[asking.request.verb, asking.last[0].status] += 1
    done = {verb for verb, status in found if status == "done"}
    assert done == {
        "ask",
        "cancel",
        "get",
        "instructions",
        "language",
        "listen",
        "mute",
        "new_session",
        "replay",
        "say",
        "sensitivity",
        "voice",
    }
    assert {status for _, status in found} == {"done", "rejected", "cancelled", "expired", "failed"}


# --- the simulation is worth something only if it finds bugs -------------------------------------


def carry_out_every_delivery(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(asked_, "_known", lambda asked, request: None)


def answer_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(asked_, "waits", lambda asked, request: True)


def wait_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(doing, "_patience", lambda request, now, settings: None)


def forget_how_a_text_ended(patch: pytest.MonkeyPatch) -> None:
    original = speech.outcomes
    patch.setattr(speech, "outcomes", lambda talk: (original(talk)[0], ()))


def keep_what_was_chosen_for_now(patch: pytest.MonkeyPatch) -> None:
    original = chosen._keep

    def keep(state: chosen.Chosen, setting: Setting) -> cmd.Command:
        lasting = {name: replace(each, keep=True) for name, each in state.choices.items()}
        return original(replace(state, choices=lasting), setting)

    patch.setattr(chosen, "_keep", keep)


def stay_muted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(privacy, "open_again", lambda state: (privacy.Privacy(state.muted), ()))


PLANTS = [
    carry_out_every_delivery,
    answer_twice,
    wait_for_ever,
    forget_how_a_text_ended,
    keep_what_was_chosen_for_now,
    stay_muted,
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)

    def run() -> None:
        for seed in range(24):
            world = asked(seed, Faults())
            settled(world)
            all_answered(world)

    with pytest.raises(AssertionError):
        run()
