"""What a sound did to the gate: who was sent, how much of it, how it lies in its room."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satellite.logic.tuning import SILENT, Account, Around, Knobs, account, gated, levels, pauses
from satellite.model.audio import FRAME_MS, FRAME_SAMPLES
from satellite.model.ports import Judged

KNOBS = Knobs(2, True, onset_ms=60, pre_roll_ms=500, hangover_ms=700)
AROUND = Around(30_000, False, 500, 700, 400, network=True)
ROOM_DB, WORD_DB = -60.0, -25.0


def heard(pattern: str, knobs: Knobs = KNOBS, around: Around = AROUND) -> Account:
    """Twenty ms a letter: S is speech, s is speech before anybody notices, f what only the cheap
    detector fires at, z exact zeros, anything else the room."""
    loud = [{"S": WORD_DB, "s": WORD_DB, "z": SILENT}.get(letter, ROOM_DB) for letter in pattern]
    judged = [
        Judged(letter == "S", letter in "Sf", 0.9 if letter == "S" else None) for letter in pattern
    ]
    return account(loud, judged, knobs, around)


def test_an_utterance_and_what_it_cost() -> None:
    found = heard("." * 50 + "S" * 40 + "." * 100)
    (each,) = found.utterances
    assert (each.span.onset, each.span.last, each.span.ended) == (50, 89, "silence")
    assert (each.pre_roll_ms, each.said_ms, each.hangover_ms) == (500, 800, 700)
    assert each.sent_ms == 2000 == found.sent_ms
    assert (each.late_ms, each.clipped_ms, each.certainty) == (60, 0, 0.9)
    assert each.above_db == pytest.approx(WORD_DB - ROOM_DB)
    assert (found.room_db, found.speech_db) == (ROOM_DB, pytest.approx(WORD_DB))
    assert found.snr_db == pytest.approx(35)


def test_a_word_begins_before_anybody_notices() -> None:
    late = heard("." * 50 + "s" * 10 + ".." + "s" * 5 + "S" * 40 + "." * 100).utterances[0]
    assert (late.starts, late.late_ms, late.clipped_ms) == (50, 400, 0)
    shorter = replace(KNOBS, pre_roll_ms=200)
    cut = heard("." * 50 + "s" * 10 + ".." + "s" * 5 + "S" * 40 + "." * 100, shorter).utterances[0]
    assert cut.clipped_ms == 140


def test_in_a_room_that_is_never_quiet_it_begins_where_it_was_noticed() -> None:
    found = heard("." * 300 + "s" * 60 + "S" * 40 + "." * 100).utterances[0]
    assert found.starts == found.span.onset == 360


def test_how_an_utterance_ends() -> None:
    assert heard("." * 50 + "S" * 40 + "." * 10).utterances[0].span.ended == "sound"
    short = replace(AROUND, limit_ms=2000)
    spans = [each.span for each in heard("." * 50 + "S" * 200, around=short).utterances]
    assert [span.ended for span in spans] == ["limit", "limit", "sound"]
    assert [span.end for span in spans[:-1]] == [span.first for span in spans[1:]]


def test_what_the_cheap_detector_would_have_done_by_itself() -> None:
    found = heard("." * 50 + "S" * 40 + "." * 100 + "f" * 30 + "." * 100 + "ff" + "." * 50)
    assert (found.alone, found.refused, len(found.utterances)) == (2, 1, 1)
    assert found.alone_ms == 2000 + 500 + 600 + 700
    assert found.fires_in_room == pytest.approx(32 / (332 - 20))


def test_zeros_between_recordings_are_no_room() -> None:
    found = heard("z" * 50 + "." * 20 + "S" * 40 + "." * 20 + "z" * 50)
    assert found.room_db == ROOM_DB
    assert heard("z" * 100).room_db is None
    assert heard("z" * 50 + "S" * 40 + "z" * 50).room_db == WORD_DB  # the quietest that there is


def test_pauses() -> None:
    pattern = "." * 50 + "S" * 20 + "." * 10 + "S" * 5 + "." + "S" * 5 + "." * 50
    judged = [Judged(letter == "S", fired=False) for letter in pattern]
    (each,) = heard(pattern).utterances
    assert list(pauses(judged, each)) == [200, 20]


def test_levels_are_rms_in_db_of_full_scale() -> None:
    square = array("h", [3277, -3277] * (FRAME_SAMPLES // 2)).tobytes()
    one = array("h", [1] + [0] * (FRAME_SAMPLES - 1)).tobytes()
    silence = bytes(2 * FRAME_SAMPLES)
    found = levels(square + silence + one + b"\1\0" * 7)
    assert found == [pytest.approx(-20, abs=0.01), SILENT, -99.0]
    assert all(math.isfinite(each) for each in found)


@given(st.lists(st.sampled_from("S.f"), max_size=400), st.integers(1, 5), st.integers(0, 30))
def test_every_frame_is_sent_at_most_once_and_the_parts_are_the_whole(
    letters: list[str], onset: int, pre_roll: int
) -> None:
    knobs = replace(KNOBS, onset_ms=onset * FRAME_MS, pre_roll_ms=pre_roll * FRAME_MS)
    found = heard("".join(letters), knobs)
    at = 0
    for each in found.utterances:
        span = each.span
        assert at <= span.first <= span.onset <= span.opened <= span.last < span.end <= len(letters)
        assert each.pre_roll_ms + each.said_ms + each.hangover_ms == each.sent_ms
        assert each.starts <= span.onset
        at = span.end


def test_a_gate_that_never_opens_sends_nothing() -> None:
    assert gated([False] * 10, AROUND.gate(KNOBS)) == []
    assert heard("").room_db is None
