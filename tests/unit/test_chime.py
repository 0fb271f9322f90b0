"""Chimes: short, soft, without a click."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from satellite.logic.chime import sound
from satellite.model.audio import ms_of
from satellite.model.commands import Chime

CHIMES: tuple[Chime, ...] = get_args(Chime)


def samples(chime: Chime) -> list[int]:
    return list(memoryview(sound(chime)).cast("h"))


@pytest.mark.parametrize("chime", CHIMES)
def test_a_chime_is_short_and_far_from_clipping(chime: Chime) -> None:
    assert 200 <= ms_of(len(sound(chime))) <= 250
    assert 0.15 < max(map(abs, samples(chime))) / 32_767 < 0.3


@pytest.mark.parametrize("chime", CHIMES)
def test_a_chime_does_not_click(chime: Chime) -> None:
    """It begins and ends at nothing, and no step is larger than its own tones make."""
    heard = samples(chime)
    assert heard[:2] == [0, 0]
    assert abs(heard[-1]) <= 1
    steps = [abs(b - a) for a, b in itertools.pairwise(heard)]
    assert max(steps[:24]) < max(steps) / 4  # the first millisecond
    assert max(steps[-24:]) < max(steps) / 20
    highest = 32_767 * 0.25 * 2 * 3.15 * 880 * 2 / 24_000
    assert max(steps) < highest


def test_chimes_differ_and_lean_to_neither_side() -> None:
    assert len({sound(chime) for chime in CHIMES}) == len(CHIMES)
    for chime in CHIMES:
        assert abs(sum(samples(chime)) / len(samples(chime))) < 20
