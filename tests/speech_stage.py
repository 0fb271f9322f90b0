"""A stage on which texts are said, asked and cancelled over MQTT."""

from __future__ import annotations

from stage import VOICE, Stage, only

from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.requests import Ask, Cancel, Request, Say, What

TEXT = "The door bell rings."


def say(stage: Stage, text: str = TEXT, *, interrupt: bool = False) -> list[cmd.Command]:
    return stage.tell(ev.Asked(Request("say", Say(text, interrupt))))


def ask(stage: Stage, text: str = "Is it warm?", *, respond: bool = True) -> list[cmd.Command]:
    return stage.tell(ev.Asked(Request("ask", Ask(text, respond))))


def cancel(stage: Stage, what: What = "all") -> list[cmd.Command]:
    return stage.tell(ev.Asked(Request("cancel", Cancel(what))))


def last_answers(stage: Stage) -> list[rec.Result]:
    results = [answer.result for answer in only(stage.orders, cmd.Answer)]
    return [result for result in results if result.status != "accepted"]


def ends(stage: Stage) -> list[tuple[str, str]]:
    """How each ended of those that this was not asked about yet."""
    ended = last_answers(stage)
    stage.orders = [each for each in stage.orders if not isinstance(each, cmd.Answer)]
    return [(result.cmd, result.status) for result in ended]


def why(stage: Stage) -> rec.Result:
    (ended,) = last_answers(stage)
    return ended


def to_server(orders: list[cmd.Command]) -> list[cmd.Command]:
    return [order for order in orders if isinstance(order, cmd.LinkCommand)]


def spoken(stage: Stage, number: int, text: str = TEXT, *, named: bool = True) -> list[cmd.Command]:
    """The server speaks the text that was asked for last."""
    response, name = f"s{number}", stage.state.talk.turns[-1].turn_id if named else None
    return stage.server(
        ev.ResponseCreated(response, name),
        ev.TextDelta(response, 0, 0, text, final=True),
        ev.AudioDelta(response, f"i{number}", 0, 0, VOICE),
        ev.ResponseDone(response, "completed", None, ev.Usage(30, 40)),
    )
