"""Whole conversations through the one step: what is ordered, and what is published."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.link import Phase
from satellite.logic.turn import LONGEST_TEXT
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import silence


def test_a_turn_is_published_as_transcript_response_and_turn() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", " Turn it on. "))
    stage.now += 0.6
    stage.answer()
    stage.tell(ev.PlayoutStarted("r1", stage.now), ev.PlayoutDrained("r1"))
    (transcript,) = stage.published(rec.Transcript)
    (response,) = stage.published(rec.Response)
    (turn,) = stage.published(rec.TurnRecord)
    assert (transcript.event_type, transcript.text, transcript.item_id) == (
        "final",
        "Turn it on.",
        "u1",
    )
    assert (response.event_type, response.text, response.audio_ms) == (
        "completed",
        "All done.",
        400,
    )
    assert response.played_ms == 400
    assert not response.interrupted
    assert transcript.turn_id == response.turn_id == turn.turn_id
    assert [transcript.seq, response.seq, turn.seq] == [1, 2, 3]
    assert len({transcript.id, response.id, turn.id}) == 3
    assert turn.event_type == "answered"
    assert turn.speech_end_to_stop_ms == 500
    assert turn.speech_end_to_audio_ms == 1100
    assert turn.sent_s == pytest.approx(0.28)
    assert turn.speech_s == pytest.approx(0.22)
    assert turn.tokens == rec.Tokens(input=10, output=20, cached=0, input_audio=0, output_audio=0)


def test_the_state_follows_the_conversation() -> None:
    stage = Stage().start()
    assert stage.shown.state == "starting"
    stage.tell(ev.MicReady())
    assert stage.shown.state == "connecting"
    stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated())
    assert stage.shown.state == "idle"
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert stage.shown.state == "listening"
    stage.server(ev.SpeechStarted("u1"), ev.SpeechStopped("u1"))
    stage.tell(ev.GateClosed(too_long=False))
    assert stage.shown.state == "thinking"
    stage.answer()
    assert stage.shown.state == "speaking"
    stage.tell(ev.PlayoutDrained("r1"))
    stage.server(ev.UserTranscript("u1", "Hi."))
    assert stage.shown.state == "speaking", "the room still rings: nothing is heard yet"
    stage.wait(0.5)
    assert stage.shown.state == "idle"


@pytest.mark.checklist("C41")
def test_c41_a_transcript_joins_its_turn_by_item_id_after_the_answer() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert not stage.published(rec.TurnRecord)
    stage.server(ev.UserTranscript("u1", "Late."))
    assert stage.published(rec.TurnRecord)[0].transcript == "Late."


@pytest.mark.checklist("C43")
def test_c43_swapped_transcripts_reach_the_right_turns() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.speak("u2")
    stage.server(ev.UserTranscript("u2", "second"), ev.UserTranscript("u1", "first"))
    second, first = stage.published(rec.Transcript)
    assert (first.item_id, first.text) == ("u1", "first")
    assert (second.item_id, second.text) == ("u2", "second")
    assert first.turn_id != second.turn_id


@pytest.mark.checklist("C42")
def test_c42_failed_empty_and_missing_are_three_results_each_once() -> None:
    stage = Stage().ready()
    for item in ("u1", "u2", "u3"):
        stage.speak(item)
    stage.server(ev.TranscriptFailed("u1", "audio_unintelligible"), ev.UserTranscript("u2", " "))
    stage.wait(12)
    stage.server(ev.UserTranscript("u3", "too late"), ev.UserTranscript("u2", "again"))
    outcomes = {
        t.item_id: (t.event_type, t.text, t.reason) for t in stage.published(rec.Transcript)
    }
    assert outcomes == {
        "u1": ("failed", "", "audio_unintelligible"),
        "u2": ("empty", "", None),
        "u3": ("missing", "", "timeout"),
    }
    assert len(stage.published(rec.Transcript)) == 3


def test_the_gate_is_held_while_the_server_hears_a_turn() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert only(stage.server(ev.SpeechStarted("u1")), cmd.HoldGate) == [cmd.HoldGate(True)]
    assert only(stage.server(ev.SpeechStopped("u1")), cmd.HoldGate) == [cmd.HoldGate(False)]


def test_a_cough_that_the_server_does_not_hear_changes_nothing() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.tell(ev.GateClosed(too_long=False))
    stage.wait(30)
    assert not stage.published(rec.TurnRecord)
    assert stage.shown.state == "idle"


def test_half_duplex_is_deaf_from_the_first_sound_until_the_room_is_quiet() -> None:
    stage = Stage().ready()
    stage.speak()
    assert cmd.ShutGate(True) in stage.answer()
    assert cmd.ShutGate(False) not in stage.tell(ev.PlayoutDrained("r1"))
    assert cmd.ShutGate(False) not in stage.wait(0.2, 0.1)
    assert cmd.ShutGate(False) in stage.wait(0.2, 0.1)


def test_full_duplex_never_shuts_the_gate() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    stage.speak()
    stage.answer()
    assert not only(stage.orders, cmd.ShutGate)


def test_a_user_who_goes_on_as_the_answer_begins_is_heard_again_at_once() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.answer()
    assert not stage.state.talk.gate_open
    stage.server(ev.SpeechStarted("u2"))
    assert cmd.ShutGate(False) in stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 0))


def test_a_turn_that_the_server_forgot_ends_when_the_next_begins() -> None:
    stage = Stage().ready()
    stage.server(ev.SpeechStarted("u1"), ev.SpeechStarted("u2"))
    (transcript,) = stage.published(rec.Transcript)
    assert (transcript.item_id, transcript.event_type) == ("u1", "missing")
    assert stage.published(rec.TurnRecord)[0].event_type == "unanswered"


def test_barge_in_stops_the_speaker_and_tells_the_server_what_was_heard() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Tell me a story."))
    stage.answer()
    stage.tell(ev.PlayoutStarted("r1", stage.now))
    orders = stage.server(ev.SpeechStarted("u2"))
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
    orders = stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 150))
    assert only(orders, cmd.TruncateItem) == [cmd.TruncateItem("a1", 0, 150)]
    (response,) = stage.published(rec.Response)
    assert (response.event_type, response.interrupted) == ("cancelled", True)
    assert (response.audio_ms, response.played_ms) == (400, 150)
    assert stage.published(rec.TurnRecord)[0].event_type == "interrupted"


@pytest.mark.checklist("C47")
@pytest.mark.parametrize(
    ("played_ms", "expected"),
    [
        (0, cmd.DeleteItem("a1")),  # C47: nothing heard
        (150, cmd.TruncateItem("a1", 0, 150)),
        (9999, cmd.TruncateItem("a1", 0, 400)),  # C47: never more than was received
    ],
)
def test_c47_truncation_is_clamped_to_what_was_received(
    played_ms: int, expected: cmd.Command
) -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    stage.speak()
    stage.answer()
    stage.server(ev.SpeechStarted("u2"))
    orders = stage.tell(ev.PlayoutFlushed("r1", "a1", 0, played_ms))
    assert [o for o in orders if isinstance(o, cmd.TruncateItem | cmd.DeleteItem)] == [expected]


@pytest.mark.checklist("C51")
def test_c51_a_failed_response_is_published_with_its_reason() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.ResponseCreated("r1"), ev.ResponseDone("r1", "failed", "content_filter"))
    (response,) = stage.published(rec.Response)
    assert (response.event_type, response.reason) == ("failed", "content_filter")


def test_speech_that_goes_on_supersedes_the_turn_before() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.speak("u2")
    stage.server(ev.UserTranscript("u1", "One"), ev.UserTranscript("u2", "two."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    first, second = stage.published(rec.TurnRecord)
    assert (first.event_type, first.reason) == ("unanswered", "superseded")
    assert (second.event_type, second.transcript) == ("answered", "two.")


@pytest.mark.checklist("C40")
def test_c40_a_server_that_forgets_speech_started_or_says_things_twice() -> None:
    stage = Stage().ready()
    stage.server(ev.InputCommitted("u1"), ev.SpeechStopped("u1"), ev.SpeechStopped("u1"))
    stage.server(ev.InputCommitted("u1"), ev.UserTranscript("u1", "Hm."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert len(stage.published(rec.TurnRecord)) == 1


def test_a_recording_waits_while_the_satellite_is_busy() -> None:
    stage = Stage(settings(recording=True)).ready()
    stage.speak()
    assert only(stage.orders, cmd.PauseRecording) == [cmd.PauseRecording(True)]
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    assert not only(stage.tell(ev.PlayoutDrained("r1")), cmd.PauseRecording)
    assert cmd.PauseRecording(False) in stage.wait(0.4, 0.1)


def test_a_text_answer_needs_no_speaker() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(
        ev.UserTranscript("u1", "Hi."),
        ev.ResponseCreated("r1"),
        ev.TextDelta("r1", 0, 0, "Hello.", final=True),
        ev.ResponseDone("r1", "completed"),
    )
    assert stage.published(rec.TurnRecord)[0].response == "Hello."
    assert not only(stage.orders, cmd.ShutGate)


def test_a_broken_speaker_is_a_problem_and_the_text_is_published() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.answer()
    stage.tell(ev.SpeakerLost("no speaker found"), ev.PlayoutDrained("r1", heard=False))
    (response,) = stage.published(rec.Response)
    assert (response.text, response.audio_ms, response.played_ms) == ("All done.", 400, 0)
    assert [p.code for p in stage.shown.problems] == ["speaker_missing"]
    stage.tell(ev.SpeakerReady())
    assert not stage.shown.problems


def test_an_endless_answer_is_cut() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.ResponseCreated("r1"))
    orders: list[cmd.Command] = []
    for _ in range(61):
        orders += stage.server(ev.AudioDelta("r1", "a1", 0, 0, silence(2000)))
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("r1")]
    assert only(orders, cmd.EndPlay) == [cmd.EndPlay("r1")]
    assert not only(stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE)), cmd.Play)


def test_no_word_that_was_said_is_in_any_repr() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "canary-user"))
    stage.server(ev.ResponseCreated("r1"), ev.TextDelta("r1", 0, 0, "canary-answer", final=True))
    assert "canary" not in repr(stage.state)
    stage.server(ev.ResponseDone("r1", "completed"))
    assert "canary" not in repr(stage.orders)
    assert stage.state.link.phase is Phase.READY


def test_a_gate_that_opened_before_it_heard_that_it_is_shut() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.GateOpened())  # crossed with ShutGate; the gate has forgotten it since
    stage.tell(ev.PlayoutDrained("r1"))
    stage.wait(2)
    assert stage.shown.state == "idle"
    assert only(stage.wait(400), cmd.Disconnect)


@pytest.mark.checklist("C36")
def test_c36_what_has_begun_when_the_answer_begins_is_followed_by_silence() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    (quiet,) = only(stage.answer(), cmd.AppendAudio)
    assert quiet.pcm == silence(300)


def test_a_hang_over_that_lasts_into_the_answer_costs_nothing() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"), ev.SpeechStopped("u1"), ev.InputCommitted("u1"))
    stage.tell(ev.Heard(VOICE, 0, None))
    assert not only(stage.answer(), cmd.AppendAudio)


def test_an_orderly_end_says_how_every_turn_ended() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.answer()
    stage.tell(ev.PlayoutStarted("r1", stage.now))
    stage.now += 0.1
    orders = stage.tell(ev.StopRequested(15))
    assert isinstance(orders[-1], cmd.Exit)
    (response,) = stage.published(rec.Response)
    assert (response.event_type, response.reason, response.played_ms) == (
        "cancelled",
        "stopped",
        100,
    )
    assert stage.published(rec.TurnRecord)[0].reason == "stopped"
    assert stage.published(rec.Transcript)[0].event_type == "missing"
    assert stage.shown.state == "offline"


def test_only_what_went_out_is_counted_as_sent() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady(), ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.tell(ev.LinkDown(1, "closed", code=3000, reason="invalid_request_error"))
    assert stage.published(rec.TurnRecord)[0].sent_s == 0


def test_the_end_of_speech_is_not_that_of_a_user_who_goes_on() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    stage.now += 0.6
    stage.tell(ev.Heard(VOICE, 20, stage.now))  # the next sentence, as the server ends the first
    stage.server(ev.SpeechStopped("u1"), ev.InputCommitted("u1"), ev.UserTranscript("u1", "One."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert stage.published(rec.TurnRecord)[0].speech_end_to_stop_ms == 600


@pytest.mark.checklist("C41")
@pytest.mark.parametrize("place", range(5))
def test_c41_a_transcript_joins_its_turn_wherever_it_comes(place: int) -> None:
    """Before the answer, within it, after it, and after it was played."""
    stage = Stage().ready()
    stage.speak()
    steps: list[ev.Event] = [
        ev.FromServer(1, ev.ResponseCreated("r1")),
        ev.FromServer(1, ev.AudioDelta("r1", "a1", 0, 0, VOICE)),
        ev.FromServer(1, ev.ResponseDone("r1", "completed")),
        ev.PlayoutDrained("r1"),
    ]
    steps.insert(place, ev.FromServer(1, ev.UserTranscript("u1", "Hi.")))
    stage.tell(*steps)
    (turn,) = stage.published(rec.TurnRecord)
    (transcript,) = stage.published(rec.Transcript)
    assert (turn.item_id, turn.transcript, turn.event_type) == ("u1", "Hi.", "answered")
    assert (transcript.turn_id, transcript.item_id) == (turn.turn_id, "u1")


def test_a_transcript_is_no_longer_than_words_can_be() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.server(ev.UserTranscript("u1", "word " * 1_000_000))
    (told,) = stage.published(rec.Transcript)
    assert len(told.text) == LONGEST_TEXT
