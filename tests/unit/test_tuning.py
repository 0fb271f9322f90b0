"""What can change while we run: each part of it is decided by from then on."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from stage import Stage, settings

from satellite.logic import satellite as logic
from satellite.model import records as rec
from satellite.model.tuning import Tuning

TUNING = Tuning(60, 8, frozenset(), False, False, False, 1.0, 20.0)
OTHER = Tuning(90, 5, frozenset({"woke"}), True, True, True, None, 5.0)


@pytest.mark.parametrize("name", [entry.name for entry in fields(Tuning)])
def test_each_part_reaches_the_settings(name: str) -> None:
    before = logic.tuned(settings(), TUNING)
    other = replace(TUNING, **{name: getattr(OTHER, name)})
    assert logic.tuned(before, other) != before
    assert logic.tuned(logic.tuned(before, other), TUNING) == before


def test_what_probably_nobody_said_is_dropped_from_then_on() -> None:
    stage = Stage().ready()
    stage.turn(1, "Thanks for watching!")
    assert stage.published(rec.Transcript)
    before = len(stage.published(rec.Transcript))
    stage.tune(drop_phantoms=True)
    stage.turn(2, "Thanks for watching!")
    assert len(stage.published(rec.Transcript)) == before
