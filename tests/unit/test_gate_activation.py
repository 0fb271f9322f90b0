"""Who is heard where the microphone is not an open one: whoever asked for it, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satellite.logic.gate import (
    EARLY,
    LAST_WORD,
    NOTHING,
    PAUSE,
    WORD_TAIL,
    Change,
    Gate,
    GateSettings,
)
from satellite.model.audio import FRAME_BYTES
from satellite.model.session import Activation

SETTINGS = GateSettings(onset=2, pre_roll=5, hangover=4, limit=60)
ASLEEP: list[Activation] = ["push_to_talk", "wake_word"]

order = st.one_of(
    st.tuples(st.just("hold"), st.booleans()),
    st.tuples(st.just("shut_off"), st.booleans()),
    st.tuples(st.just("end")),
    st.tuples(st.just("forget")),
)
heard = st.tuples(st.just("step"), st.booleans(), st.integers(1, 12))
asked = st.tuples(st.just("arm"), st.integers(1, 40), st.booleans())


def frame(number: int) -> bytes:
    return (number + 1).to_bytes(4, "big")


def numbers(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[i : i + 4], "big") - 1 for i in range(0, len(pcm), 4)]


def talk(gate: Gate, first: int, verdicts: str) -> list[tuple[int, Change, list[int]]]:
    """What each frame let through: number, change, frames; ``s`` is speech, any other quiet."""
    passed = []
    for number, verdict in enumerate(verdicts, first):
        step = gate.step(frame(number), verdict == "s")
        if step != NOTHING:
            passed.append((number, step.change, numbers(step.pcm)))
    return passed


def changes(passed: list[tuple[int, Change, list[int]]]) -> list[tuple[int, Change]]:
    return [(number, change) for number, change, _ in passed if change is not Change.NONE]


def armed(activation: Activation = "push_to_talk", count: int = 20, **options: Any) -> Gate:
    gate = Gate(SETTINGS, activation)
    gate.arm(count, **options)
    return gate


@pytest.mark.parametrize("activation", ASLEEP)
@given(st.lists(st.one_of(heard, order), max_size=40))
def test_nothing_passes_before_somebody_asks(activation: Activation, acts: list[Any]) -> None:
    gate = Gate(SETTINGS, activation)
    for name, *arguments in acts:
        if name == "step":
            verdict, times = arguments
            assert all(gate.step(frame(n), verdict) == NOTHING for n in range(times))
        else:
            getattr(gate, name)(*arguments)


class Left:
    """How many frames are left in which somebody may begin to speak: counted beside the gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate, self.frames, self.was_turn = gate, 0, False
        self.tail = 0  # rule 6: these do not count

    def order(self, name: str, *arguments: Any) -> None:
        gate = self.gate
        match name, *arguments:
            case "arm", count, woken:
                gate.arm(count, woken=woken)
                self.frames = count
                self.tail = WORD_TAIL if woken and not gate.shut else 0
            case "hold", on:
                gate.hold(on)
                self.was_turn = self.was_turn or (on and gate.is_open)
            case "shut_off", on:
                self.frames = 0 if gate.is_open and self.was_turn else self.frames
                gate.shut_off(on)
            case _:
                getattr(gate, name)()
                self.frames = 0

    def step(self, verdict: bool) -> None:
        gate = self.gate
        change = gate.step(frame(0), verdict).change
        if change is Change.OPENED:
            assert self.frames > 0
            self.was_turn = gate.held
        elif change is Change.CUT or (change is Change.CLOSED and self.was_turn):
            self.frames = 0
        elif gate.is_open or gate.shut or change is Change.CLOSED:
            pass
        elif self.tail:
            self.tail -= 1
        else:
            self.frames = max(0, self.frames - 1)


@pytest.mark.parametrize("activation", ASLEEP)
@given(st.lists(st.one_of(heard, asked, order), max_size=60))
def test_it_opens_only_within_what_was_asked_for(activation: Activation, acts: list[Any]) -> None:
    left = Left(Gate(SETTINGS, activation))
    for name, *arguments in acts:
        if name == "step":
            for _ in range(arguments[1]):
                left.step(arguments[0])
        else:
            left.order(name, *arguments)


