"""What a sound does to the gate, and how words lie in their room. Pure; for a person who tunes it.

All places are numbers of frames of model.audio, from the first one that was heard; all levels are
the RMS of a frame in dB of full scale.

Rule 1: the room is what is at least FAR from any speech; where nothing is, the quietest tenth.
Exact zeros are no room: they lie between recordings.
Rule 2: a word begins where, going back from the frame that was judged speech, nothing stands out
from the room any more for longer than CLOSURE. Where that is not found within REACH, or the word is
not CLEAR_DB louder than the room, nobody can tell, and it begins with that frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul
from typing import Final, Literal

from satellite.logic.gate import Change, Gate, GateSettings
from satellite.logic.level import FULL
from satellite.model.audio import FRAME_BYTES, FRAME_MS, frames
from satellite.model.ports import Judged

SILENT: Final = -100.0  # stands for exact zeros, and is below all that is none
FAR: Final = frames(200)
CLOSURE: Final = frames(60)  # a mouth is closed for so long inside a word's first sounds
REACH: Final = frames(1000)
OVER_ROOM_DB: Final = 6.0
CLEAR_DB: Final = 15.0
OVER_USUAL_DB: Final = 3.0  # over what all but a twentieth of the room is below

_FRAME: Final = b"\0"  # stands for a frame: the gate never looks at sound


@dataclass(frozen=True, slots=True)
class Knobs:
    """What a person can turn: the keys of ``gate`` with the same names."""

    aggressiveness: int
    confirm: bool
    onset_ms: int
    pre_roll_ms: int
    hangover_ms: int


@dataclass(frozen=True, slots=True)
class Around:
    """What holds beside the knobs.

    ``least_hangover_ms``: what the server's silence needs. ``reach_ms``: so much more than
    ``onset_ms`` the pre-roll must be; None where no server reaches back. ``network``: there is one.
    """

    limit_ms: int
    ends_turns: bool
    silence_ms: int
    least_hangover_ms: int
    reach_ms: int | None
    network: bool

    def gate(self, knobs: Knobs) -> Gate:
        """A closed gate that any speech opens."""
        return Gate(
            GateSettings.from_ms(
                onset_ms=knobs.onset_ms,
                pre_roll_ms=knobs.pre_roll_ms,
                hangover_ms=knobs.hangover_ms,
                limit_ms=self.limit_ms,
                ends_turns=self.ends_turns,
            )
        )


@dataclass(frozen=True, slots=True)
class Span:
    """One utterance at the gate: sent from ``first`` until before ``end``.

    ``onset``, ``last``: its first and last frame of speech; ``opened``: when it was let through.
    """

    first: int
    onset: int
    opened: int
    last: int
    end: int
    ended: Literal["silence", "limit", "sound"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """A span and why it was sent. ``starts``: of its first word, by rule 2; ``certainty``: the
    most of it; ``above_db``: over the room; None where they are not known."""

    span: Span
    starts: int
    certainty: float | None
    above_db: float | None

    @property
    def said_ms(self) -> int:
        """From the first to the last frame of speech."""
        return (self.span.last + 1 - self.span.onset) * FRAME_MS

    @property
    def sent_ms(self) -> int:
        """All that left."""
        return (self.span.end - self.span.first) * FRAME_MS

    @property
    def pre_roll_ms(self) -> int:
        """What was sent of the time before speech."""
        return (self.span.onset - self.span.first) * FRAME_MS

    @property
    def hangover_ms(self) -> int:
        """What was sent of the time after it."""
        return (self.span.end - 1 - self.span.last) * FRAME_MS

    @property
    def late_ms(self) -> int:
        """From the first sound of the word until the gate opened."""
        return (self.span.opened + 1 - self.starts) * FRAME_MS

    @property
    def clipped_ms(self) -> int:
        """What was not sent of the beginning of the word."""
        return max(0, self.span.first - self.starts) * FRAME_MS


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a sound with some knobs.

    ``alone``: how often the cheap detector by itself would have opened the gate; ``alone_ms``: what
    it would have sent; ``refused``: how many of those were no speech by the final verdict.
    ``fires_in_room``: the share of the room's frames that it takes for speech.
    """

    knobs: Knobs
    utterances: tuple[Utterance, ...]
    room_db: float | None
    speech_db: float | None
    alone: int
    alone_ms: int
    refused: int
    fires_in_room: float

    @property
    def sent_ms(self) -> int:
        """All that left."""
        return sum(each.sent_ms for each in self.utterances)

    @property
    def said_ms(self) -> int:
        """All that was speech."""
        return sum(each.said_ms for each in self.utterances)

    @property
    def snr_db(self) -> float | None:
        """How far speech stands out from the room."""
        if self.room_db is None or self.speech_db is None:
            return None
        return self.speech_db - self.room_db


