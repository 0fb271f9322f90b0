"""What is to be said, or asked, over MQTT: one after the other, each with exactly one end. Pure.

Rule 1: nothing begins while the user speaks or is owed an answer, nor while another answer is made
or played (C49). Who speaks first is answered first.
Rule 2: whatever is taken in ends once, and ``outcomes`` tells how: done, failed, cancelled,
expired or rejected.
Rule 3: what is said is spoken beside the conversation: the model does not hear of it. What is
asked is the user's word in it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Final, Literal

from satellite.logic.talk import (
    Asked,
    Ended,
    Step,
    Talk,
    TalkSettings,
    asking,
    begin,
    open_turn,
    put,
    put_answer,
    silenced,
)
from satellite.logic.turn import Answer, Source, Turn
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.requests import Ask, Cancel, Request, Say

MOST_WAITING: Final = 5
SESSION_S: Final = 10.0  # an announcement that comes later is news no more
WAIT_S: Final = 120.0  # in which whoever speaks must have come to an end
LISTEN_S: Final = 1.5  # a server has said by then whether what it was sent is a person
CANCELLED: Final = "cancelled"
OVERRULED: Final = "overruled"  # by a text that was to interrupt
ONLY_TOLD: Final = "only_told"  # the text is in the conversation, no answer was asked for
_WORD: Final = re.compile(r"\w+")
_MOSTLY: Final = 0.5  # so much of what was asked for must be there to call it that


def on_asked(talk: Talk, request: Request, now: float, settings: TalkSettings) -> Step:
    """Take in what is for the conversation; the rest is the affair of others."""
    match request.order:
        case Say():
            return say(talk, request, now, settings)
        case Ask():
            return ask(talk, request, now, settings)
        case Cancel():
            return cancel(talk, request, now, settings)
        case _:
            return talk, ()


def say(talk: Talk, request: Request, now: float, settings: TalkSettings) -> Step:
    """Take in a text to be spoken word for word."""
    order = request.order
    assert isinstance(order, Say)
    if settings.session.output == "text":
        why = "the session answers with text (realtime.output); there is no voice to say it with"
        return _end(talk, request, "rejected", why), ()
    talk, taken = _take_in(talk, request, now, settings, first=order.interrupt)
    return hush(talk, now, OVERRULED, settings) if taken and order.interrupt else (talk, ())


def ask(talk: Talk, request: Request, now: float, settings: TalkSettings) -> Step:
    """Take in a text that becomes the user's word."""
    return _take_in(talk, request, now, settings, first=False)[0], ()


def cancel(talk: Talk, request: Request, now: float, settings: TalkSettings) -> Step:
    """Stop what is spoken, or was to be; whoever speaks to us is heard to the end."""
    order = request.order
    assert isinstance(order, Cancel)
    sources = _OF[order.what]
    for entry in talk.asked:
        if entry.turn_id is None and entry.request.verb in sources:
            talk = _end(talk, entry.request, "cancelled", "it was cancelled before its turn came")
    talk, orders = hush(talk, now, CANCELLED, settings, sources)
    return _end(talk, request, "done"), orders


_OF: Final[dict[str, frozenset[Source]]] = {
    "response": frozenset({"voice", "ask"}),
    "say": frozenset({"say"}),
    "all": frozenset({"voice", "ask", "say"}),
}


def outcomes(talk: Talk) -> tuple[Talk, tuple[Ended, ...]]:
    """Take out how what was said, asked or cancelled ended, each once."""
    return replace(talk, ended=()), talk.ended


def give_up(talk: Talk, why: str) -> Talk:
    """End what waits: the satellite stops, or begins another conversation."""
    for entry in talk.asked:
        if entry.turn_id is None:
            talk = _end(talk, entry.request, "cancelled", why)
    return talk


def waits(talk: Talk) -> bool:
    """True while something waits for its turn."""
    return any(entry.turn_id is None for entry in talk.asked)


