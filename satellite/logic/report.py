"""What is published of a turn: a transcript and a response each once, then the whole turn.

Pure. Every record gets the next ``seq`` and an ``id`` that no other record has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypedDict

from satellite.logic.turn import SUPERSEDED, Answer, Turn, spoken_text
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant, seconds_of


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """``boot`` differs at every start of the daemon, so that ids never repeat."""

    boot: str
    device_id: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """What the records count. Sound and speech are those since the last turn record."""

    turns: int = 0
    seq: int = 0
    sent_bytes: int = 0
    speech_ms: int = 0

    def begin(self, settings: ReportSettings) -> tuple[Counted, str]:
        """Name a new turn."""
        turns = self.turns + 1
        return replace(self, turns=turns), f"{settings.boot}-t{turns}"

    def heard(self, speech_ms: int) -> Counted:
        """Count speech."""
        return replace(self, speech_ms=self.speech_ms + speech_ms)

    def sent(self, pcm_bytes: int) -> Counted:
        """Count sound that went to the server."""
        return replace(self, sent_bytes=self.sent_bytes + pcm_bytes)


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
    if turn.outcome is not None and not turn.told_transcript:
        counted, envelope = _envelope(counted, turn, now, settings)
        records.append(_transcript(turn, envelope, settings.language))
        turn = replace(turn, told_transcript=True)
    if turn.answer is not None and turn.answer.is_over and not turn.told_answer:
        if turn.answer.text or turn.answer.status in {"failed", "incomplete"}:
            counted, envelope = _envelope(counted, turn, now, settings)
            records.append(_response(turn.answer, envelope))
        turn = replace(turn, told_answer=True)
    if turn.is_over:
        counted, envelope = _envelope(counted, turn, now, settings)
        records.append(_turn(counted, turn, envelope))
        counted = replace(counted, sent_bytes=0, speech_ms=0)
    return counted, turn, tuple(records)


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
        language=language,
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


def _turn(counted: Counted, turn: Turn, envelope: _Envelope) -> rec.TurnRecord:
    answer = turn.answer
    return rec.TurnRecord(
        **envelope,
        event_type=_ending(turn),
        item_id=turn.item_id,
        transcript=turn.transcript,
        response=answer.text or None if answer is not None else None,
        speech_s=counted.speech_ms / 1000,
        sent_s=round(seconds_of(counted.sent_bytes), 3),
        speech_end_to_stop_ms=_since_speech(turn, turn.stopped_at),
        speech_end_to_transcript_ms=_since_speech(turn, turn.transcript_at),
        speech_end_to_audio_ms=_since_speech(turn, answer.audio_at if answer else None),
        tokens=_tokens(answer.usage if answer else None),
        reason=turn.unanswered or (answer.reason if answer else None),
    )


def _ending(turn: Turn) -> Literal["answered", "interrupted", "unanswered", "failed"]:
    if turn.answer is None:
        return "unanswered" if turn.unanswered == SUPERSEDED else "failed"
    if turn.answer.interrupted or turn.answer.status == "cancelled":
        return "interrupted"
    return "failed" if turn.answer.status == "failed" else "answered"


def _since_speech(turn: Turn, at: float | None) -> int | None:
    if at is None or turn.speech_end_at is None:
        return None
    return round((at - turn.speech_end_at) * 1000)


def _tokens(usage: ev.Usage | None) -> rec.Tokens | None:
    if usage is None:
        return None
    return rec.Tokens(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cached=usage.cached_tokens,
        input_audio=usage.input_audio_tokens,
        output_audio=usage.output_audio_tokens,
    )
