"""Sessions that only write down: every turn ends transcribed, or failed with a reason."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.session import Session


def writing(*, manual: bool = False) -> Stage:
    session = Session(kind="transcription", manual=manual)
    return Stage(settings(session=session)).ready()


def ending(stage: Stage) -> tuple[str, str | None, str | None]:
    (turn,) = stage.published(rec.TurnRecord)
    return turn.event_type, turn.transcript, turn.reason


@pytest.mark.parametrize(("text", "kind"), [("A note.", "final"), ("", "empty")])
def test_a_transcript_ends_the_turn(text: str, kind: str) -> None:
    stage = writing()
    stage.speak()
    stage.server(ev.UserTranscript("u1", text))
    assert ending(stage) == ("transcribed", text, None)
    assert [t.event_type for t in stage.published(rec.Transcript)] == [kind]
    assert stage.state.talk.turns == ()
    stage.wait(30)
    assert stage.state.link.number == 1


def test_where_we_end_the_turns_nothing_is_asked_for() -> None:
    stage = writing(manual=True)
    assert only(stage.hold_to_speak(), cmd.CommitInput) == [cmd.CommitInput()]
    assert not only(stage.server(ev.InputCommitted("u1")), cmd.CreateResponse)
    stage.server(ev.UserTranscript("u1", "A note."))
    assert ending(stage) == ("transcribed", "A note.", None)


def test_a_recogniser_that_gives_up_is_the_reason() -> None:
    stage = writing()
    stage.speak()
    stage.server(ev.TranscriptFailed("u1", "audio_unintelligible"))
    assert ending(stage) == ("failed", "", "audio_unintelligible")


@pytest.mark.checklist("C31")
@pytest.mark.parametrize("manual", [False, True])
@pytest.mark.parametrize("committed", [False, True])
def test_c31_a_server_that_gives_no_transcript_is_left(manual: bool, committed: bool) -> None:
    stage = writing(manual=manual)
    if manual:
        stage.hold_to_speak()
        stage.server(*([ev.InputCommitted("u1")] if committed else []))
    else:
        stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
        stage.server(ev.SpeechStarted("u1"), *([ev.SpeechStopped("u1")] if committed else []))
        stage.tell(ev.GateClosed(too_long=False))
    stage.wait(20)
    assert cmd.Connect(2) in stage.orders
    kind, _, reason = ending(stage)
    assert kind == "failed"
    assert reason in {"timeout", "connection_lost"}


@pytest.mark.checklist("C53")
@pytest.mark.parametrize("heard", [False, True])
def test_c53_a_turn_that_loses_its_session_says_so(heard: bool) -> None:
    stage = writing()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    if heard:
        stage.server(ev.SpeechStarted("u1"))
    stage.lose()
    assert ending(stage) == ("failed", None, "connection_lost")


def test_a_turn_that_the_server_forgot_says_so() -> None:
    stage = writing()
    stage.server(ev.SpeechStarted("u1"), ev.SpeechStarted("u2"))
    assert ending(stage) == ("failed", None, "superseded")


@pytest.mark.checklist("C43")
def test_c43_transcripts_in_any_order() -> None:
    stage = writing()
    stage.speak("u1")
    stage.speak("u2")
    stage.server(ev.UserTranscript("u2", "two"), ev.UserTranscript("u1", "one"))
    turns = [(t.item_id, t.transcript, t.turn_id) for t in stage.published(rec.TurnRecord)]
    assert turns == [("u2", "two", "boot-t2"), ("u1", "one", "boot-t1")]


@pytest.mark.checklist("C15")
@pytest.mark.parametrize(
    ("wanted", "opened", "word"),
    [("transcription", "realtime", "client_secret"), ("realtime", "transcription", "intent")],
)
def test_c15_a_session_of_the_other_type_gets_nothing_and_is_explained(
    wanted: str, opened: str, word: str
) -> None:
    stage = Stage(settings(session=Session(kind=wanted))).start()  # type: ignore[arg-type]
    stage.tell(ev.MicReady(), ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    orders = stage.server(ev.SessionCreated(opened, None))
    assert not [o for o in orders if isinstance(o, cmd.LinkCommand)]
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(1)]
    (problem,) = stage.shown.problems
    assert f'"{opened}" session, expected "{wanted}"' in problem.detail
    assert word in problem.fix
    assert not only(stage.wait(800), cmd.Connect)


def test_a_server_that_does_not_say_its_type_is_believed() -> None:
    stage = Stage(settings(session=Session(kind="transcription"))).start()
    assert only(stage.server(ev.SessionCreated("", None)), cmd.Configure)


def test_no_word_of_what_was_said_is_in_any_repr() -> None:
    stage = writing()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "canary"))
    assert "canary" not in repr(stage.orders) + repr(stage.state)
