"""What a press of the button means, a fact at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from speech_stage import say
from stage import VOICE, Stage, only, settings

from satellite.logic.chosen import ChosenSettings
from satellite.logic.doing import LISTEN_S
from satellite.logic.pressing import MOST_HELD_S
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model import requests as req
from satellite.model.session import Activation, Session

HELD = cmd.OpenGate(True, MOST_HELD_S, held=True)


def pressing(activation: Activation = "push_to_talk", *, hold: bool = True, **more: Any) -> Stage:
    made = settings(**more)
    talk = replace(made.talk, hold=hold, chimes=frozenset({"woke", "message", "failed"}))
    chosen = ChosenSettings(activation=activation)
    return Stage(replace(made, talk=talk, chosen=chosen)).ready()


def opened(orders: list[cmd.Command]) -> list[cmd.OpenGate]:
    return only(orders, cmd.OpenGate)


def chimes(orders: list[cmd.Command]) -> list[str]:
    return [order.chime for order in only(orders, cmd.PlayChime)]


def mute(stage: Stage, on: bool) -> list[cmd.Command]:
    order = ev.Asked(req.Request("mute", req.Mute(on, None)))
    return stage.tell(order, ev.MicClosed()) if on else stage.tell(order, ev.MicReady())


def answering(stage: Stage) -> Stage:
    """An answer is being played."""
    said(stage)
    stage.answer()
    stage.tell(ev.PlayoutStarted("r1", stage.now))
    return stage


def said(stage: Stage, item: str = "u1") -> None:
    stage.speak(item)
    stage.server(ev.UserTranscript(item, "Hi."))


@pytest.mark.parametrize("activation", ["push_to_talk", "wake_word"])
def test_held_somebody_is_heard_until_it_is_let_go(activation: Activation) -> None:
    stage = pressing(activation)
    assert opened(stage.tell(ev.Pressed())) == [HELD]
    assert opened(stage.wait(20)) == []
    assert opened(stage.tell(ev.Released())) == [cmd.OpenGate(False)]


@pytest.mark.parametrize("activation", ["push_to_talk", "wake_word"])
def test_tapped_somebody_is_heard_as_after_an_order(activation: Activation) -> None:
    stage = pressing(activation, hold=False)
    assert opened(stage.tell(ev.Pressed())) == [cmd.OpenGate(True, LISTEN_S)]
    assert stage.tell(ev.Released()) == []


def test_the_session_is_there_when_it_is_needed() -> None:
    stage = pressing()
    stage.wait(301, step=1)
    assert len(only(stage.tell(ev.Pressed()), cmd.Connect)) == 1


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("half_duplex", [True, False])
def test_a_press_stops_the_answer_and_listens(hold: bool, half_duplex: bool) -> None:
    stage = answering(pressing(hold=hold, half_duplex=half_duplex))
    assert stage.state.talk.shut is half_duplex
    orders = stage.tell(ev.Pressed())
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
    assert [order.on for order in opened(orders)] == [True]
    assert stage.state.talk.shut is half_duplex, "the room still rings"
    orders = stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 100)) + stage.wait(0.31, 0.31)
    assert only(orders, cmd.ShutGate) == ([cmd.ShutGate(False)] if half_duplex else [])
    assert stage.published(rec.TurnRecord)[-1].event_type == "interrupted"
    assert chimes(orders) == []


def test_of_an_open_microphone_a_press_stops_the_answer_and_no_more() -> None:
    stage = answering(pressing("open_mic"))
    orders = stage.tell(ev.Pressed())
    assert only(orders, cmd.FlushPlayout)
    assert not opened(orders + stage.tell(ev.Released()))


def test_an_answer_that_is_still_awaited_is_stopped_too_and_that_is_no_failure() -> None:
    stage = pressing()
    said(stage)
    orders = stage.tell(ev.Pressed()) + stage.server(ev.ResponseCreated("r1"))
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("r1")]
    orders += stage.server(ev.ResponseDone("r1", "cancelled", "client_cancelled"))
    assert chimes(orders) == []
    assert [turn.reason for turn in stage.published(rec.TurnRecord)] == ["cancelled"]


@pytest.mark.parametrize("half_duplex", [True, False])
def test_while_it_is_held_an_answer_waits_and_the_microphone_stays_open(half_duplex: bool) -> None:
    stage = pressing(half_duplex=half_duplex)
    stage.tell(ev.Pressed())
    said(stage)
    orders = stage.answer()
    assert only(orders, cmd.PausePlayout) == [cmd.PausePlayout(True)]
    assert orders.index(cmd.PausePlayout(True)) < orders.index(only(orders, cmd.Play)[0])
    assert not only(orders + stage.wait(30), cmd.ShutGate)
    assert stage.shown.state == "listening"
    orders = stage.tell(ev.Released())
    assert only(orders, cmd.PausePlayout) == [cmd.PausePlayout(False)]
    assert only(orders, cmd.ShutGate) == ([cmd.ShutGate(True)] if half_duplex else [])


def test_who_goes_on_speaking_is_answered_once() -> None:
    stage = pressing()
    stage.tell(ev.Pressed())
    stage.speak()
    stage.answer()
    orders = stage.speak("u2")
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
    stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 0), ev.Released())
    orders = stage.answer("r2", "a2")
    assert only(orders, cmd.Play)
    assert not only(orders, cmd.PausePlayout)


def test_nothing_is_said_over_mqtt_while_it_is_held() -> None:
    stage = pressing()
    stage.tell(ev.Pressed())
    assert not only(say(stage) + stage.wait(3), cmd.SpeakText)
    assert only(stage.tell(ev.Released()), cmd.SpeakText)


def test_what_lies_on_it_for_two_minutes_is_no_finger() -> None:
    stage = pressing()
    stage.tell(ev.Pressed())
    assert opened(stage.wait(MOST_HELD_S - 1)) == []
    assert opened(stage.wait(2)) == [cmd.OpenGate(False)]
    assert opened(stage.tell(ev.Released())) == []


@pytest.mark.parametrize("how", ["muted", "lost"])
def test_where_nobody_is_heard_the_room_is_told_and_no_more(how: str) -> None:
    stage = pressing()
    if how == "muted":
        mute(stage, True)
    else:
        stage.tell(ev.MicLost("gone"))
    orders = stage.tell(ev.Pressed())
    assert (chimes(orders), opened(orders)) == (["failed"], [])
    assert opened(stage.tell(ev.Released())) == []


def test_who_presses_in_vain_again_and_again_is_told_once() -> None:
    stage = pressing(hold=False)
    mute(stage, True)
    assert chimes(stage.tell(*[ev.Pressed(), ev.Released()] * 30)) == ["failed"]
    stage.tell(ev.ChimeOver())
    stage.wait(1)
    assert chimes(stage.tell(ev.Pressed())) == ["failed"]


def test_the_chime_of_a_press_in_vain_is_heard_by_nobody() -> None:
    """Unmuted while it sounds."""
    stage = pressing(half_duplex=False)
    mute(stage, True)
    orders = [*stage.tell(ev.Pressed()), *mute(stage, False)]
    assert only(orders, cmd.ShutGate) == [cmd.ShutGate(True)]
    stage.tell(ev.ChimeOver())
    assert only(stage.wait(1), cmd.ShutGate) == [cmd.ShutGate(False)]


def test_where_we_end_the_turns_it_does_the_same() -> None:
    stage = pressing(session=Session(manual=True))
    stage.tell(ev.Pressed())
    stage.hold_to_speak()
    assert only(stage.orders, cmd.CommitInput)


def test_a_button_that_is_gone_is_a_problem_until_it_is_back() -> None:
    stage = pressing()
    stage.tell(ev.ButtonLost("there is no button /dev/x"))
    (problem,) = stage.shown.problems
    assert (problem.code, problem.detail) == ("button_missing", "there is no button /dev/x")
    assert stage.shown.state == "idle"
    stage.tell(ev.ButtonReady())
    assert stage.shown.problems == ()


def test_it_does_not_play_while_it_is_held_even_where_it_has_begun_to_wait() -> None:
    """Full duplex: the pause for a first word goes over into the one for the button."""
    stage = pressing(half_duplex=False)
    stage.speak()
    stage.server(ev.ResponseCreated("r1"), ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.tell(ev.PlayoutStarted("r1", stage.now), ev.GateOpened())
    orders = stage.tell(ev.Pressed())
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