@pytest.mark.parametrize("activation", ASLEEP)
def test_speech_opens_the_gate_once_it_was_asked_for(activation: Activation) -> None:
    gate = Gate(SETTINGS, activation)
    assert talk(gate, 0, "......") == []
    gate.arm(20)
    assert gate.armed
    passed = talk(gate, 6, "...sss....")
    assert changes(passed) == [(10, Change.OPENED), (15, Change.CLOSED)]
    assert passed[0][2] == list(range(4, 11)), "pre-roll and onset"


def test_noise_that_is_no_speech_is_never_sent() -> None:
    gate = armed(count=10)
    assert talk(gate, 0, "." * 10) == []
    assert not gate.armed
    assert talk(gate, 10, "sssss") == [], "too late"


def test_a_cough_does_not_use_it_up_and_a_turn_does() -> None:
    gate = armed(count=20)
    assert changes(talk(gate, 0, "ss....")) == [(1, Change.OPENED), (5, Change.CLOSED)]
    assert gate.armed
    talk(gate, 6, "ss")
    gate.hold(True)  # the server hears a turn
    talk(gate, 8, "s....")
    gate.hold(False)
    assert changes(talk(gate, 13, "....")) == [(13, Change.CLOSED)]
    assert not gate.armed
    assert talk(gate, 20, "sssss") == []


def test_an_answer_that_begins_before_the_gate_closed_uses_it_up_too() -> None:
    gate = armed(count=20)
    talk(gate, 0, "ss")
    gate.hold(True)
    gate.hold(False)
    gate.shut_off(True)
    gate.shut_off(False)
    assert not gate.armed


def test_an_announcement_does_not() -> None:
    """Nothing counts while the assistant speaks."""
    gate = armed(count=5)
    gate.shut_off(True)
    talk(gate, 0, "." * 50)
    gate.shut_off(False)
    assert changes(talk(gate, 50, "..ss")) == [(53, Change.OPENED)]


def test_where_we_end_the_turns_each_closing_is_one() -> None:
    gate = Gate(GateSettings(2, 5, 4, 60, ends_turns=True), "push_to_talk")
    gate.arm(30)
    assert changes(talk(gate, 0, "ss....")) == [(1, Change.OPENED), (5, Change.CLOSED)]
    assert not gate.armed


def test_what_was_said_until_it_was_ended_is_a_turn_and_the_room_is_not_sent() -> None:
    gate = armed()
    talk(gate, 0, "ss")
    gate.hold(True)
    gate.end()
    passed = [gate.step(b"\x11" * FRAME_BYTES, True) for _ in range(10)]  # the television
    assert {each.pcm for each in passed} == {bytes(FRAME_BYTES)}, "silence, as long as it is held"
    assert sum(each.speech_ms for each in passed) == 0
    gate.hold(False)
    assert gate.step(b"\x11" * FRAME_BYTES, True).change is Change.CLOSED
    assert talk(gate, 20, "sssss") == []


def test_where_we_end_the_turns_an_order_to_end_does_so_at_once() -> None:
    gate = Gate(GateSettings(2, 5, 40, 600, ends_turns=True), "push_to_talk")
    gate.arm(30)
    talk(gate, 0, "sss")
    gate.end()
    assert changes(talk(gate, 3, "ss")) == [(3, Change.CLOSED)]


def test_pressed_again_at_once_the_user_goes_on() -> None:
    gate = armed()
    talk(gate, 0, "ss")
    gate.end()
    assert talk(gate, 2, "s")[0][2] != [2]
    gate.arm(20)
    assert talk(gate, 3, "s")[0][2] == [3]


def test_of_an_open_microphone_an_order_ends_the_sentence_alone() -> None:
    gate = Gate(SETTINGS)
    talk(gate, 0, "ss")
    gate.end()
    assert changes(talk(gate, 2, "ssss")) == [(5, Change.CLOSED)]
    assert changes(talk(gate, 6, "ss")) == [(7, Change.OPENED)]


# --- the wake word -------------------------------------------------------------------------------


def test_the_end_of_the_word_opens_nothing() -> None:
    gate = armed("wake_word", 250, woken=True)
    assert changes(talk(gate, 0, "s" * (WORD_TAIL - 1) + "." * 40)) == [
        (WORD_TAIL - 2 + PAUSE, Change.ALONE)
    ]
    assert gate.armed


