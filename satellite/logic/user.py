"""What the user does: speech that is sent, turns that begin and end, transcripts. Pure.

Rule 1: the gate decides what is sent; the server's VAD decides whose turn it is (law 1). A cough
that opens the gate changes nothing here. Only where the session is set up for it do we end turns.
Rule 2: a transcript joins its turn by ``item_id`` (law 7).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from satellite.logic import clock, echo, openings, overdue
from satellite.logic.phantom import doubt
from satellite.logic.talk import (
    Step,
    Talk,
    TalkSettings,
    begin,
    claims,
    interrupt,
    is_past,
    open_turn,
    opened_by,
    put,
    put_openings,
    silenced,
    turn_of,
)
from satellite.logic.turn import ECHO, LONGEST_TEXT, SUPERSEDED, Outcome, Turn, abandon
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import ms_of

SHORTEST_PAUSE_S: Final = 0.25  # between words there is less
RESPONSE_GRACE_S: Final = 0.5  # protocol 5.4 D 3: a commit of ours makes no answer by itself
SHORTEST_COMMIT_MS: Final = 100  # protocol 3.1: a server refuses less
MUTED: Final = "muted"
MIC_LOST: Final = "microphone_lost"
SURE_S: Final = 3.0  # so much sound tells the speed of a microphone
MIC_SPEEDS: Final = (0.85, 1.18)  # the nearest wrong ones are 0.67 and 1.5


def on_gate_opened(talk: Talk, event: ev.GateOpened, now: float, settings: TalkSettings) -> Step:
    """Where we end the turns, the user's first word is what interrupts."""
    utterances = talk.utterances + 1
    talk = replace(talk, gate_open=True, discarding=False, utterances=utterances, opened_at=None)
    talk = replace(talk, uncommitted_ms=0, onset_at=now, severed=False)
    talk = put_openings(talk, openings.opened(talk.counted.openings, utterances, event, now))
    return interrupt(talk, now, cancel=True) if settings.session.manual else (talk, ())


def hear(talk: Talk, heard: ev.Heard, now: float, settings: TalkSettings) -> Talk:
    """Note what sound goes to the server."""
    speech_at, silence_s = heard.speech_at, settings.session.silence_duration_ms / 1000
    if talk.discarding:  # until the sentence that was lost is over
        over = speech_at is None and now - (talk.speech_at or now) > silence_s
        speech_at = speech_at or talk.speech_at
        return replace(talk, discarding=not over, speech_at=speech_at, opened_at=None)
    length_ms = ms_of(len(heard.pcm))
    first = talk.opened_at is None
    talk = replace(
        talk,
        counted=talk.counted.heard(heard.speech_ms),
        clock=clock.opened(talk.clock, now) if first else talk.clock,
        opened_at=now if first else talk.opened_at,
        opened_ms=0 if first else talk.opened_ms + length_ms,
        uncommitted_ms=talk.uncommitted_ms + length_ms,
    )
    if speech_at is None:
        return talk
    before = talk.speech_at
    paused = before is not None and speech_at - before > SHORTEST_PAUSE_S
    return replace(
        talk,
        speech_at=speech_at,
        pause_at=before if paused else talk.pause_at,
    )


def on_gate_closed(talk: Talk, too_long: bool, now: float, settings: TalkSettings) -> Step:
    """At the utterance limit we end the turn ourselves: it may never be silent in this room."""
    was_open = talk.gate_open
    talk = replace(talk, gate_open=False, onset_at=None)
    if was_open:
        talk = _judge_microphone(talk, now)
    if settings.session.manual:
        return _end_utterance(talk, now, settings) if was_open else (talk, ())
    heard = open_turn(talk)
    if not too_long or heard is None:
        return talk, ()
    return put(talk, overdue.nudged(heard, 2, now)), (cmd.CommitInput(),)


def on_mic_lost(talk: Talk) -> Talk:
    """The rest of the sentence is lost; half of one can mean something else."""
    return replace(talk, severed=talk.severed or talk.gate_open)


