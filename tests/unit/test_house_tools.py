"""Tools that the house carries out over MQTT: what a model may have done, and what it may not."""

from __future__ import annotations

import json

import pytest
from stage import Stage, only, settings

from satellite.logic import calling
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.session import House, Session, Tool

LAMP = {
    "type": "object",
    "properties": {
        "lamp": {"type": "string", "enum": ["kitchen", "hall"]},
        "percent": {"type": "integer", "minimum": 0, "maximum": 100},
    },
    "required": ["lamp"],
    "additionalProperties": False,
}
LIGHT = Tool("light", "Dims a lamp.", LAMP, House(timeout_s=4))
LOCK = Tool("unlock", "Opens the door.", {"type": "object"}, House(timeout_s=6, sensitive=True))
CLOCK = Tool("get_time", "Tells the time.", {"type": "object"})


def home() -> Stage:
    return Stage(settings(session=Session(tools=(LIGHT, LOCK, CLOCK)))).ready()


def wants(
    stage: Stage, arguments: object = None, name: str = "light", call_id: str = "call1"
) -> list[cmd.Command]:
    """Somebody asks, and the model wants a tool."""
    number = len(stage.orders)
    stage.speak(f"u{number}")
    stage.server(ev.UserTranscript(f"u{number}", "Hi."), ev.ResponseCreated(f"r{number}"))
    given = {"lamp": "hall"} if arguments is None else arguments
    text = given if isinstance(given, str) else json.dumps(given)
    call = ev.ToolCall(call_id, name, text)
    return stage.server(ev.ResponseDone(f"r{number}", "completed", None, None, (call,)))


def outputs(orders: list[cmd.Command]) -> list[str]:
    return [order.output for order in only(orders, cmd.AddToolOutput)]


def ends(stage: Stage) -> None:
    """The answer after the tool."""
    number = len(stage.orders)
    stage.answer(f"end{number}", f"i{number}")
    stage.tell(ev.PlayoutDrained(f"end{number}"))
    stage.wait(1)


def test_the_house_is_told_and_its_word_goes_to_the_model() -> None:
    stage = home()
    orders = wants(stage, {"lamp": "hall", "percent": 40})
    assert not only(orders, cmd.RunTool) + only(orders, cmd.AddToolOutput)
    (call,) = stage.published(rec.ToolCall)
    assert type(call) is rec.ToolCall
    assert (call.call_id, call.name, call.device_id) == ("call1", "light", "kitchen")
    assert call.arguments == {"lamp": "hall", "percent": 40}
    assert call.turn_id == "boot-t1"
    assert (call.ts[17:19], call.deadline[17:19]) == ("01", "05")
    orders = stage.tell(ev.ToolDone("call1", "It is on."))
    assert outputs(orders) == ["It is on."]
    assert only(orders, cmd.CreateResponse)
    assert not stage.tell(ev.ToolDone("call1", "again"))
    ends(stage)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.tools, turn.event_type) == (("light",), "answered")
    assert len(stage.published(rec.ToolCall)) == 1


def test_a_house_that_is_late_is_not_heard() -> None:
    stage = home()
    wants(stage)
    assert outputs(stage.wait(4)) == []
    assert outputs(stage.wait(1)) == [calling.LATE]
    assert not stage.tell(ev.ToolDone("call1", "at last"))


def test_our_own_tools_run_as_before() -> None:
    stage = home()
    assert only(wants(stage, {}, "get_time"), cmd.RunTool)
    assert not stage.published(rec.ToolCall)


@pytest.mark.parametrize(("arguments", "said"), [
    ({}, "lamp is required"),
    ({"lamp": "garage"}, "lamp must be one of"),
    ({"lamp": "hall", "percent": 101}, "percent must not be more than 100"),
    ({"lamp": "hall", "percent": True}, "percent must be of type integer"),
    ({"lamp": "hall", "entity": "lock.door"}, "may only have lamp, percent"),
    ("[1]", "the arguments must be of type object"),
    ("{", "not JSON"),
    ("[" * 10_000, "not JSON"),
])  # fmt: skip
def test_what_the_schema_forbids_never_reaches_the_house(arguments: object, said: str) -> None:
    stage = home()
    (output,) = outputs(wants(stage, arguments))
    assert said in json.loads(output)["error"]
    assert not stage.published(rec.ToolCall)


