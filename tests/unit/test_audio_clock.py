"""The server counts samples, not time (C33); what a wrong sample rate does to that is shown."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage import Stage, only

from satellite.logic import clock
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import RATE, SAMPLE_BYTES, ms_of, silence

PIECE = silence(100)
PREFIX_MS = 300


def hear(stage: Stage, first_ms: int, more_ms: int) -> None:
    """The gate opens: a pre-roll of ``first_ms``, whose sound begins now, then live frames."""
    stage.tell(ev.GateOpened())
    stage.now += first_ms / 1000
    stage.tell(ev.Heard(silence(first_ms), 60, stage.now))
    for _ in range(more_ms // 100):
        stage.now = round(stage.now + 0.1, 6)
        stage.tell(ev.Heard(PIECE, 100, stage.now))


@pytest.mark.checklist("C33")
@pytest.mark.parametrize(
    ("pre_roll_ms", "audio_start_ms", "onset_s", "naive_s"),
    [(400, 2700, 60.4, 60.1), (100, 2400, 60.1, 2.4)],
)
def test_c33_the_onset_of_speech_is_mapped_across_a_minute_of_a_shut_gate(
    pre_roll_ms: int, audio_start_ms: int, onset_s: float, naive_s: float
) -> None:
    """realtime-protocol 5.6: what begins before the onset may lie in the utterance before."""
    stage = Stage().ready()
    begin = stage.now
    hear(stage, 400, 2200)
    stage.tell(ev.GateClosed(too_long=False))
    assert stage.state.talk.clock.sent_ms == 2600
    stage.now += 57.4
    assert stage.now == pytest.approx(begin + 60)
    hear(stage, pre_roll_ms, 1000)
    talk = stage.state.talk
    onset = clock.instant(talk.clock, audio_start_ms + PREFIX_MS)
    assert onset == pytest.approx(begin + onset_s, abs=0.001)
    assert clock.instant(talk.clock, audio_start_ms) == pytest.approx(begin + naive_s, abs=0.001)


Opening = tuple[float, list[int], int]
openings = st.lists(
    st.tuples(
        st.floats(0, 120),  # seconds without sound before
        st.lists(st.integers(20, 3000), min_size=1, max_size=12),  # lengths of pieces, ms
        st.sampled_from([0, 0, 100, 700]),  # silence of our own after it, ms
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.checklist("C33")
@given(openings, st.randoms(use_true_random=False))
def test_c33_any_moment_of_real_sound_is_mapped_back(
    said: list[Opening], draw: random.Random
) -> None:
    now, mapped, counted = 1000.0, clock.Clock(), 0
    expected: list[tuple[float, float]] = []
    for gap_s, pieces, own_ms in said:
        now += gap_s
        for number, length_ms in enumerate(pieces):
            begun, now = now, now + length_ms / 1000
            mapped = clock.opened(mapped, now) if number == 0 else mapped
            mapped = clock.sent(mapped, len(silence(length_ms)), now, 0, now)
            offset = draw.uniform(0.01, length_ms - 0.01)
            expected.append((counted + offset, begun + offset / 1000))
            counted += length_ms
        if own_ms:
            mapped = clock.sent(mapped, len(silence(own_ms)), None, 0, now)
            counted += own_ms
    assert mapped.sent_ms == counted
    for server_ms, captured_at in expected:
        assert clock.instant(mapped, server_ms) == pytest.approx(captured_at, abs=0.001)


@pytest.mark.checklist("C33")
def test_c33_our_own_silence_counts_and_another_connection_begins_at_nought() -> None:
    stage = Stage().ready()
    hear(stage, 400, 600)
    stage.server(ev.SpeechStarted("u1"))
    stage.tell(ev.GateClosed(too_long=False))
    (nudge,) = only(stage.wait(2.4), cmd.AppendAudio)
    assert ms_of(len(nudge.pcm)) == 700
    assert stage.state.talk.clock.sent_ms == 1000 + 700
    stage.lose()
    stage.reconnect()
    assert stage.state.talk.clock.sent_ms == 0
    stage.tell(ev.GateOpened(), ev.Heard(PIECE, 20, stage.now))
    assert stage.state.talk.clock.sent_ms == 100


@pytest.mark.checklist("C33")
def test_c33_sound_that_waited_for_its_session_is_mapped_to_when_it_was_said() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    begin = stage.now
    hear(stage, 500, 500)
    stage.now += 4
    stage.open()
    assert clock.instant(stage.state.talk.clock, 750) == pytest.approx(begin + 0.75, abs=0.001)


def test_a_moment_that_was_never_sent_or_is_forgotten_is_unknown() -> None:
    assert clock.instant(clock.Clock(), 10) is None
    mapped = clock.Clock()
    for n in range(100):  # each its own utterance
        mapped = clock.opened(mapped, 10.0 * n)
        mapped = clock.sent(mapped, len(PIECE), 10.0 * n, 100, 0)
    assert clock.instant(mapped, 10_021) is None
    assert clock.instant(mapped, 5) is None
    assert clock.speech_within(mapped, 0, 1000) is None
    assert len(mapped.pieces) <= clock.MOST
    assert len(mapped.speech) <= clock.MOST_SPEECH


def test_the_end_of_speech_is_known_by_the_servers_own_clock() -> None:
    """Its silence is before ``audio_end_ms``: the delay of the network is not the user's."""
    stage = Stage().ready()
    begin = stage.now
    hear(stage, 500, 1000)
    stage.server(ev.SpeechStarted("u1", 200))
    for _ in range(6):
        stage.now += 0.1
        stage.tell(ev.Heard(PIECE, 0, None))
    stage.now += 3  # a slow network
    stage.server(
        ev.SpeechStopped("u1", 2000), ev.InputCommitted("u1"), ev.UserTranscript("u1", ".")
    )
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    (turn,) = stage.published(rec.TurnRecord)
    assert turn.speech_end_to_stop_ms == round((stage.now - (begin + 1.5)) * 1000)