def on_cut_off(talk: Talk, why: str, now: float, settings: TalkSettings) -> Step:
    """Nobody hears the end of what was being said: it is forgotten, and told as a turn.

    One that the server hears by now ends with its session: satellite/logic/muting.py.
    """
    heard = open_turn(talk) is not None
    said = any(sentence.at == talk.opened_at for sentence in talk.unclaimed)
    talk = replace(talk, gate_open=False, discarding=False, uncommitted_ms=0, unclaimed=())
    if heard:
        return talk, ()
    if said:
        talk, turn = begin(talk, None, now, settings)
        talk, turn = opened_by(talk, turn, talk.utterances, now, agreed=False)
        talk = put(talk, replace(turn, ended=True, unanswered=why))
    return talk, (cmd.ClearInput(),)


def _judge_microphone(talk: Talk, now: float) -> Talk:
    """A device that lies about its rate gives more or less sound than time passes."""
    if talk.opened_at is None or now - talk.opened_at < SURE_S:
        return talk
    speed = talk.opened_ms / 1000 / (now - talk.opened_at)
    low, high = MIC_SPEEDS
    return replace(talk, mic_speed=None if low <= speed <= high else round(speed, 2))


def _end_utterance(talk: Talk, now: float, settings: TalkSettings) -> Step:
    """We end the turn: commit it, or forget what is too short for one (C34)."""
    enough = talk.uncommitted_ms >= SHORTEST_COMMIT_MS and not _is_rest_silent(talk)
    talk = replace(talk, uncommitted_ms=0, unclaimed=())
    if talk.discarding:
        return replace(talk, discarding=False), ()
    if not enough:
        return talk, (cmd.ClearInput(),)
    talk, turn = begin(talk, None, now, settings)
    turn = replace(
        turn,
        utterance=talk.utterances,
        awaiting=True,
        ended=True,
        stopped_at=now,
        speech_end_at=talk.speech_at,
        said_from=talk.opened_at,
    )
    talk, turn = opened_by(talk, turn, talk.utterances, now, agreed=False)
    return put(talk, turn), (cmd.CommitInput(),)


def _is_rest_silent(talk: Talk) -> bool:
    """True where its words were given up, and nothing was said after them."""
    if talk.given_up != talk.utterances:
        return False
    spoken = talk.opened_at is not None and talk.speech_at is not None
    return not spoken or (talk.speech_at or 0.0) < (talk.opened_at or 0.0)


def on_speech_started(
    talk: Talk, said: ev.SpeechStarted, now: float, settings: TalkSettings
) -> Step:
    """The server hears the user: a turn begins, and nothing more is played."""
    if turn_of(talk, said.item_id) is not None or is_past(talk, said.item_id):
        return talk, ()
    for turn in talk.turns:
        if not turn.ended:  # the server has one open turn; it will never end this one
            talk = put(talk, abandon(turn, SUPERSEDED, now))
    talk, orders = interrupt(talk, now, cancel=False)
    before = talk.counted.openings
    spoken = _spoken(talk, said.start_ms, settings)
    talk, turn = _begin_heard(talk, said.item_id, now, settings, said.start_ms)
    turn = _compared(before, turn, spoken, now)
    return put(talk, replace(turn, start_ms=said.start_ms, said_from=talk.opened_at)), orders


def _begin_heard(
    talk: Talk, item_id: str, now: float, settings: TalkSettings, start_ms: int | None = None
) -> tuple[Talk, Turn]:
    """The server has made an item of what somebody said."""
    number = claims(talk, start_ms)
    talk, turn = begin(_claimed(talk), item_id, now, settings)
    return opened_by(talk, turn, number, now, agreed=True)


def _spoken(talk: Talk, start_ms: int | None, settings: TalkSettings) -> tuple[float, float] | None:
    """When the words of an item began, and how many ms of padding are before them in it."""
    if start_ms is None:
        return None
    begins_ms = min(start_ms + settings.session.prefix_padding_ms, talk.clock.sent_ms)
    at = clock.instant(talk.clock, begins_ms)
    return None if at is None else (at, begins_ms - start_ms)


