"""Tools that the model calls: each once, each with an output, then one more answer. Pure.

Only calls of a completed response get here. While they run the turn is not over; when every one
has its output, or its time is up, the outputs go to the server and one answer is asked for (C49,
C50). A model that only ever calls tools is stopped.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from satellite.logic.talk import Step, Talk, put
from satellite.logic.turn import SUPERSEDED, Call, Turn
from satellite.model import commands as cmd
from satellite.model import events as ev

TOOL_S: Final = 10.0  # a person who asked waits no longer
MOST_ROUNDS: Final = 5  # of calls in one turn
MOST_CALLS: Final = 16  # of one response
MOST_REMEMBERED: Final = 64
LONGEST_OUTPUT: Final = 20_000  # characters
LATE: Final = '{"error":"the tool did not answer in time"}'
WENT_ON: Final = '{"error":"the user went on before the tool answered"}'
TOO_MANY: Final = '{"error":"too many tool calls at once"}'


def begin(talk: Talk, turn: Turn, calls: tuple[ev.ToolCall, ...], now: float) -> Step:
    """Run what the model asks for; what ran already in this session is not run again."""
    named = {call.call_id: call for call in reversed(calls)}
    fresh = [
        named.pop(c.call_id) for c in calls if c.call_id in named and c.call_id not in talk.ran
    ]
    waiting = tuple(
        Call(call, now + TOOL_S, None if n < MOST_CALLS else TOO_MANY)
        for n, call in enumerate(fresh)
    )
    ran = (*talk.ran, *(call.call_id for call in fresh))[-MOST_REMEMBERED:]
    names = (*turn.tools, *(call.name for call in fresh))[-MOST_REMEMBERED:]
    talk = put(replace(talk, ran=ran), replace(turn, calls=waiting, tools=names))
    return talk, tuple(cmd.RunTool(each.call) for each in waiting if each.output is None)


def on_output(talk: Talk, done: ev.ToolDone) -> Talk:
    """A tool answered; what comes too late or twice changes nothing."""
    for turn in talk.turns:
        calls = tuple(_answered(call, done) for call in turn.calls)
        if calls != turn.calls:
            return put(talk, replace(turn, calls=calls))
    return talk


def _answered(call: Call, done: ev.ToolDone) -> Call:
    if call.call.call_id != done.call_id or call.output is not None:
        return call
    return replace(call, output=done.output[:LONGEST_OUTPUT])


def expire(talk: Talk, now: float) -> Talk:
    """Give those an output whose time is up."""
    for turn in talk.turns:
        calls = tuple(_expired(call, now) for call in turn.calls)
        if calls != turn.calls:
            talk = put(talk, replace(turn, calls=calls))
    return talk


def _expired(call: Call, now: float) -> Call:
    late = call.output is None and now > call.deadline
    return replace(call, output=LATE) if late else call


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
