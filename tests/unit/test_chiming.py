"""Short sounds: go on, a message follows, it cannot be answered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from speech_stage import say, spoken
from stage import VOICE, Stage, only, settings

from satellite.logic import echo
from satellite.logic import satellite as logic
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model import requests as req
from satellite.model.audio import silence
from satellite.model.requests import Request
from satellite.model.session import Activation, Session

ALL: frozenset[cmd.Chime] = frozenset({"woke", "message", "failed"})


def chiming(
    *chimes: cmd.Chime,
    activation: Activation = "open_mic",
    half_duplex: bool = True,
    session: Session | None = None,
) -> Stage:
    made = settings(half_duplex=half_duplex, session=session)
    talk = replace(made.talk, chimes=frozenset(chimes) if chimes else ALL)
    chosen = replace(made.chosen, activation=activation)
    return Stage(replace(made, talk=talk, chosen=chosen)).ready()


def heard(orders: list[cmd.Command]) -> list[str]:
    return [order.chime for order in only(orders, cmd.PlayChime)]


def mute(stage: Stage) -> None:
    stage.tell(ev.Asked(Request("mute", req.Mute(True, None))), ev.MicClosed())


def fail(stage: Stage, item: str = "u1") -> list[cmd.Command]:
    """The server hears a person, and its answer fails."""
    orders = stage.speak(item) + stage.server(ev.UserTranscript(item, "Hi."))
    orders += stage.server(ev.ResponseCreated("r" + item))
    return orders + stage.server(ev.ResponseDone("r" + item, "failed", "content_filter"))


# --- woke ----------------------------------------------------------------------------------------


def wake(stage: Stage) -> list[cmd.Command]:
    """Somebody says the word and waits."""
    return stage.tell(ev.Woke("okay_nabu"), ev.Armed(True), ev.WordAlone())


@pytest.mark.parametrize("half_duplex", [True, False])
def test_whoever_says_the_word_and_waits_hears_a_chime_that_the_gate_is_shut_for(
    half_duplex: bool,
) -> None:
    stage = chiming(activation="wake_word", half_duplex=half_duplex)
    assert not heard(stage.tell(ev.Woke("okay_nabu"), ev.Armed(True)))
    orders = stage.tell(ev.WordAlone())
    sound = [o for o in orders if isinstance(o, cmd.PlayChime | cmd.ShutGate)]
    assert sound == [cmd.ShutGate(True), cmd.PlayChime("woke")], "shut before it sounds"
    stage.now += 0.3
    assert not only(stage.tell(ev.ChimeOver()), cmd.ShutGate)
    assert not only(stage.wait(0.19, 0.19), cmd.ShutGate)
    assert only(stage.wait(0.02, 0.02), cmd.ShutGate) == [cmd.ShutGate(False)]


def test_whoever_goes_on_behind_the_word_hears_none_and_is_not_shut_out() -> None:
    stage = chiming(activation="wake_word")
    stage.tell(ev.Woke("okay_nabu"), ev.Armed(True))
    orders = stage.speak()
    assert not heard(orders)
    assert not only(orders, cmd.ShutGate)


@pytest.mark.parametrize("half_duplex", [True, False])
def test_whoever_wakes_it_while_it_speaks_hears_no_chime_behind_the_answer(
    half_duplex: bool,
) -> None:
    stage = chiming(activation="wake_word", half_duplex=half_duplex)
    stage.speak()
    stage.answer()
    orders = stage.tell(ev.Woke("okay_nabu"), ev.Armed(True))
    orders += stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 100))
    stage.now += 0.4
    assert not heard(orders + stage.tell(ev.WordAlone()))
    stage.now += 5
    assert heard(wake(stage)) == ["woke"]


def test_muted_nobody_is_told_to_go_on() -> None:
    stage = chiming(activation="wake_word")
    mute(stage)
    assert not heard(wake(stage))


# --- message -------------------------------------------------------------------------------------


def test_a_text_that_is_said_begins_with_one_chime_and_the_gate_is_shut_for_both() -> None:
    stage = chiming()
    say(stage)
    orders = spoken(stage, 1)
    mine = [o for o in orders if isinstance(o, cmd.PlaybackCommand)]
    assert mine[:2] == [cmd.PlayChime("message"), cmd.Play("s1", "i1", 0, VOICE)]
    assert only(orders, cmd.ShutGate) == [cmd.ShutGate(True)]
    more = stage.server(ev.AudioDelta("s1", "i1", 0, 0, VOICE))
    assert not heard(more)


def test_an_announcement_to_somebody_who_is_muted_has_its_chime() -> None:
    stage = chiming()
    mute(stage)
    say(stage)
    assert heard(spoken(stage, 1)) == ["message"]


def test_a_text_that_is_refused_makes_no_sound() -> None:
    stage = chiming("message")
    say(stage)
    name = stage.state.talk.turns[-1].turn_id
    error = ("invalid_request_error", "unknown_parameter", "no", "response")
    stage.server(ev.ServerError(*error, f"m1.{name}"))
    assert not heard(stage.orders)


def test_an_answer_has_no_chime() -> None:
    stage = chiming()
    stage.speak()
    stage.answer()
    assert not heard(stage.orders)


# --- failed --------------------------------------------------------------------------------------


def test_what_the_server_heard_and_did_not_answer_is_told_once() -> None:
    stage = chiming()
    orders = fail(stage)
    assert heard(orders) == ["failed"]
    assert only(orders, cmd.ShutGate) == [cmd.ShutGate(True)], "it is no word"
    assert not heard(stage.wait(30))
    assert only(stage.orders, cmd.ShutGate)[-1] == cmd.ShutGate(False)
    assert stage.shown.state == "idle"


def test_in_full_duplex_the_gate_is_shut_for_it_too_and_no_longer() -> None:
    stage = chiming(half_duplex=False)
    assert heard(fail(stage)) == ["failed"]
    assert only(stage.orders, cmd.ShutGate) == [cmd.ShutGate(True)]
    assert only(stage.tell(ev.ChimeOver()) + stage.wait(0.3, 0.1), cmd.ShutGate) == [
        cmd.ShutGate(False)
    ]


def test_a_lost_session_fails_several_turns_with_one_chime() -> None:
    stage = chiming()
    stage.speak("u1")
    stage.speak("u2")
    orders = stage.lose()
    assert len([o for o in only(orders, cmd.Publish) if isinstance(o.record, rec.TurnRecord)]) == 2
    assert heard(orders) == ["failed"]


def unheard(stage: Stage) -> list[cmd.Command]:
    """A person or a noise, and no session that takes it."""
    stage.lose()
    orders = stage.tell(ev.GateOpened(), ev.Heard(silence(500), 400, stage.now))
    orders += stage.tell(ev.GateClosed(too_long=False))
    return orders + stage.wait(15)


def test_noise_that_no_server_heard_makes_none() -> None:
    assert not heard(unheard(chiming()))


@pytest.mark.parametrize("activation", ["wake_word", "push_to_talk"])
def test_whoever_asked_to_be_heard_is_told_that_it_failed(activation: Activation) -> None:
    assert heard(unheard(chiming(activation=activation))) == ["failed"]


def test_whoever_asks_while_it_rests_from_itself_is_not_told_to_go_on_but_that_it_failed() -> None:
    stage = chiming(activation="wake_word", half_duplex=False)
    resting = echo.rest(stage.state.talk.aloud, stage.now)
    stage.state = replace(stage.state, talk=replace(stage.state.talk, aloud=resting))
    assert not heard(wake(stage))
    orders = stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert heard(orders) == ["failed"]
    assert not heard(stage.tell(ev.Heard(VOICE, 200, stage.now), ev.GateClosed(too_long=False)))


def test_nobody_who_is_muted_waits_for_an_answer() -> None:
    stage = chiming()
    stage.speak()
    mute(stage)
    stage.lose()
    assert not heard(stage.orders)
    stage = chiming()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    mute(stage)
    assert stage.published(rec.TurnRecord)[0].reason == "muted"
    assert not heard(stage.orders)


def test_nothing_is_played_over_a_person_who_goes_on() -> None:
    stage = chiming()
    stage.speak("u1")
    stage.server(ev.ResponseCreated("r1"))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.UserTranscript("u1", "Hi."), ev.ResponseDone("r1", "failed", "content_filter"))
    assert stage.published(rec.TurnRecord)[0].event_type == "failed"
    assert not heard(stage.orders)


def test_an_answer_that_broke_in_its_middle_was_an_answer() -> None:
    stage = chiming()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."), ev.ResponseCreated("r1"))
    stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.tell(ev.PlayoutStarted("r1", stage.now))
    stage.server(ev.ResponseDone("r1", "failed", "content_filter"))
    stage.tell(ev.PlayoutDrained("r1"))
    assert stage.published(rec.TurnRecord)[0].event_type == "failed"
    assert not heard(stage.orders)


def test_what_was_ended_on_purpose_makes_none() -> None:
    stage = chiming()
    stage.speak()
    stage.tell(ev.Asked(Request("new_session", req.NewSession())))
    assert stage.published(rec.TurnRecord)[0].reason == "new_session"
    assert not heard(stage.orders)
    stage = chiming()
    stage.speak()
    assert not heard(stage.tell(ev.StopRequested(15)))


def test_who_asked_over_mqtt_is_told_there() -> None:
    stage = chiming()
    stage.tell(ev.Asked(Request("ask", req.Ask("Is it warm?", True))))
    stage.server(ev.ResponseCreated("r1"), ev.ResponseDone("r1", "failed", "content_filter"))
    assert stage.published(rec.TurnRecord)[0].event_type == "failed"
    assert not heard(stage.orders)


@pytest.mark.parametrize("chime", sorted(ALL))
def test_each_can_be_had_without_the_others(chime: cmd.Chime) -> None:
    stage = chiming(chime, activation="wake_word")
    wake(stage)
    stage.tell(ev.ChimeOver())
    stage.wait(1)
    fail(stage)
    stage.tell(ev.ChimeOver())
    stage.wait(2)
    say(stage)
    spoken(stage, 1)
    assert heard(stage.orders) == [chime]


def test_whoever_still_speaks_is_not_cut_off_by_it_and_nothing_is_sent() -> None:
    """What they go on to say would be a sentence of its own for the next session."""
    stage = chiming(session=Session(manual=True))
    stage.hold_to_speak()
    stage.server(ev.InputCommitted("u1"))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    orders = stage.lose()
    assert not heard(orders)
    assert not [order for order in orders if isinstance(order, cmd.LinkCommand | cmd.ShutGate)]


def test_the_quiet_after_it_ends_by_itself() -> None:
    stage = chiming()
    fail(stage)
    due = logic.deadline(stage.state)
    assert due is not None
    assert due - stage.now == pytest.approx(3.0)
    stage.tell(ev.ChimeOver())
    due = logic.deadline(stage.state)
    assert due is not None
    assert due - stage.now == pytest.approx(0.2)
