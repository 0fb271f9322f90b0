"""What goes out over MQTT, version 1: the contract that automations rely on.

Each record is one JSON object. Fields are only ever added within a version; one that goes or
changes its meaning raises ``v``. docs/mqtt/ holds the JSON Schemas made from these classes.
Times are RFC 3339 in UTC with milliseconds. Texts live in these records and nowhere else: no class
here shows a text in its ``repr``.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records."""

    v: Literal[1] = 1

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person can act on, for as long as it lasts."""

    code: str
    """Stable name, such as ``mic_missing``."""
    since: str
    """When it was first seen."""
    detail: str
    """What was found, in a sentence."""
    fix: str
    """What to do about it."""


class State(Record, frozen=True, kw_only=True):
    """What the satellite does now. Retained; sent on each change and on each connect."""

    state: Literal[
        "starting", "connecting", "idle", "listening", "thinking", "speaking", "offline", "error"
    ]
    since: str
    turn_id: str | None = None
    problems: tuple[Problem, ...] = ()


class Envelope(Record, frozen=True, kw_only=True):
    """What every record of a turn carries."""

    id: str
    """Unique for ever; a consumer that sees it twice drops the second."""
    seq: int
    """Grows by one with each record of a turn since the daemon started; a gap is a loss."""
    turn_id: str
    device_id: str
    ts: str
    """When the record was made."""


class Transcript(Envelope, frozen=True, kw_only=True):
    """What the user said, once for each user item."""

    event_type: Literal["final", "empty", "failed", "missing"]
    """final: words; empty: heard, no words; failed: given up; missing: never came in time."""
    item_id: str
    text: str
    language: str | None = None
    """The language that was asked for, if any."""
    confidence: float | None = None
    """0 to 1 where the recogniser tells."""
    suspect: bool = False
    """True where there is reason to doubt that a person said it."""
    reason: str | None = None
    """Why it failed, is missing or is suspect."""


class Response(Envelope, frozen=True, kw_only=True):
    """What the assistant answered, once its last sound was played or given up."""

    event_type: Literal["completed", "cancelled", "incomplete", "failed"]
    text: str
    """Everything that was generated."""
    interrupted: bool = False
    """True where the user spoke before the answer had been heard to its end."""
    spoken_text: str | None = None
    """Where interrupted: the part that was really heard, rather too little than too much."""
    audio_ms: int = 0
    """Length of the voice that was received."""
    played_ms: int = 0
    """Length of the voice that was heard."""
    reason: str | None = None
    """Why it is not completed."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens as the server counted them; the cached ones are a part of the input."""

    input: int
    output: int
    cached: int
    input_audio: int
    output_audio: int


class TurnRecord(Envelope, frozen=True, kw_only=True):
    """One turn, whole, when nothing more of it can come."""

    event_type: Literal["answered", "interrupted", "unanswered", "transcribed", "failed"]
    """transcribed: in a session that only writes down."""
    item_id: str | None = None
    transcript: str | None = None
    """What the user said; null where no transcript came."""
    suspect: bool = False
    """True where there is reason to doubt that a person said it."""
    response: str | None = None
    """What the assistant answered; null where no answer came."""
    tools: tuple[str, ...] = ()
    """Names of the tools that the assistant called, in order."""
    speech_s: float = 0.0
    """Seconds judged to be speech since the turn before."""
    sent_s: float = 0.0
    """Seconds of sound sent to the server since the turn before, pre-roll and tail included."""
    speech_end_to_stop_ms: int | None = None
    """From the last local speech to the server's end of turn, its silence wait included."""
    speech_end_to_transcript_ms: int | None = None
    speech_end_to_audio_ms: int | None = None
    """From the last local speech to the first sample given to the speaker."""
    tokens: Tokens | None = None
    """Of all its answers together; those of the transcript are only in the cost."""
    cost_usd: float | None = None
    """Both bills, answer and transcript, in US dollars; null where a price is not known."""
    cost_exact: bool = True
    """False where the server's counts leave room."""
    reason: str | None = None
    """Why it failed or was not answered."""
