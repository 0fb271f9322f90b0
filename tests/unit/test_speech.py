"""What is said and asked over MQTT: one after the other, each with exactly one end."""

from __future__ import annotations

import pytest
from speech_stage import TEXT, ask, ends, say, spoken, to_server, why
from stage import VOICE, Stage, only, settings

from satellite.logic import speech
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.models import Price
from satellite.model.requests import Request, Say
from satellite.model.session import Session


def test_a_text_is_spoken_beside_the_conversation_and_is_a_turn() -> None:
    stage = Stage(settings(price=Price(1, 1, 1, 1, 1, 1))).ready()
    (order,) = to_server(say(stage))
    assert order == cmd.SpeakText("boot-t1", TEXT)
    assert ends(stage) == []
    orders = spoken(stage, 1)
    assert only(orders, cmd.Play)
    assert stage.shown.state == "speaking"
    stage.tell(ev.PlayoutStarted("s1", stage.now), ev.PlayoutDrained("s1"))
    assert ends(stage) == [("say", "done")]
    (response,), (turn,) = stage.published(rec.Response), stage.published(rec.TurnRecord)
    assert (response.text, response.event_type) == (TEXT, "completed")
    assert (turn.source, turn.event_type, turn.response) == ("say", "answered", TEXT)
    assert turn.transcript is None
    assert turn.cost_usd is not None
    assert not stage.published(rec.Transcript)
    stage.wait(1)
    assert stage.shown.state == "idle"


def test_nothing_of_it_is_told_to_the_next_session() -> None:
    stage = Stage().ready()
    say(stage)
    spoken(stage, 1)
    stage.tell(ev.PlayoutDrained("s1"))
    stage.lose()
    assert not only(stage.reconnect(), cmd.AddText)


def test_what_is_asked_is_the_users_word_and_remembered() -> None:
    stage = Stage().ready()
    assert to_server(ask(stage)) == [cmd.AddText("user", "Is it warm?"), cmd.CreateResponse()]
    stage.answer("r1", "a1")
    stage.tell(ev.PlayoutDrained("r1"))
    assert ends(stage) == [("ask", "done")]
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.source, turn.transcript, turn.response) == ("ask", "Is it warm?", "All done.")
    assert not stage.published(rec.Transcript)
    stage.wait(1)
    stage.lose()
    told = only(stage.reconnect(), cmd.AddText)
    assert told == [cmd.AddText("user", "Is it warm?"), cmd.AddText("assistant", "All done.")]


def test_a_text_may_be_told_without_an_answer() -> None:
    stage = Stage().ready()
    assert to_server(ask(stage, respond=False)) == [cmd.AddText("user", "Is it warm?")]
    assert ends(stage) == [("ask", "done")]
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("unanswered", "only_told")
    assert stage.shown.state == "idle"


@pytest.mark.checklist("C49")
def test_c49_one_after_the_other_and_never_two_at_once() -> None:
    stage = Stage().ready()
    say(stage, "One.")
    assert not to_server(ask(stage)) + to_server(say(stage, "Two."))
    spoken(stage, 1, "One.")
    assert not to_server(stage.wait(1))
    orders = to_server(stage.tell(ev.PlayoutDrained("s1")))
    assert orders == [cmd.AddText("user", "Is it warm?"), cmd.CreateResponse()]
    stage.answer("r1", "a1")
    assert to_server(stage.tell(ev.PlayoutDrained("r1"))) == [cmd.SpeakText("boot-t3", "Two.")]
    spoken(stage, 2, "Two.")
    stage.tell(ev.PlayoutDrained("s2"))
    assert ends(stage) == [("say", "done"), ("ask", "done"), ("say", "done")]


def test_five_wait_and_no_more() -> None:
    stage = Stage().ready()
    for n in range(1 + speech.MOST_WAITING):
        say(stage, f"Number {n}.")
    assert ends(stage) == []
    say(stage, "One too many.")
    assert "busy" in (why(stage).error or "")
    assert ends(stage) == [("say", "rejected")]


def test_it_waits_until_the_user_was_answered() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    assert not to_server(say(stage))
    stage.now += 1
    stage.tell(ev.GateClosed(too_long=False))
    stage.server(ev.SpeechStopped("u1"), ev.InputCommitted("u1"))
    assert not to_server(stage.wait(2))
    stage.answer("r1", "a1")
    assert to_server(stage.tell(ev.PlayoutDrained("r1"))) == [cmd.SpeakText("boot-t2", TEXT)]


def test_a_gate_that_noise_keeps_open_holds_it_up_for_a_moment_only() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 0, None))
    assert not to_server(say(stage))
    assert to_server(stage.wait(speech.LISTEN_S)) == [cmd.SpeakText("boot-t1", TEXT)]


