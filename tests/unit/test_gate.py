"""The gate's rules as properties over random rooms and random settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satellite.logic.gate import NOTHING, Change, Gate, GateSettings
from satellite.model.audio import FRAME_MS

settings_ = st.builds(
    GateSettings,
    onset=st.integers(1, 6),
    pre_roll=st.integers(0, 30),
    hangover=st.integers(1, 40),
    limit=st.integers(60, 200),
)
room = st.lists(st.booleans(), max_size=300)


def frame(number: int) -> bytes:
    return number.to_bytes(4, "big")


def numbers(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[i : i + 4], "big") for i in range(0, len(pcm), 4)]


def utterances(settings: GateSettings, verdicts: list[bool]) -> list[list[int]]:
    """The numbers of the frames of each utterance, the last one possibly still open."""
    gate, sent = Gate(settings), []
    for number, verdict in enumerate(verdicts):
        passed = gate.step(frame(number), verdict)
        if passed.change is Change.OPENED:
            sent.append([])
        if passed.pcm:
            sent[-1] += numbers(passed.pcm)
    return sent


@given(settings_, room)
def test_an_utterance_is_contiguous_and_no_frame_leaves_twice(
    settings: GateSettings, verdicts: list[bool]
) -> None:
    sent = utterances(settings, verdicts)
    for utterance in sent:
        assert utterance == list(range(utterance[0], utterance[-1] + 1))
    flat = [number for utterance in sent for number in utterance]
    assert flat == sorted(set(flat))


@given(settings_, room)
def test_no_run_of_speech_as_long_as_the_onset_is_lost(
    settings: GateSettings, verdicts: list[bool]
) -> None:
    sent = {number for utterance in utterances(settings, verdicts) for number in utterance}
    run = 0
    for number, verdict in enumerate(verdicts):
        run = run + 1 if verdict else 0
        if run >= settings.onset:
            assert set(range(number - run + 1, number + 1)) <= sent


@given(settings_, st.integers(0, 100), st.integers(0, 100))
def test_the_pre_roll_is_sent_as_far_as_it_was_heard(
    settings: GateSettings, quiet: int, more: int
) -> None:
    (utterance,) = utterances(settings, [False] * quiet + [True] * (settings.onset + more))[:1]
    assert utterance[0] == max(0, quiet - settings.pre_roll)


@given(settings_)
def test_silence_closes_after_exactly_the_hangover(settings: GateSettings) -> None:
    gate = Gate(settings)
    for number in range(settings.onset):
        gate.step(frame(number), True)
    changes = [gate.step(frame(100 + n), False).change for n in range(settings.hangover)]
    assert changes[:-1] == [Change.NONE] * (settings.hangover - 1)
    assert changes[-1] is Change.CLOSED
    assert not gate.is_open


def opened(hangover: int = 3, limit: int = 50) -> Gate:
    gate = Gate(GateSettings(onset=1, pre_roll=5, hangover=hangover, limit=limit))
    gate.step(frame(0), True)
    return gate


def test_a_held_gate_stays_open_in_silence_and_closes_when_released() -> None:
    gate = opened()
    gate.hold(True)
    assert all(gate.step(frame(n), False).change is Change.NONE for n in range(1, 20))
    gate.hold(False)
    assert gate.step(frame(20), False).change is Change.CLOSED


def test_a_released_gate_goes_on_while_somebody_speaks() -> None:
    gate = opened()
    gate.hold(True)
    gate.hold(False)
    assert gate.step(frame(1), True).change is Change.NONE


def test_the_limit_cuts_even_a_held_gate() -> None:
    gate = opened(limit=10)
    gate.hold(True)
    changes = [gate.step(frame(n), True).change for n in range(1, 10)]
    assert changes == [Change.NONE] * 8 + [Change.CUT]


def test_a_shut_gate_lets_nothing_through_and_remembers_nothing() -> None:
    gate = opened()
    gate.shut_off(True)
    assert [gate.step(frame(n), True) for n in range(1, 9)] == [NOTHING] * 8
    gate.shut_off(False)
    assert numbers(gate.step(frame(9), True).pcm) == [9]


def test_speech_is_counted_from_its_first_frame() -> None:
    gate = Gate(GateSettings(onset=3, pre_roll=5, hangover=3, limit=50))
    passed = [gate.step(frame(n), n >= 4) for n in range(8)]
    assert sum(p.speech_ms for p in passed) == 4 * FRAME_MS


def test_lengths_in_milliseconds_are_rounded_up_to_frames() -> None:
    settings = GateSettings.from_ms(onset_ms=50, pre_roll_ms=500, hangover_ms=701, limit_ms=30_000)
    assert settings == GateSettings(onset=3, pre_roll=25, hangover=36, limit=1500)


@pytest.mark.checklist("C30")
@given(settings_, room)
def test_c30_what_closes_by_silence_has_sent_all_of_its_hangover(
    settings: GateSettings, verdicts: list[bool]
) -> None:
    """The configuration makes the hang-over longer than the server's silence; at the limit we
    commit."""
    gate, sent = Gate(settings), list[bool]()
    for number, verdict in enumerate(verdicts):
        passed = gate.step(frame(number), verdict)
        if passed.change is Change.OPENED:
            sent = []
        sent += [verdict] * bool(passed.pcm)
        if passed.change is Change.CLOSED:
            assert sent[-settings.hangover :] == [False] * settings.hangover


@pytest.mark.parametrize(("before", "opens"), [(0, 2), (1, 1), (2, 0), (9, 0)])
def test_speech_that_began_before_it_was_judged_opens_so_much_earlier(
    before: int, opens: int
) -> None:
    gate = Gate(GateSettings(onset=3, pre_roll=2, hangover=5, limit=100))
    gate.step(frame(0), False)
    changes = [gate.step(frame(n), True, before).change for n in range(1, 4)]
    assert changes.index(Change.OPENED) == opens


def test_what_was_not_speech_is_none_for_what_came_before() -> None:
    gate = Gate(GateSettings(onset=3, pre_roll=2, hangover=5, limit=100))
    assert gate.step(frame(0), False, 9) is NOTHING
    assert gate.step(frame(1), True) is NOTHING
