"""Tools that the model calls: each once, each with an output, then one more answer. Pure.

Only calls of a completed response get here. While they run the turn is not over; when every one
has its output, or its time is up, the outputs go to the server and one answer is asked for (C49,
C50). A model that only ever calls tools is stopped.

What the house does for a model is bounded here, whatever the model says: only the tools that are
named in the configuration, only with arguments that their schemas allow, so many a turn and an
hour, and a sensitive one only after a person's yes (reliability F79, F80).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from satellite.logic.talk import Step, Talk, TalkSettings, put
from satellite.logic.turn import SUPERSEDED, Call, Turn
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.json_schema import broken
from satellite.model.session import Tool

TOOL_S: Final = 10.0  # a person who asked waits no longer
MOST_ROUNDS: Final = 5  # of calls in one turn
MOST_CALLS: Final = 5  # in one turn: reliability F80
MOST_AN_HOUR: Final = 30  # that the house is told of
HOUR_S: Final = 3600.0
MOST_REMEMBERED: Final = 64
LONGEST_OUTPUT: Final = 4096  # bytes: reliability F79
LATE: Final = '{"error":"the tool did not answer in time"}'
WENT_ON: Final = '{"error":"the user went on before the tool answered"}'
TOO_MANY: Final = '{"error":"too many tool calls at once"}'
TOO_OFTEN: Final = '{"error":"too many tool calls in this hour; nothing was done"}'
UNCONFIRMED: Final = '{"error":"nobody confirmed it, so nothing was done"}'
REFUSED: Final = '{"error":"the user said no, so nothing was done"}'


def begin(
    talk: Talk, turn: Turn, calls: tuple[ev.ToolCall, ...], now: float, settings: TalkSettings
) -> Step:
    """Run what the model asks for; what ran already in this session is not run again."""
    named = {call.call_id: call for call in reversed(calls)}
    fresh = [
        named.pop(c.call_id) for c in calls if c.call_id in named and c.call_id not in talk.ran
    ]
    tools = {tool.name: tool for tool in settings.session.tools}
    left = MOST_CALLS - len(turn.tools)
    waiting: list[Call] = []
    for n, call in enumerate(fresh):
        if n >= left or turn.stopped:
            waiting.append(Call(call, now, WENT_ON if turn.stopped else TOO_MANY))
            continue
        talk, begun = _begun(talk, call, tools.get(call.name), now)
        waiting.append(begun)
    ran = (*talk.ran, *(call.call_id for call in fresh))[-MOST_REMEMBERED:]
    names = (*turn.tools, *(call.name for call in fresh))[-MOST_REMEMBERED:]
    talk = put(replace(talk, ran=ran), replace(turn, calls=tuple(waiting), tools=names))
    ours = [each.call for each in waiting if each.output is None and each.house is None]
    return talk, tuple(cmd.RunTool(call) for call in ours)


def _begun(talk: Talk, call: ev.ToolCall, tool: Tool | None, now: float) -> tuple[Talk, Call]:
    """One call; it has its output at once where the house must not be told of it."""
    if tool is None or tool.house is None:
        return talk, Call(call, now + TOOL_S)
    deadline = now + tool.house.timeout_s
    arguments, wrong = _arguments(call, tool)
    recent = tuple(at for at in talk.house_at if now - at < HOUR_S)
    if wrong is None and len(recent) >= MOST_AN_HOUR:
        wrong = TOO_OFTEN
    if wrong is not None:
        return talk, Call(call, now, wrong)
    talk = replace(talk, house_at=(*recent, now))
    return talk, Call(call, deadline, None, tool.house, arguments)


def _arguments(call: ev.ToolCall, tool: Tool) -> tuple[Mapping[str, Any], str | None]:
    """What the model wrote, and what is wrong with it, for the model."""
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}, json.dumps({"error": "the arguments are not JSON; nothing was done"})
    wrong = broken({"type": "object", **tool.parameters}, arguments)
    if wrong is not None:
        return {}, json.dumps({"error": f"{wrong}; nothing was done"})
    return arguments, None


def on_output(talk: Talk, done: ev.ToolDone, now: float) -> Talk:
    """A tool answered; what comes too late or twice changes nothing."""
    for turn in talk.turns:
        calls = tuple(_answered(call, done, now) for call in turn.calls)
        if calls != turn.calls:
            return put(talk, replace(turn, calls=calls))
    return talk


def _answered(call: Call, done: ev.ToolDone, now: float) -> Call:
    if call.call.call_id != done.call_id or call.output is not None or now > call.deadline:
        return call
    if call.house is not None and call.house.sensitive and not call.confirmed:
        if done.confirmed:  # only now is the house told to do it
            return replace(call, confirmed=True, deadline=now + call.house.timeout_s)
        return replace(call, output=UNCONFIRMED if done.confirmed is None else REFUSED)
    if done.confirmed is not None:  # said twice, or of one that needs no yes
        return call
    cut = done.output.encode("utf-8", "replace")[:LONGEST_OUTPUT].decode("utf-8", "ignore")
    return replace(call, output=cut)


def expire(talk: Talk, now: float) -> Talk:
    """Give those an output whose time is up."""
    for turn in talk.turns:
        calls = tuple(_expired(call, now) for call in turn.calls)
        if calls != turn.calls:
            talk = put(talk, replace(turn, calls=calls))
    return talk


def _expired(call: Call, now: float) -> Call:
    if call.output is not None or now <= call.deadline:
        return call
    waits_for_yes = call.house is not None and call.house.sensitive and not call.confirmed
    return replace(call, output=UNCONFIRMED if waits_for_yes else LATE)


def finish(talk: Talk, now: float) -> Step:
    """Hand over the outputs of a turn whose calls are all done and whose answer was played."""
    orders: list[cmd.Command] = []
    for turn in talk.turns:
        answer = turn.answer
        if not turn.calls or answer is None or not answer.is_over:
            continue
        user_went_on = turn is not talk.turns[-1] or turn.stopped is not None
        if not user_went_on and any(call.output is None for call in turn.calls):
            continue
        orders += [cmd.AddToolOutput(c.call.call_id, c.output or WENT_ON) for c in turn.calls]
        rounds = len(turn.earlier) + 1
        after = replace(turn, calls=(), earlier=(*turn.earlier, answer), answer=None)
        after = replace(after, told_answer=False, asked_at=now)
        if user_went_on:  # that turn will be answered
            after = replace(after, unanswered=turn.stopped or SUPERSEDED)
        elif rounds > MOST_ROUNDS:
            after = replace(after, unanswered="tool_loop")
        else:
            orders.append(cmd.CreateResponse())
        talk = put(talk, after)
    return talk, tuple(orders)
