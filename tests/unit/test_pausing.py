"""Where the microphone hears while the speaker plays, an answer waits until it is decided whether
the user interrupts it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from speech_stage import cancel, ends, say, spoken
from stage import VOICE, Stage, only, settings

from satellite.logic import satellite as logic
from satellite.logic.pausing import DECIDE_S, MOST_VAIN_S
from satellite.logic.turn import SPEAKER_GRACE_S
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model import requests as req
from satellite.model.audio import silence
from satellite.model.requests import Request
from satellite.model.session import Session

PAUSE, GO_ON = cmd.PausePlayout(True), cmd.PausePlayout(False)


def listening(session: Session | None = None) -> Stage:
    return Stage(settings(half_duplex=False, session=session)).ready()


def speaking(stage: Stage | None = None) -> Stage:
    """An answer sounds, the server is done with it."""
    stage = stage or listening()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Tell me a story."))
    stage.answer()
    stage.tell(ev.PlayoutStarted("r1", stage.now))
    return stage


def pauses(orders: list[cmd.Command]) -> list[cmd.PausePlayout]:
    return only(orders, cmd.PausePlayout)


def cough(stage: Stage) -> list[cmd.Command]:
    return stage.tell(ev.GateOpened(), ev.Heard(VOICE, 60, stage.now))


def test_the_gate_that_opens_pauses_what_sounds_at_once() -> None:
    stage = speaking()
    assert pauses(stage.tell(ev.GateOpened())) == [PAUSE]
    assert stage.shown.state == "listening"


def test_a_cough_costs_a_pause_and_not_the_answer() -> None:
    stage = speaking()
    cough(stage)
    stage.now += 0.8
    assert pauses(stage.tell(ev.GateClosed(too_long=False))) == [GO_ON]
    assert stage.shown.state == "speaking"
    stage.tell(ev.PlayoutDrained("r1"))
    (response,) = stage.published(rec.Response)
    assert (response.event_type, response.interrupted, response.played_ms) == (
        "completed",
        False,
        400,
    )
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"
    assert not only(stage.orders, cmd.FlushPlayout)


def test_a_server_that_hears_the_user_ends_the_answer_where_it_was_paused() -> None:
    stage = speaking()
    cough(stage)
    orders = stage.server(ev.SpeechStarted("u2"))
    mine = [o for o in orders if isinstance(o, cmd.PlaybackCommand)]
    assert mine == [cmd.FlushPlayout("r1"), GO_ON], "what goes on must not be what was cut"
    assert stage.shown.state == "listening"
    orders = stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 150))
    assert only(orders, cmd.TruncateItem) == [cmd.TruncateItem("a1", 0, 150)]
    assert stage.published(rec.TurnRecord)[0].event_type == "interrupted"
    assert [s.state for s in stage.published(rec.State)][-3:] == ["speaking", *["listening"] * 2]


def test_nobody_who_makes_a_noise_is_waited_for_longer_than_two_seconds() -> None:
    stage = speaking()
    cough(stage)
    assert logic.deadline(stage.state) == stage.now + DECIDE_S, "a Tick comes in time"
    assert not pauses(stage.wait(DECIDE_S - 0.1, 0.1))
    assert pauses(stage.wait(0.2, 0.1)) == [GO_ON]
    assert not pauses(stage.wait(5)), "the same noise does not pause it again"
    assert only(stage.server(ev.SpeechStarted("u2")), cmd.FlushPlayout), "the user wins late, too"


def test_a_noise_that_goes_on_after_that_keeps_nothing_awake() -> None:
    stage = speaking()
    cough(stage)
    stage.wait(DECIDE_S + 0.1, 0.1)
    due = logic.deadline(stage.state)
    assert due is None or due > stage.now


def test_a_sounding_answer_has_as_much_longer_as_it_was_paused() -> None:
    stage = speaking()
    before = stage.state.talk.turns[0].answer
    cough(stage)
    stage.wait(DECIDE_S)
    after = stage.state.talk.turns[0].answer
    assert before is not None
    assert after is not None
    assert after.deadline == pytest.approx(before.deadline + DECIDE_S)
    assert after.paused_s == pytest.approx(DECIDE_S)
    stage.wait(SPEAKER_GRACE_S - 0.5)
    assert stage.state.talk.turns, "not given up early"
    stage.wait(3)
    assert stage.published(rec.Response)[0].reason == "speaker_stuck"


def test_an_answer_that_the_server_still_makes_waits_for_it_as_long_as_without_a_pause() -> None:
    stage = listening()
    stage.speak()
    stage.server(ev.ResponseCreated("r1"), ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.tell(ev.PlayoutStarted("r1", stage.now))
    before = stage.state.talk.turns[0].answer
    cough(stage)
    stage.wait(3)
    after = stage.state.talk.turns[0].answer
    assert before is not None
    assert after is not None
    assert after.deadline == before.deadline


def test_a_room_that_is_never_quiet_does_not_silence_us() -> None:
    stage = speaking()
    paused_s = 0.0
    for _ in range(30):
        since = stage.now
        if pauses(cough(stage)):
            stage.wait(0.8, 0.1)
            paused_s += stage.now - since
        stage.tell(ev.GateClosed(too_long=False))
        stage.now += 0.05
    assert MOST_VAIN_S <= paused_s < MOST_VAIN_S + DECIDE_S
    stage.tell(ev.PlayoutDrained("r1"))
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"
    stage.speak("u2")
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutStarted("r2", stage.now))
    assert pauses(cough(stage)) == [PAUSE], "the next answer is another matter"


def test_whoever_began_to_speak_before_the_first_sample_goes_first() -> None:
    stage = listening()
    stage.speak()
    cough(stage)
    stage.now += 0.5
    orders = stage.answer()
    mine = [o for o in orders if isinstance(o, cmd.PlaybackCommand)]
    assert mine[:2] == [PAUSE, cmd.Play("r1", "a1", 0, VOICE)], "not one sample before"
    orders = stage.server(ev.SpeechStarted("u2"))
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
    assert pauses(orders) == [GO_ON]
    orders = stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 0))
    assert only(orders, cmd.DeleteItem) == [cmd.DeleteItem("a1")]


def test_what_the_server_did_not_take_for_speech_for_two_seconds_delays_no_answer() -> None:
    stage = listening()
    stage.speak()
    cough(stage)
    stage.wait(DECIDE_S)
    assert not pauses(stage.answer())


def test_the_sentence_that_is_answered_does_not_delay_its_answer() -> None:
    """The gate closes later than the server ends the turn."""
    stage = listening()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"), ev.SpeechStopped("u1"), ev.InputCommitted("u1"))
    assert not pauses(stage.answer())


def test_half_duplex_never_pauses() -> None:
    stage = Stage().ready()
    speaking(stage)
    cough(stage)
    assert not pauses(stage.orders)


def test_where_we_end_the_turns_the_first_word_interrupts() -> None:
    stage = listening(Session(manual=True))
    stage.hold_to_speak()
    stage.server(ev.InputCommitted("u1"))
    stage.answer()
    stage.tell(ev.PlayoutStarted("r1", stage.now))
    orders = stage.tell(ev.GateOpened())
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
    assert not pauses(stage.orders)


def test_a_text_that_is_said_waits_as_an_answer_does() -> None:
    stage = listening()
    say(stage)
    spoken(stage, 1)
    stage.tell(ev.PlayoutStarted("s1", stage.now))
    assert pauses(cough(stage)) == [PAUSE]
    assert pauses(stage.tell(ev.GateClosed(too_long=False))) == [GO_ON]
    stage.tell(ev.PlayoutDrained("s1"))
    assert ends(stage) == [("say", "done")]


def test_several_that_are_queued_all_wait_and_have_longer() -> None:
    stage = speaking()
    (turn,) = stage.state.talk.turns
    assert turn.answer is not None
    behind = replace(
        turn, turn_id="t2", item_id="u0", answer=replace(turn.answer, response_id="r2")
    )
    stage.state = replace(stage.state, talk=replace(stage.state.talk, turns=(turn, behind)))
    before = [t.answer.deadline for t in stage.state.talk.turns if t.answer]
    assert pauses(cough(stage)) == [PAUSE]
    stage.now += 1
    assert pauses(stage.tell(ev.GateClosed(too_long=False))) == [GO_ON]
    after = [t.answer.deadline for t in stage.state.talk.turns if t.answer]
    assert after == [pytest.approx(at + 1) for at in before]
    cough(stage)
    orders = stage.server(ev.SpeechStarted("u2"))
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1"), cmd.FlushPlayout("r2")]


def test_a_cancel_over_mqtt_ends_the_pause_with_the_answer() -> None:
    stage = speaking()
    cough(stage)
    orders = cancel(stage)
    mine = [o for o in orders if isinstance(o, cmd.PlaybackCommand)]
    assert mine == [cmd.FlushPlayout("r1"), GO_ON]


@pytest.mark.parametrize(
    "event", [ev.MicLost("gone"), ev.Asked(Request("mute", req.Mute(True, None)))]
)
def test_a_microphone_that_is_muted_or_lost_waits_for_nobody(event: ev.Event) -> None:
    stage = speaking()
    cough(stage)
    assert pauses(stage.tell(event)) == [GO_ON]


def test_without_a_session_nobody_decides_and_what_was_received_is_heard() -> None:
    stage = speaking()
    cough(stage)
    assert pauses(stage.lose()) == [GO_ON], "what is being said goes to no session"
    stage.tell(ev.PlayoutDrained("r1"))
    assert stage.published(rec.Response)[0].event_type == "completed"


def test_a_speaker_that_breaks_in_a_pause_is_not_waited_for() -> None:
    stage = speaking()
    cough(stage)
    assert pauses(stage.tell(ev.PlayoutDrained("r1", heard=False))) == [GO_ON]


def test_the_satellite_that_stops_in_or_after_a_pause_does_not_say_that_it_was_heard() -> None:
    for goes_on in (False, True):
        stage = speaking()
        stage.now += 0.1
        cough(stage)
        stage.now += 1.0
        if goes_on:
            stage.tell(ev.GateClosed(too_long=False))
            stage.now += 0.1
        stage.tell(ev.StopRequested(15))
        assert stage.published(rec.Response)[0].played_ms == (200 if goes_on else 100)


def test_a_server_that_forgets_to_say_that_somebody_speaks_still_lets_the_user_win() -> None:
    stage = speaking()
    cough(stage)
    stage.wait(3)
    orders = stage.server(ev.InputCommitted("u2"))
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]


def test_a_session_that_only_writes_down_pauses_nothing() -> None:
    stage = listening(Session(kind="transcription"))
    stage.tell(ev.GateOpened(), ev.Heard(silence(200), 200, stage.now))
    assert not pauses(stage.orders)


def test_the_pause_is_not_a_part_of_how_long_the_answer_took() -> None:
    stage = speaking()
    stage.tell(ev.GateOpened())
    stage.now += 1
    stage.tell(ev.GateClosed(too_long=False), ev.PlayoutDrained("r1"))
    (turn,) = stage.published(rec.TurnRecord)
    assert turn.speech_end_to_audio_ms == 500


def test_nothing_is_ordered_twice() -> None:
    stage = speaking()
    for _ in range(3):
        cough(stage)
        stage.wait(0.5, 0.1)
        stage.tell(ev.GateClosed(too_long=False))
        stage.wait(0.5, 0.1)
    assert pauses(stage.orders) == [PAUSE, GO_ON] * 3
    assert replace(stage.state.talk, turns=()).hushed_at is None