@pytest.mark.parametrize("said", ["ssss", "." * 30 + "ssss"])
def test_that_the_word_was_all_is_said_once_and_of_nobody_who_went_on(said: str) -> None:
    gate = armed("wake_word", 250, woken=True)
    passed = talk(gate, 0, "s" * WORD_TAIL + said + "." * 40)
    assert [change for _, change in changes(passed)].count(Change.ALONE) == ("." in said)


def test_whoever_waits_has_all_the_time_from_the_end_of_the_word_on() -> None:
    gate = armed("wake_word", 10, woken=True)
    talk(gate, 0, "." * (WORD_TAIL + 8))
    assert changes(talk(gate, 50, "ss")) == [(51, Change.OPENED)]
    gate = armed("wake_word", 10, woken=True)
    talk(gate, 0, "." * (WORD_TAIL + 10))
    assert not gate.armed
    assert talk(gate, 50, "ss") == []


def test_what_was_shut_for_a_chime_knows_nothing_of_it_and_takes_no_time() -> None:
    gate = armed("wake_word", 10, woken=True)
    talk(gate, 0, "." * WORD_TAIL)
    gate.shut_off(True)
    assert talk(gate, 20, "s" * 100) == []
    gate.shut_off(False)
    (first, *_) = talk(gate, 200, "." * 4 + "ss")
    assert (first[1], first[2]) == (Change.OPENED, list(range(200, 206)))


def test_a_word_against_the_assistant_leaves_nothing_to_wait_for_and_no_sign() -> None:
    gate = Gate(SETTINGS, "wake_word")
    gate.shut_off(True)
    gate.arm(250, woken=True)
    gate.shut_off(False)
    assert changes(talk(gate, 0, "ss")) == [(1, Change.OPENED)]
    gate.forget()
    gate.shut_off(True)
    gate.arm(250, woken=True)
    gate.shut_off(False)
    assert talk(gate, 0, "." * 40) == []


@pytest.mark.parametrize("pre_roll", [0, 5, 25])
def test_who_goes_on_speaking_is_sent_from_the_word_on(pre_roll: int) -> None:
    gate = Gate(GateSettings(2, pre_roll, 4, 60), "wake_word")
    talk(gate, 0, "s" * 30)
    gate.arm(250, woken=True)
    (first, *_) = talk(gate, 30, "s" * 30)
    assert first[:2] == (30 + WORD_TAIL, Change.OPENED)
    assert first[2][0] <= 30, "no first word is cut"
    assert len(first[2]) <= max(pre_roll, WORD_TAIL) + 2


def test_the_word_is_listened_for_only_where_nobody_is_heard_anyway() -> None:
    gate = Gate(SETTINGS, "wake_word")
    assert gate.waits
    gate.arm(20)
    assert not gate.waits
    gate.shut_off(True)
    assert gate.waits, "it stops the assistant"
    gate.shut_off(False)
    talk(gate, 0, "ss")
    gate.end()
    assert not gate.waits, "an utterance is under way"
    gate.forget()
    assert gate.waits
    gate.activate("open_mic")
    assert not gate.waits


# --- changes while it runs -----------------------------------------------------------------------


@pytest.mark.parametrize("activation", ASLEEP)
def test_an_utterance_under_way_ends_as_it_would(activation: Activation) -> None:
    gate = Gate(SETTINGS)
    talk(gate, 0, "ss")
    gate.activate(activation)
    assert changes(talk(gate, 2, "ss....")) == [(7, Change.CLOSED)]
    assert talk(gate, 8, "ssss") == []


def test_an_open_microphone_needs_nothing_and_leaves_nothing_behind() -> None:
    gate = armed("wake_word", 250, woken=True)
    gate.activate("open_mic")
    assert changes(talk(gate, 0, "ss....")) == [(1, Change.OPENED), (5, Change.CLOSED)]
    gate.arm(100)
    gate.activate("wake_word")
    assert not gate.armed
    assert talk(gate, 6, "ssss") == []


def test_who_is_forgotten_must_ask_again() -> None:
    gate = armed()
    gate.forget()
    assert talk(gate, 0, "ssss") == []


