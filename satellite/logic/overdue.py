"""What is owed and does not come: one watch over each turn, asked at every tick.

Pure. An open turn is nudged in three steps (realtime-protocol 5.4 D): silence, which is what the
server's VAD waits for; then a commit of our own; then another session. A transcript and an answer
each have a deadline. Every path ends the turn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from satellite.logic.turn import SUPERSEDED, Answer, Turn, fail_answer, lose_transcript
from satellite.model import commands as cmd
from satellite.model.audio import silence

TRANSCRIPT_S: Final = 10.0  # realtime-protocol 7: bound of a pending transcript
ANSWER_S: Final = 10.0  # reliability F31: first event of an answer
NUDGE_AFTER_S: Final = 1.5  # realtime-protocol 5.4 D, on top of the server's silence
NUDGE_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Room:
    """What the watch must know about the microphone's side. ``sent_at``: when sound last went."""

    gate_open: bool
    sent_at: float
    silence_ms: int
    responding: bool = False  # no answer can be asked for: one is made, or the user speaks


Watched = tuple[Turn, tuple[cmd.Command, ...]]


def nudged(turn: Turn, nudges: int, now: float) -> Turn:
    """Note that nudge number ``nudges`` was given, and until when it may take effect."""
    return replace(turn, nudges=nudges, deadline=now + NUDGE_WAIT_S)


def watch(turn: Turn, room: Room, now: float, *, user_went_on: bool) -> Watched:
    """Act on what is overdue. ``user_went_on``: a newer turn has begun since."""
    if not turn.ended:
        return _watch_open(turn, room, now)
    if turn.awaiting and turn.commit_at is None:
        return turn, ()  # it waits for a session; the link bounds that
    since = turn.stopped_at if turn.stopped_at is not None else turn.opened_at
    since = max(since, turn.commit_at or since)
    if now - since > TRANSCRIPT_S:
        owed = turn.outcome is None
        turn = lose_transcript(turn, "timeout")
        if owed and not turn.answers:
            turn = replace(turn, unanswered="timeout")
            return turn, (cmd.Restart("the server gave no transcript"),)
    if turn.answer is not None:
        return _watch_answer(turn, turn.answer, now)
    if not turn.wants_answer:
        return turn, ()
    return _watch_for_answer(turn, room, now, since, user_went_on=user_went_on)


def _watch_for_answer(
    turn: Turn, room: Room, now: float, since: float, *, user_went_on: bool
) -> Watched:
    if turn.dropped:  # an answer that comes all the same must still be known
        never = now - since > ANSWER_S
        return (replace(turn, unanswered=turn.why_dropped) if never else turn), ()
    if turn.nudges == 2 and turn.committed and now > turn.deadline and not room.responding:
        return replace(nudged(turn, 3, now), asked_at=now), (cmd.CreateResponse(),)
    if turn.utterance is not None and turn.asked_at is None and room.responding:
        return turn, ()  # its turn to be asked for comes when that one is done
    if now - max(since, turn.asked_at or since) <= ANSWER_S:
        return turn, ()
    if user_went_on:
        return replace(turn, unanswered=turn.stopped or SUPERSEDED), ()
    late = replace(turn, unanswered=turn.stopped or "timeout")
    return late, (cmd.Restart("the server gave no answer"),)


def _watch_open(turn: Turn, room: Room, now: float) -> Watched:
    quiet = now - room.sent_at > room.silence_ms / 1000 + NUDGE_AFTER_S
    if turn.nudges == 0 and quiet and not room.gate_open:
        return nudged(turn, 1, now), (cmd.AppendAudio(silence(room.silence_ms + 200)),)
    if turn.nudges == 1 and now > turn.deadline:
        return nudged(turn, 2, now), (cmd.CommitInput(),)
    if turn.nudges == 2 and now > turn.deadline:
        ended = replace(turn, ended=True, stopped_at=now, nudges=3)
        return ended, (cmd.Restart("the server never ended the turn"),)
    return turn, ()


def _watch_answer(turn: Turn, answer: Answer, now: float) -> Watched:
    if answer.is_over or now <= answer.deadline:
        return turn, ()
    if answer.status is not None:
        stuck = replace(answer, sounding=False, played_ms=0, interrupted=True)
        return replace(turn, answer=replace(stuck, reason="speaker_stuck")), ()
    if answer.interrupted:  # a server that does not say that it cancelled
        return replace(turn, answer=replace(answer, status="cancelled", reason="silent")), ()
    late = replace(turn, answer=fail_answer(answer, "timeout", now))
    end = (cmd.EndPlay(answer.response_id),) if answer.sounding else ()
    return late, (*end, cmd.Restart("the server stopped in mid-answer"))
