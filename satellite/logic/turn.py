"""A turn: what one person said, what became of it, and what was answered.

Values and small pure functions; satellite/logic/talk.py decides when to call them.

Rule 1: a turn is one user item of the server, known by ``item_id``; a transcript joins it by that
id and by nothing else (law 7).
Rule 2: an answer is one response of the server, known by ``response_id``; what belongs to another
response never reaches the speaker.
Rule 3: a turn is over when its transcript is known or given up, and its answer is too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from satellite.model import events as ev
from satellite.model.audio import ms_of
from satellite.model.session import House

Outcome = Literal["final", "empty", "failed", "missing"]
Source = Literal["voice", "ask", "say"]

SPEAKER_GRACE_S: Final = 10.0  # a speaker that takes longer than its sound is stuck
SUPERSEDED: Final = "superseded"  # the user went on before it was answered
ECHO: Final = "echo"  # the assistant said it
PHANTOM: Final = "phantom"  # nobody did
LONGEST_TEXT: Final = 20_000  # characters of one part; 120 s of speech are about 2,000
MOST_PARTS: Final = 20
WORDS_A_SECOND: Final = 2.5  # slow speech: what was heard is rather too little than too much


@dataclass(frozen=True, slots=True)
class Answer:
    """One response. ``status`` is None while the server makes it."""

    response_id: str
    parts: tuple[tuple[tuple[int, int], str], ...] = field(default=(), repr=False)
    received: tuple[tuple[str, int, int], ...] = ()  # (item_id, content_index, bytes), in order
    status: str | None = None
    reason: str | None = None
    usage: ev.Usage | None = None
    sounding: bool = False  # the speaker has, or will have, some of it
    interrupted: bool = False  # nothing more of it may be heard
    cut: str | None = None  # why, where that was not the user
    played_ms: int | None = None  # None: to its end, if it has one
    audio_at: float | None = None  # when its first sample went to the speaker
    paused_s: float = 0.0  # since then, for nobody
    deadline: float = 0.0

    @property
    def text(self) -> str:
        """All words, in the order of the server's parts."""
        return " ".join(text.strip() for _, text in self.parts if text.strip())

    @property
    def audio_ms(self) -> int:
        """Length of the voice received so far."""
        return ms_of(sum(size for _, _, size in self.received))

    @property
    def heard_ms(self) -> int:
        """Length of the voice that was played."""
        return self.audio_ms if self.played_ms is None else min(self.played_ms, self.audio_ms)

    @property
    def is_over(self) -> bool:
        """True when the server and the speaker are both done with it."""
        return self.status is not None and not self.sounding


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that the model waits for. ``output`` is None while it runs.

    ``house`` and ``arguments`` of one that the house carries out, ``told`` what it was told of it.
    """

    call: ev.ToolCall
    deadline: float
    output: str | None = field(default=None, repr=False)
    house: House | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    told: Literal["nothing", "confirm", "call"] = "nothing"
    confirmed: bool = False  # a person said yes

    @property
    def to_tell(self) -> Literal["confirm", "call"] | None:
        """What the house is to be told of it now."""
        if self.house is None or self.output is not None:
            return None
        due: Literal["confirm", "call"] = "call"
        if self.house.sensitive and not self.confirmed:
            due = "confirm"
        return None if self.told == due else due


@dataclass(frozen=True, slots=True)
class Turn:
    """One user item. Instants are monotonic seconds, ``start_ms`` and ``end_ms`` server time."""

    turn_id: str
    item_id: str | None
    opened_at: float
    answers: bool = True  # False where the session only writes down
    source: Source = "voice"  # a person who spoke, or a text over MQTT
    wanted: str = field(default="", repr=False)  # what is to be said, word for word
    volume: int | None = None  # percent, for its voice alone
    utterance: int | None = None  # of our own, where we end the turns
    opening: int | None = None  # the utterance for which the gate opened
    agreed: bool = False  # the server took that for speech
    agreed_ms: int | None = None  # from the opening until it said so
    starts_ms: int | None = None  # from the opening to the beginning of its item
    awaiting: bool = False  # we have committed it; the server has not named it yet
    commit_at: float | None = None  # when our commit went to the server
    said_from: float | None = None  # when its sound began, where the server does not tell
    start_ms: int | None = None
    end_ms: int | None = None
    ended: bool = False  # the server ended it, or we did
    committed: bool = False
    speech_end_at: float | None = None  # the last local speech, as known when the server ended it
    stopped_at: float | None = None
    outcome: Outcome | None = None  # of the transcript
    transcript: str | None = field(default=None, repr=False)
    transcript_at: float | None = None
    transcript_reason: str | None = None  # why it failed, is missing or is doubted
    confidence: float | None = None
    language: str | None = None
    transcript_usage: ev.TranscriptUsage | None = None
    partial: str = field(default="", repr=False)  # what is understood before it is known
    told_partial: str = field(default="", repr=False)
    told_partial_at: float = 0.0
    suspect: bool = False  # there is reason to doubt that a person said it
    dropped: bool = False  # nobody said it: neither it nor its answer is for anybody
    told_transcript: bool = False  # published
    told_answer: bool = False
    answer: Answer | None = None
    earlier: tuple[Answer, ...] = ()  # those before a tool ran, or that failed and were asked again
    calls: tuple[Call, ...] = ()
    tools: tuple[str, ...] = ()  # names of those that were called
    asked_at: float | None = None  # when we asked for an answer, last
    retry_at: float | None = None  # when to ask again
    unanswered: str | None = None  # why no answer will come
    stopped: str | None = None  # why nobody wants an answer any more, should one come
    gone: bool = False  # its session is over: the ids of another session are not its own
    nudges: int = 0  # how often the watchdog acted
    deadline: float = 0.0  # of the next nudge while open, of the transcript or answer after

    @property
    def is_over(self) -> bool:
        """True when nothing more of it can come."""
        if self.outcome is None and (self.item_id is not None or self.awaiting):
            return False
        return not self.answers or self.unanswered is not None or self.is_answered

    @property
    def is_answered(self) -> bool:
        """True when the last answer was played, or is as it will stay."""
        waits = bool(self.calls) or self.retry_at is not None
        return self.answer is not None and self.answer.is_over and not waits

    @property
    def why_dropped(self) -> str:
        """Why it is for nobody, where it was dropped."""
        return ECHO if self.transcript_reason == ECHO else PHANTOM

    @property
    def is_settled(self) -> bool:
        """True when nothing more is to be heard of it; its transcript may still come."""
        return self.ended and (self.unanswered is not None or self.is_answered)

    @property
    def is_responding(self) -> bool:
        """True while the server makes an answer, as far as we know."""
        return self.answer is not None and self.answer.status is None and not self.gone

    @property
    def wants_answer(self) -> bool:
        """True where an answer is due that has not begun."""
        return self.answers and self.ended and self.answer is None and self.unanswered is None

    @property
    def all_answers(self) -> tuple[Answer, ...]:
        """What was answered, in order."""
        return self.earlier if self.answer is None else (*self.earlier, self.answer)


def lose_transcript(turn: Turn, reason: str) -> Turn:
    """Give the transcript up, where one is owed."""
    if turn.outcome is not None:
        return turn
    if turn.item_id is None:
        return replace(turn, awaiting=False)
    return replace(turn, outcome="missing", transcript_reason=reason)


def abandon(turn: Turn, reason: str, now: float) -> Turn:
    """The server will say nothing more about it; an answer that has begun is left as it is."""
    turn = lose_transcript(turn, reason)
    if turn.calls and turn.answer is not None:  # what was to follow the tools will not
        turn = replace(turn, answer=replace(turn.answer, status="failed", reason=reason))
    turn = replace(turn, ended=True, stopped_at=turn.stopped_at or now, calls=(), retry_at=None)
    written = not turn.answers and turn.outcome in {"final", "empty"}
    if turn.answer is None and not written:
        turn = replace(turn, unanswered=turn.unanswered or reason)
    return turn


def fail_answer(answer: Answer, reason: str, now: float) -> Answer:
    """The server will not finish it; what was received may still be played."""
    failed = replace(answer, status="failed", reason=reason)
    return replace(failed, deadline=speaker_deadline(failed, now))


def cut_short(answer: Answer, reason: str, now: float) -> Answer:
    """Playing ends here and now; what was heard is known by the clock only."""
    begun_at = now if answer.audio_at is None else answer.audio_at
    heard_ms = round((now - begun_at - answer.paused_s) * 1000)
    status = answer.status or "cancelled"
    cut = replace(answer, status=status, sounding=False, interrupted=True, reason=reason)
    return replace(cut, played_ms=max(0, heard_ms))


def speaker_deadline(answer: Answer, now: float) -> float:
    """When a speaker that has everything must be done with it."""
    return now + answer.audio_ms / 1000 + SPEAKER_GRACE_S


def add_text(answer: Answer, delta: ev.TextDelta) -> Answer:
    """Append a piece of words to its part, or replace the part where the piece is final."""
    key = (delta.output_index, delta.content_index)
    parts = dict(answer.parts)
    text = delta.text if delta.final else parts.get(key, "") + delta.text
    if key in parts or len(parts) < MOST_PARTS:
        parts[key] = text[:LONGEST_TEXT]
    return replace(answer, parts=tuple(sorted(parts.items())))


def add_audio(answer: Answer, delta: ev.AudioDelta) -> Answer:
    """Count a piece of voice, with what there is of its part."""
    key = (delta.item_id, delta.content_index)
    received = list(answer.received)
    for n in range(len(received) - 1, -1, -1):
        item_id, index, size = received[n]
        if (item_id, index) == key:
            received[n] = (*key, size + len(delta.pcm))
            break
    else:
        received.append((*key, len(delta.pcm)))
    return replace(answer, received=tuple(received), sounding=True)


def flushed(answer: Answer, item_id: str, played_ms: int) -> Answer:
    """The speaker stopped ``played_ms`` into item ``item_id``; items before it were heard whole.

    Of an item that nobody knows nothing was.
    """
    before = 0
    for item, _, size in answer.received:
        if item == item_id:
            return replace(answer, sounding=False, played_ms=ms_of(before) + played_ms)
        before += size
    return replace(answer, sounding=False, played_ms=0)


def received_ms(answer: Answer, item_id: str) -> int:
    """Length of the voice received of one item."""
    return ms_of(sum(size for item, _, size in answer.received if item == item_id))


def spoken_text(answer: Answer) -> str:
    """The words that were really heard of an interrupted answer, by their share of the time.

    The words may be known before their sound: so never more than slow speech says in that time.
    """
    words = answer.text.split()
    if not words or not answer.audio_ms:
        return ""
    share = len(words) * answer.heard_ms // answer.audio_ms
    bound = int(answer.heard_ms / 1000 * WORDS_A_SECOND)
    return " ".join(words[: min(share, bound)])
