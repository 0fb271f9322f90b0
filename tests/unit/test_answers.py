"""Answers: several items in one, cut short, and what is said of them then."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import silence


@pytest.mark.checklist("C44")
def test_c44_several_items_are_played_in_their_order_as_one_answer() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."), ev.ResponseCreated("r1"))
    orders: list[cmd.Command] = []
    for index, item in enumerate(("a1", "a2", "a3")):
        orders += stage.server(ev.TextDelta("r1", index, 0, f"{item}."))
        orders += stage.server(ev.AudioDelta("r1", item, index, 0, VOICE))
    orders += stage.server(ev.ResponseDone("r1", "completed"))
    played = [o for o in orders if isinstance(o, cmd.Play | cmd.EndPlay)]
    assert played == [*(cmd.Play("r1", a, 0, VOICE) for a in ("a1", "a2", "a3")), cmd.EndPlay("r1")]
    stage.tell(ev.PlayoutDrained("r1"))
    (response,) = stage.published(rec.Response)
    assert (response.text, response.audio_ms) == ("a1. a2. a3.", 600)


def test_the_pieces_of_two_items_in_turns_are_counted_for_each() -> None:
    stage = Stage().ready()
    stage.speak()
    for n in range(100):
        stage.server(ev.AudioDelta("r1", f"a{n % 2}", n % 2, 0, silence(20)))
    (turn,) = stage.state.talk.turns
    assert turn.answer is not None
    assert turn.answer.received == (("a0", 0, 48_000), ("a1", 0, 48_000))


def test_an_answer_of_more_items_than_any_has_is_cut() -> None:
    stage = Stage().ready()
    stage.speak()
    orders: list[cmd.Command] = []
    for n in range(60):
        orders += stage.server(ev.AudioDelta("r1", f"a{n}", n, 0, silence(20)))
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("r1")]
    assert len(only(orders, cmd.Play)) < 30
    (turn,) = stage.state.talk.turns
    assert turn.answer is not None
    assert (turn.answer.status, turn.answer.reason) == ("incomplete", "too_long")


@pytest.mark.checklist("C46")
@pytest.mark.parametrize("done", [False, True])
def test_c46_speech_stops_the_speaker_whether_or_not_the_server_is_done(done: bool) -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    stage.speak()
    stage.server(ev.ResponseCreated("r1"), ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    if done:
        stage.server(ev.ResponseDone("r1", "completed"))
    orders = stage.server(ev.SpeechStarted("u2"))  # the same step: no time passes
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
    assert not only(stage.server(ev.SpeechStarted("u3")), cmd.FlushPlayout)


@pytest.mark.checklist("C47")
def test_c47_each_item_is_truncated_once() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    stage.speak()
    stage.answer()
    stage.server(ev.SpeechStarted("u2"))
    flushed = ev.PlayoutFlushed("r1", "a1", 0, 150)
    assert len(only(stage.tell(flushed, flushed), cmd.TruncateItem)) == 1


@pytest.mark.checklist("C48")
@pytest.mark.parametrize(
    ("played_ms", "heard"), [(0, ""), (1000, "one two"), (2000, "one two three four five")]
)
def test_c48_no_more_is_said_to_be_heard_than_slow_speech_holds(played_ms: int, heard: str) -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    stage.speak()
    words = "one two three four five six seven eight nine ten"
    stage.server(ev.ResponseCreated("r1"), ev.TextDelta("r1", 0, 0, words, final=True))
    for _ in range(20):  # four seconds of voice
        stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.server(ev.SpeechStarted("u2"))
    stage.tell(ev.PlayoutFlushed("r1", "a1", 0, played_ms))
    stage.server(ev.ResponseDone("r1", "cancelled", "turn_detected"))
    (response,) = stage.published(rec.Response)
    assert (response.interrupted, response.event_type) == (True, "cancelled")
    assert (response.text, response.spoken_text) == (words, heard)
    assert response.played_ms == played_ms


@pytest.mark.checklist("C47")
def test_c47_items_behind_the_interrupted_one_are_deleted() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    stage.speak()
    stage.server(ev.ResponseCreated("r1"))
    for index, item in enumerate(("a1", "a2", "a3")):
        stage.server(ev.AudioDelta("r1", item, index, 0, VOICE))
    stage.server(ev.SpeechStarted("u2"))
    orders = stage.tell(ev.PlayoutFlushed("r1", "a2", 0, 120))
    assert only(orders, cmd.TruncateItem) == [cmd.TruncateItem("a2", 0, 120)]
    assert only(orders, cmd.DeleteItem) == [cmd.DeleteItem("a3")]


@pytest.mark.checklist("C45")
def test_c45_sound_of_an_interrupted_response_is_dropped() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    stage.speak()
    stage.server(ev.ResponseCreated("r1"), ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.server(ev.SpeechStarted("u2"))
    assert not only(stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE)), cmd.Play)


@pytest.mark.checklist("C44")
def test_c44_several_items_are_one_answer_in_the_order_of_the_server() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(
        ev.ResponseCreated("r1"),
        ev.TextDelta("r1", 1, 0, "Second.", final=True),
        ev.TextDelta("r1", 0, 0, "First.", final=True),
        ev.ResponseDone("r1", "completed"),
    )
    assert stage.published(rec.Response)[0].text == "First. Second."


def test_a_response_that_nobody_announced_is_played() -> None:
    stage = Stage().ready()
    stage.speak()
    orders = stage.server(ev.AudioDelta("r9", "a1", 0, 0, VOICE))
    assert only(orders, cmd.Play) == [cmd.Play("r9", "a1", 0, VOICE)]