def test_what_a_model_makes_up_is_no_tool_of_the_house() -> None:
    stage = home()
    assert only(wants(stage, {}, "call_service"), cmd.RunTool)  # which knows none of that name
    assert not stage.published(rec.ToolCall)


@pytest.mark.parametrize("waited", [0.0, 5.0])
def test_a_sensitive_one_is_told_only_after_a_persons_yes(waited: float) -> None:
    stage = home()
    wants(stage, {}, "unlock")
    (asked,) = stage.published(rec.ToolCall)
    assert type(asked) is rec.ToolConfirm
    assert (asked.call_id, asked.name) == ("call1", "unlock")
    stage.wait(waited)
    stage.tell(ev.ToolDone("call1", "null", confirmed=True))
    (_, told) = stage.published(rec.ToolCall)
    assert type(told) is rec.ToolCall
    assert told.deadline > asked.deadline or not waited
    assert not stage.tell(ev.ToolDone("call1", "null", confirmed=True))  # QoS 1 says things twice
    assert outputs(stage.tell(ev.ToolDone("call1", "Open."))) == ["Open."]


@pytest.mark.parametrize(("done", "output"), [
    (ev.ToolDone("call1", "null", confirmed=False), calling.REFUSED),
    (ev.ToolDone("call1", "The door is open."), calling.UNCONFIRMED),
    (None, calling.UNCONFIRMED),
])  # fmt: skip
def test_without_a_yes_it_is_never_told(done: ev.ToolDone | None, output: str) -> None:
    stage = home()
    wants(stage, {}, "unlock")
    orders = stage.wait(7) if done is None else stage.tell(done)
    assert outputs(orders) == [output]
    stage.tell(ev.ToolDone("call1", "null", confirmed=True))  # too late
    assert [type(call) for call in stage.published(rec.ToolCall)] == [rec.ToolConfirm]


def test_five_calls_a_turn_are_enough() -> None:
    stage = home()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."), ev.ResponseCreated("r1"))
    calls = tuple(ev.ToolCall(f"call{n}", "light", '{"lamp":"hall"}') for n in range(7))
    stage.server(ev.ResponseDone("r1", "completed", None, None, calls))
    assert len(stage.published(rec.ToolCall)) == calling.MOST_CALLS
    for n in range(4):
        stage.tell(ev.ToolDone(f"call{n}", "on"))
    orders = stage.tell(ev.ToolDone("call4", "on"))
    assert outputs(orders)[-2:] == [calling.TOO_MANY] * 2


def test_thirty_calls_an_hour_are_enough_and_another_hour_is_another() -> None:
    stage = home()
    for n in range(calling.MOST_AN_HOUR):
        wants(stage, call_id=f"call{n}")
        stage.tell(ev.ToolDone(f"call{n}", "on"))
        ends(stage)
    assert outputs(wants(stage, call_id="more")) == [calling.TOO_OFTEN]
    ends(stage)
    assert len(stage.published(rec.ToolCall)) == calling.MOST_AN_HOUR
    stage.now += calling.HOUR_S
    wants(stage, call_id="later")
    assert len(stage.published(rec.ToolCall)) == calling.MOST_AN_HOUR + 1


def test_an_output_is_cut_at_four_kib_and_in_no_repr() -> None:
    stage = home()
    wants(stage, {"lamp": "hall"})
    (output,) = outputs(stage.tell(ev.ToolDone("call1", "canaryé" * 1000)))
    assert len(output.encode()) <= 4096
    assert "canary" not in repr(stage.orders) + repr(stage.state)


def test_what_the_server_is_not_told_changes_at_once() -> None:
    stage = home()
    cautious = Tool("light", "Dims a lamp.", LAMP, House(sensitive=True))
    assert not only(stage.change(tools=(cautious, LOCK, CLOCK)), cmd.Configure)
    wants(stage)
    assert [type(call) for call in stage.published(rec.ToolCall)] == [rec.ToolConfirm]
