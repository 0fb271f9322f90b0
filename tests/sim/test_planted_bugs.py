"""The simulation is worth something only if it finds bugs: each planted one must turn it red."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from test_random_kills import killed
from test_simulation import SESSIONS, conversation, settled
from world import Faults

from satellite.logic import (
    assistant,
    calling,
    endings,
    history,
    idling,
    link,
    overdue,
    report,
    satellite,
    user,
)
from satellite.logic import conversation as conversation_
from satellite.logic.gate import Gate
from satellite.model import commands as cmd
from satellite.model import records as rec

Plant = Callable[[pytest.MonkeyPatch], None]


def never_hold(patch: pytest.MonkeyPatch) -> None:
    """Law 1: the gate closes although the server hears a turn, and its watchdog is asleep."""
    patch.setattr(Gate, "hold", lambda self, on: None)
    patch.setattr(overdue, "_watch_open", lambda turn, room, now: (turn, ()))


def no_watchdog(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(overdue, "_watch_open", lambda turn, room, now: (turn, ()))


def never_lose_a_transcript(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(overdue, "lose_transcript", lambda turn, reason: turn)


def no_answer_deadline(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(overdue, "ANSWER_S", 1e9)


def no_stall_deadline(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(overdue, "_watch_answer", lambda turn, answer, now: (turn, ()))


def play_on_over_the_user(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(user, "interrupt", lambda t, now, *, cancel: (t, ()))


def forget_the_turns_of_a_lost_session(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(satellite, "_lose_session", lambda before, after, orders, now, s: (after, orders))


def stream_before_the_settings(patch: pytest.MonkeyPatch) -> None:
    original = link.hear

    def hear(one: link.Link, *rest: Any) -> Any:
        if one.phase is link.Phase.CONFIGURING:
            one = replace(one, phase=link.Phase.READY)
        return original(one, *rest)

    patch.setattr(link, "hear", hear)


def count_twice(patch: pytest.MonkeyPatch) -> None:
    original = report._envelope

    def envelope(counted: Any, *rest: Any) -> Any:
        after, body = original(counted, *rest)
        return (after if after.seq % 7 else counted), body

    patch.setattr(report, "_envelope", envelope)


def join_by_order(patch: pytest.MonkeyPatch) -> None:
    """Law 7: the transcript goes to the oldest turn that has none."""
    patch.setattr(user, "turn_of", lambda t, item: next(
        (one for one in t.turns if one.item_id is not None and one.outcome is None), None
    ))  # fmt: skip


def run_a_tool_twice(patch: pytest.MonkeyPatch) -> None:
    original = calling.begin

    def begin(*given: Any) -> Any:
        talk, orders = original(*given)
        return talk, orders * 2

    patch.setattr(calling, "begin", begin)


def answer_before_every_tool_has_its_output(patch: pytest.MonkeyPatch) -> None:
    original = calling.finish

    def finish(talk: Any, now: float) -> Any:
        talk, orders = original(talk, now)
        return talk, tuple(o for o in orders if not isinstance(o, cmd.AddToolOutput))

    patch.setattr(calling, "finish", finish)


def wait_for_a_tool_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calling, "TOOL_S", 1e9)


def ask_for_an_answer_while_one_is_made(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conversation_, "is_responding", lambda talk: False)


def speak_before_the_user_is_done(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(assistant, "speaks_untold", lambda talk, settings: False)


def never_commit(patch: pytest.MonkeyPatch) -> None:
    original = user._end_utterance

    def end(*given: Any) -> Any:
        talk, orders = original(*given)
        return talk, tuple(o for o in orders if not isinstance(o, cmd.CommitInput))

    patch.setattr(user, "_end_utterance", end)


def forget_the_turns_when_rotating(patch: pytest.MonkeyPatch) -> None:
    original = endings.lose_session

    def lose(talk: Any, reason: str, *rest: Any) -> Any:
        if reason == idling.ROTATED:
            talk = replace(talk, turns=(), unclaimed=())
        return original(talk, reason, *rest)

    patch.setattr(endings, "lose_session", lose)


def forget_what_nobody_has_claimed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(endings, "_claim_lost", lambda talk, now, settings: talk)


def never_rotate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(idling.rotation, "is_due", lambda life, now, *, busy: False)


def carry_a_conversation_over_that_is_over(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(idling, "rested", lambda talk: talk)


def believe_a_phantom(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(user, "doubt", lambda *given: None)


def tell_of_a_phantom(patch: pytest.MonkeyPatch) -> None:
    original = history.remember
    patch.setattr(history, "remember", lambda said, turn, now: original(
        said, replace(turn, suspect=False), now
    ))  # fmt: skip


HEARD = [
    never_hold,
    no_watchdog,
    never_lose_a_transcript,
    no_answer_deadline,
    no_stall_deadline,
    play_on_over_the_user,
    forget_the_turns_of_a_lost_session,
    stream_before_the_settings,
    count_twice,
    join_by_order,
    run_a_tool_twice,
    answer_before_every_tool_has_its_output,
    carry_a_conversation_over_that_is_over,
    believe_a_phantom,
    tell_of_a_phantom,
]
COMMITTED = [
    ask_for_an_answer_while_one_is_made,
    speak_before_the_user_is_done,
    never_commit,
    run_a_tool_twice,
]
TOOLS = [run_a_tool_twice, wait_for_a_tool_for_ever]
SHORT = [forget_the_turns_when_rotating, never_rotate]
KILLED = [forget_what_nobody_has_claimed, forget_the_turns_of_a_lost_session]


def is_found(run: Callable[[int], None], seeds: range) -> bool:
    for seed in seeds:
        try:
            run(seed)
        except (AssertionError, KeyError):  # KeyError: an output for no call
            return True
    return False


def talking(**options: Any) -> Callable[[int], None]:
    """A faulty conversation that must settle; every other one in half duplex, if not said."""

    def run(seed: int) -> None:
        settled(conversation(seed, **{"half_duplex": seed % 2 == 0, "faulty": True, **options}))

    return run


def named(plant: Plant) -> str:
    return plant.__name__


@pytest.mark.parametrize("plant", HEARD, ids=named)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert is_found(talking(), range(100, 180))


@pytest.mark.parametrize("plant", COMMITTED, ids=named)
def test_a_planted_bug_is_found_where_we_end_the_turns(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert is_found(talking(session=SESSIONS["manual"]), range(100, 180))


@pytest.mark.parametrize("plant", TOOLS, ids=named)
def test_a_planted_bug_is_found_where_tools_are_called(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    faults = Faults(call_tool=0.5, lose_tool=0.5)
    assert is_found(talking(half_duplex=True, faults=faults), range(100, 120))


@pytest.mark.parametrize("plant", SHORT, ids=named)
def test_a_planted_bug_is_found_where_sessions_are_short(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else goes wrong, so that nothing else can end a turn."""
    plant(monkeypatch)

    def run(seed: int) -> None:
        world = conversation(seed, half_duplex=True, faulty=False, lifetime_s=25.0)
        settled(world)
        turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
        assert all(turn.reason != "connection_lost" for turn in turns)
        world.ledger.settle(turns, losses=world.state.link.number)

    assert is_found(run, range(100, 140))


@pytest.mark.parametrize("plant", KILLED, ids=named)
def test_a_planted_bug_is_found_by_killing_connections(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)

    def run(seed: int) -> None:
        world = killed(seed)
        settled(world)
        turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
        world.ledger.settle(turns, len(world.kills))

    assert is_found(run, range(200))
