"""When the assistant's own voice is looked for, who is somebody else, and in which step."""

from __future__ import annotations

import pytest

from satellite.far_end import FarEnd
from satellite.logic.own_voice import AFTER, BREAK, DOUBT, GOES_ON, Evidence, Looking
from satellite.model.audio import FRAME_BYTES
from satellite.model.ports import Discerned
from satellite.own_voice import WINDOW, OwnVoice, Pace

FRAME_S = 0.02
FRAME = b"\x01\x00" * (FRAME_BYTES // 2)
CLEAN = b"\x02\x00" * (FRAME_BYTES // 2)
PLAYED = b"\x03\x00" * (FRAME_BYTES // 2)


def test_nothing_is_looked_for_before_something_is_played() -> None:
    looking = Looking()
    assert not any(looking.step(far=False, is_open=is_open) for is_open in (False, True) * 500)


def test_it_ends_two_seconds_after_the_sound() -> None:
    looking = Looking()
    assert looking.step(far=True, is_open=False)
    ran = [looking.step(far=False, is_open=False) for _ in range(2 * AFTER)]
    assert ran.count(True) == AFTER - 1
    assert not ran[-1]


def test_it_ends_in_the_middle_of_no_utterance() -> None:
    looking = Looking()
    looking.step(far=True, is_open=True)
    assert all(looking.step(far=False, is_open=True) for _ in range(3 * AFTER))
    assert not looking.step(far=False, is_open=False)


def test_sound_that_was_interrupted_is_doubted_and_a_new_answer_is_not() -> None:
    looking = Looking()
    for far in (True, True, False, False, True):
        looking.step(far=far, is_open=False)
    doubted = [looking.in_doubt]
    for _ in range(DOUBT):
        looking.step(far=True, is_open=False)
        doubted.append(looking.in_doubt)
    assert doubted == [True] * DOUBT + [False]
    for far in [False] * (BREAK + 1) + [True]:
        looking.step(far=far, is_open=False)
        assert not looking.in_doubt


def test_an_echo_by_another_microphone_is_doubted_once() -> None:
    looking = Looking()
    looking.step(far=True, is_open=False)
    looking.lose()
    looking.step(far=False, is_open=False)
    assert not looking.in_doubt
    for _ in range(BREAK):
        looking.step(far=False, is_open=False)
    doubted = []
    for _ in range(DOUBT + 1):
        looking.step(far=True, is_open=False)
        doubted.append(looking.in_doubt)
    assert doubted == [True] * DOUBT + [False]


def test_what_is_usual_is_nobody_and_what_lasts_is_somebody() -> None:
    evidence = Evidence()
    assert not any(evidence.step(surprise, played=True) for surprise in (0.0, 12.0, 3.0, 14.0) * 50)
    assert not evidence.step(18.0, played=True), "once is an accident"
    assert evidence.step(60.0, played=True)


def test_a_loudspeaker_that_rattles_is_spoken_against_longer() -> None:
    evidence = Evidence()
    rattles = [30.0 if n % 5 == 0 else 10.0 for n in range(500)]
    began = [evidence.step(surprise, played=True) for surprise in rattles]
    assert any(began[:50]), "it is not known yet"
    assert not any(began[-50:])
    assert evidence.step(90.0, played=True)


def test_somebody_is_not_taken_for_what_is_usual() -> None:
    evidence = Evidence()
    for _ in range(150):  # 3 s of speech
        evidence.step(60.0, played=True)
    evidence.forget()
    assert evidence.step(40.0, played=True)


def test_a_long_answer_to_the_assistant_is_not_what_is_usual() -> None:
    evidence = Evidence()
    for _ in range(1000):  # 20 s of speech, while nothing is played
        evidence.step(100.0, played=False)
    evidence.forget()
    assert evidence.step(40.0, played=True)


def test_who_falls_silent_is_soon_not_believed() -> None:
    evidence = Evidence()
    for _ in range(50):
        evidence.step(100.0, played=True)
    assert [evidence.step(0.0, played=True) for _ in range(5)][-1] is False


@pytest.mark.parametrize("late", [0.0, 0.013, 0.2])
def test_frames_that_come_late_begin_when_they_began(late: float) -> None:
    pace = Pace()
    for n in range(3 * WINDOW):
        came = 7.0 + (n + 1) * FRAME_S + (late if n % 3 else 0.0)
        assert pace.begins_at(came) == pytest.approx(7.0 + n * FRAME_S)


def test_lost_sound_is_noticed() -> None:
    pace = Pace()
    for n in range(3 * WINDOW):
        pace.begins_at(7.0 + (n + 1) * FRAME_S)
    for n in range(3 * WINDOW, 5 * WINDOW + 1):
        begun = pace.begins_at(7.5 + (n + 1) * FRAME_S)
    assert begun == pytest.approx(7.5 + 5 * WINDOW * FRAME_S)


class Cancelling:
    """A Canceller and a Discerner that write down what they are given."""

    def __init__(self) -> None:
        self.cleaned: list[tuple[bytes, bytes]] = []
        self.said: list[str] = []
        self.found = Discerned(0.0, audible=True, echo=True)

    def clean(self, near: bytes, far: bytes) -> bytes:
        self.cleaned.append((near, far))
        return CLEAN

    def hear(self, near: bytes, far: bytes, cleaned: bytes) -> Discerned:
        assert cleaned == CLEAN
        return self.found

    def pause(self) -> None:
        self.said.append("pause")


class Ear:
    """Frames of a microphone at their moments."""

    def __init__(self) -> None:
        self.now = 100.0
        self.far = FarEnd(lambda: self.now)
        self.parts = Cancelling()
        self.own = OwnVoice(self.far, self.parts, self.parts)

    def hear(self, count: int, *, is_open: bool = False) -> list[tuple[bytes, bool]]:
        heard = []
        for _ in range(count):
            self.now += FRAME_S
            heard.append(self.own.clean(FRAME, self.now, is_open=is_open))
        return heard


def test_a_quiet_room_costs_nothing_and_changes_no_sample() -> None:
    ear = Ear()
    assert ear.hear(200) == [(FRAME, True)] * 200
    assert not ear.parts.cleaned


def test_near_and_far_go_in_step_and_the_assistant_is_nobody() -> None:
    ear = Ear()
    ear.hear(10)
    ear.far.played(PLAYED * 5)
    assert ear.hear(10) == [(CLEAN, False)] * 10
    assert ear.parts.cleaned == [(FRAME, PLAYED)] * 5 + [(FRAME, bytes(FRAME_BYTES))] * 5
    assert ear.parts.said == ["pause"]


def test_a_surprise_that_is_audible_is_somebody() -> None:
    ear = Ear()
    ear.far.played(PLAYED * 50)
    ear.hear(10)
    ear.parts.found = Discerned(80.0, audible=False, echo=True)
    assert ear.hear(3) == [(CLEAN, False)] * 3
    ear.parts.found = Discerned(80.0, audible=True, echo=True)
    assert ear.hear(3) == [(CLEAN, True)] * 3


def test_lost_sound_is_no_evidence() -> None:
    ear = Ear()
    ear.far.played(PLAYED * 50)
    ear.parts.found = Discerned(80.0, audible=True, echo=True)
    ear.hear(3)
    ear.own.forget()
    ear.parts.found = Discerned(0.0, audible=True, echo=True)
    assert ear.hear(1) == [(CLEAN, False)]


def test_after_lost_sound_near_and_far_are_in_step_at_once() -> None:
    ear = Ear()
    ear.hear(10)
    ear.now += 3.0
    ear.own.forget()
    ear.hear(1)
    ear.far.played(PLAYED * 5)
    assert ear.hear(1) == [(CLEAN, False)]
    assert ear.parts.cleaned == [(FRAME, PLAYED)]


def test_nobody_is_believed_where_sound_goes_on_after_a_gap() -> None:
    ear = Ear()
    ear.hear(1)
    ear.parts.found = Discerned(80.0, audible=True, echo=True)
    ear.far.played(PLAYED * 5)
    assert ear.hear(25)[-1] == (CLEAN, True)
    ear.far.played(PLAYED * (DOUBT + 5))
    assert ear.hear(DOUBT) == [(CLEAN, False)] * DOUBT
    ear.parts.found = Discerned(0.0, audible=True, echo=True)
    assert ear.hear(1) == [(CLEAN, False)], "what was found meanwhile is forgotten"


def test_who_spoke_into_an_answer_is_not_in_the_next_one() -> None:
    ear = Ear()
    ear.hear(1)
    ear.far.played(PLAYED * 5)
    ear.parts.found = Discerned(80.0, audible=True, echo=True)
    ear.hear(AFTER + 10)
    ear.parts.found = Discerned(0.0, audible=True, echo=True)
    ear.far.played(PLAYED * 5)
    assert ear.hear(1) == [(CLEAN, False)]
    assert ear.parts.said == ["pause"] * 2


def test_what_is_left_of_an_echo_is_no_word_of_whoever_spoke_before() -> None:
    """The gate is still open for a question, and the answer begins."""
    ear = Ear()
    ear.far.played(PLAYED * 90)
    silent = (bytes(FRAME_BYTES), False)
    assert ear.hear(10, is_open=True) == [silent] * 10
    ear.parts.found = Discerned(80.0, audible=True, echo=True)
    assert ear.hear(3, is_open=True) == [(CLEAN, True)] * 3
    ear.parts.found = Discerned(0.0, audible=True, echo=True)
    heard = [pcm for pcm, _ in ear.hear(50, is_open=True)]
    kept = heard.count(CLEAN)
    assert GOES_ON <= kept < 2 * GOES_ON
    assert heard == [CLEAN] * kept + [silent[0]] * (50 - kept)
    assert ear.hear(3) == [(CLEAN, False)] * 3, "what precedes an onset is kept as it is"
    ear.parts.found = Discerned(0.0, audible=True, echo=False)
    assert ear.hear(3, is_open=True) == [(CLEAN, False)] * 3