def _compared(
    before: openings.Openings, turn: Turn, spoken: tuple[float, float] | None, now: float
) -> Turn:
    """Note when the server heard what opened the gate, and from where on.

    Not of a second sentence behind a pause that did not shut the gate: it opened nothing. Nor from
    where, of a server that names another opening, such as one that always says 0.
    """
    opening = openings.of(before, turn.opening)
    if opening is None or opening.fate == "taken":
        return turn
    turn = replace(turn, agreed_ms=round((now - opening.at) * 1000))
    if spoken is None or openings.spoken_in(before, spoken[0]) is not opening:
        return turn
    at, padding_ms = spoken
    return replace(turn, starts_ms=round((at - opening.at) * 1000 - padding_ms))


def _claimed(talk: Talk) -> Talk:
    """The server heard the present sentence, or the oldest of those that had waited for it."""
    waited = tuple(sentence for sentence in talk.unclaimed if sentence.waited)
    return replace(talk, unclaimed=waited[1:], onset_at=None)


def on_speech_stopped(
    talk: Talk, said: ev.SpeechStopped, now: float, settings: TalkSettings
) -> Talk:
    """The server's VAD ended the turn."""
    turn = turn_of(talk, said.item_id)
    if turn is None:  # it follows as committed
        return talk
    if said.end_ms is not None:
        turn = replace(turn, end_ms=said.end_ms)
        talk = replace(talk, clock=clock.marked(talk.clock, said.end_ms))
    return put(talk, _ended(talk, turn, now, settings))


def on_committed(talk: Talk, item_id: str, now: float, settings: TalkSettings) -> Step:
    """An item exists: of a turn that we know, that we committed, or that nobody announced."""
    if is_past(talk, item_id):
        return talk, ()
    turn = turn_of(talk, item_id) or next((t for t in talk.turns if t.awaiting), None)
    orders: tuple[cmd.Command, ...] = ()
    if turn is None:  # some servers forget speech_started, some say speech_stopped twice
        talk, orders = interrupt(talk, now, cancel=True)
        talk, turn = _begin_heard(talk, item_id, now, settings)
    if turn.awaiting:
        turn = replace(turn, item_id=item_id, awaiting=False)
    if talk.early is not None and talk.early.item_id == item_id:
        turn, talk = replace(turn, partial=talk.early.text), replace(talk, early=None)
    turn = replace(_ended(talk, turn, now, settings), committed=True)
    if turn.nudges >= 2:
        turn = replace(turn, deadline=now + RESPONSE_GRACE_S)
    return put(talk, turn), orders


def on_refused_commit(talk: Talk) -> Talk:
    """The server had nothing to commit: whatever it was, it is not a turn of its own."""
    turn = next((t for t in talk.turns if t.awaiting), None)
    if turn is None:
        return talk
    return put(talk, replace(turn, awaiting=False, unanswered="nothing_heard", answers=True))


def on_idle_timeout(talk: Talk, item_id: str, now: float, settings: TalkSettings) -> Step:
    """An item made of silence: nobody said it, whatever its transcript will be (C52)."""
    if is_past(talk, item_id):
        return talk, ()
    known = turn_of(talk, item_id)
    talk, turn = begin(talk, item_id, now, settings) if known is None else (talk, known)
    turn = replace(turn, ended=True, stopped_at=now, suspect=True, told_transcript=True)
    turn = replace(turn, outcome="missing", transcript_reason="idle_timeout")
    return put(talk, turn), (cmd.DeleteItem(item_id),)


def on_words(
    talk: Talk,
    said: ev.TranscriptDelta | ev.UserTranscript | ev.TranscriptFailed,
    now: float,
    settings: TalkSettings,
) -> Step:
    """The recogniser says something."""
    match said:
        case ev.TranscriptDelta():
            return _on_piece(talk, said), ()
        case ev.UserTranscript():
            return on_transcript(talk, said, now, settings)
        case ev.TranscriptFailed():
            return on_failed_transcript(talk, said, now), ()


