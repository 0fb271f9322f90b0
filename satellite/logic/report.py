"""What is published of a turn: a transcript and a response each once, then the whole turn.

Pure. Every record gets the next ``seq`` and an ``id`` that no other record has.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal, TypedDict

from satellite.logic import openings as openings_
from satellite.logic import price
from satellite.logic.openings import Openings
from satellite.logic.turn import ECHO, PHANTOM, SUPERSEDED, Answer, Call, Turn, spoken_text
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant, seconds_of
from satellite.model.models import Price, TranscriptPrice


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """``boot`` differs at every start of the daemon, so that ids never repeat.

    The prices are those of the session's models, None where they are not known.
    """

    boot: str
    device_id: str
    language: str | None
    partials: bool = False  # tell what is understood before it is final
    price: Price | None = None
    transcript_price: TranscriptPrice | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What the records count. Sound and speech are those since the last turn record."""

    turns: int = 0
    seq: int = 0
    sent_bytes: int = 0
    speech_ms: int = 0
    openings: Openings = field(default_factory=Openings)

    def begin(self, settings: ReportSettings) -> tuple[Counted, str]:
        """Name a new turn."""
        turns = self.turns + 1
        return replace(self, turns=turns), f"{settings.boot}-t{turns}"

    def heard(self, speech_ms: int) -> Counted:
        """Count speech."""
        return replace(self, speech_ms=self.speech_ms + speech_ms)

    def sent(self, sound: cmd.AppendAudio, now: float) -> Counted:
        """Count sound that went to the server."""
        size = len(sound.pcm)
        openings = openings_.sent(self.openings, size, sound.at, sound.speech_ms, now)
        return replace(self, sent_bytes=self.sent_bytes + size, openings=openings)


PARTIAL_S: Final = 0.2  # five a second are as fast as anybody reads

Ending = Literal["answered", "interrupted", "unanswered", "transcribed", "failed"]
_NOT_OWED: Final = frozenset(
    {SUPERSEDED, ECHO, PHANTOM, "nothing_heard", "only_told", "cancelled", "overruled"}
)


class _Envelope(TypedDict):
    id: str
    seq: int
    turn_id: str
    device_id: str
    ts: str


