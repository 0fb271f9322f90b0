"""The five problems that this project began with, as far as the session decides them.

Each is told as its user's situation; asserted is what the daemon orders, publishes and says.
"""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.link import Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import RATE, SAMPLE_BYTES, ms_of, silence
from satellite.model.session import Session

KIND = "invalid_request_error"
OTHER_TYPE = "Passing a realtime session update event to a transcription session is not allowed."


def to_server(orders: list[cmd.Command]) -> list[cmd.Command]:
    return [order for order in orders if isinstance(order, cmd.LinkCommand)]


def problem(stage: Stage) -> rec.Problem:
    (found,) = stage.shown.problems
    return found


# --- 1: "Unable to update session (transcription prompt)" -----------------------------------------


def test_1_the_prompt_of_the_transcription_changes_in_a_conversation_that_goes_on() -> None:
    """A user wants French room names understood, and not to lose the assistant for it."""
    stage = Stage(settings(session=Session(transcription_model="gpt-4o-transcribe"))).ready()
    stage.turn(1, "Allume le salon.")
    orders = stage.change(transcription_prompt="Expect: salon, cuisine.", language="fr")
    (order,) = to_server(orders)
    assert isinstance(order, cmd.Configure)
    assert order.since is not None
    assert order.session.kind == order.since.kind == "realtime"
    assert order.session.voice == order.since.voice  # it was heard: saying it again is refused
    stage.server(ev.SessionUpdated())
    stage.turn(2, "Et la cuisine.")
    second = stage.published(rec.TurnRecord)[1]
    assert (second.event_type, second.transcript) == ("answered", "Et la cuisine.")
    assert stage.published(rec.Transcript)[1].language == "fr"
    assert stage.state.link.number == 1
    assert not stage.shown.problems