def on_transcript(talk: Talk, said: ev.UserTranscript, now: float, settings: TalkSettings) -> Step:
    """The words of an item; doubted where nobody can have said them."""
    turn = turn_of(talk, said.item_id)
    if turn is None or turn.outcome is not None:  # published as missing before, or said twice
        return talk, ()
    text = said.text.strip()[:LONGEST_TEXT]
    outcome: Outcome = "final" if text else "empty"
    why = doubt(text, turn.start_ms, turn.end_ms, talk.clock) if text else None
    talk, is_own = _is_own(talk, turn, text, now)
    why = ECHO if is_own else why
    turn = replace(
        turn,
        outcome=outcome,
        transcript=text,
        transcript_at=now,
        transcript_reason=why,
        confidence=said.confidence,
        language=said.language,
        transcript_usage=said.usage,
        suspect=why is not None,
    )
    if why is None or (why != ECHO and not settings.drop_phantoms):
        return put(talk, turn), ()
    talk, orders = _drop(talk, replace(turn, told_transcript=True, dropped=True), settings)
    if why == ECHO:  # the model must not take it for the user's word
        orders = (*orders, cmd.DeleteItem(said.item_id))
    return talk, orders


def _is_own(talk: Talk, turn: Turn, text: str, now: float) -> tuple[Talk, bool]:
    """Whether the assistant said it. That is counted; no words are no news of a person."""
    heard: list[echo.Span] = []
    if turn.start_ms is not None and turn.end_ms is not None:
        heard = clock.speech_at(talk.clock, turn.start_ms, turn.end_ms)
    elif turn.said_from is not None and turn.speech_end_at is not None:
        heard = [(turn.said_from, turn.speech_end_at)]
    verdict = echo.judge(talk.aloud, text, heard, talk.turns, now)
    if text or verdict != "no":
        talk = replace(talk, aloud=echo.count(talk.aloud, verdict))
    return talk, verdict == "echo"


def _drop(talk: Talk, turn: Turn, settings: TalkSettings) -> Step:
    """Nobody asked: the answer to it is not for anybody, if it can still be stopped."""
    answer = turn.answer
    if answer is None:
        comes = turn.answers and (turn.asked_at is not None or not settings.session.manual)
        return put(talk, turn if comes else replace(turn, unanswered=turn.why_dropped)), ()
    if answer.is_over or answer.interrupted:
        return put(talk, turn), ()
    orders = silenced(turn, answer, cancel=True)
    return put(talk, replace(turn, answer=replace(answer, interrupted=True))), tuple(orders)


def _on_piece(talk: Talk, said: ev.TranscriptDelta) -> Talk:
    """Words of an item before all of them are known; where we end the turns, before its turn."""
    turn = turn_of(talk, said.item_id)
    if is_past(talk, said.item_id) or (turn is not None and turn.outcome is not None):
        return talk
    early = talk.early if talk.early and talk.early.item_id == said.item_id else None
    before = (early.text if early else "") if turn is None else turn.partial
    text = (said.text if said.whole else before + said.text)[:LONGEST_TEXT]
    if turn is None:
        return replace(talk, early=ev.TranscriptDelta(said.item_id, text))
    return put(talk, replace(turn, partial=text))


def on_failed_transcript(talk: Talk, said: ev.TranscriptFailed, now: float) -> Talk:
    """The recogniser gave up; the conversation goes on."""
    turn = turn_of(talk, said.item_id)
    if turn is None or turn.outcome is not None:
        return talk
    talk, _ = _is_own(talk, turn, "", now)
    failed = replace(turn, outcome="failed", transcript="", transcript_at=now)
    return put(talk, replace(failed, transcript_reason=said.code or "transcription_failed"))


def _ended(talk: Talk, turn: Turn, now: float, settings: TalkSettings) -> Turn:
    if turn.ended:
        return turn
    return replace(
        turn, ended=True, stopped_at=now, speech_end_at=_speech_end(talk, turn, now, settings)
    )


def _speech_end(talk: Talk, turn: Turn, now: float, settings: TalkSettings) -> float | None:
    """When the speech ended that the server has just ended: not that of a user who goes on.

    By the server's own clock where it tells; else by our judge, before the last pause.
    """
    silence_ms = settings.session.silence_duration_ms
    if turn.end_ms is not None and turn.end_ms > silence_ms:
        at = clock.instant(talk.clock, turn.end_ms - silence_ms)
        if at is not None and turn.opened_at - 10 < at <= now:
            return at
    if talk.speech_at is not None and now - talk.speech_at < silence_ms / 2000:
        return talk.pause_at
    return talk.speech_at
