"""The server's clock counts the samples it was given; this maps it to the time of our own.

Pure. One clock a connection: it starts at 0 with each. While the gate is shut it stands still, so
a server's milliseconds say nothing about the time of day without the table kept here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from satellite.model.audio import RATE, SAMPLE_BYTES

MOST: Final = 40  # pieces remembered: more than one turn can reach back over
MOST_SPEECH: Final = 200
JITTER_S: Final = 0.25  # pieces that follow each other closer than this are one


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


def sent(clock: Clock, pcm_bytes: int, at: float | None, speech_ms: int, now: float) -> Clock:
    """Note sound that goes to the server; ``at`` and ``speech_ms`` as in AppendAudio."""
    length_ms = pcm_bytes * 1000 / (RATE * SAMPLE_BYTES)
    start, end = clock.sent_ms, clock.sent_ms + length_ms
    begun = (now if at is None else at) - length_ms / 1000
    last = clock.pieces[-1] if clock.pieces else None
    real = at is not None
    if last is not None and last.real == real and abs(_ends(last) - begun) < JITTER_S:
        pieces = (*clock.pieces[:-1], replace(last, end_ms=end))
    else:
        pieces = (*clock.pieces[-MOST + 1 :], Piece(start, end, begun, real))
    speech = clock.speech
    if speech_ms:
        speech = _joined(speech, (max(start, end - speech_ms), end))
    return Clock(end, pieces, speech)


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


def _ends(piece: Piece) -> float:
    return piece.at + (piece.end_ms - piece.start_ms) / 1000


def _joined(
    spans: tuple[tuple[float, float], ...], span: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    if spans and span[0] - spans[-1][1] < 1:
        return (*spans[:-1], (spans[-1][0], span[1]))
    return (*spans[-MOST_SPEECH + 1 :], span)
