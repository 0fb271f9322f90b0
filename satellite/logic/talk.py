"""The conversation: whose turn it is, what is played, what is published.

Pure. Facts in, orders out, in the order they must be carried out.

Rule 1: the gate decides what is sent; the server's VAD decides whose turn it is (law 1). A cough
that opens the gate changes nothing here.
Rule 2: what a thread of ours must do is derived from the state after each fact (``steer``), never
remembered as a pending intention.
Rule 3: everything ends: an open turn by the watchdog, a transcript and an answer by a deadline,
playing by the speaker or a deadline (law 3). What did not come is published as missing (law 7).
Rule 4: the user wins: while the server hears the user nothing of an answer is played.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from satellite.logic import overdue, report
from satellite.logic.turn import (
    SUPERSEDED,
    Answer,
    Outcome,
    Turn,
    abandon,
    add_audio,
    add_text,
    flushed,
    received_ms,
    speaker_deadline,
)
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import Instant, silence

ECHO_TAIL_S: Final = 0.3  # audio.md 5: the room is quiet 300 ms after the speaker
STALL_S: Final = 20.0  # reliability F31: longest pause within an answer
LONGEST_ANSWER_MS: Final = 120_000  # reliability F33
SHORTEST_PAUSE_S: Final = 0.25  # between words there is less
MOST_TURNS: Final = 20  # a server that invents turns makes no more than this
RESPONSE_GRACE_S: Final = 0.5  # protocol 5.4 D 3: a commit of ours makes no answer by itself


@dataclass(frozen=True, slots=True)
class Talk:
    """What the daemon knows about the conversation."""

    turns: tuple[Turn, ...] = ()  # those that are not over, oldest first
    counted: report.Counted = field(default_factory=report.Counted)
    utterances: int = 0  # how often the gate opened
    gate_open: bool = False
    discarding: bool = False  # the rest of this utterance cannot be answered
    speech_at: float | None = None  # when a local speech frame last ended
    pause_at: float | None = None  # the same, before the last pause in the speech
    unclaimed: bool = False  # speech went out and the server has not said that it heard any
    sent_at: float = 0.0  # when sound was last sent
    quiet_at: float = 0.0  # until when the room still rings from the speaker
    held: bool = False  # the last orders given to the capture thread
    shut: bool = False
    paused: bool = False


Step = tuple[Talk, tuple[cmd.Command, ...]]


@dataclass(frozen=True, slots=True)
class TalkSettings:
    """``recording``: the microphone is one, and can wait."""

    report: report.ReportSettings
    half_duplex: bool
    recording: bool
    silence_ms: int  # the server's silence_duration_ms
    prefix_ms: int  # the server's prefix_padding_ms


def step(talk: Talk, event: ev.Event, now: Instant, settings: TalkSettings) -> Step:
    """Move by one fact and say what must be done about it."""
    talk, orders = _decide(talk, event, now, settings)
    talk, published = settle(talk, now, settings)
    talk, steering = steer(talk, now.mono, settings)
    return talk, (*orders, *published, *steering)


def is_busy(talk: Talk) -> bool:
    """True while somebody speaks or is owed something."""
    return talk.gate_open or bool(talk.turns)


def is_sounding(talk: Talk) -> bool:
    """True while the speaker has, or will have, some of an answer."""
    return any(t.answer is not None and t.answer.sounding for t in talk.turns)


def count_sent(talk: Talk, orders: tuple[cmd.Command, ...]) -> Talk:
    """Count the sound that really goes to the server, silence of our own included (C33)."""
    sent = sum(len(order.pcm) for order in orders if isinstance(order, cmd.AppendAudio))
    return replace(talk, counted=talk.counted.sent(sent)) if sent else talk


def _decide(talk: Talk, event: ev.Event, now: Instant, settings: TalkSettings) -> Step:
    match event:
        case ev.GateOpened() if not talk.shut:  # else it opened before it heard that it is shut
            utterances = talk.utterances + 1
            return replace(talk, gate_open=True, discarding=False, utterances=utterances), ()
        case ev.Heard(_, speech_ms, speech_at):
            return _hear(talk, speech_ms, speech_at, now.mono, settings), ()
        case ev.GateClosed(too_long):
            return _on_gate_closed(replace(talk, gate_open=False), too_long, now.mono)
        case ev.MicLost():
            return replace(talk, gate_open=False), ()
        case ev.FromServer(_, said):
            return _on_server(talk, said, now.mono, settings)
        case ev.PlayoutStarted(response_id, at):
            return _on_started(talk, response_id, at), ()
        case ev.PlayoutDrained(response_id, heard):
            return _on_drained(talk, response_id, heard, now.mono), ()
        case ev.PlayoutFlushed():
            return _on_flushed(talk, event, now.mono)
        case ev.Tick():
            return _on_tick(talk, now.mono, settings.silence_ms)
        case _:
            return talk, ()


def _on_server(talk: Talk, said: ev.ServerEvent, now: float, settings: TalkSettings) -> Step:
    match said:
        case ev.SpeechStarted(item_id):
            return _on_speech_started(talk, item_id, now, settings)
        case ev.SpeechStopped(item_id):
            return _end_turn(talk, item_id, now, settings, committed=False), ()
        case ev.InputCommitted(item_id):
            return _end_turn(talk, item_id, now, settings, committed=True), ()
        case ev.UserTranscript(item_id, text):
            outcome: Outcome = "final" if text.strip() else "empty"
            return _on_transcript(talk, item_id, outcome, text.strip(), None, now), ()
        case ev.TranscriptFailed(item_id, code):
            why = code or "transcription_failed"
            return _on_transcript(talk, item_id, "failed", "", why, now), ()
        case ev.ResponseCreated(response_id):
            return _answering(talk, response_id, now, settings)[0], ()
        case ev.AudioDelta(response_id):
            return _on_audio(talk, said, response_id, now, settings)
        case ev.TextDelta(response_id):
            talk, turn, answer = _answer_of(talk, response_id, now, settings)
            return _put_answer(talk, turn, add_text(answer, said), now), ()
        case ev.ResponseDone(response_id):
            return _on_done(talk, said, response_id, now)
        case _:
            return talk, ()


# --- the user ----------------------------------------------------------------------------------


def _hear(
    talk: Talk, speech_ms: int, speech_at: float | None, now: float, settings: TalkSettings
) -> Talk:
    if talk.discarding:  # until the sentence that was lost is over
        over = speech_at is None and now - (talk.speech_at or now) > settings.silence_ms / 1000
        return replace(talk, discarding=not over, speech_at=speech_at or talk.speech_at)
    talk = replace(talk, counted=talk.counted.heard(speech_ms), sent_at=now)
    if speech_at is None:
        return talk
    before = talk.speech_at
    paused = before is not None and speech_at - before > SHORTEST_PAUSE_S
    claimed = _open_turn(talk) is not None
    return replace(
        talk,
        speech_at=speech_at,
        pause_at=before if paused else talk.pause_at,
        unclaimed=talk.unclaimed or not claimed,
    )


def _on_gate_closed(talk: Talk, too_long: bool, now: float) -> Step:
    """At the utterance limit we end the turn ourselves: it may never be silent in this room."""
    open_turn = _open_turn(talk)
    if not too_long or open_turn is None:
        return talk, ()
    return put(talk, overdue.nudged(open_turn, 2, now)), (cmd.CommitInput(),)


def _on_speech_started(talk: Talk, item_id: str, now: float, settings: TalkSettings) -> Step:
    if _turn_of(talk, item_id) is not None:
        return talk, ()
    orders: list[cmd.Command] = []
    for turn in talk.turns:
        if not turn.ended:  # the server has one open turn; it will never end this one
            talk = put(talk, abandon(turn, SUPERSEDED, now))
        elif turn.answer and not turn.answer.is_over and not turn.answer.interrupted:
            if turn.answer.sounding:
                orders.append(cmd.FlushPlayout(turn.answer.response_id))
            talk = _put_answer(talk, turn, replace(turn.answer, interrupted=True), now)
    talk = replace(talk, unclaimed=False)
    return begin(talk, item_id, now, settings)[0], tuple(orders)


def _end_turn(
    talk: Talk, item_id: str, now: float, settings: TalkSettings, *, committed: bool
) -> Talk:
    turn = _turn_of(talk, item_id)
    if turn is None:  # some servers forget speech_started, some say speech_stopped twice
        if not committed:
            return talk
        talk, turn = begin(talk, item_id, now, settings)
    if not turn.ended:
        end_at = _speech_end(talk, now, settings.silence_ms)
        turn = replace(turn, ended=True, stopped_at=now, speech_end_at=end_at)
    if committed and turn.nudges >= 2:
        turn = replace(turn, deadline=now + RESPONSE_GRACE_S)
    return put(talk, replace(turn, committed=turn.committed or committed))


def _speech_end(talk: Talk, now: float, silence_ms: int) -> float | None:
    """When the speech ended that the server has just ended: not that of a user who goes on."""
    if talk.speech_at is not None and now - talk.speech_at < silence_ms / 2000:
        return talk.pause_at
    return talk.speech_at


def _on_transcript(
    talk: Talk, item_id: str, outcome: Outcome, text: str, reason: str | None, now: float
) -> Talk:
    turn = _turn_of(talk, item_id)
    if turn is None or turn.outcome is not None:  # published as missing before, or said twice
        return talk
    known = replace(turn, outcome=outcome, transcript=text, transcript_at=now)
    return put(talk, replace(known, transcript_reason=reason))


# --- the assistant -----------------------------------------------------------------------------


def _answering(
    talk: Talk, response_id: str, now: float, settings: TalkSettings
) -> tuple[Talk, Turn]:
    """A new response belongs to the newest turn that the server ended and nobody answered."""
    waiting = [t for t in talk.turns if t.ended and t.answer is None and t.unanswered is None]
    for older in waiting[:-1]:
        talk = put(talk, replace(older, unanswered=SUPERSEDED))
    if waiting:
        turn = waiting[-1]
    else:
        talk, turn = begin(talk, None, now, settings)
        turn = replace(turn, ended=True)
    answer = Answer(response_id, interrupted=_open_turn(talk) is not None)
    turn = replace(turn, answer=replace(answer, deadline=now + STALL_S))
    return put(talk, turn), turn


def _answer_of(
    talk: Talk, response_id: str, now: float, settings: TalkSettings
) -> tuple[Talk, Turn, Answer]:
    """Find the answer; one whose beginning we were not told begins here."""
    known = _turn_with(talk, response_id)
    if known is not None and known.answer is not None and not known.gone:
        return talk, known, known.answer
    talk, turn = _answering(talk, response_id, now, settings)
    assert turn.answer is not None
    return talk, turn, turn.answer


def _on_audio(
    talk: Talk, delta: ev.AudioDelta, response_id: str, now: float, settings: TalkSettings
) -> Step:
    talk, turn, answer = _answer_of(talk, response_id, now, settings)
    if answer.interrupted or answer.status is not None:
        return talk, ()
    answer = add_audio(answer, delta)
    play = cmd.Play(response_id, delta.item_id, delta.content_index, delta.pcm)
    if answer.audio_ms <= LONGEST_ANSWER_MS:
        return _put_answer(talk, turn, answer, now), (play,)
    cut = replace(answer, status="incomplete", reason="too_long")
    orders = (play, cmd.CancelResponse(response_id), cmd.EndPlay(response_id))
    return _put_answer(talk, turn, cut, now), orders


def _on_done(talk: Talk, done: ev.ResponseDone, response_id: str, now: float) -> Step:
    turn = _turn_with(talk, response_id)
    if turn is None or turn.answer is None or turn.answer.status is not None or turn.gone:
        return talk, ()  # the end of an answer that was given up, or of one we never heard of
    answer = replace(turn.answer, status=done.status, reason=done.reason, usage=done.usage)
    talk = _put_answer(talk, turn, answer, now)
    if answer.sounding and not answer.interrupted:
        return talk, (cmd.EndPlay(response_id),)
    return talk, ()


# --- the speaker -------------------------------------------------------------------------------


def _on_started(talk: Talk, response_id: str, at: float) -> Talk:
    turn = _turn_with(talk, response_id)
    if turn is None or turn.answer is None or turn.answer.audio_at is not None:
        return talk
    return put(talk, replace(turn, answer=replace(turn.answer, audio_at=at)))


def _on_drained(talk: Talk, response_id: str, heard: bool, now: float) -> Talk:
    talk = replace(talk, quiet_at=now + ECHO_TAIL_S)
    turn = _turn_with(talk, response_id)
    if turn is None or turn.answer is None:
        return talk
    answer = replace(turn.answer, sounding=False)
    if not heard:
        answer = replace(answer, played_ms=0)
    elif answer.status == "completed":  # the interruption came too late to take anything away
        answer = replace(answer, interrupted=False)
    return put(talk, replace(turn, answer=answer))


def _on_flushed(talk: Talk, event: ev.PlayoutFlushed, now: float) -> Step:
    """Tell the server what was heard of each item: all, a part, or nothing (C47)."""
    if event.played_ms > 0:
        talk = replace(talk, quiet_at=now + ECHO_TAIL_S)
    turn = _turn_with(talk, event.response_id)
    if turn is None or turn.answer is None or not turn.answer.sounding:
        return talk, ()
    answer = flushed(turn.answer, event.item_id, event.played_ms)
    heard = min(event.played_ms, received_ms(answer, event.item_id))
    orders: list[cmd.Command] = []
    if heard > 0:
        orders.append(cmd.TruncateItem(event.item_id, event.content_index, heard))
    items = list(dict.fromkeys(item for item, _, _ in answer.received))
    unheard = items[items.index(event.item_id) :] if event.item_id in items else []
    orders += [cmd.DeleteItem(item) for item in unheard if item != event.item_id or heard == 0]
    return _put_answer(talk, turn, answer, now), tuple(orders)


# --- when nothing comes ------------------------------------------------------------------------


def _on_tick(talk: Talk, now: float, silence_ms: int) -> Step:
    room = overdue.Room(talk.gate_open, talk.sent_at, silence_ms)
    orders: list[cmd.Command] = []
    for turn in talk.turns:
        newer = any(other.opened_at > turn.opened_at for other in talk.turns)
        after, more = overdue.watch(turn, room, now, user_went_on=newer)
        talk = put(talk, after)
        orders += more
    return talk, tuple(orders)


# --- after every fact --------------------------------------------------------------------------


def settle(talk: Talk, now: Instant, settings: TalkSettings) -> Step:
    """Publish what is complete, each thing once; forget the turns that are over."""
    orders: list[cmd.Command] = []
    for turn in talk.turns:
        counted, after, records = report.tell(talk.counted, turn, now, settings.report)
        kept = tuple(
            after if t is turn else t for t in talk.turns if t is not turn or not t.is_over
        )
        talk = replace(talk, counted=counted, turns=kept)
        orders += [cmd.Publish(record) for record in records]
    return replace(talk, turns=tuple(t for t in talk.turns if not t.is_over)), tuple(orders)


def steer(talk: Talk, now: float, settings: TalkSettings) -> Step:
    """Order the capture thread what follows from the state, where it was ordered otherwise."""
    orders: list[cmd.Command] = []
    held = _open_turn(talk) is not None
    shut = settings.half_duplex and (is_sounding(talk) or now < talk.quiet_at)
    owed = any(t.ended for t in talk.turns)
    paused = settings.recording and settings.half_duplex and (owed or shut)
    if held != talk.held:
        orders.append(cmd.HoldGate(held))
    if shut != talk.shut:
        orders.append(cmd.ShutGate(shut))
        if shut and talk.gate_open and talk.unclaimed:
            # What has begun must not join what comes after the deafness, nor end at once if the
            # server took it as speech: as much silence as an item reaches back (decision 003).
            orders.append(cmd.AppendAudio(silence(settings.prefix_ms)))
        talk = replace(talk, gate_open=False)
    if paused != talk.paused:
        orders.append(cmd.PauseRecording(paused))
    return replace(talk, held=held, shut=shut, paused=paused), tuple(orders)


# --- small parts -------------------------------------------------------------------------------


def begin(talk: Talk, item_id: str | None, now: float, settings: TalkSettings) -> tuple[Talk, Turn]:
    """Begin a turn; the oldest gives way where there are too many."""
    if len(talk.turns) >= MOST_TURNS:
        talk = put(talk, abandon(talk.turns[0], "too_many_turns", now))
    counted, turn_id = talk.counted.begin(settings.report)
    turn = Turn(turn_id, item_id, now)
    return replace(talk, counted=counted, turns=(*talk.turns, turn)), turn


def put(talk: Talk, turn: Turn) -> Talk:
    """Put the new value of a turn in the place of the old one."""
    turns = tuple(turn if t.turn_id == turn.turn_id else t for t in talk.turns)
    return replace(talk, turns=turns)


def _put_answer(talk: Talk, turn: Turn, answer: Answer, now: float) -> Talk:
    deadline = now + STALL_S if answer.status is None else speaker_deadline(answer, now)
    return put(talk, replace(turn, answer=replace(answer, deadline=deadline)))


def _turn_of(talk: Talk, item_id: str) -> Turn | None:
    return next((t for t in talk.turns if t.item_id == item_id and not t.gone), None)


def _turn_with(talk: Talk, response_id: str) -> Turn | None:
    return next((t for t in talk.turns if t.answer and t.answer.response_id == response_id), None)


def _open_turn(talk: Talk) -> Turn | None:
    return next((t for t in talk.turns if not t.ended), None)
