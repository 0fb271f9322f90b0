"""Whether the assistant has heard itself: its own words that come back as a transcript. Pure.

A person who is taken for an echo is worse off than an echo that is taken for a person. So:

Rule 1: an echo has at least LEAST_WORDS words; ALIKE of them are in one stretch, and in order, of
what the assistant said in its last MEMORY_S; and COVERED of its speech was heard while the speaker
sounded, or the room still rang from that. Who repeats something has heard it before; and what
sounds is paused when a person begins (pausing.py), so that most of their words fall into silence.
Rule 2: what is not known is no echo: neither words without times, nor fewer words.
Rule 3: a satellite that interrupts itself at its first word never says four, and nobody can tell
what a recogniser makes of that. Such a thing is believed, whatever it says; but where it began
within EARLY_S of the sound that covers it, it counts half: LOOP in a row, and nothing else between,
are a loop that costs money and ends by no other means. It rests for REST_S then (selfloop.py).
People answer at the end, and do not stop again as soon as the speaker does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from satellite.logic.turn import Answer, Turn

LEAST_WORDS: Final = 4
ALIKE: Final = 0.8  # reliability F55
COVERED: Final = 0.8
MEMORY_S: Final = 30.0
MARGIN_S: Final = 5.0  # how far a word may be from where its share of the time puts it
EARLY_S: Final = 1.0
TAIL_S: Final = 0.3  # audio.md 5: the room is quiet 300 ms after the speaker
MOST_WORDS: Final = 250  # more than anybody says in MEMORY_S
MOST_SPANS: Final = 40
LOOP: Final = 6  # three echoes, or six that may be
REST_S: Final = 60.0
# Thai, Lao, Burmese, Khmer, kana, Han: no spaces tell their words, so each sign is half of one.
_SIGNS: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_WORD: Final = re.compile(rf"(?=\w)[{_SIGNS}]|[^\W{_SIGNS}]+")

Span = tuple[float, float]
Verdict = Literal["echo", "perhaps", "no"]


class Spoken(NamedTuple):
    """Words that the assistant has said to their end at ``until``."""

    until: float
    words: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Spoken({len(self.words)} words)"


@dataclass(frozen=True, slots=True)
class Aloud:
    """When the speaker sounded, what it said, and what of it came back. Monotonic seconds."""

    since: float | None = None  # it sounds
    spans: tuple[Span, ...] = ()  # and did
    spoken: tuple[Spoken, ...] = field(default=(), repr=False)
    echoes: int = 0  # that were dropped, since the start
    score: int = 0  # of those in a row, against LOOP
    rests_until: float | None = None


def sounds(aloud: Aloud, now: float, *, on: bool) -> Aloud:
    """Note whether the speaker sounds, from now on."""
    if on == (aloud.since is not None):
        return aloud
    if on:
        return replace(aloud, since=now)
    assert aloud.since is not None
    return replace(aloud, since=None, spans=(*aloud.spans, (aloud.since, now))[-MOST_SPANS:])


def remember(aloud: Aloud, turn: Turn, now: float) -> Aloud:
    """Keep the words of a turn that is over for as long as they may come back."""
    words = [word for answer in turn.all_answers for word in lately(answer, now)]
    if not words:
        return aloud
    recent = tuple(said for said in aloud.spoken if now - said.until < MEMORY_S)
    return replace(aloud, spoken=(*recent, Spoken(now, tuple(words[-MOST_WORDS:]))))


def lately(answer: Answer, now: float) -> list[str]:
    """The words of an answer that were heard in its last MEMORY_S, by their share of its time."""
    words = words_of(answer.text) if answer.audio_at is not None else []
    if not words or not answer.audio_ms:
        return []
    heard_s = answer.heard_ms / 1000
    if answer.sounding and answer.audio_at is not None:
        heard_s = min(heard_s, now - answer.audio_at - answer.paused_s)
    a_second = len(words) * 1000 / answer.audio_ms
    first = max(0, int((heard_s - MEMORY_S - MARGIN_S) * a_second))
    return words[first : first + MOST_WORDS]


def judge(
    aloud: Aloud, text: str, heard: Sequence[Span], turns: Sequence[Turn], now: float
) -> Verdict:
    """Whether ``text``, of speech heard at ``heard``, is the assistant's own.

    ``turns`` are those that are not over, oldest first.
    """
    said, sounded = words_of(text)[:MOST_WORDS], aloud.spans
    if aloud.since is not None:
        sounded = (*sounded, (aloud.since, now))
    length = sum(b - a for a, b in heard)
    if length <= 0 or _covered(sounded, heard) < COVERED * length:
        return "no"
    begun = min(a for a, _ in heard)
    spoken = [w for past in aloud.spoken if begun - past.until < MEMORY_S for w in past.words]
    spoken += [word for turn in turns for each in turn.all_answers for word in lately(each, now)]
    if _count(said) >= LEAST_WORDS and alike(said, spoken[-2 * MOST_WORDS :]) >= ALIKE:
        return "echo"
    return "perhaps" if any(0 <= begun - since < EARLY_S for since, _ in sounded) else "no"


def count(aloud: Aloud, verdict: Verdict) -> Aloud:
    """Note what something that was said was taken for."""
    match verdict:
        case "echo":
            return replace(aloud, echoes=aloud.echoes + 1, score=aloud.score + 2)
        case "perhaps":
            return replace(aloud, score=aloud.score + 1)
        case "no":
            return replace(aloud, score=0) if aloud.score else aloud


def rest(aloud: Aloud, now: float) -> Aloud:
    """Nobody is heard for a while."""
    return replace(aloud, score=0, rests_until=now + REST_S)


def rests(aloud: Aloud, now: float) -> bool:
    """True while nobody is heard because it was the assistant itself, again and again."""
    return aloud.rests_until is not None and now < aloud.rests_until


def words_of(text: str) -> list[str]:
    """Without case, accents and punctuation, which a recogniser writes as it likes."""
    text = unicodedata.normalize("NFKD", re.sub(r"['\u2019]", "", text).casefold())
    return _WORD.findall("".join(c for c in text if unicodedata.category(c)[0] != "M"))


def _count(words: Sequence[str]) -> float:
    """How many words these are, where some are half of one."""
    return sum(0.5 if re.match(f"[{_SIGNS}]", word) else 1 for word in words)


def alike(said: Sequence[str], spoken: Sequence[str]) -> float:
    """How much of ``said``, which is not empty, is in order one stretch of ``spoken``: 0 to 1.

    1 less the fewest words to put in, leave out or change, for each word of ``said``. Costs
    len(said) * len(spoken) steps, unless too few of the words are there at all.
    """
    known = set(spoken)
    missing = sum(word not in known for word in said)
    if missing > (1 - ALIKE) * len(said):
        return 1 - missing / len(said)  # it is no more than that
    before = [0] * (len(spoken) + 1)  # it may begin anywhere
    for n, word in enumerate(said, 1):
        row = [n]
        for m, other in enumerate(spoken):
            row.append(min(before[m] + (word != other), before[m + 1] + 1, row[m] + 1))
        before = row
    return max(0.0, 1 - min(before) / len(said))  # and end anywhere


def _covered(sounded: Sequence[Span], heard: Sequence[Span]) -> float:
    """Seconds of ``heard`` in which the speaker sounded or the room rang."""
    covered, reached = 0.0, float("-inf")
    for start, end in sounded:  # in order; what two cover counts once
        start, end = max(start, reached), end + TAIL_S  # noqa: PLW2901
        covered += sum(max(0.0, min(b, end) - max(a, start)) for a, b in heard)
        reached = max(reached, end)
    return covered
