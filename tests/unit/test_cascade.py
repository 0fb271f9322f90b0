"""The cascade's rules: whom the network hears, who is believed, what a room is."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satellite.logic.cascade import (
    AGAIN,
    BEFORE,
    GOES_ON,
    HALF,
    HALVES,
    LATE,
    LEAST,
    LOOK,
    QUIET,
    RELEASE,
    RENEWS,
    SURE,
    Cascade,
    Floor,
    loudness,
)
from satellite.model.audio import FRAME_SAMPLES

KNOWN = (HALF + LOOK) * HALVES  # frames after which the room is known


def frame(level: int, mark: int = 0) -> bytes:
    """From -level/2 to level/2; ``mark`` tells it from others and is not heard."""
    samples = array("h", [-(level // 2), 0, mark] * (FRAME_SAMPLES // 3))
    samples[::24] = array("h", [level - level // 2] * (FRAME_SAMPLES // 24))
    return samples.tobytes()


def in_a_room(level: int = 100, sure: float | None = 0.5) -> Cascade:
    cascade = Cascade(sure)
    for _ in range(KNOWN):
        assert cascade.take(frame(level), fired=False) == ()
    return cascade


def test_loudness_is_from_the_lowest_to_the_highest() -> None:
    assert loudness(frame(1000)) == 1000
    assert loudness(bytes(2 * FRAME_SAMPLES)) == 0
    assert loudness(array("h", [-32768, 32767] * (FRAME_SAMPLES // 2)).tobytes()) in {0, 65535}


def test_a_quiet_room_asks_nobody_and_says_nothing() -> None:
    cascade = in_a_room()
    for _ in range(500):
        assert cascade.take(frame(100), fired=False) == ()
        assert not cascade.judged.speech
    assert cascade.take(frame(100), fired=False) == ()
    assert cascade.judged is QUIET


def test_what_the_detector_takes_for_speech_wakes_it_with_the_time_before() -> None:
    cascade = in_a_room()
    before = [frame(100, mark) for mark in range(BEFORE + 5)]
    for each in before:
        cascade.take(each, fired=False)
    loud = frame(200)
    assert cascade.take(loud, fired=True) == (*before[-BEFORE + 1 :], loud)
    assert cascade.woke
    assert cascade.take(frame(100), fired=False) == (frame(100),)
    assert not cascade.woke


@pytest.mark.parametrize(
    ("level", "fired", "wakes"),
    [(199, True, False), (200, True, True), (399, False, False), (400, False, True)],
)
def test_it_must_stand_out_from_the_room(level: int, fired: bool, wakes: bool) -> None:
    cascade = in_a_room()
    woken = [cascade.take(frame(level), fired=fired) != () for _ in range(LOOK)]
    assert any(woken) == wakes


def test_before_the_room_is_known_the_detector_alone_wakes_it() -> None:
    cascade = Cascade(0.5)
    assert cascade.take(frame(10_000), fired=False) == ()
    assert cascade.take(frame(10), fired=True) != ()


def test_it_sleeps_again_when_nothing_wakes_it() -> None:
    cascade = in_a_room()
    cascade.take(frame(500), fired=True)
    cascade.weigh(0.1)
    heard = 0
    while cascade.take(frame(100), fired=False):
        heard += 1
    assert heard == GOES_ON - 1
    assert cascade.judged.certainty is None


def test_it_never_sleeps_while_it_hears_speech() -> None:
    cascade = in_a_room()
    cascade.take(frame(500), fired=True)
    cascade.weigh(0.9)
    for _ in range(GOES_ON * 3):
        assert cascade.take(frame(100), fired=False)
        assert cascade.judged.speech


@pytest.mark.parametrize("sure", SURE)
def test_who_has_begun_is_believed_a_little_longer(sure: float) -> None:
    cascade = in_a_room(sure=sure)
    said = []
    for certainty in (sure - 0.01, sure, sure - RELEASE + 0.01, sure - RELEASE - 0.01, sure - 0.01):
        cascade.take(frame(500), fired=True)
        cascade.weigh(certainty)
        said.append(cascade.judged.speech)
        assert cascade.judged.certainty == certainty
    assert said == [False, True, True, False, False]


def test_between_two_windows_the_last_verdict_holds() -> None:
    cascade = in_a_room()
    cascade.take(frame(500), fired=True)
    cascade.weigh(0.9)
    cascade.take(frame(500), fired=False)
    assert cascade.judged.speech
    assert cascade.judged.certainty == 0.9


@pytest.mark.parametrize(("fired_before", "before"), [(0, 0), (1, 1), (LATE, LATE), (9, LATE)])
def test_speech_begins_where_the_detector_heard_it_shortly_before(
    fired_before: int, before: int
) -> None:
    cascade = in_a_room()
    for _ in range(fired_before):
        cascade.take(frame(500), fired=True)
        cascade.weigh(0.1)
        assert not cascade.judged.speech
    cascade.take(frame(500), fired=False)
    cascade.weigh(0.9)
    assert cascade.judged.before == before


def test_what_was_forgotten_is_no_beginning_of_speech() -> None:
    cascade = in_a_room()
    for _ in range(3):
        cascade.take(frame(500), fired=True)
    cascade.forget()
    cascade.take(frame(500), fired=True)
    cascade.weigh(0.9)
    assert cascade.judged.before == 0


def test_what_hears_no_speech_for_long_begins_anew_with_the_last_seconds() -> None:
    cascade = in_a_room()
    played = [frame(100 if mark % 20 == 19 else 5000, mark) for mark in range(3 * RENEWS)]
    for at, each in enumerate(played, 1):
        heard = cascade.take(each, fired=True)
        assert cascade.renews == (at % RENEWS == 0)
        if cascade.renews:
            assert heard == tuple(played[at - AGAIN : at])
        cascade.weigh(0.1)


def test_it_does_not_begin_anew_while_it_hears_speech() -> None:
    cascade = in_a_room()
    for _ in range(2 * RENEWS):
        cascade.take(frame(5000), fired=True)
        assert not cascade.renews
        cascade.weigh(0.9)
    cascade.weigh(0.1)
    cascade.take(frame(5000), fired=True)
    assert cascade.renews


def test_forgotten_sound_is_not_what_came_before() -> None:
    cascade = in_a_room()
    cascade.take(frame(500), fired=True)
    cascade.weigh(0.9)
    cascade.forget()
    assert cascade.take(frame(100), fired=False) == ()
    assert not cascade.judged.speech
    heard = cascade.take(frame(500), fired=True)
    assert heard == (frame(100), frame(500))


def test_another_microphone_is_another_room() -> None:
    cascade = in_a_room(level=5000)
    cascade.begin()
    assert cascade.take(frame(200), fired=True) != ()


@pytest.mark.parametrize(("level", "speech"), [(199, False), (200, True)])
def test_without_a_network_the_detector_is_believed_above_the_room(
    level: int, speech: bool
) -> None:
    cascade = in_a_room(sure=None)
    assert cascade.take(frame(level), fired=True) == ()
    assert cascade.judged.speech == speech
    assert cascade.take(frame(5000), fired=False) == ()
    assert not cascade.judged.speech


def test_without_a_network_it_is_believed_before_the_room_is_known() -> None:
    cascade = Cascade(None)
    cascade.take(frame(10), fired=True)
    assert cascade.judged.speech


def test_steady_noise_is_the_room_after_a_while() -> None:
    cascade = in_a_room(sure=None)
    said = []
    for _ in range(KNOWN + LOOK):
        cascade.take(frame(2000), fired=True)
        said.append(cascade.judged.speech)
    assert said[0]
    assert not said[-1]


def test_a_pause_for_breath_shows_the_room() -> None:
    """Somebody who speaks for a minute, with a quiet frame every 3 s, is not the room."""
    floor = Floor()
    for at in range(3000):
        floor.hear(100 if at % 150 == 0 else 8000, 1)
    assert floor.level == 100


def test_digital_silence_is_not_quieter_than_a_quiet_room() -> None:
    floor = Floor()
    for _ in range(KNOWN):
        floor.hear(0, 1)
    assert floor.level == LEAST


@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, LOOK)), max_size=400))
def test_the_floor_is_unknown_or_one_that_was_heard(heard: list[tuple[int, int]]) -> None:
    floor = Floor()
    for level, count in heard:
        floor.hear(level, count)
        levels = {level for level, _ in heard}
        assert floor.level in levels | {0, LEAST}


@given(st.lists(st.tuples(st.integers(0, 20_000), st.booleans(), st.floats(0, 1)), max_size=200))
def test_the_network_hears_each_frame_once_and_in_order(
    room: list[tuple[int, bool, float]],
) -> None:
    """But for what came before it was woken, which it may have heard before it fell asleep."""
    cascade, last = Cascade(0.5), -1
    for at, (level, fired, certainty) in enumerate(room):
        heard = cascade.take(frame(level, at), fired=fired)
        numbers = [array("h", each)[2] for each in heard]
        if numbers:
            assert numbers == list(range(numbers[0], at + 1))
            assert cascade.woke or cascade.renews or numbers == [last + 1]
            last = at
            cascade.weigh(certainty)
        assert cascade.judged.speech <= bool(numbers)
