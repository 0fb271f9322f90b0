"""Tools that the model calls: each once, each with an output, then exactly one answer."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.calling import LATE, MOST_CALLS, MOST_ROUNDS, TOO_MANY, TOOL_S, WENT_ON
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.session import Session


def call(number: int, name: str = "get_time") -> ev.ToolCall:
    return ev.ToolCall(f"call{number}", name, "{}")


def asked(stage: Stage, *calls: ev.ToolCall, response_id: str = "r1") -> list[cmd.Command]:
    """Somebody asked, and the model wants tools for its answer."""
    stage.speak()
    stage.server(ev.UserTranscript("u1", "What time is it?"), ev.ResponseCreated(response_id))
    return stage.server(ev.ResponseDone(response_id, "completed", None, ev.Usage(10, 5), calls))


def to_server(orders: list[cmd.Command]) -> list[cmd.Command]:
    return [order for order in orders if isinstance(order, cmd.LinkCommand)]


@pytest.mark.checklist("C49", "C50")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_c49_c50_so_many_calls_so_many_outputs_then_one_answer(count: int) -> None:
    stage = Stage().ready()
    calls = [call(n) for n in range(count)]
    orders = asked(stage, *calls)
    assert only(orders, cmd.RunTool) == [cmd.RunTool(each) for each in calls]
    assert not to_server(orders)
    for n in reversed(range(1, count)):  # in any order
        assert not to_server(stage.tell(ev.ToolDone(f"call{n}", f"out{n}")))
    orders = stage.tell(ev.ToolDone("call0", "out0"))
    outputs = [cmd.AddToolOutput(f"call{n}", f"out{n}") for n in range(count)]
    assert to_server(orders) == [*outputs, cmd.CreateResponse()]
    assert not to_server(stage.wait(5))
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutDrained("r2"))
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.response) == ("answered", "All done.")
    assert turn.tools == ("get_time",) * count
    assert turn.tokens is not None
    assert (turn.tokens.input, turn.tokens.output) == (20, 25)


@pytest.mark.checklist("C50")
def test_c50_a_call_runs_once_however_often_it_is_said() -> None:
    stage = Stage().ready()
    first = call(1)
    again = ev.ToolCall("call1", "get_time", '{"again":true}')
    orders = asked(stage, first, first, again)
    assert only(orders, cmd.RunTool) == [cmd.RunTool(first)]
    done = ev.ResponseDone("r1", "completed", None, None, (first,))
    assert not stage.server(done)  # the server says it twice
    assert only(stage.tell(ev.ToolDone("call1", "7")), cmd.AddToolOutput)
    assert not stage.server(done)  # and again, when the next answer is due
    assert not stage.tell(ev.ToolDone("call1", "8"))
    stage.server(ev.ResponseCreated("r2"))
    orders = stage.server(ev.ResponseDone("r2", "completed", None, None, (first,)))
    assert not only(orders, cmd.RunTool)
    assert [t.event_type for t in stage.published(rec.TurnRecord)] == ["answered"]


@pytest.mark.checklist("C50")
@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_c50_a_call_of_an_answer_that_was_not_completed_never_runs(status: str) -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.ResponseCreated("r1"))
    orders = stage.server(ev.ResponseDone("r1", status, "why", None, (call(1),)))
    assert not only(orders, cmd.RunTool)
    assert not stage.state.talk.turns[0].tools


@pytest.mark.checklist("C50")
def test_c50_a_tool_that_does_not_answer_in_time_has_an_output_all_the_same() -> None:
    stage = Stage().ready()
    asked(stage, call(1), call(2))
    stage.tell(ev.ToolDone("call2", "two"))
    assert not to_server(stage.wait(TOOL_S))
    orders = to_server(stage.wait(1))
    outputs = [cmd.AddToolOutput("call1", LATE), cmd.AddToolOutput("call2", "two")]
    assert orders == [*outputs, cmd.CreateResponse()]
    assert not to_server(stage.tell(ev.ToolDone("call1", "at last")))


@pytest.mark.checklist("C50")
def test_c50_more_calls_than_a_house_has_tools_are_refused_one_by_one() -> None:
    stage = Stage().ready()
    orders = asked(stage, *(call(n) for n in range(MOST_CALLS + 3)))
    assert len(only(orders, cmd.RunTool)) == MOST_CALLS
    orders = []
    for n in range(MOST_CALLS):
        orders += stage.tell(ev.ToolDone(f"call{n}", "{}"))
    outputs = only(orders, cmd.AddToolOutput)
    assert len(outputs) == MOST_CALLS + 3
    assert [o.output for o in outputs[-3:]] == [TOO_MANY] * 3
    assert len(only(orders, cmd.CreateResponse)) == 1


def test_a_model_that_only_calls_tools_is_stopped() -> None:
    stage = Stage().ready()
    asked(stage, call(0))
    for n in range(1, 20):
        stage.tell(ev.ToolDone(f"call{n - 1}", "{}"))
        if not stage.state.talk.turns:
            break
        stage.server(ev.ResponseCreated(f"r{n + 1}"))
        stage.server(ev.ResponseDone(f"r{n + 1}", "completed", None, None, (call(n),)))
    assert len(only(stage.orders, cmd.CreateResponse)) == MOST_ROUNDS
    assert len(only(stage.orders, cmd.RunTool)) == MOST_CALLS
    assert len(only(stage.orders, cmd.AddToolOutput)) == MOST_CALLS + 1
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "tool_loop")
    assert len(turn.tools) == MOST_ROUNDS + 1


@pytest.mark.checklist("C49", "C50")
def test_c49_c50_a_user_who_goes_on_gets_the_next_answer_and_the_tool_its_output() -> None:
    stage = Stage().ready()
    asked(stage, call(1))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    orders = to_server(stage.server(ev.SpeechStarted("u2")))
    assert orders == [cmd.AddToolOutput("call1", WENT_ON)]  # the server answers by itself
    assert not to_server(stage.tell(ev.ToolDone("call1", "late")))
    stage.tell(ev.GateClosed(too_long=False))
    stage.server(
        ev.SpeechStopped("u2"), ev.InputCommitted("u2"), ev.UserTranscript("u2", "Never mind.")
    )
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutDrained("r2"))
    first, second = stage.published(rec.TurnRecord)
    assert (first.event_type, first.reason) == ("unanswered", "superseded")
    assert (second.transcript, second.event_type) == ("Never mind.", "answered")


@pytest.mark.checklist("C49")
def test_c49_where_we_end_the_turns_a_tool_waits_for_the_user_to_finish() -> None:
    stage = Stage(settings(session=Session(manual=True))).ready()
    stage.hold_to_speak()
    stage.server(
        ev.InputCommitted("u1"), ev.UserTranscript("u1", "Time?"), ev.ResponseCreated("r1")
    )
    stage.server(ev.ResponseDone("r1", "completed", None, None, (call(1),)))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert not to_server(stage.tell(ev.ToolDone("call1", "7")))[1:]  # but for the sound itself
    stage.now += 1
    orders = to_server(stage.tell(ev.GateClosed(too_long=False)))
    assert orders == [cmd.CommitInput(), cmd.AddToolOutput("call1", "7")]
    assert only(stage.server(ev.InputCommitted("u2")), cmd.CreateResponse) == [cmd.CreateResponse()]


def test_where_we_end_the_turns_a_cough_delays_a_tool_and_no_more() -> None:
    stage = Stage(settings(session=Session(manual=True))).ready()
    stage.hold_to_speak()
    stage.server(
        ev.InputCommitted("u1"), ev.UserTranscript("u1", "Time?"), ev.ResponseCreated("r1")
    )
    stage.server(ev.ResponseDone("r1", "completed", None, None, (call(1),)))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE[: len(VOICE) // 4], 50, stage.now))
    stage.tell(ev.ToolDone("call1", "7"))
    orders = to_server(stage.tell(ev.GateClosed(too_long=False)))
    assert orders == [cmd.ClearInput(), cmd.AddToolOutput("call1", "7"), cmd.CreateResponse()]


@pytest.mark.checklist("C53")
def test_c53_a_tool_whose_session_is_lost_says_nothing_to_the_next() -> None:
    stage = Stage().ready()
    asked(stage, call(1))
    stage.lose()
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "connection_lost")
    assert turn.tools == ("get_time",)
    stage.reconnect()
    assert not stage.tell(ev.ToolDone("call1", "late"))
    stage.wait(TOOL_S + 5)
    assert len(stage.published(rec.TurnRecord)) == 1
    assert not only(stage.orders, cmd.AddToolOutput)


def test_the_same_id_in_another_session_is_another_call() -> None:
    stage = Stage().ready()
    asked(stage, call(1))
    stage.lose()
    stage.reconnect()
    assert only(asked(stage, call(1)), cmd.RunTool) == [cmd.RunTool(call(1))]


def test_words_before_a_tool_are_played_and_belong_to_the_turn() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Time?"), ev.ResponseCreated("r1"))
    stage.server(ev.TextDelta("r1", 0, 0, "Let me see.", final=True))
    stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.server(ev.ResponseDone("r1", "completed", None, None, (call(1),)))
    assert not to_server(stage.tell(ev.ToolDone("call1", "7")))  # it is still being played
    orders = to_server(stage.tell(ev.PlayoutDrained("r1")))
    assert orders == [cmd.AddToolOutput("call1", "7"), cmd.CreateResponse()]
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutDrained("r2"))
    assert stage.published(rec.TurnRecord)[0].response == "Let me see. All done."


def test_an_answer_after_a_tool_that_never_comes_ends_the_turn() -> None:
    stage = Stage().ready()
    asked(stage, call(1))
    stage.tell(ev.ToolDone("call1", "7"))
    stage.wait(12)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason, turn.tools) == ("failed", "timeout", ("get_time",))
    assert stage.state.link.number == 2


def test_a_long_output_is_cut_and_no_repr_shows_it() -> None:
    stage = Stage().ready()
    asked(stage, call(1))
    (output,) = only(stage.tell(ev.ToolDone("call1", "canary " * 10_000)), cmd.AddToolOutput)
    assert len(output.output) == 4096
    assert "canary" not in repr(stage.orders)
