"""What the assistant does: answers that come, are played, are cut short, fail. Pure.

Rule 1: an answer is one response, known by ``response_id``; late pieces of one that was cut are
dropped (C45). Several items of one response are one answer (C44).
Rule 2: what the server is told of an interrupted answer is what the speaker really played (C47).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from satellite.logic import calling
from satellite.logic.echo import TAIL_S
from satellite.logic.talk import (
    STALL_S,
    Step,
    Talk,
    TalkSettings,
    asking,
    begin,
    open_turn,
    put,
    put_answer,
    remember,
    rings,
    speaks_untold,
    turn_heard,
    turn_with,
)
from satellite.logic.turn import (
    MOST_PARTS,
    SUPERSEDED,
    Answer,
    Turn,
    add_audio,
    add_text,
    flushed,
    received_ms,
)
from satellite.model import commands as cmd
from satellite.model import events as ev

LONGEST_ANSWER_MS: Final = 120_000  # reliability F33
LONGEST_RETRY_S: Final = 10.0  # nobody waits longer for an answer
PASSING: Final = frozenset({"rate_limit_exceeded", "inference_rate_limit_exceeded", "server_error"})


def on_created(
    talk: Talk, response_id: str, now: float, settings: TalkSettings, name: str | None = None
) -> Step:
    """An answer begins; one that nobody wants any more is stopped at once."""
    if turn_with(talk, response_id) is not None:
        return talk, ()
    if name is not None and not any(t.turn_id == name and t.wants_answer for t in talk.turns):
        return remember(talk, response_id), (cmd.CancelResponse(response_id),)
    talk, turn = _waiting_for_it(talk, now, settings, name)
    went_on = settings.session.manual and turn is not talk.turns[-1] and turn.source == "voice"
    speaks = open_turn(talk) is not None or speaks_untold(talk, settings)
    unwanted = turn.dropped or turn.stopped is not None or went_on or speaks
    answer = Answer(response_id, interrupted=unwanted, deadline=now + STALL_S, cut=turn.stopped)
    talk = put(talk, replace(turn, answer=answer))
    return talk, (cmd.CancelResponse(response_id),) if unwanted else ()


def _waiting_for_it(
    talk: Talk, now: float, settings: TalkSettings, name: str | None
) -> tuple[Talk, Turn]:
    """A new response belongs to the turn that it was asked for.

    Where the server ends the turns, that is the newest that nobody answered; a text to be said
    has the response of its name, or, of a server that tells no names, the one that is left.
    """
    texts = [t for t in talk.turns if t.wants_answer and t.source == "say"]
    waiting = [t for t in talk.turns if t.wants_answer and t.source != "say"]
    if texts and (name is not None or not waiting):
        return talk, next((t for t in texts if t.turn_id == name), texts[0])
    asked = [t for t in waiting if t.asked_at is not None] if settings.session.manual else []
    if not waiting:
        talk, turn = begin(talk, None, now, settings)
        return talk, replace(turn, ended=True)
    turn = (asked or waiting)[-1]
    for older in waiting[: waiting.index(turn)]:
        talk = put(talk, replace(older, unanswered=SUPERSEDED))
    return talk, turn


def _answer_of(
    talk: Talk, response_id: str, now: float, settings: TalkSettings
) -> tuple[Talk, Turn, Answer, tuple[cmd.Command, ...]]:
    """Find the answer; one whose beginning we were not told begins here."""
    talk, orders = on_created(talk, response_id, now, settings)
    turn = turn_with(talk, response_id)
    assert turn is not None
    assert turn.answer is not None
    return talk, turn, turn.answer, orders


def on_text(talk: Talk, delta: ev.TextDelta, now: float, settings: TalkSettings) -> Step:
    """Words of an answer."""
    talk, turn, answer, orders = _answer_of(talk, delta.response_id, now, settings)
    return put_answer(talk, turn, add_text(answer, delta), now), orders


def on_audio(talk: Talk, delta: ev.AudioDelta, now: float, settings: TalkSettings) -> Step:
    """Voice of an answer: play it, unless it was cut."""
    response_id = delta.response_id
    talk, turn, answer, orders = _answer_of(talk, response_id, now, settings)
    if answer.interrupted or answer.status is not None:
        return talk, orders
    if turn.source == "say" and not answer.received and "message" in settings.chimes:
        talk, orders = rings(talk, now), (*orders, cmd.PlayChime("message"))
    answer = add_audio(answer, delta)
    play = cmd.Play(response_id, delta.item_id, delta.content_index, delta.pcm, turn.volume)
    if answer.audio_ms <= LONGEST_ANSWER_MS and len(answer.received) <= MOST_PARTS:
        return put_answer(talk, turn, answer, now), (*orders, play)
    cut = replace(answer, status="incomplete", reason="too_long")
    end = (play, cmd.CancelResponse(response_id), cmd.EndPlay(response_id))
    return put_answer(talk, turn, cut, now), end


def on_done(talk: Talk, done: ev.ResponseDone, now: float, settings: TalkSettings) -> Step:
    """The server is done with an answer; a tool may have to run, or it must be asked again."""
    if done.status != "cancelled" and any(t.wants_answer for t in talk.turns):
        talk, _ = on_created(talk, done.response_id, now, settings, done.name)  # if not told of it
    turn = turn_with(talk, done.response_id)
    if turn is None:  # one we never heard of: what may still come of it is late
        return remember(talk, done.response_id), ()
    if turn.answer is None or turn.answer.status is not None:
        return talk, ()  # the end of an answer that was given up
    reason = turn.answer.cut or done.reason
    answer = replace(turn.answer, status=done.status, reason=reason, usage=done.usage)
    heeded = not turn.dropped and turn.source != "say"
    calls = done.calls if done.status == "completed" and heeded else ()
    talk, orders = calling.begin(talk, _retried(talk, turn, answer, now), calls, now, settings)
    turn = turn_with(talk, done.response_id) or turn
    talk = put_answer(talk, turn, answer, now)
    if answer.sounding and not answer.interrupted:
        return talk, (*orders, cmd.EndPlay(done.response_id))
    return talk, orders


def _retried(talk: Talk, turn: Turn, answer: Answer, now: float) -> Turn:
    """What passes by itself is asked again, once, and not before the server allows it (C51)."""
    again = answer.status == "failed" and answer.reason in PASSING and not answer.received
    was_asked_again = any(each.status == "failed" for each in turn.earlier)
    wait_s = max(1.0, talk.reset_s)
    if not again or was_asked_again or answer.interrupted or wait_s > LONGEST_RETRY_S:
        return turn
    return replace(turn, retry_at=now + wait_s)


def ask_again(talk: Talk, now: float) -> Step:
    """Ask for the answers that failed and are due again, unless the user went on."""
    for turn in talk.turns:
        if turn.retry_at is None or now < turn.retry_at or turn.answer is None:
            continue
        if turn is not talk.turns[-1]:
            talk = put(talk, replace(turn, retry_at=None))
            continue
        again = replace(turn, earlier=(turn.answer,), answer=None, retry_at=None, asked_at=now)
        return put(talk, again), (asking(turn),)
    return talk, ()


# --- the speaker -------------------------------------------------------------------------------


def on_started(talk: Talk, response_id: str, at: float) -> Talk:
    """The first sample was played."""
    turn = turn_heard(talk, response_id)
    if turn is None or turn.answer is None or turn.answer.audio_at is not None:
        return talk
    return put(talk, replace(turn, answer=replace(turn.answer, audio_at=at)))


def on_drained(talk: Talk, event: ev.PlayoutDrained, now: float) -> Step:
    """The last sample was played, or the speaker broke."""
    talk = replace(talk, quiet_at=now + TAIL_S, underruns=talk.underruns + event.underruns)
    turn = turn_heard(talk, event.response_id)
    if turn is None or turn.answer is None:
        return talk, ()
    answer = replace(turn.answer, sounding=False)
    if not event.heard:
        return _on_broken(talk, replace(turn, answer=answer), answer, event)
    if answer.status == "completed":  # the interruption came too late to take anything away
        answer = replace(answer, interrupted=False)
    return put(talk, replace(turn, answer=answer)), ()


def _on_broken(talk: Talk, turn: Turn, answer: Answer, event: ev.PlayoutDrained) -> Step:
    """Of an answer that the speaker broke in, the server is told what was heard once it is whole.

    One of which nothing could be heard is left to it: its text is published, and a question
    without any answer would be answered again.
    """
    if event.item_id or answer.played_ms is None:  # else what still came was not played either
        answer = flushed(answer, event.item_id, event.played_ms)
    talk = put(talk, replace(turn, answer=answer))
    if answer.status is None or not answer.heard_ms or turn.gone or turn.source == "say":
        return talk, ()
    orders: list[cmd.Command] = []
    left = answer.heard_ms
    for item, index in {item: index for item, index, _ in answer.received}.items():
        length_ms = received_ms(answer, item)
        if left < length_ms:
            orders.append(cmd.TruncateItem(item, index, left) if left else cmd.DeleteItem(item))
        left = max(0, left - length_ms)
    return talk, tuple(orders)


def on_flushed(talk: Talk, event: ev.PlayoutFlushed, now: float) -> Step:
    """Tell the server what was heard of each item: all, a part, or nothing (C47)."""
    talk = replace(talk, underruns=talk.underruns + event.underruns)
    if event.played_ms > 0:
        talk = replace(talk, quiet_at=now + TAIL_S)
    turn = turn_heard(talk, event.response_id)
    if turn is None or turn.answer is None:
        return talk, ()
    answer = flushed(turn.answer, event.item_id, event.played_ms)
    if turn.gone or turn.source == "say":  # no conversation has it
        return put_answer(talk, turn, answer, now), ()
    heard = min(event.played_ms, received_ms(answer, event.item_id))
    orders: list[cmd.Command] = []
    if heard > 0:
        orders.append(cmd.TruncateItem(event.item_id, event.content_index, heard))
    items = list(dict.fromkeys(item for item, _, _ in answer.received))
    unheard = items[items.index(event.item_id) :] if event.item_id in items else []
    orders += [cmd.DeleteItem(item) for item in unheard if item != event.item_id or heard == 0]
    return put_answer(talk, turn, answer, now), tuple(orders)