def test_where_we_end_the_turns_an_open_gate_is_somebody_who_speaks() -> None:
    stage = Stage(settings(session=Session(manual=True))).ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert not to_server(say(stage)) + to_server(stage.wait(5))
    stage.tell(ev.GateClosed(too_long=False))
    stage.server(ev.InputCommitted("u1"), ev.UserTranscript("u1", "Hi."))
    stage.answer("r1", "a1")
    assert cmd.SpeakText("boot-t2", TEXT) in stage.tell(ev.PlayoutDrained("r1"))


def test_a_user_who_speaks_before_it_is_heard_goes_first_and_it_is_said_afterwards() -> None:
    stage = Stage().ready()
    say(stage)
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    orders = stage.server(ev.ResponseCreated("s1", "boot-t1"))
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("s1")]
    stage.server(ev.ResponseDone("s1", "cancelled", "client_cancelled"))
    assert ends(stage) == []
    stage.tell(ev.GateClosed(too_long=False))
    stage.server(ev.SpeechStopped("u1"), ev.InputCommitted("u1"), ev.UserTranscript("u1", "Hi."))
    stage.answer("r1", "a1")
    assert cmd.SpeakText("boot-t3", TEXT) in stage.tell(ev.PlayoutDrained("r1"))
    spoken(stage, 2)
    stage.tell(ev.PlayoutDrained("s2"))
    assert ends(stage) == [("say", "done")]


def test_with_a_headset_the_user_interrupts_it_and_the_server_is_told_by_us() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    say(stage)
    stage.server(ev.ResponseCreated("s1", "boot-t1"), ev.TextDelta("s1", 0, 0, "The door "))
    stage.server(ev.AudioDelta("s1", "i1", 0, 0, VOICE))
    stage.tell(ev.PlayoutStarted("s1", stage.now), ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    orders = stage.server(ev.SpeechStarted("u1"))
    assert cmd.CancelResponse("s1") in orders
    assert cmd.FlushPlayout("s1") in orders
    orders = stage.tell(ev.PlayoutFlushed("s1", "i1", 0, 100))
    assert not only(orders, cmd.TruncateItem) + only(orders, cmd.DeleteItem)  # it is in no history
    stage.server(ev.ResponseDone("s1", "cancelled", "client_cancelled"))
    assert ends(stage) == [("say", "cancelled")]
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.source, turn.event_type) == ("say", "interrupted")


def test_what_interrupts_cuts_an_answer_and_is_said_next() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Tell me a story."), ev.ResponseCreated("r1"))
    stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE), ev.TextDelta("r1", 0, 0, "Once "))
    say(stage, "Later.")
    orders = say(stage, interrupt=True)
    assert cmd.CancelResponse("r1") in orders
    assert cmd.FlushPlayout("r1") in orders
    orders = stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 50))
    orders += stage.server(ev.ResponseDone("r1", "cancelled", "client_cancelled"))
    assert only(orders, cmd.SpeakText) == [cmd.SpeakText("boot-t2", TEXT)]
    (response,) = stage.published(rec.Response)
    assert (response.event_type, response.reason) == ("cancelled", "overruled")


def test_its_volume_is_for_it_alone() -> None:
    stage = Stage().ready()
    stage.tell(ev.Asked(Request("say", Say(TEXT, volume=90))))
    assert {play.volume for play in only(spoken(stage, 1), cmd.Play)} == {90}
    stage.tell(ev.PlayoutDrained("s1"))
    stage.wait(1)
    assert {play.volume for play in only(stage.turn(), cmd.Play)} == {None}


# --- no session ----------------------------------------------------------------------------------


def test_it_opens_a_session_where_there_is_none() -> None:
    stage = Stage(settings(idle_close_s=5)).ready()
    stage.wait(6)
    assert stage.state.link.rested
    assert only(say(stage), cmd.Connect)
    assert cmd.SpeakText("boot-t1", TEXT) in stage.open()


def test_without_a_session_in_time_it_has_failed() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    say(stage)
    ask(stage)
    stage.wait(speech.SESSION_S)
    assert ends(stage) == []
    stage.wait(1)
    assert ends(stage) == [("say", "failed"), ("ask", "failed")]
    assert not to_server([o for o in stage.open() if not isinstance(o, cmd.Configure)])


def test_with_a_wrong_key_it_has_failed_at_once() -> None:
    stage = Stage().start()
    stage.tell(ev.LinkDown(1, "the server refused the key", code=3000, reason="invalid_api_key"))
    say(stage)
    assert "session" in (why(stage).error or "")
    assert ends(stage) == [("say", "failed")]


def test_a_session_that_breaks_takes_it_along() -> None:
    stage = Stage().ready()
    say(stage)
    stage.server(ev.ResponseCreated("s1", "boot-t1"))
    stage.lose()
    assert ends(stage) == [("say", "failed")]
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.source, turn.event_type, turn.reason) == ("say", "failed", "connection_lost")