def levels(pcm: bytes) -> list[float]:
    """The level of each whole frame, SILENT for exact zeros."""
    whole = len(pcm) - len(pcm) % FRAME_BYTES
    samples = memoryview(pcm)[:whole].cast("h")
    count = FRAME_BYTES // 2
    return [_rms(samples[n : n + count]) for n in range(0, len(samples), count)]


def gated(speech: Sequence[bool], gate: Gate, before: Sequence[int] = ()) -> list[Span]:
    """What the gate lets through of frames whose verdicts are known; ``before`` as in Judged."""
    spans: list[Span] = []
    first = onset = opened = last = 0
    for n, is_speech in enumerate(speech):
        passed = gate.step(_FRAME, is_speech, before[n] if before else 0)
        if passed.change is Change.OPENED:
            first, opened = n + 1 - len(passed.pcm), n
            onset = n + 1 - passed.speech_ms // FRAME_MS
        if is_speech:
            last = n
        if passed.change in {Change.CLOSED, Change.CUT}:
            why: Literal["silence", "limit"] = "limit" if passed.change is Change.CUT else "silence"
            spans.append(Span(first, onset, opened, last, n + 1, why))
    if gate.is_open:
        spans.append(Span(first, onset, opened, last, len(speech), "sound"))
    return spans


def account(
    loud: Sequence[float], judged: Sequence[Judged], knobs: Knobs, around: Around
) -> Account:
    """Let a sound of these levels and verdicts through a gate. One entry a frame in both."""
    before = [each.before for each in judged]
    spans = gated([each.speech for each in judged], around.gate(knobs), before)
    alone = gated([each.fired for each in judged], around.gate(knobs))
    room = _room(loud, spans)
    room_db = _middle([loud[n] for n in room], 0.5) if room else None
    spoken = [loud[n] for s in spans for n in _spoken(judged, s)]
    return Account(
        knobs,
        tuple(_utterances(loud, judged, spans, room)),
        room_db,
        _power_mean(spoken) if spoken else None,
        len(alone),
        sum(each.end - each.first for each in alone) * FRAME_MS,
        sum(not any(meets(each, span) for span in spans) for each in alone),
        sum(judged[n].fired for n in room) / len(room) if room else 0.0,
    )


def _utterances(
    loud: Sequence[float], judged: Sequence[Judged], spans: Sequence[Span], room: Sequence[int]
) -> Iterator[Utterance]:
    rest = [loud[n] for n in room]
    room_db = _middle(rest, 0.5)
    bar = max(room_db + OVER_ROOM_DB, _middle(rest, 0.95) + OVER_USUAL_DB)
    after = 0
    for span in spans:
        spoken = _spoken(judged, span)
        sure = [c for n in spoken if (c := judged[n].certainty) is not None]
        above = _power_mean([loud[n] for n in spoken]) - room_db if rest else None
        clear = above is not None and above >= CLEAR_DB
        starts = _start(loud, span.onset, after, bar) if clear else span.onset
        yield Utterance(span, starts, max(sure, default=None), above)
        after = span.last + 1


def _spoken(judged: Sequence[Judged], span: Span) -> list[int]:
    return [n for n in range(span.onset, span.last + 1) if judged[n].speech]


def meets(one: Span, other: Span) -> bool:
    """True where the speech of both has a frame in common."""
    return one.onset <= other.last and other.onset <= one.last


def pauses(judged: Sequence[Judged], utterance: Utterance) -> Iterator[int]:
    """The lengths in ms of all that is no speech between its first and last frame of speech."""
    for one, following in pairwise(_spoken(judged, utterance.span)):
        if following > one + 1:
            yield (following - one - 1) * FRAME_MS


def _room(loud: Sequence[float], spans: Sequence[Span]) -> list[int]:
    """The frames that nobody speaks in, by rule 1."""
    heard = [n for n, each in enumerate(loud) if each > SILENT]
    near: set[int] = set()
    for span in spans:
        near.update(range(span.onset - FAR, span.last + FAR + 1))
    far = [n for n in heard if n not in near]
    if far:
        return far
    return sorted(heard, key=lambda n: loud[n])[: math.ceil(len(heard) / 10)]


def _start(loud: Sequence[float], onset: int, after: int, bar: float) -> int:
    """Where a word begins of which ``onset`` is known to be speech, by rule 2."""
    start, quiet = onset, 0
    for n in range(onset - 1, max(after, onset - REACH) - 1, -1):
        if loud[n] >= bar:
            start, quiet = n, 0
        else:
            quiet += 1
            if quiet > CLOSURE:
                return start
    return onset if onset - REACH >= after else start


def _rms(samples: memoryview) -> float:
    power = sum(map(mul, samples, samples)) / len(samples)
    return max(SILENT + 1, 10 * math.log10(power / FULL**2)) if power else SILENT


def _middle(values: Sequence[float], part: float) -> float:
    """The value that so much of them is below; SILENT for none."""
    return sorted(values)[int(part * (len(values) - 1))] if values else SILENT


def _power_mean(values: Sequence[float]) -> float:
    return 10 * math.log10(sum(10 ** (each / 10) for each in values) / len(values))
