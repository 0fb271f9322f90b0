"""How a conversation ends that does not end by itself: no session, a lost one, our own end.

Pure. Every turn that is owed something is published with a reason; none ends silently (law 7).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from satellite.logic import link as link_
from satellite.logic import openings, pausing
from satellite.logic.clock import Clock
from satellite.logic.conversation import conclude, settle
from satellite.logic.link import Link
from satellite.logic.talk import Step, Talk, TalkSettings, begin, opened_by, put
from satellite.logic.turn import abandon, cut_short, fail_answer
from satellite.model import commands as cmd
from satellite.model.audio import Instant

LOST: Final = "connection_lost"
STOPPED: Final = "stopped"
CLAIM_S: Final = 30.0  # longer than a dead connection can stay unnoticed


def give_up_utterance(
    talk: Talk, utterance: int, reason: str, now: Instant, settings: TalkSettings
) -> Step:
    """There is no session for what the user says: publish that, and ignore the rest of it."""
    known = next((t for t in talk.turns if t.awaiting and t.utterance == utterance), None)
    if known is not None:
        talk = put(talk, replace(abandon(known, reason, now.mono), unanswered=reason))
    else:
        talk, turn = begin(talk, None, now.mono, settings)
        talk, turn = opened_by(talk, turn, utterance, now.mono, agreed=False)
        talk = put(talk, replace(turn, ended=True, unanswered=reason))
    goes_on = talk.gate_open and utterance == talk.utterances
    talk = replace(talk, discarding=talk.discarding or goes_on, given_up=utterance)
    return settle(talk, now, settings)


def give_up_waiting(
    link: Link, talk: Talk, utterance: int, reason: str, now: Instant, settings: TalkSettings
) -> tuple[Link, Talk, tuple[cmd.Command, ...]]:
    """No session will hear what waits of an utterance; the silence after its words is no news."""
    told = utterance == talk.given_up and not link_.holds_speech(link, utterance)
    link = link_.drop_utterance(link, utterance)
    if told:
        return link, talk, ()
    talk, orders = give_up_utterance(talk, utterance, reason, now, settings)
    return link, talk, orders


def lose_session(talk: Talk, reason: str, now: Instant, settings: TalkSettings) -> Step:
    """The session is gone: end every turn with a reason; what was received is still played.

    The rest of an utterance that has begun is not sent to the next session: half of it can mean
    something else.
    """
    orders: list[cmd.Command] = []
    talk = _claim_lost(replace(talk, discarding=talk.gate_open), now.mono, settings)
    for turn in talk.turns:
        lost = replace(abandon(turn, reason, now.mono), gone=True)
        if lost.answer is not None and lost.answer.status is None:
            if lost.answer.sounding and not lost.answer.interrupted:
                orders.append(cmd.EndPlay(lost.answer.response_id))
            lost = replace(lost, answer=fail_answer(lost.answer, reason, now.mono))
        talk = put(talk, lost)
    talk = replace(talk, clock=Clock(), ran=(), past=(), early=None, reset_s=0.0)
    talk = replace(talk, uncommitted_ms=0, severed=False)
    talk, following = conclude(talk, now, settings)
    return talk, (*orders, *following)


def stop(talk: Talk, now: Instant, settings: TalkSettings) -> Step:
    """The daemon ends: every turn ends with it, and says so."""
    talk = pausing.resumed(talk, now.mono)
    for turn in talk.turns:
        ended = abandon(turn, STOPPED, now.mono)
        if ended.answer is not None and not ended.answer.is_over:
            ended = replace(ended, answer=cut_short(ended.answer, STOPPED, now.mono))
        talk = put(talk, ended)
    return settle(talk, now, settings)


def _claim_lost(talk: Talk, now: float, settings: TalkSettings) -> Talk:
    """Speech that went to a session which died before it said anything is a turn too."""
    sentences = talk.unclaimed if now - talk.sent_at <= CLAIM_S else ()
    talk = replace(talk, unclaimed=())
    for sentence in sentences:
        opening = openings.at_time(talk.counted.openings, sentence.at)
        number = None if opening is None else opening.number
        talk, turn = begin(talk, None, now, settings)
        talk, turn = opened_by(talk, turn, number, now, agreed=False)
        talk = put(talk, replace(turn, ended=True))
    return talk