def test_1_an_address_that_opens_the_other_session_is_named_before_anything_is_sent() -> None:
    """The advice of that thread, intent=transcription, gives a session that answers nothing."""
    stage = Stage().start()
    stage.tell(ev.MicReady(), ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert not to_server(stage.server(ev.SessionCreated("transcription", None)))
    assert (
        problem(stage).detail == 'the server opened a "transcription" session, expected "realtime"'
    )
    assert "remove intent=transcription" in problem(stage).fix
    assert stage.shown.state == "offline"


def test_1_a_key_that_is_refused_is_shown_in_the_servers_words_and_the_rest_goes_on() -> None:
    stage = Stage().ready()
    stage.change(transcription_prompt="salon")
    words = "Unknown parameter: 'session.turn_detection.create_response'."
    stage.server(ev.ServerError(KIND, "unknown_parameter", words, "session.x", "configure-1-1"))
    assert problem(stage).code == "setting_refused"
    assert words in problem(stage).detail
    assert "salon" not in problem(stage).detail
    stage.turn()
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"


# --- 2: "Recording is not transcribed" ------------------------------------------------------------


def test_2_a_recording_goes_the_way_that_is_transcribed() -> None:
    """Only what was appended and committed is; no order puts sound into an item."""
    stage = Stage(settings(recording=True)).ready()
    orders = stage.speak()
    assert {type(o) for o in to_server(orders)} == {cmd.AppendAudio}
    stage.server(ev.UserTranscript("u1", "What was recorded."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"), ev.RecordingEnded())
    assert stage.published(rec.Transcript)[0].text == "What was recorded."
    assert "nothing more is heard" in problem(stage).detail


@pytest.mark.checklist("C42")
def test_2_a_transcript_that_never_comes_is_said_to_be_missing() -> None:
    """``transcript: null`` and ``status: completed`` hid it from that user."""
    stage = Stage().ready()
    stage.speak()
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    stage.wait(11)
    (transcript,) = stage.published(rec.Transcript)
    assert (transcript.event_type, transcript.reason) == ("missing", "timeout")
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.transcript, turn.response) == ("answered", None, "All done.")


def test_2_sound_of_another_rate_is_noticed_by_its_speed() -> None:
    """44,100 samples a second, taken for 24,000: two seconds are heard as 3.7."""
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    piece = bytes(44_100 // 10 * SAMPLE_BYTES)
    for _ in range(40):
        stage.now += 0.1
        stage.tell(ev.Heard(piece, 100, stage.now))
    stage.tell(ev.GateClosed(too_long=False))
    assert problem(stage).code == "mic_rate"
    assert problem(stage).detail == "the microphone gives 1.83 seconds of sound in a second"
    assert "sample rate" in problem(stage).fix


# --- 3: "Agents SDK in transcription mode" --------------------------------------------------------


def test_3_a_session_that_only_writes_down_is_told_nothing_but_its_own_settings() -> None:
    """An SDK sent an update of the other type, and of tracing, without being asked."""
    session = Session(kind="transcription")
    stage = Stage(settings(session=session)).start()
    assert not to_server(stage.orders)  # the first frame is chosen when the type is known
    orders = stage.server(ev.SessionCreated("transcription", None))
    assert to_server(orders) == [cmd.Configure("configure-1", session)]
    stage.server(ev.SessionUpdated())
    stage.speak()
    stage.server(ev.UserTranscript("u1", "A note."))
    stage.wait(60)
    sent = [o for o in to_server(stage.orders) if not isinstance(o, cmd.AppendAudio)]
    assert sent == [cmd.Configure("configure-1", session)]
    assert stage.published(rec.TurnRecord)[0].event_type == "transcribed"


@pytest.mark.checklist("C22")
@pytest.mark.parametrize("event_id", ["configure-1", None])
def test_3_an_update_of_the_other_type_is_not_streamed_over(event_id: str | None) -> None:
    stage = Stage(settings(session=Session(kind="transcription"))).start()
    stage.tell(ev.MicReady(), ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SessionCreated("transcription", None))
    orders = stage.server(ev.ServerError(KIND, "invalid_parameter", OTHER_TYPE, "", event_id))
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(1)]
    assert not only(stage.orders, cmd.AppendAudio)
    assert OTHER_TYPE in problem(stage).detail
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "session_refused")


# --- 4: "No transcription, no further events" -----------------------------------------------------


@pytest.mark.checklist("C30", "C31")
def test_4_a_server_that_hears_no_end_is_given_silence_then_a_commit_then_asked() -> None:
    """The file had no tail: speech_started came, and nothing after it, for ever."""
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    stage.tell(ev.GateClosed(too_long=False))
    orders = to_server(stage.wait(4))
    assert [type(o) for o in orders] == [cmd.AppendAudio, cmd.CommitInput]
    assert isinstance(orders[0], cmd.AppendAudio)
    assert ms_of(len(orders[0].pcm)) >= 500 + 132
    stage.server(ev.InputCommitted("u1"), ev.UserTranscript("u1", "At last."))
    assert to_server(stage.wait(1)) == [cmd.CreateResponse()]  # a commit alone makes no answer
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"


@pytest.mark.checklist("C37")
def test_4_a_commit_that_the_server_was_faster_than_is_no_error() -> None:
    """A second user read "buffer is empty" as the fault; the turn was committed already."""
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    stage.tell(ev.GateClosed(too_long=False))
    stage.wait(4)
    stage.server(ev.SpeechStopped("u1"), ev.InputCommitted("u1"))
    code = "input_audio_buffer_commit_empty"
    stage.server(ev.ServerError(KIND, code, "the buffer is empty"))
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert not stage.shown.problems
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"


@pytest.mark.checklist("C22")
def test_4_one_unknown_key_discards_the_update_and_that_is_not_overlooked() -> None:
    """``input_audio_transcription.enabled``: everything else in that update was lost too."""
    stage = Stage().start()
    stage.tell(ev.MicReady())
    stage.server(ev.SessionCreated("realtime", None))
    words = "Unknown parameter: 'session.input_audio_transcription.enabled'."
    param = "session.input_audio_transcription.enabled"
    stage.server(ev.ServerError(KIND, "unknown_parameter", words, param, "configure-1"))
    assert words in problem(stage).detail
    assert f"({param})" in problem(stage).detail
    assert stage.shown.state == "offline"
    assert stage.state.link.phase is Phase.DOWN


def test_4_a_server_that_takes_our_sound_for_another_rate_is_named() -> None:
    stage = Stage().ready()
    for n in range(6):
        stage.tell(ev.GateOpened(), ev.Heard(silence(2000), 1500, stage.now))
        end_ms = round(stage.state.talk.clock.sent_ms * 1.5)  # as if it were 16 kHz
        stage.server(ev.SpeechStarted(f"u{n}"), ev.SpeechStopped(f"u{n}", end_ms))
        stage.server(ev.InputCommitted(f"u{n}"), ev.UserTranscript(f"u{n}", "?"))
        stage.tell(ev.GateClosed(too_long=False))
        stage.answer(f"r{n}", f"a{n}")
        stage.tell(ev.PlayoutDrained(f"r{n}"))
        stage.wait(1)
    assert problem(stage).code == "session_rate"
    assert "1.50 seconds for each second" in problem(stage).detail


def test_4_many_errors_are_not_only_printed() -> None:
    stage = Stage().ready()
    for _ in range(5):
        stage.server(ev.ServerError(KIND, "invalid_type", "content must be an array"))
    assert "5 errors in a minute, the last invalid_type" in problem(stage).detail


# --- 5: questions about "session.updated" ---------------------------------------------------------


@pytest.mark.checklist("C4", "C20")
def test_5_created_then_our_update_then_updated_then_sound() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady(), ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert not to_server(stage.orders)
    assert [type(o) for o in to_server(stage.server(ev.SessionCreated("realtime", None)))] == [
        cmd.Configure
    ]
    assert not to_server(stage.tell(ev.Heard(VOICE, 200, stage.now)))
    sent = to_server(stage.server(ev.SessionUpdated()))
    assert sent == [cmd.AppendAudio(VOICE), cmd.AppendAudio(VOICE)]


def test_5_an_append_is_answered_by_nothing_and_nothing_waits_for_it() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now), ev.GateClosed(too_long=False))
    stage.wait(60)
    assert not stage.published(rec.TurnRecord)
    assert not stage.shown.problems
    assert stage.state.link.phase is Phase.READY