def test_a_room_that_never_falls_silent_is_heard_for_one_utterance() -> None:
    """No server has claimed it: at the limit it is over all the same."""
    gate = armed(count=20)
    passed = talk(gate, 0, "s" * 200)
    assert [change for _, change in changes(passed)] == [Change.OPENED, Change.CUT]
    assert not gate.armed


# --- a button that is held -----------------------------------------------------------------------


def held(count: int = 20, settings: GateSettings = SETTINGS) -> Gate:
    gate = Gate(settings, "push_to_talk")
    gate.arm(count, held=True)
    return gate


def test_as_long_as_it_is_held_any_number_of_turns_may_come() -> None:
    gate = held()
    for first in (0, 100):
        assert changes(talk(gate, first, "ss"))
        gate.hold(True)
        talk(gate, first + 2, "s....")
        gate.hold(False)
        assert changes(talk(gate, first + 7, "....")) == [(first + 7, Change.CLOSED)]
    assert gate.armed


def test_where_we_end_the_turns_letting_go_does_and_no_silence() -> None:
    gate = held(40, GateSettings(2, 5, 4, 60, ends_turns=True))
    assert changes(talk(gate, 0, "ss" + "." * 20)) == [(1, Change.OPENED)]
    gate.end()
    assert changes(talk(gate, 22, "." * 20)) == [(22, Change.CLOSED)]
    gate.arm(40, held=True)
    talk(gate, 50, "ss")
    gate.end()
    assert changes(talk(gate, 52, "s" * 20)) == [(51 + LAST_WORD, Change.CLOSED)]


def test_who_lets_go_in_the_last_word_is_heard_to_its_end() -> None:
    gate = held()
    talk(gate, 0, "ss")
    gate.hold(True)
    gate.end()
    passed = [sent for _, _, sent in talk(gate, 2, "s" * (LAST_WORD + 3))]
    assert passed[: LAST_WORD - 1] == [[n] for n in range(2, LAST_WORD + 1)]
    assert all(each == [-1] for each in passed[LAST_WORD - 1 :]), "silence"


def test_a_word_that_is_over_before_it_was_noticed_is_heard() -> None:
    gate = held()
    talk(gate, 0, "..")
    gate.end()
    assert changes(talk(gate, 2, "ss......" + "." * 20))[0] == (3, Change.OPENED)


def test_who_let_go_and_was_silent_is_not_heard() -> None:
    gate = held()
    gate.end()
    assert talk(gate, 0, "." * LAST_WORD + "ssssss") == []
    assert not gate.armed


def test_pressed_again_before_that_the_user_goes_on() -> None:
    gate = held()
    talk(gate, 0, "ss")
    gate.end()
    talk(gate, 2, "s")
    gate.arm(20, held=True)
    passed = [sent for _, _, sent in talk(gate, 3, "s" * 2 * LAST_WORD)]
    assert passed == [[n] for n in range(3, 3 + 2 * LAST_WORD)]


@pytest.mark.parametrize("lead", range(0, 16, 3))
@pytest.mark.parametrize("pre_roll", [0, 5, 25])
@pytest.mark.parametrize("is_held", [True, False])
def test_who_speaks_before_they_pressed_loses_nothing(
    lead: int, pre_roll: int, is_held: bool
) -> None:
    """300 ms and less; and what is sent begins with the whole pre-roll."""
    gate = Gate(GateSettings(3, pre_roll, 4, 200), "push_to_talk")
    talk(gate, 0, "." * 50 + "s" * lead)
    gate.arm(100, held=is_held)
    (_, change, sent) = talk(gate, 50 + lead, "s" * 20)[0]
    assert change is Change.OPENED
    assert sent == list(range(50 - pre_roll, sent[-1] + 1))


def test_of_a_long_speech_to_somebody_else_little_is_sent() -> None:
    gate = Gate(SETTINGS, "push_to_talk")
    talk(gate, 0, "s" * 500)
    gate.arm(20)
    sent = talk(gate, 500, "s")[0][2]
    assert len(sent) == SETTINGS.pre_roll + SETTINGS.onset + EARLY


@pytest.mark.parametrize("name", ["forget", "activate"])
def test_a_button_is_forgotten(name: str) -> None:
    gate = held()
    gate.activate("open_mic") if name == "activate" else gate.forget()
    gate.activate("push_to_talk")
    assert not gate.pressed
    assert talk(gate, 0, "ssss") == []
