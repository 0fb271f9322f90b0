"""A speaker that breaks in an answer says what was heard of it; the rest is only published."""

from __future__ import annotations

import pytest
from speech_stage import say, spoken
from stage import VOICE, Stage, only

from satellite.errors import Why
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec


def answered() -> Stage:
    """An answer of two items of 200 ms sounds."""
    stage = Stage().ready()
    stage.speak()
    stage.server(
        ev.UserTranscript("u1", "Hi."),
        ev.ResponseCreated("r1"),
        ev.TextDelta("r1", 0, 0, "All is well."),
        ev.AudioDelta("r1", "a1", 0, 0, VOICE),
        ev.AudioDelta("r1", "a2", 1, 0, VOICE),
        ev.ResponseDone("r1", "completed"),
    )
    stage.tell(ev.PlayoutStarted("r1", stage.now))
    return stage


@pytest.mark.parametrize(
    ("item_id", "item_ms", "played_ms", "orders"),
    [
        ("", 0, 0, []),  # nothing could be heard: it is an answer in writing
        ("a1", 120, 120, [cmd.TruncateItem("a1", 0, 120), cmd.DeleteItem("a2")]),
        ("a1", 200, 200, [cmd.DeleteItem("a2")]),
        ("a2", 50, 250, [cmd.TruncateItem("a2", 0, 50)]),
        ("a2", 200, 400, []),
    ],
)
def test_what_was_heard_is_published_and_the_server_knows_it(
    item_id: str, item_ms: int, played_ms: int, orders: list[cmd.Command]
) -> None:
    stage = answered()
    broke = ev.PlayoutDrained("r1", False, item_id, item_ms)
    told = stage.tell(ev.SpeakerLost("gone"), broke)
    assert [o for o in told if isinstance(o, cmd.TruncateItem | cmd.DeleteItem)] == orders
    (response,) = stage.published(rec.Response)
    assert (response.event_type, response.text) == ("completed", "All is well.")
    assert (response.audio_ms, response.played_ms) == (400, played_ms)
    assert not response.interrupted
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"


def test_an_answer_that_is_still_made_is_cut_when_it_is_whole() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."), ev.ResponseCreated("r1"))
    stage.server(ev.TextDelta("r1", 0, 0, "All is well."), ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.tell(ev.PlayoutStarted("r1", stage.now))
    told = stage.tell(ev.SpeakerLost("gone"), ev.PlayoutDrained("r1", False, "a1", 80))
    told += stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    assert not only(told, cmd.TruncateItem)
    stage.server(ev.ResponseDone("r1", "completed"))
    told = stage.tell(ev.PlayoutDrained("r1", False))
    assert only(told, cmd.TruncateItem) == [cmd.TruncateItem("a1", 0, 80)]
    assert stage.published(rec.Response)[0].played_ms == 80


def test_what_was_said_over_mqtt_is_in_no_conversation() -> None:
    stage = Stage().ready()
    say(stage)
    spoken(stage, 1)
    told = stage.tell(ev.PlayoutDrained("s1", False, "i1", 80))
    assert not [o for o in told if isinstance(o, cmd.TruncateItem | cmd.DeleteItem)]


def test_an_item_that_nobody_knows_was_not_heard() -> None:
    stage = answered()
    stage.tell(ev.PlayoutDrained("r1", False, "other", 80))
    assert stage.published(rec.Response)[0].played_ms == 0


def test_a_new_session_is_told_what_was_heard() -> None:
    stage = answered()
    stage.tell(ev.PlayoutDrained("r1", False, "a2", 200))
    assert [said.text for said in stage.state.talk.said] == ["Hi.", "All is well."]


def test_waits_for_the_server_are_counted() -> None:
    stage = answered()
    stage.tell(ev.PlayoutDrained("r1", underruns=2))
    stage.tell(ev.PlayoutFlushed("r9", "a9", 0, 0, 1))
    stage.tell(ev.BusUp())
    stage.wait(5)
    (pulse,) = stage.published(rec.Diagnostics)
    assert (pulse.underruns, pulse.echoes) == (3, 0)


@pytest.mark.parametrize("why", ["missing", "stalled", "busy", "failed"])
def test_f53_what_is_wrong_with_it_is_named(why: Why) -> None:
    stage = answered()
    stage.tell(ev.SpeakerLost("what was found", why), ev.PlayoutDrained("r1", heard=False))
    (problem,) = stage.shown.problems
    assert (problem.code, problem.detail) == (f"speaker_{why}", "what was found")
    assert problem.fix
    stage.wait(1)
    assert stage.shown.state == "idle", "hearing goes on"
    stage.tell(ev.SpeakerReady())
    assert not stage.shown.problems


def test_f53_a_call_that_does_not_return_is_told_within_three_seconds() -> None:
    stage = answered()
    since = stage.now
    while stage.now < since + 3:
        stage.now += 0.5
        stage.tell(ev.Tick(stage.now, in_speaker_since=since))
    assert [problem.code for problem in stage.shown.problems] == ["speaker_stalled"]
    stage.tell(ev.Tick(stage.now))
    assert not stage.shown.problems
