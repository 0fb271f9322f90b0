"""What goes out over MQTT, version 1: the contract that automations rely on.

Each record is one JSON object. Fields are only ever added within a version; one that goes or
changes its meaning raises ``v``. docs/mqtt/ holds the JSON Schemas made from these classes.
Times are RFC 3339 in UTC with milliseconds. Texts live in these records and nowhere else: no class
here shows a text in its ``repr``.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from satellite.model.session import Activation


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
        "starting",
        "connecting",
        "idle",
        "listening",
        "thinking",
        "speaking",
        "muted",
        "offline",
        "error",
    ]
    since: str
    turn_id: str | None = None
    muted: bool = False
    """True while the microphone is closed on a person's order."""
    problems: tuple[Problem, ...] = ()


class Envelope(Record, frozen=True, kw_only=True):
    """What every record of a turn carries."""

    id: str
    """Unique for ever; a consumer that sees it twice drops the second."""
    seq: int
    """Grows by one with each record of a turn, over restarts too; a gap is a loss."""
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
    truncated: bool = False
    """True where more was said than a message may hold."""
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
    truncated: bool = False
    """True where more was generated than a message may hold."""
    interrupted: bool = False
    """True where it was cut before it had been heard to its end: by the user, or by ``reason``."""
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


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """Why the gate opened for what was said, and whether the server heard speech there too."""

    cause: Literal["speech", "wake_word", "asked", "follow_up"]
    """asked: over MQTT or by a button; follow_up: within the time after an answer in which nobody
    has to ask."""
    wake_word: str | None = None
    """The one that was heard."""
    certainty: float | None = None
    """0 to 1, of the network; null where there is none, or where it was not asked."""
    above_db: float | None = None
    """How much louder it was than the room; null where the room was not known yet."""
    agreed: bool
    """True where the server made a user item of it by itself."""
    agreed_ms: int | None = None
    """From the opening until the server said that it hears speech: connecting included. Null for a
    second sentence in one opening."""
    starts_ms: int | None = None
    """Where the server's item begins, its padding included; below 0 is before the opening. Null as
    ``agreed_ms``, or where the server does not tell."""
    sent_s: float
    """Seconds of sound sent for this opening until now, but for what an earlier turn of it told."""
    silence_s: float
    """Of these, what was not judged speech: pre-roll, pauses and tail."""


class TurnRecord(Envelope, frozen=True, kw_only=True):
    """One turn, whole, when nothing more of it can come."""

    event_type: Literal["answered", "interrupted", "unanswered", "transcribed", "failed"]
    """transcribed: in a session that only writes down."""
    source: Literal["voice", "ask", "say"] = "voice"
    """Who began it: a person who spoke; a text that was asked, or said, over MQTT."""
    item_id: str | None = None
    transcript: str | None = None
    """What the user said; null where no transcript came."""
    suspect: bool = False
    """True where there is reason to doubt that a person said it."""
    response: str | None = None
    """What the assistant answered; null where no answer came."""
    truncated: bool = False
    """True where one of the two was longer than a message may hold."""
    tools: tuple[str, ...] = ()
    """Names of the tools that the assistant called, in order."""
    speech_s: float = 0.0
    """Seconds judged to be speech since the turn before."""
    sent_s: float = 0.0
    """Seconds of sound sent to the server since the turn before, pre-roll and tail included."""
    sent_in_vain_s: float = 0.0
    """Seconds of sound that turned out, since the turn before, to be no speech to the server. They
    are in ``sent_s``, of this turn or of the one before."""
    opened: Opened | None = None
    """Null where nobody spoke: ask, say, and an item that the server made out of silence."""
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


class Partial(Record, frozen=True, kw_only=True):
    """What has been understood so far of what the user is saying, or has just said."""

    turn_id: str
    item_id: str
    device_id: str
    text: str
    """All of it so far; replaces the one before."""
    truncated: bool = False
    """True where there is more than a message may hold."""
    ts: str


class Settings(Record, frozen=True, kw_only=True):
    """What can be changed while it runs, as it is now. Retained."""

    muted: bool
    volume: int
    """Percent."""
    voice: str
    language: str | None
    transcription_prompt: str
    instructions_sha256: str
    """Of the instructions in UTF-8; they may be longer than a message, and are nobody's affair."""
    sensitivity: int
    """0 hears everything, 3 ignores the most noise."""
    activation: Activation
    turn_detection: Literal["server_vad", "manual"]


class Usage(Record, frozen=True, kw_only=True):
    """What it costs, by the days and months of the satellite's own time zone. Retained."""

    day: str
    """Such as 2026-11-21."""
    month: str
    """Such as 2026-11."""
    turns_today: int
    tokens_today: int
    sent_today_s: float
    """Seconds of sound sent to the server."""
    cost_today_usd: float
    cost_month_usd: float
    cost_exact: bool
    """False where the price of some turn of the month is not known whole."""
    cap_day_usd: float | None
    cap_month_usd: float | None
    ts: str


class Diagnostics(Record, frozen=True, kw_only=True):
    """Once a minute: a reader that hears nothing for three knows that it hangs. Retained."""

    session_connected: bool
    started_at: str
    uptime_s: int
    outbox_depth: int
    """Messages that nobody has yet."""
    outbox_oldest_s: float
    outbox_expired: int
    """Messages that nobody took in time, since the start; ``replay`` still has them."""
    mqtt_reconnects: int
    session_reconnects: int
    echoes: int
    """What the assistant said and heard itself, dropped since the start."""
    underruns: int
    """How often an answer had to wait for the server in its middle, since the start."""
    mic_gaps: int
    """How often the machine stood still, and what was said then is lost, since the start."""
    gate_opened: int
    """How often something was taken for speech, since the start."""
    gate_refused: int
    """Of these, how often the server did not agree, and no turn came of it."""
    sent_in_vain_s: float
    """Seconds of sound sent for those."""
    version: str
    ts: str


class Fault(Record, frozen=True, kw_only=True):
    """Something went wrong; where it lasts it is also a problem of ``state``."""

    event_type: Literal["error", "warning"]
    code: str
    message: str
    fix: str
    device_id: str
    ts: str


class ToolCall(Record, frozen=True, kw_only=True):
    """The assistant wants something done; the answer goes to ``tool/result``."""

    call_id: str
    turn_id: str
    device_id: str
    name: str
    arguments: dict[str, Any]
    deadline: str
    """An answer after it is not heard."""
    ts: str


class ToolConfirm(ToolCall, frozen=True, kw_only=True):
    """A person must say whether this may be done: ``tool/call`` has it only after their yes."""


class Result(Record, frozen=True, kw_only=True):
    """What became of something that was asked for over MQTT."""

    cmd: str
    id: str | None
    """Of the request, where it had one."""
    status: Literal["accepted", "done", "rejected", "cancelled", "expired", "failed"]
    error: str | None = None
    """Why not, in a sentence."""
    ts: str


class Replayed(Record, frozen=True, kw_only=True):
    """One record again, as it was published; ``replay`` asks for it."""

    topic: Literal["transcript", "response", "turn"]
    seq: int
    record: msgspec.Raw
    """The same object, byte for byte."""
