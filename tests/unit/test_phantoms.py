"""Transcripts of what nobody said are marked, or dropped with their answer."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.clock import Clock
from satellite.logic.phantom import doubt
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import silence
from satellite.model.session import Session


def heard(stage: Stage, speech_ms: int, item: str = "u1") -> None:
    """A second of sound with so much speech in it becomes an item of the server."""
    stage.tell(ev.GateOpened())
    start_ms = round(stage.state.talk.clock.sent_ms)
    stage.now += 0.5
    stage.tell(ev.Heard(silence(500), speech_ms, stage.now if speech_ms else None))
    stage.now += 0.5
    stage.tell(ev.Heard(silence(500), 0, None), ev.GateClosed(too_long=False))
    stage.server(ev.SpeechStarted(item, start_ms), ev.SpeechStopped(item, start_ms + 1000))
    stage.server(ev.InputCommitted(item))


def transcript(stage: Stage) -> rec.Transcript:
    return stage.published(rec.Transcript)[-1]


@pytest.mark.parametrize(
    ("text", "speech_ms", "reason"),
    [
        ("Turn on the light.", 400, None),
        ("Turn on the light.", 60, "no_speech"),
        ("Turn on the light.", 0, "no_speech"),
        ("Thank you.", 200, "boilerplate"),
        ("Thank you.", 400, None),
        ("Thanks for watching!", 500, "boilerplate"),
        ("Untertitel der Amara.org-Community", 500, "boilerplate"),
        ("Sous-titrage ST' 501", 500, "boilerplate"),
        ("...", 500, "no_words"),
        ("♪♪", 500, "no_words"),
        ("Да.", 400, None),
        ("你好", 400, None),
        ("Stop", 100, None),
    ],
)
def test_what_is_doubted_and_why(text: str, speech_ms: int, reason: str | None) -> None:
    stage = Stage().ready()
    heard(stage, speech_ms)
    stage.server(ev.UserTranscript("u1", text))
    assert transcript(stage).text == text
    assert (transcript(stage).suspect, transcript(stage).reason) == (reason is not None, reason)


def test_where_nobody_remembers_the_sound_only_the_words_are_judged() -> None:
    assert doubt("Turn it on.", None, None, Clock()) is None
    assert doubt("Turn it on.", 0, 1000, Clock()) is None
    assert doubt("Thank you.", 100, 50, Clock()) is None
    assert doubt("please subscribe to us", None, None, Clock()) == "boilerplate"


def test_a_marked_phantom_is_answered_and_published_as_suspect() -> None:
    stage = Stage().ready()
    heard(stage, 0)
    stage.server(ev.UserTranscript("u1", "Turn it off."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.suspect, turn.transcript) == ("answered", True, "Turn it off.")
    assert len(stage.published(rec.Response)) == 1


def dropping(**changes: object) -> Stage:
    return Stage(settings(drop_phantoms=True, **changes)).ready()  # type: ignore[arg-type]


def is_dropped(stage: Stage) -> None:
    assert not stage.published(rec.Transcript)
    assert not stage.published(rec.Response)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.suspect, turn.reason) == (True, "phantom")
    assert (turn.transcript, turn.response) == (None, None)
    assert stage.state.talk.turns == ()


def test_a_dropped_phantom_stops_its_answer() -> None:
    stage = dropping()
    heard(stage, 0)
    stage.server(ev.ResponseCreated("r1"), ev.TextDelta("r1", 0, 0, "It is"))
    stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    orders = stage.server(ev.UserTranscript("u1", "Turn it off."))
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("r1")]
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
    assert not only(stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE)), cmd.Play)
    stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 100))
    stage.server(ev.ResponseDone("r1", "cancelled", "client_cancelled"))
    is_dropped(stage)


def test_an_answer_that_begins_after_its_phantom_was_dropped_is_never_heard() -> None:
    stage = dropping()
    heard(stage, 0)
    stage.server(ev.UserTranscript("u1", "Turn it off."))
    orders = stage.server(ev.ResponseCreated("r1"))
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("r1")]
    assert not only(stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE)), cmd.Play)
    call = ev.ToolCall("call1", "unlock_door", "{}")
    orders = stage.server(ev.ResponseDone("r1", "completed", None, None, (call,)))
    assert not only(orders, cmd.RunTool)
    is_dropped(stage)


def test_a_server_that_does_not_answer_a_dropped_phantom_does_its_part() -> None:
    stage = dropping()
    heard(stage, 0)
    stage.server(ev.UserTranscript("u1", "Turn it off."))
    assert not only(stage.wait(15), cmd.Disconnect)
    is_dropped(stage)


def test_where_we_ask_for_answers_none_is_asked_for_a_dropped_phantom() -> None:
    stage = dropping(session=Session(manual=True))
    stage.hold_to_speak()
    stage.server(ev.UserTranscript("none", "?"))
    stage.server(ev.InputCommitted("u1"))
    stage.server(ev.ResponseCreated("r1"), ev.TextDelta("r1", 0, 0, "You are"))
    orders = stage.server(ev.UserTranscript("u1", "Thanks for watching."))
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("r1")]
    stage.server(ev.ResponseDone("r1", "cancelled", "client_cancelled"))
    is_dropped(stage)


def test_an_answer_that_was_heard_before_the_phantom_was_known_is_over() -> None:
    stage = dropping()
    heard(stage, 0)
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert not only(stage.server(ev.UserTranscript("u1", "Turn it off.")), cmd.CancelResponse)
    assert not stage.published(rec.Transcript)
    assert stage.published(rec.TurnRecord)[0].transcript is None


def test_a_phantom_is_dropped_where_nothing_is_answered() -> None:
    stage = dropping(session=Session(kind="transcription"))
    heard(stage, 0)
    stage.server(ev.UserTranscript("u1", "Turn it off."))
    is_dropped(stage)


@pytest.mark.checklist("C52")
@pytest.mark.parametrize("late", [False, True])
def test_c52_an_item_made_of_silence_is_never_a_command(late: bool) -> None:
    stage = Stage().ready()
    orders = stage.server(ev.IdleTimeout("u9"))
    assert only(orders, cmd.DeleteItem) == [cmd.DeleteItem("u9")]
    said = ev.UserTranscript("u9", "Turn off the light.")
    stage.server(ev.InputCommitted("u9"), *([] if late else [said]))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    stage.server(said, ev.InputCommitted("u9"))
    stage.wait(20)
    assert not stage.published(rec.Transcript)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.transcript, turn.suspect) == (None, True)
    assert stage.state.link.number == 1