def _take_in(
    talk: Talk, request: Request, now: float, settings: TalkSettings, *, first: bool
) -> tuple[Talk, bool]:
    order = request.order
    assert isinstance(order, Say | Ask)
    waiting = [entry for entry in talk.asked if entry.turn_id is None]
    if not settings.session.answers:
        why = "the session only writes down what is said (realtime.session: transcription)"
        return _end(talk, request, "rejected", why), False
    if not _WORD.search(order.text):
        return _end(talk, request, "rejected", "the text has no words"), False
    if len(waiting) >= MOST_WAITING:
        why = f"busy: {MOST_WAITING} texts wait already; send it again later"
        return _end(talk, request, "rejected", why), False
    entry = Asked(request, now)
    asked = (entry, *talk.asked) if first else (*talk.asked, entry)
    return replace(talk, asked=asked), True


def _end(
    talk: Talk,
    request: Request,
    status: Literal["done", "failed", "cancelled", "expired", "rejected"],
    error: str | None = None,
) -> Talk:
    asked = tuple(entry for entry in talk.asked if entry.request is not request)
    return replace(talk, asked=asked, ended=(*talk.ended, Ended(request, status, error)))


# --- its turn comes ------------------------------------------------------------------------------


def wait_for_session(talk: Talk, now: float, why: str, *, never: bool) -> Talk:
    """There is no session; ``never``: and there will be none until a person acts."""
    for entry in talk.asked:
        if entry.turn_id is not None:
            continue
        since = now if entry.alone_since is None else entry.alone_since
        if never or now - since > SESSION_S:
            talk = _end(talk, entry.request, "failed", f"there is no session: {why}")
        elif entry.alone_since is None:
            waiting = replace(entry, alone_since=now)
            asked = tuple(waiting if each is entry else each for each in talk.asked)
            talk = replace(talk, asked=asked)
    return talk


def advance(talk: Talk, now: float, settings: TalkSettings) -> Step:
    """There is a session: begin the next where nothing is in its way."""
    for entry in talk.asked:
        if entry.turn_id is None and now - entry.at > WAIT_S:
            why = f"somebody spoke all the time for {WAIT_S:g} s"
            talk = _end(talk, entry.request, "expired", why)
    following = next((each for each in talk.asked if each.turn_id is None), None)
    if following is None or _is_occupied(talk, now, settings):
        return talk, ()
    entry = following
    talk, turn = begin(talk, None, now, settings)
    turn = replace(turn, ended=True, stopped_at=now, asked_at=now)
    begun = replace(entry, turn_id=turn.turn_id, alone_since=None)
    talk = replace(talk, asked=tuple(begun if each is entry else each for each in talk.asked))
    order = entry.request.order
    if isinstance(order, Say):
        turn = replace(turn, source="say", wanted=order.text, volume=order.volume)
        return put(talk, turn), (asking(turn),)
    assert isinstance(order, Ask)
    turn = replace(turn, source="ask", outcome="final", transcript=order.text, transcript_at=now)
    turn = replace(turn, told_transcript=True)
    if not order.respond:
        return put(talk, replace(turn, unanswered=ONLY_TOLD)), (cmd.AddText("user", order.text),)
    return put(talk, turn), (cmd.AddText("user", order.text), asking(turn))


def _is_occupied(talk: Talk, now: float, settings: TalkSettings) -> bool:
    if open_turn(talk) is not None or talk.pressed_at is not None:
        return True
    if talk.unclaimed and now - talk.sent_at < LISTEN_S:
        return True
    if talk.gate_open and settings.session.manual:
        return True
    fresh = talk.opened_at is None or now - talk.opened_at < LISTEN_S
    if talk.gate_open and not talk.discarding and fresh:
        return True
    return any(turn.awaiting or (turn.answers and not turn.is_settled) for turn in talk.turns)


