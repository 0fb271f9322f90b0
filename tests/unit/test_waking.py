"""What follows from a wake word, and who may go on speaking without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.chosen import ChosenSettings
from satellite.logic.link import Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model import requests as req
from satellite.model.session import Activation


def waking(activation: Activation = "wake_word", *, half_duplex: bool = True) -> Stage:
    made = settings(half_duplex=half_duplex)
    made = replace(made, talk=replace(made.talk, follow_up_s=8.0))
    return Stage(replace(made, chosen=ChosenSettings(activation=activation))).ready()


def asked(stage: Stage, order: req.Order) -> list[cmd.Command]:
    return stage.tell(ev.Asked(req.Request("mute", order)))


def test_each_wake_is_told_once_and_the_session_is_there_when_it_is_needed() -> None:
    stage = waking()
    stage.wait(301, step=1)  # nobody has spoken for long: there is no session
    orders = stage.tell(ev.Woke("okay_nabu"), ev.Armed(True))
    assert len(only(orders, cmd.AnnounceWake)) == 1
    assert len(only(orders, cmd.Connect)) == 1
    assert stage.shown.state == "listening"
    assert not only(stage.open(), cmd.AppendAudio)


@pytest.mark.parametrize("half_duplex", [True, False])
def test_the_word_stops_the_answer_at_once(half_duplex: bool) -> None:
    stage = waking(half_duplex=half_duplex)
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."), ev.ResponseCreated("r1"))
    stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    orders = stage.tell(ev.Woke("okay_nabu"))
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("r1")]
    assert len(only(orders, cmd.AnnounceWake)) == 1
    assert not only(stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE)), cmd.Play)
    orders = stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 100), ev.Armed(True))
    stage.server(ev.ResponseDone("r1", "cancelled"))
    assert not only(orders, cmd.OpenGate), "the capture thread has armed itself"
    shut = only(stage.wait(1), cmd.ShutGate)
    assert shut == ([cmd.ShutGate(False)] if half_duplex else [])
    assert stage.published(rec.TurnRecord)[-1].event_type == "interrupted"
    orders = stage.speak("u2")
    assert only(orders, cmd.AppendAudio), "and whoever said it is heard"


def test_the_word_stops_what_is_announced_too() -> None:
    stage = waking()
    stage.tell(ev.Asked(req.Request("say", req.Say("Dinner."))))
    stage.answer()
    assert only(stage.tell(ev.Woke("alexa")), cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]


def test_the_word_while_it_thinks_stops_nothing() -> None:
    stage = waking()
    stage.speak()
    stage.server(ev.ResponseCreated("r1"))
    assert not only(stage.tell(ev.Woke("alexa")), cmd.CancelResponse)


def test_a_session_that_nobody_said_anything_in_is_given_back() -> None:
    stage = waking()
    stage.wait(301, step=1)
    stage.tell(ev.Woke("okay_nabu"), ev.Armed(True))
    stage.open()
    orders = stage.tell(ev.Armed(False))
    assert len(only(orders, cmd.Disconnect)) == 1
    assert stage.state.link.phase is Phase.DOWN
    assert not only(stage.orders, cmd.AppendAudio)
    assert not only(stage.wait(60), cmd.Connect)
    assert only(stage.tell(ev.Woke("okay_nabu")), cmd.Connect), "and there is one the next time"


def test_a_session_on_its_way_is_given_back_too() -> None:
    stage = waking()
    stage.wait(301, step=1)
    stage.tell(ev.Woke("okay_nabu"), ev.Armed(True))
    assert len(only(stage.tell(ev.Armed(False)), cmd.Disconnect)) == 1


def test_a_session_of_a_conversation_is_kept() -> None:
    stage = waking()
    stage.turn()
    assert not only(stage.tell(ev.Armed(True), ev.Armed(False)), cmd.Disconnect)
    stage.tell(ev.Woke("okay_nabu"), ev.Armed(True))
    assert not only(stage.tell(ev.Armed(False)), cmd.Disconnect)


def test_a_session_that_something_waits_for_is_kept() -> None:
    stage = waking()
    stage.wait(301, step=1)
    stage.tell(ev.Woke("okay_nabu"), ev.Armed(True), ev.GateOpened(), ev.Heard(VOICE, 200, 0.0))
    assert not only(stage.tell(ev.Armed(False)), cmd.Disconnect)


def test_armed_shows_as_listening_until_it_is_over() -> None:
    stage = waking()
    assert stage.shown.state == "idle"
    stage.tell(ev.Armed(True))
    assert stage.shown.state == "listening"
    stage.speak()
    assert stage.shown.state == "thinking"
    stage.tell(ev.Armed(False))
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    stage.wait(1)
    assert stage.shown.state == "idle"


@pytest.mark.parametrize("event", [ev.MicLost("gone"), ev.MicClosed()])
def test_without_a_microphone_nobody_is_listened_to(event: ev.Event) -> None:
    stage = waking()
    stage.tell(ev.Armed(True), event, ev.MicReady())
    assert stage.shown.state == "idle"


@pytest.mark.parametrize("half_duplex", [True, False])
def test_after_an_answer_one_may_go_on_without_the_word(half_duplex: bool) -> None:
    stage = waking(half_duplex=half_duplex)
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."))
    assert not only(stage.answer(), cmd.OpenGate)
    assert only(stage.tell(ev.PlayoutDrained("r1")), cmd.OpenGate) == [
        cmd.OpenGate(True, 8.0, follow_up=True)
    ]


@pytest.mark.parametrize("activation", ["open_mic", "push_to_talk"])
def test_only_where_a_wake_word_is_needed(activation: Activation) -> None:
    assert not only(waking(activation).turn(), cmd.OpenGate)


def test_as_it_was_chosen_over_mqtt_and_not_as_configured() -> None:
    stage = waking("open_mic")
    some: frozenset[Activation] = frozenset({"open_mic", "wake_word"})
    stage.settings = replace(stage.settings, chosen=ChosenSettings(activations=some))
    assert asked(stage, req.Set("activation", "wake_word"))
    assert only(stage.turn(), cmd.OpenGate)


def test_not_where_the_word_is_always_asked_for() -> None:
    stage = waking()
    talk = replace(stage.settings.talk, follow_up_s=0.0)
    stage.settings = replace(stage.settings, talk=talk)
    assert not only(stage.turn(), cmd.OpenGate)


def test_not_after_an_answer_that_nobody_heard_to_its_end() -> None:
    stage = waking()
    stage.speak()
    stage.answer()
    assert not only(stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 100)), cmd.OpenGate)
    stage.speak("u2")
    stage.answer("r2", "a2")
    assert not only(stage.tell(ev.PlayoutDrained("r2", heard=False)), cmd.OpenGate)


def test_not_after_an_announcement() -> None:
    stage = waking()
    stage.tell(ev.Asked(req.Request("say", req.Say("Dinner."))))
    stage.answer()
    assert not only(stage.tell(ev.PlayoutDrained("r1")), cmd.OpenGate)


# --- muted by an order, before the device is closed -----------------------------------------------


def test_the_sentence_goes_with_the_order_although_the_device_takes_its_time() -> None:
    stage = waking("open_mic")
    stage.tell(ev.GateOpened(), ev.Heard(bytes(960), 20, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    orders = asked(stage, req.Mute(True))
    assert cmd.MuteMic(True) in orders
    assert cmd.Disconnect(1) in orders
    assert stage.state.link.phase is Phase.DOWN
    later = [*stage.tell(ev.Heard(bytes(960), 20, stage.now)), *stage.wait(30)]
    assert not only(later, cmd.AppendAudio)
    assert not stage.shown.muted, "the device says when it is closed"
    stage.tell(ev.MicClosed())
    assert stage.shown.muted


def test_a_wake_word_of_that_moment_is_not_heard() -> None:
    stage = waking()
    asked(stage, req.Mute(True))
    assert not only(stage.tell(ev.Woke("alexa")), cmd.AnnounceWake)
