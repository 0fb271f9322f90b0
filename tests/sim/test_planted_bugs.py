"""The simulation is worth something only if it finds bugs: each planted one must turn it red."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from test_simulation import conversation, settled

from satellite.logic import link, overdue, report, satellite, user
from satellite.logic.gate import Gate

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


PLANTS = [
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
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in range(100, 180):
        try:
            settled(conversation(seed, half_duplex=seed % 2 == 0, faulty=True))
        except AssertionError:
            return
    raise AssertionError(f"{plant.__name__} lives")