def on_refused(talk: Talk, error: ev.ServerError) -> Talk:
    """The server does not speak such a text; its error names our order."""
    for turn in talk.turns:
        named = error.event_id is not None and error.event_id.endswith(f".{turn.turn_id}")
        if named and turn.source == "say" and turn.wants_answer:
            talk = put(talk, replace(turn, unanswered=error.code or error.kind))
    return talk


# --- and ends ------------------------------------------------------------------------------------


def hush(
    talk: Talk,
    now: float,
    why: str,
    settings: TalkSettings,
    sources: frozenset[Source] = _OF["all"],
) -> Step:
    """Stop every answer, and see to it that none begins that is on its way."""
    orders: list[cmd.Command] = []
    for turn in talk.turns:
        if not turn.ended or turn.source not in sources or turn.is_settled:
            continue
        answer = turn.answer
        turn = replace(turn, stopped=why, retry_at=None)  # noqa: PLW2901
        if answer is None:
            comes = turn.asked_at is not None or not settings.session.manual
            talk = put(talk, turn if comes else replace(turn, unanswered=why))
        elif answer.is_over or answer.interrupted:
            talk = put(talk, turn)
        else:
            orders += silenced(turn, answer, cancel=True)
            talk = put_answer(talk, turn, replace(answer, interrupted=True, cut=why), now)
    return talk, tuple(orders)


def note_end(talk: Talk, turn: Turn) -> Talk:
    """A turn is over: where it was asked for, that has an end; or is tried again."""
    entry = next((each for each in talk.asked if each.turn_id == turn.turn_id), None)
    if entry is None:
        return talk
    if _was_in_the_way(turn):
        again = replace(entry, turn_id=None)
        return replace(talk, asked=tuple(again if e is entry else e for e in talk.asked))
    status, error = _outcome(turn)
    return _end(talk, entry.request, status, error)


def _was_in_the_way(turn: Turn) -> bool:
    """The user began to speak before a word of it was heard."""
    answer = turn.answer
    if turn.source != "say" or turn.stopped or turn.gone or answer is None:
        return False
    return answer.interrupted and answer.audio_at is None and answer.heard_ms == 0


def _outcome(
    turn: Turn,
) -> tuple[Literal["done", "failed", "cancelled"], str | None]:
    answer = turn.answer
    if turn.unanswered == ONLY_TOLD:
        return "done", None
    if turn.stopped == CANCELLED:
        return "cancelled", "it was cancelled"
    if turn.stopped:
        return "cancelled", "another text was to interrupt it"
    if answer is None:
        return "failed", f"no answer: {turn.unanswered}"
    if answer.interrupted or answer.status == "cancelled":
        return "cancelled", "the user spoke before it had been heard to its end"
    if answer.status != "completed":
        return "failed", f"the answer is {answer.status}: {answer.reason or 'no reason given'}"
    return _judged(turn, answer) if turn.source == "say" else ("done", None)


def _judged(turn: Turn, answer: Answer) -> tuple[Literal["done", "failed"], str | None]:
    """Was it heard, and was it what was asked for?"""
    if not answer.audio_ms or answer.heard_ms < answer.audio_ms:
        return "failed", "the loudspeaker did not play it"
    if not answer.text:  # a server that tells no words of its voice
        return "done", None
    likeness = _likeness(turn.wanted, answer.text)
    if likeness == 1:
        return "done", None
    if likeness < _MOSTLY:
        return "failed", "the voice said something else; `response` has its words"
    return "done", "the voice said it with other words; `response` has them"


def _likeness(wanted: str, said: str) -> float:
    """How much of both is the same words in the same order: 0 to 1."""
    first, second = _words(wanted), _words(said)
    return 1.0 if first == second else SequenceMatcher(None, first, second, autojunk=False).ratio()


def _words(text: str) -> list[str]:
    """Without case and punctuation, which a voice does not have."""
    return _WORD.findall(re.sub(r"['\u2019]", "", text).casefold())
