"""The server's clock counts the samples it was given; this maps it to the time of our own.

Pure. One clock a connection: it starts at 0 with each. While the gate is shut it stands still, so
a server's milliseconds say nothing about the time of day without the table kept here.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Final

from satellite.model.audio import RATE, SAMPLE_BYTES

MOST: Final = 40  # pieces remembered: more than one turn can reach back over
MOST_SPEECH: Final = 200
MARKS: Final = 5  # ends of turns that are compared
SURE_MS: Final = 5000.0
LATE_MS: Final = 400.0  # of sound goes out before the end of a turn is heard of, or not
MISTAKES: Final = (1 / 3, 0.5, 24 / 44.1, 2 / 3, 1.5, 44.1 / 24, 2.0, 3.0)
"""What 8, 12, 16, 36, 44.1, 48 and 72 kHz make of 24, taken for it, or it for them."""
JITTER_S: Final = 0.25  # sound of one utterance that comes closer than this is one piece


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound without a gap: server milliseconds, and our monotonic seconds at its beginning."""

    start_ms: float
    end_ms: float
    at: float
    real: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """``speech`` are the spans that the satellite itself judged speech, in server milliseconds."""

    sent_ms: float = 0.0
    pieces: tuple[Piece, ...] = ()
    speech: tuple[tuple[float, float], ...] = ()
    marks: tuple[tuple[float, float], ...] = ()  # our and the server's time at ends of turns
    begun: tuple[float, ...] = ()  # when the first sounds of utterances were captured


def opened(clock: Clock, at: float) -> Clock:
    """Note that sound captured at ``at`` is the first of an utterance: a gap may be before it."""
    return replace(clock, begun=(*clock.begun[-MOST + 1 :], at))


def sent(clock: Clock, pcm_bytes: int, at: float | None, speech_ms: int, now: float) -> Clock:
    """Note sound that goes to the server; ``at`` and ``speech_ms`` as in AppendAudio."""
    length_ms = pcm_bytes * 1000 / (RATE * SAMPLE_BYTES)
    start, end = clock.sent_ms, clock.sent_ms + length_ms
    begun = (now if at is None else at) - length_ms / 1000
    last = clock.pieces[-1] if clock.pieces else None
    real = at is not None
    goes_on = last is not None and last.real == real and abs(_ends(last) - begun) < JITTER_S
    if last is not None and goes_on and at not in clock.begun:
        pieces = (*clock.pieces[:-1], replace(last, end_ms=end))
    else:
        pieces = (*clock.pieces[-MOST + 1 :], Piece(start, end, begun, real))
    speech = clock.speech
    if speech_ms:
        speech = _joined(speech, (max(start, end - speech_ms), end))
    return replace(clock, sent_ms=end, pieces=pieces, speech=speech)


def instant(clock: Clock, server_ms: float) -> float | None:
    """Monotonic seconds at which that sample was captured; None where it is not remembered."""
    for piece in reversed(clock.pieces):
        if piece.start_ms <= server_ms:
            if server_ms > piece.end_ms + 1:
                return None
            return piece.at + (server_ms - piece.start_ms) / 1000
    return None


def speech_within(clock: Clock, start_ms: float, end_ms: float) -> float | None:
    """Milliseconds of that span that the satellite judged speech; None where nobody remembers."""
    if not clock.pieces or start_ms < clock.pieces[0].start_ms or end_ms > clock.sent_ms + 1:
        return None
    return sum(max(0.0, min(b, end_ms) - max(a, start_ms)) for a, b in clock.speech)


def speech_at(clock: Clock, start_ms: float, end_ms: float) -> list[tuple[float, float]]:
    """When, in monotonic seconds, that span was judged speech, as far as it is remembered."""
    found: list[tuple[float, float]] = []
    spans = [(a, b) for a, b in clock.speech if a < end_ms and b > start_ms]
    for piece, (start, end) in itertools.product(clock.pieces, spans):
        first = max(start, start_ms, piece.start_ms)
        last = min(end, end_ms, piece.end_ms)
        if first < last and piece.real:
            offset = piece.at - piece.start_ms / 1000
            found.append((offset + first / 1000, offset + last / 1000))
    return found


def _ends(piece: Piece) -> float:
    return piece.at + (piece.end_ms - piece.start_ms) / 1000


def _joined(
    spans: tuple[tuple[float, float], ...], span: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    if spans and span[0] - spans[-1][1] < 1:
        return (*spans[:-1], (spans[-1][0], span[1]))
    return (*spans[-MOST_SPEECH + 1 :], span)


def marked(clock: Clock, end_ms: float) -> Clock:
    """Note how far the server's clock was when it ended a turn."""
    return replace(clock, marks=(*clock.marks[-MARKS + 1 :], (clock.sent_ms, end_ms)))


def wrong_rate(clock: Clock) -> float | None:
    """How fast the server's clock runs against ours, where that is a known mistake; else None.

    A server may count otherwise than by samples; so only a speed that a wrong sample rate makes,
    the same over several turns, is one.
    """
    if len(clock.marks) < MARKS:
        return None
    (sent_first, end_first), (sent_last, end_last) = clock.marks[0], clock.marks[-1]
    if sent_last - sent_first < SURE_MS:
        return None
    speed = (end_last - end_first) / (sent_last - sent_first)
    known = next((known for known in MISTAKES if abs(speed / known - 1) < 0.04), None)
    return known if known is not None and _is_steady(clock, known) else None


def _is_steady(clock: Clock, speed: float) -> bool:
    """True where each turn was as fast; its end is told a little later than it was sent."""
    for before, after in itertools.pairwise(clock.marks):
        counted, expected = after[1] - before[1], (after[0] - before[0]) * speed
        if abs(counted - expected) > LATE_MS + expected / 20:
            return False
    return True