# --- clocks that run wrong -----------------------------------------------------------------------


def turns(stage: Stage, count: int, speed: float, late_ms: float = 150) -> None:
    """Turns of a server whose clock makes ``speed`` of each second; it tells a little late."""
    for n in range(count):
        item = f"{speed}-{stage.now}-{n}"
        hear(stage, 500, 1500 + 200 * (n % 3))
        end_ms = round((stage.state.talk.clock.sent_ms - late_ms * (n % 2)) * speed)
        stage.server(ev.SpeechStarted(item), ev.SpeechStopped(item, end_ms))
        stage.server(ev.InputCommitted(item), ev.UserTranscript(item, "Hi."))
        stage.tell(ev.GateClosed(too_long=False))
        stage.answer(f"r{item}", f"a{item}")
        stage.tell(ev.PlayoutDrained(f"r{item}"))
        stage.wait(5)


def codes(stage: Stage) -> list[str]:
    return [problem.code for problem in stage.shown.problems]


@pytest.mark.parametrize("speed", [2 / 3, 44.1 / 24, 2.0, 1.5, 0.5, 24 / 44.1, 3.0, 1 / 3])
def test_a_wrong_sample_rate_is_recognised_over_several_turns(speed: float) -> None:
    stage = Stage().ready()
    turns(stage, clock.MARKS - 1, speed)
    assert codes(stage) == []
    turns(stage, 1, speed)
    assert codes(stage) == ["session_rate"]
    assert f"{speed:.2f} seconds for each second" in stage.shown.problems[0].detail
    stage.lose()
    stage.reconnect()
    assert codes(stage) == []


@pytest.mark.parametrize("speed", [1.0, 0.97, 1.05, 1.2])
def test_a_clock_that_is_right_or_differs_otherwise_is_no_wrong_rate(speed: float) -> None:
    stage = Stage().ready()
    turns(stage, 12, speed)
    assert codes(stage) == []


@pytest.mark.parametrize("seed", range(12))
def test_a_server_that_counts_by_the_clock_on_the_wall_has_no_wrong_rate(seed: int) -> None:
    draw, stage = random.Random(seed), Stage().ready()
    began = stage.now
    for n in range(30):
        hear(stage, 500, 100 * draw.randrange(8, 40))
        end_ms = round((stage.now - began) * 1000)
        stage.server(ev.SpeechStarted(f"u{n}"), ev.SpeechStopped(f"u{n}", end_ms))
        stage.server(ev.InputCommitted(f"u{n}"), ev.UserTranscript(f"u{n}", "Hi."))
        stage.tell(ev.GateClosed(too_long=False))
        stage.answer(f"r{n}", f"a{n}")
        stage.tell(ev.PlayoutDrained(f"r{n}"))
        assert codes(stage) == []
        stage.wait(draw.choice([1, 2, 5, 10, 60]) * draw.uniform(0.5, 1.5), step=5)


def talk_for(stage: Stage, seconds: float, speed: float) -> None:
    """A microphone that delivers ``speed`` seconds of sound in a second."""
    stage.tell(ev.GateOpened(), ev.Heard(silence(500), 60, stage.now))
    piece = bytes(round(RATE * 0.1 * speed) * SAMPLE_BYTES)
    for _ in range(round(seconds * 10)):
        stage.now += 0.1
        stage.tell(ev.Heard(piece, 20, stage.now))
    stage.tell(ev.GateClosed(too_long=False))


@pytest.mark.parametrize("speed", [1.5, 0.67, 2.0, 0.5])
def test_a_microphone_that_lies_about_its_rate_is_shown_and_gone_again(speed: float) -> None:
    stage = Stage().ready()
    talk_for(stage, 4, speed)
    assert codes(stage) == ["mic_rate"]
    assert f"{speed} seconds of sound in a second" in stage.shown.problems[0].detail
    talk_for(stage, 1, 1.0)  # too short to tell
    assert codes(stage) == ["mic_rate"]
    talk_for(stage, 4, 1.0)
    assert codes(stage) == []


@pytest.mark.parametrize(("seconds", "speed"), [(2, 1.5), (4, 1.1), (4, 0.9), (30, 1.0)])
def test_a_microphone_that_is_about_right_is_no_problem(seconds: float, speed: float) -> None:
    stage = Stage().ready()
    talk_for(stage, seconds, speed)
    assert codes(stage) == []