def timestamp(wall: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    text = datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def tell(
    counted: Counted, turn: Turn, now: Instant, settings: ReportSettings
) -> tuple[Counted, Turn, tuple[rec.Record, ...]]:
    """Return the records that are due, and the turn with a note of what was told."""
    records: list[rec.Record] = []
    if settings.partials and _has_news(turn, now.mono):
        records.append(_partial(turn, now, settings))
        turn = replace(turn, told_partial=turn.partial, told_partial_at=now.mono)
    if turn.outcome is not None and not turn.told_transcript:
        counted, envelope = _envelope(counted, turn, now, settings)
        records.append(_transcript(turn, envelope, settings.language))
        turn = replace(turn, told_transcript=True)
    done = turn.answer is not None and turn.answer.is_over and turn.retry_at is None
    if turn.answer is not None and done and not turn.told_answer:
        worth = turn.answer.text or turn.answer.status in {"failed", "incomplete"}
        if worth and not turn.dropped:
            counted, envelope = _envelope(counted, turn, now, settings)
            records.append(_response(turn.answer, envelope))
        turn = replace(turn, told_answer=True)
    if turn.is_over:
        counted, envelope = _envelope(counted, turn, now, settings)
        records.append(_turn(counted, turn, envelope, settings))
        openings = openings_.told(counted.openings, turn.opening)
        counted = replace(counted, sent_bytes=0, speech_ms=0, openings=openings)
    return counted, turn, tuple(records)


def tell_house(
    turn: Turn, now: Instant, settings: ReportSettings
) -> tuple[Turn, tuple[rec.ToolCall, ...]]:
    """Return what the house is to do, or to ask a person, and the turn with a note of it."""
    records: list[rec.ToolCall] = []
    calls: list[Call] = []
    for call in turn.calls:
        due = call.to_tell
        if due is None:
            calls.append(call)
            continue
        kind = rec.ToolCall if due == "call" else rec.ToolConfirm
        records.append(_call(kind, call, turn, now, settings))
        calls.append(replace(call, told=due))
    return replace(turn, calls=tuple(calls)) if records else turn, tuple(records)


def _call(
    kind: type[rec.ToolCall], call: Call, turn: Turn, now: Instant, settings: ReportSettings
) -> rec.ToolCall:
    return kind(
        call_id=call.call.call_id,
        turn_id=turn.turn_id,
        device_id=settings.device_id,
        name=call.call.name,
        arguments=dict(call.arguments),
        deadline=timestamp(now.wall + call.deadline - now.mono),
        ts=timestamp(now.wall),
    )


def _has_news(turn: Turn, now: float) -> bool:
    text = turn.partial.strip()
    if turn.outcome is not None or not text or text == turn.told_partial.strip():
        return False
    return now - turn.told_partial_at >= PARTIAL_S


def _partial(turn: Turn, now: Instant, settings: ReportSettings) -> rec.Partial:
    assert turn.item_id is not None
    return rec.Partial(
        turn_id=turn.turn_id,
        item_id=turn.item_id,
        device_id=settings.device_id,
        text=turn.partial.strip(),
        ts=timestamp(now.wall),
    )


def _envelope(
    counted: Counted, turn: Turn, now: Instant, settings: ReportSettings
) -> tuple[Counted, _Envelope]:
    counted = replace(counted, seq=counted.seq + 1)
    return counted, {
        "id": f"{settings.boot}-{counted.seq}",
        "seq": counted.seq,
        "turn_id": turn.turn_id,
        "device_id": settings.device_id,
        "ts": timestamp(now.wall),
    }


def _transcript(turn: Turn, envelope: _Envelope, language: str | None) -> rec.Transcript:
    assert turn.outcome is not None
    assert turn.item_id is not None
    return rec.Transcript(
        **envelope,
        event_type=turn.outcome,
        item_id=turn.item_id,
        text=turn.transcript or "",
        language=turn.language or language,
        confidence=turn.confidence,
        suspect=turn.suspect,
        reason=turn.transcript_reason,
    )


def _response(answer: Answer, envelope: _Envelope) -> rec.Response:
    return rec.Response(
        **envelope,
        event_type=_kind(answer),
        text=answer.text,
        interrupted=answer.interrupted,
        spoken_text=spoken_text(answer) if answer.interrupted else None,
        audio_ms=answer.audio_ms,
        played_ms=answer.heard_ms,
        reason=answer.reason,
    )


def _kind(answer: Answer) -> Literal["completed", "cancelled", "incomplete", "failed"]:
    match answer.status:
        case "completed":
            return "cancelled" if answer.interrupted else "completed"
        case "cancelled":
            return "cancelled"
        case "incomplete":
            return "incomplete"
        case _:
            return "failed"


def _turn(
    counted: Counted, turn: Turn, envelope: _Envelope, settings: ReportSettings
) -> rec.TurnRecord:
    answers = turn.all_answers
    spoken = next((each.audio_at for each in answers if each.audio_at is not None), None)
    bill = cost(turn, settings)
    return rec.TurnRecord(
        **envelope,
        event_type=_ending(turn),
        source=turn.source,
        item_id=turn.item_id,
        transcript=None if turn.dropped else turn.transcript,
        suspect=turn.suspect,
        response=None if turn.dropped else " ".join(a.text for a in answers if a.text) or None,
        tools=turn.tools,
        speech_s=counted.speech_ms / 1000,
        sent_s=round(seconds_of(counted.sent_bytes), 3),
        sent_in_vain_s=round(counted.openings.untold_s, 3),
        opened=_opened(counted, turn),
        speech_end_to_stop_ms=_since_speech(turn, turn.stopped_at),
        speech_end_to_transcript_ms=_since_speech(turn, turn.transcript_at),
        speech_end_to_audio_ms=_since_speech(turn, spoken),
        tokens=_tokens([each.usage for each in answers if each.usage is not None]),
        cost_usd=round(bill.usd, 6) if bill is not None else None,
        cost_exact=bill is None or bill.exact,
        reason=_reason(turn),
    )


def _opened(counted: Counted, turn: Turn) -> rec.Opened | None:
    opening = openings_.of(counted.openings, turn.opening)
    if opening is None:
        return None
    certainty, above_db = opening.certainty, opening.above_db
    sent_s = seconds_of(opening.sent_bytes - opening.told_bytes)
    speech_s = (opening.speech_ms - opening.told_ms) / 1000
    return rec.Opened(
        cause=opening.why,
        wake_word=opening.word,
        certainty=None if certainty is None else round(certainty, 2),
        above_db=None if above_db is None else round(above_db, 1),
        agreed=turn.agreed,
        agreed_ms=turn.agreed_ms,
        starts_ms=turn.starts_ms,
        sent_s=round(sent_s, 3),
        silence_s=round(max(0.0, sent_s - speech_s), 3),
    )


def _reason(turn: Turn) -> str | None:
    if turn.dropped:
        return turn.why_dropped
    if turn.unanswered is not None or turn.answers:
        return turn.unanswered or (turn.answer.reason if turn.answer else None)
    return None if turn.outcome in {"final", "empty"} else turn.transcript_reason


def cost(turn: Turn, settings: ReportSettings) -> price.Cost | None:
    """Both bills of a turn; None where one of them cannot be priced."""
    parts = _bills(turn, settings)
    known = [part for part in parts if part is not None]
    if not parts or len(known) < len(parts):
        return None
    return functools.reduce(operator.add, known)


def known_usd(turn: Turn, settings: ReportSettings) -> float:
    """What of a turn has been billed so far, as far as its prices are known."""
    return sum(part.usd for part in _bills(turn, settings) if part is not None)


def _bills(turn: Turn, settings: ReportSettings) -> list[price.Cost | None]:
    usages = [each.usage for each in turn.all_answers if each.usage is not None]
    written = turn.transcript_usage
    parts: list[price.Cost | None] = [
        price.of_response(usage, settings.price) if settings.price is not None else None
        for usage in usages
    ]
    if written is not None:
        known = settings.transcript_price
        parts.append(price.of_transcript(written, known) if known is not None else None)
    return parts


def _ending(turn: Turn) -> Ending:
    if not turn.answers:
        return "transcribed" if turn.outcome in {"final", "empty"} else "failed"
    if turn.answer is None:
        return "unanswered" if turn.unanswered in _NOT_OWED else "failed"
    if turn.answer.interrupted or turn.answer.status == "cancelled":
        return "interrupted"
    return "failed" if turn.answer.status == "failed" else "answered"


def _since_speech(turn: Turn, at: float | None) -> int | None:
    if at is None or turn.speech_end_at is None:
        return None
    return round((at - turn.speech_end_at) * 1000)


def _tokens(usages: list[ev.Usage]) -> rec.Tokens | None:
    if not usages:
        return None
    return rec.Tokens(
        input=sum(usage.input_tokens for usage in usages),
        output=sum(usage.output_tokens for usage in usages),
        cached=sum(usage.cached_tokens for usage in usages),
        input_audio=sum(usage.input_audio_tokens for usage in usages),
        output_audio=sum(usage.output_audio_tokens for usage in usages),
    )
