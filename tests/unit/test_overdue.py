"""What is owed and does not come ends all the same (law 3, realtime-protocol 5.4 D)."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only

from satellite.logic.link import Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import ms_of


def open_turn() -> Stage:
    """The server heard speech begin; the gate has closed; nothing more comes."""
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    stage.tell(ev.GateClosed(too_long=False))
    return stage


@pytest.mark.checklist("C30", "C31")
def test_c31_an_open_turn_is_nudged_with_silence_then_a_commit() -> None:
    stage = open_turn()
    assert not only(stage.wait(1.9), cmd.AppendAudio)
    (nudge,) = only(stage.wait(0.6), cmd.AppendAudio)
    assert ms_of(len(nudge.pcm)) == 700
    assert set(nudge.pcm) == {0}
    assert only(stage.wait(1.5), cmd.CommitInput) == [cmd.CommitInput()]


@pytest.mark.checklist("C31")
def test_c31_a_server_that_answers_nothing_is_left_and_the_turn_is_published() -> None:
    stage = open_turn()
    stage.wait(30)
    assert cmd.Connect(2) in stage.orders
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.transcript) == ("failed", None)
    (transcript,) = stage.published(rec.Transcript)
    assert transcript.event_type == "missing"


@pytest.mark.checklist("C31")
def test_c31_a_commit_of_ours_is_followed_by_a_response_of_ours() -> None:
    stage = open_turn()
    stage.wait(4)
    stage.server(ev.InputCommitted("u1"))
    assert only(stage.wait(1), cmd.CreateResponse) == [cmd.CreateResponse()]
    stage.answer()
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.tell(ev.PlayoutDrained("r1"))
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"


def test_no_response_of_ours_when_the_server_made_one() -> None:
    stage = open_turn()
    stage.wait(4)
    stage.server(ev.InputCommitted("u1"), ev.ResponseCreated("r1"))
    assert not only(stage.wait(5), cmd.CreateResponse)


@pytest.mark.checklist("C30")
def test_c30_an_utterance_at_the_limit_is_committed_at_once() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    orders = stage.tell(ev.GateClosed(too_long=True))
    assert only(orders, cmd.CommitInput) == [cmd.CommitInput()]


def test_an_open_gate_needs_no_nudge() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    assert not only(stage.wait(20), cmd.AppendAudio)


def test_no_answer_ends_the_turn_and_the_session() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Anybody?"))
    stage.wait(12)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "timeout")
    assert cmd.Connect(2) in stage.orders


def test_an_answer_that_stops_in_the_middle_is_played_as_far_as_it_came() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Go on."), ev.ResponseCreated("r1"))
    stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE), ev.TextDelta("r1", 0, 0, "Well"))
    orders = stage.wait(22)
    assert only(orders, cmd.EndPlay) == [cmd.EndPlay("r1")]
    stage.tell(ev.PlayoutDrained("r1"))
    (response,) = stage.published(rec.Response)
    assert (response.event_type, response.reason, response.text) == ("failed", "timeout", "Well")


def test_a_stuck_speaker_does_not_hold_the_turn() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.wait(15)
    assert stage.published(rec.TurnRecord)[0].reason == "speaker_stuck"
    assert stage.shown.state == "idle"


def test_a_server_that_never_says_that_it_cancelled() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.server(ev.UserTranscript("u1", "One"), ev.ResponseCreated("r1"))
    stage.server(ev.SpeechStarted("u2"))
    stage.wait(2)
    stage.server(ev.SpeechStopped("u2"), ev.InputCommitted("u2"), ev.ResponseCreated("r2"))
    stage.server(ev.UserTranscript("u2", "two."), ev.TextDelta("r2", 0, 0, "Yes.", final=True))
    stage.server(ev.ResponseDone("r2", "completed"))
    stage.wait(25)
    endings = [(t.transcript, t.event_type) for t in stage.published(rec.TurnRecord)]
    assert endings == [("two.", "answered"), ("One", "interrupted")]
    assert stage.state.link.phase is Phase.READY


@pytest.mark.checklist("C53")
def test_c53_a_lost_connection_ends_every_turn_with_a_reason() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.answer()
    stage.speak("u2")
    stage.tell(ev.LinkDown(1, "gone", code=1011))
    stage.tell(ev.PlayoutDrained("r1"))
    turns = stage.published(rec.TurnRecord)
    assert len(turns) == 2
    assert {t.event_type for t in stage.published(rec.Transcript)} == {"missing"}
    assert stage.published(rec.Response)[0].event_type == "completed"
    assert stage.state.talk.turns == ()


def test_the_rest_of_an_utterance_is_not_sent_to_another_session() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    stage.tell(ev.LinkDown(1, "gone", code=1006))
    stage.tell(ev.Heard(VOICE, 200, stage.now))
    stage.wait(1)
    sent = stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated())
    assert not only(sent, cmd.AppendAudio)
    assert not only(stage.tell(ev.Heard(VOICE, 200, stage.now)), cmd.AppendAudio)
    stage.tell(ev.GateClosed(too_long=False), ev.GateOpened())
    assert only(stage.tell(ev.Heard(VOICE, 200, stage.now)), cmd.AppendAudio)


def test_the_late_end_of_an_answer_is_no_turn() -> None:
    stage = Stage().ready()
    stage.server(ev.ResponseDone("r-old", "cancelled", "turn_detected"))
    stage.wait(2)
    assert not stage.published(rec.TurnRecord)


def test_speech_that_a_dying_session_never_noticed_is_published_as_failed() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now), ev.GateClosed(too_long=False))
    stage.wait(8)
    stage.tell(ev.LinkDown(1, "no sign of life", None))
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "connection_lost")
    stage.wait(1)
    assert len(stage.published(rec.TurnRecord)) == 1


@pytest.mark.checklist("C53")
@pytest.mark.parametrize("announced", [0, 1])
def test_c53_two_sentences_that_waited_and_went_to_a_dying_session_are_two_failed_turns(
    announced: int,
) -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    for _ in range(2):
        stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
        stage.tell(ev.GateClosed(too_long=False))
        stage.now += 2
    stage.open()
    stage.server(*[ev.SpeechStarted("u1")][:announced])
    stage.lose()
    turns = stage.published(rec.TurnRecord)
    assert [t.reason for t in turns] == ["connection_lost"] * 2
    stage.reconnect()
    stage.lose()
    assert len(stage.published(rec.TurnRecord)) == 2


def test_a_cough_of_long_ago_is_not_blamed_on_a_lost_session() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now), ev.GateClosed(too_long=False))
    stage.wait(60)
    stage.tell(ev.LinkDown(1, "gone", code=1006))
    assert not stage.published(rec.TurnRecord)


def test_two_overdue_turns_restart_the_session_once() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.speak("u2")
    stage.server(ev.ResponseCreated("r2"))
    stage.now += 60
    orders = stage.tell(ev.Tick(stage.now))
    assert len(only(orders, cmd.Disconnect)) == 1
    assert stage.state.link.failures == 1


def test_a_server_that_invents_turns_is_bounded() -> None:
    stage = Stage().ready()
    for n in range(500):
        stage.server(ev.InputCommitted(f"u{n}"))
    assert len(stage.state.talk.turns) <= 20


def test_an_endless_text_is_bounded() -> None:
    stage = Stage().ready()
    stage.server(ev.ResponseCreated("r1"))
    for n in range(100):
        stage.server(ev.TextDelta("r1", n, 0, "x" * 10_000), ev.TextDelta("r1", 0, 0, "x" * 10_000))
    answer = stage.state.talk.turns[0].answer
    assert answer is not None
    assert len(answer.text) < 500_000


def test_a_server_that_counts_its_items_anew_in_each_session() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.answer("r1")
    stage.tell(ev.LinkDown(1, "gone", code=1006))  # the first answer still sounds
    stage.wait(1)
    stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated())
    stage.tell(ev.PlayoutDrained("r1"))
    stage.speak("u1")
    stage.server(ev.UserTranscript("u1", "Again."))
    stage.answer("r1")
    stage.tell(ev.PlayoutDrained("r1"))
    first, second = stage.published(rec.TurnRecord)
    assert (first.transcript, second.transcript) == (None, "Again.")
    assert second.event_type == "answered"


def test_an_idle_timeout_that_is_told_twice_is_one_turn() -> None:
    stage = Stage().ready()
    stage.server(ev.IdleTimeout("u1"), ev.IdleTimeout("u1"), ev.InputCommitted("u1"))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert not only(stage.wait(30), cmd.Disconnect)
    assert len(stage.published(rec.TurnRecord)) == 1