@pytest.mark.checklist("C34")
@pytest.mark.parametrize(("ms", "order"), [(90, cmd.ClearInput()), (110, cmd.CommitInput())])
def test_5_a_commit_needs_a_tenth_of_a_second(ms: int, order: cmd.Command) -> None:
    stage = Stage(settings(session=Session(manual=True))).ready()
    stage.tell(ev.GateOpened(), ev.Heard(bytes(RATE * ms // 1000 * SAMPLE_BYTES), ms, stage.now))
    assert to_server(stage.tell(ev.GateClosed(too_long=False))) == [order]


def test_5_a_commit_makes_no_answer_by_itself() -> None:
    stage = Stage(settings(session=Session(manual=True))).ready()
    stage.hold_to_speak()
    assert to_server(stage.server(ev.InputCommitted("u1"))) == [cmd.CreateResponse()]


def test_5_noise_is_no_error_and_what_is_made_of_it_is_doubted() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(silence(1000), 0, None))
    stage.server(ev.SpeechStarted("u1", 0), ev.SpeechStopped("u1", 1000), ev.InputCommitted("u1"))
    stage.server(ev.UserTranscript("u1", "Thank you."))
    (transcript,) = stage.published(rec.Transcript)
    assert (transcript.suspect, transcript.reason) == (True, "no_speech")
    assert not stage.shown.problems


def test_5_what_the_server_made_of_the_settings_is_shown() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    differs = ("audio.input.turn_detection.silence_duration_ms asked 500, got 200",)
    stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated(differs))
    assert problem(stage).code == "session_differs"
    assert "asked 500, got 200" in problem(stage).detail


def test_5_rate_limits_are_information() -> None:
    stage = Stage().ready()
    before = len(stage.orders)
    stage.server(ev.RateLimits(60.0))
    assert len(stage.orders) == before
    stage.turn()
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"
