"""What to turn, computed from a sound, and what else a person can do. Pure.

A suggestion is one value of one key, with a reason. The rules make candidates; a candidate counts
only if the same sound comes through the gate better with it than without, and nothing worse.

Rule 1, the words: what the most attentive ears take for speech for longer than BLIP_MS, and once
with a certainty of CERTAIN; without a network, what is OVER_ROOM_DB louder than the room. A pause
of at most SENTENCE_MS is inside a sentence.
Rule 2, better: of the words no frame more is lost, no more sentences are cut, and other sounds open
the gate no more often, unless less is sent; and one of the four is less. More is sent only for the
others. Where all are the same, who lets the network rest is better.
Rule 3, confirm: let the network confirm, where there is one.
Rule 4, aggressiveness: the value that opens least for other sounds, loses least of the words, or
sends a tenth less, the nearest of these; or, up to the default, that halves how often the room
wakes the network where that is more than RESTLESS of the time.
Rule 5, onset_ms: longer than the longest blip that opened the gate, up to LONGEST_ONSET_MS.
Rule 6, pre_roll_ms: from the first sound of the latest noticed word on, and SPARE_MS more. It comes
down only by more than MUCH_MS, and not below LEAST_PRE_ROLL_MS: the next word may be a softer one.
Rule 7, hangover_ms: the longest pause inside a sentence and SPARE_MS, at least what the server's
silence needs. It comes down only by more than MUCH_MS. It goes up only where we end the turns: else
the server ends them at a pause, however long we send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from satellite.logic.cascade import SURE
from satellite.logic.tuning import (
    OVER_ROOM_DB,
    Account,
    Around,
    Knobs,
    Span,
    Utterance,
    account,
    meets,
    pauses,
)
from satellite.model.audio import FRAME_MS, frames
from satellite.model.ports import Judged

BLIP_MS: Final = 120  # a yes is longer
CERTAIN: Final = SURE[3]
RESTLESS: Final = 0.3
DEFAULT: Final = 2  # of gate.aggressiveness
LOSS: Final = frames(100)
LONGEST_ONSET_MS: Final = 160
LEAST_PRE_ROLL_MS: Final = 400
MOST_PRE_ROLL_MS: Final = 7000  # the most that the configuration takes
SPARE_MS: Final = 100
MUCH_MS: Final = 100
SENTENCE_MS: Final = 700  # who pauses for longer has said what he wanted
LEAST_TURNED_MS: Final = SENTENCE_MS  # where no server decides

Hear = Callable[[int, bool], Sequence[Judged]]
"""The verdicts on the whole sound, with this aggressiveness, with or without the network."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """``now`` and ``then``: the same sound with the present and with the suggested knobs.
    ``why``: of each key that differs, in the order of the configuration."""

    now: Account
    then: Account
    words: tuple[Span, ...]
    why: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Result:
    """Frames of words that were not sent (twice, of a word that nobody noticed), other sounds that
    opened the gate, cuts in sentences, frames sent; the share of the time in which the room alone
    wakes the network."""

    lost: int
    others: int
    cuts: int
    sent: int
    restless: float

    def better(self, than: _Result) -> bool:
        """Rule 2."""
        less = self.sent < than.sent
        if self.lost > than.lost or self.cuts > than.cuts:
            return False
        if self.others > than.others:
            return less
        rests = than.restless > RESTLESS and self.restless <= than.restless / 2
        gains = self.lost < than.lost or self.cuts < than.cuts or self.others < than.others
        return less or gains or (self.sent == than.sent and rests)


def suggest(loud: Sequence[float], hear: Hear, present: Knobs, around: Around) -> Suggested:
    """Try every rule on a sound of these levels, one frame an entry."""
    trial = _Trial(loud, hear, present, around)
    now = trial.account(present)
    knobs = present
    why: dict[str, str] = {}
    for rule in (_confirm, _aggressiveness, _onset, _pre_roll, _hangover):
        for candidate, reason in rule(trial, knobs):
            if trial.result(candidate).better(trial.result(knobs)):
                why |= dict.fromkeys(_changed(knobs, candidate), reason)
                knobs = candidate
                break
    changed = _changed(present, knobs)
    return Suggested(now, trial.account(knobs), trial.words, {key: why[key] for key in changed})


def _changed(one: Knobs, other: Knobs) -> list[str]:
    return [key for key in Knobs.__slots__ if getattr(one, key) != getattr(other, key)]


def _words(
    loud: Sequence[float], hear: Hear, present: Knobs, around: Around
) -> tuple[list[Utterance], set[int]]:
    """Rule 1: the sentences, and the frames that must be sent of them."""
    network = around.network
    knobs = replace(
        present,
        aggressiveness=0 if network else present.aggressiveness,
        confirm=network,
        hangover_ms=SENTENCE_MS,
    )
    judged = hear(knobs.aggressiveness, knobs.confirm)
    found = account(loud, judged, knobs, around)
    words = [each for each in found.utterances if _is_word(each, network=network)]
    needed: set[int] = set()
    for each in words:
        needed.update(range(each.starts, each.span.onset))
        inside = range(each.span.onset, each.span.last + 1)
        needed.update(n for n in inside if _is_certain(judged[n], network=network))
    return words, needed


def _is_certain(judged: Judged, *, network: bool) -> bool:
    return (judged.certainty or 0.0) >= CERTAIN if network else judged.speech


def _is_word(each: Utterance, *, network: bool) -> bool:
    if each.said_ms <= BLIP_MS:
        return False
    if network:
        return (each.certainty or 0.0) >= CERTAIN
    return each.above_db is None or each.above_db >= OVER_ROOM_DB


class _Trial:
    """The sound, and what came of it with the knobs that were tried."""

    def __init__(self, loud: Sequence[float], hear: Hear, present: Knobs, around: Around) -> None:
        self.around = around
        self.hear = hear
        words, self._needed = _words(loud, hear, present, around)
        self.words = tuple(each.span for each in words)
        self._loud = loud
        self._done: dict[Knobs, Account] = {}

    def account(self, knobs: Knobs) -> Account:
        """Let it through the gate, once."""
        if knobs not in self._done:
            judged = self.hear(knobs.aggressiveness, knobs.confirm)
            self._done[knobs] = account(self._loud, judged, knobs, self.around)
        return self._done[knobs]

    def result(self, knobs: Knobs) -> _Result:
        """What rule 2 looks at."""
        heard = self.account(knobs)
        spans = [each.span for each in heard.utterances]
        sent = {n for span in spans for n in range(span.first, span.end)}
        pieces = [sum(meets(span, word) for span in spans) for word in self.words]
        met = zip(self.words, pieces, strict=True)
        unheard = (word.last + 1 - word.onset for word, count in met if not count)
        return _Result(
            len(self._needed - sent) + sum(unheard),
            sum(not self.is_word(span) for span in spans),
            sum(each - 1 for each in pieces if each),
            len(sent),
            heard.fires_in_room if knobs.confirm else 0.0,
        )

    def is_word(self, span: Span) -> bool:
        """Whether an utterance holds a word."""
        return any(meets(span, word) for word in self.words)

    def utterances(self, knobs: Knobs, *, words: bool) -> list[Utterance]:
        """Those that hold a word, or the others."""
        found = self.account(knobs).utterances
        return [each for each in found if self.is_word(each.span) == words]


Candidates = Iterator[tuple[Knobs, str]]


def _confirm(trial: _Trial, knobs: Knobs) -> Candidates:
    candidate = replace(knobs, confirm=True)
    if trial.around.network and not knobs.confirm:
        less = (trial.result(knobs).sent - trial.result(candidate).sent) * FRAME_MS / 1000
        yield candidate, f"{less:.1f} s less is sent of what the network does not take for speech"


def _aggressiveness(trial: _Trial, knobs: Knobs) -> Candidates:
    before = trial.result(knobs)
    tried = []
    for value in sorted({0, 1, 2, 3} - {knobs.aggressiveness}):
        candidate = replace(knobs, aggressiveness=value)
        after = trial.result(candidate)
        gain = (
            before.others - after.others,
            (before.lost - after.lost) // LOSS,
            (before.sent - after.sent) * 10 // max(1, before.sent),
        )
        rests = before.restless > RESTLESS and after.restless <= before.restless / 2
        if max(gain) > 0 or (rests and value <= DEFAULT):
            order = [-each for each in gain] + [abs(value - knobs.aggressiveness)]
            tried.append((order, candidate, _why_another(gain, before.restless, after.restless)))
    for _, candidate, reason in sorted(tried, key=lambda each: each[0]):
        yield candidate, reason


def _why_another(gain: tuple[int, int, int], awake: float, calm: float) -> str:
    others, lost, sent = gain
    if others > 0:
        return f"other sounds than words open the gate {_times(others)} less"
    if lost > 0:
        return f"{lost * LOSS * FRAME_MS} ms of words are no longer lost"
    if sent > 0:
        return f"a {'tenth' if sent == 1 else 'fifth' if sent < 4 else 'half'} less is sent"
    return (
        f"the detector fires in {awake:.0%} of the room's own sound, which keeps the network busy;"
        f" with this in {calm:.0%}"
    )


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _onset(trial: _Trial, knobs: Knobs) -> Candidates:
    blips = [
        each.said_ms for each in trial.utterances(knobs, words=False) if each.said_ms <= BLIP_MS
    ]
    for length in sorted(set(blips), reverse=True):
        onset_ms = _whole(length + FRAME_MS)
        if knobs.onset_ms < onset_ms <= LONGEST_ONSET_MS:
            count = sum(each <= length for each in blips)
            reason = f"{_times(count)} a sound of at most {length} ms opened the gate: a knock"
            pre_roll_ms = max(knobs.pre_roll_ms, _least_pre_roll(trial.around, onset_ms))
            yield replace(knobs, onset_ms=onset_ms, pre_roll_ms=pre_roll_ms), reason


def _least_pre_roll(around: Around, onset_ms: int) -> int:
    return 0 if around.reach_ms is None else around.reach_ms + onset_ms


def _pre_roll(trial: _Trial, knobs: Knobs) -> Candidates:
    late = [each.late_ms for each in trial.utterances(knobs, words=True)]
    if not late:
        return
    least = max(LEAST_PRE_ROLL_MS, _least_pre_roll(trial.around, knobs.onset_ms))
    need = _whole(max(least, max(late) - knobs.onset_ms + SPARE_MS))
    reason = f"the gate opened up to {max(late)} ms after the first sound of a word"
    if knobs.pre_roll_ms < need <= MOST_PRE_ROLL_MS or knobs.pre_roll_ms - need > MUCH_MS:
        yield replace(knobs, pre_roll_ms=need), reason


def _hangover(trial: _Trial, knobs: Knobs) -> Candidates:
    around = trial.around
    words = trial.utterances(knobs, words=True)
    judged = trial.hear(knobs.aggressiveness, knobs.confirm)
    inside = [ms for each in words for ms in pauses(judged, each)]
    known = [ms for ms in (*inside, *_between(words)) if ms <= SENTENCE_MS]
    if not words:
        return
    longest = max(known, default=0)
    least = LEAST_TURNED_MS if around.ends_turns else around.least_hangover_ms
    covers = _whole(longest + SPARE_MS)
    need = max(covers, _whole(least))
    reason = f"the longest pause in a sentence is {longest} ms" if known else "nobody paused"
    if around.ends_turns and known and knobs.hangover_ms < covers:
        yield replace(knobs, hangover_ms=covers), f"{reason}, and must not end the turn"
    if knobs.hangover_ms - need > MUCH_MS:
        needs = "" if around.ends_turns else f", and the server needs {least} ms"
        yield replace(knobs, hangover_ms=need), reason + needs


def _between(utterances: Sequence[Utterance]) -> Iterator[int]:
    """The pauses in which the gate closed, in ms."""
    for one, following in pairwise(utterances):
        yield (following.span.onset - one.span.last - 1) * FRAME_MS


def _whole(ms: int) -> int:
    """Up to whole frames."""
    return frames(ms) * FRAME_MS
