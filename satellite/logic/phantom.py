"""Transcripts of what nobody said: silence, noise and music make recognisers invent words. Pure.

Each rule gives its name as the reason to doubt. A doubted transcript is published as suspect, or
not at all, as the configuration says; it is never carried over to another session.
"""

from __future__ import annotations

import re
from typing import Final

from satellite.logic.clock import Clock, speech_within

LEAST_SPEECH_MS: Final = 80  # less than the shortest word; the gate needs 60 ms to open
SHORT_SPEECH_MS: Final = 350  # too short for "thank you" to have been said

# What recognisers trained on subtitles make of silence: closing lines, credits and requests.
_CREDITS: Final = (
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "please subscribe",
    "like and subscribe",
    "subscribe to my channel",
    "see you in the next video",
    "subtitles by",
    "transcription by",
    "captions by",
    "untertitel der",
    "untertitel im auftrag",
    "untertitelung",
    "vielen dank fürs zuschauen",
    "sous titres réalisés",
    "sous titrage",
    "merci d avoir regardé",
    "subtítulos realizados",
    "gracias por ver",
    "ondertitels ingediend",
    "sottotitoli creati",
)
_FILLERS: Final = frozenset({"you", "thank you", "thanks", "bye", "bye bye", "the", "so", "oh"})
_WORD: Final = re.compile(r"[^\W_]+")


def doubt(text: str, start_ms: int | None, end_ms: int | None, clock: Clock) -> str | None:
    """The reason to doubt that a person said ``text``; None where there is none.

    ``start_ms`` and ``end_ms`` are the span of its item on the server's clock, where it is known.
    """
    words = " ".join(_WORD.findall(text.casefold()))
    if not words:
        return "no_words"
    if words.startswith(_CREDITS):
        return "boilerplate"
    if start_ms is None or end_ms is None or end_ms <= start_ms:
        return None
    speech_ms = speech_within(clock, start_ms, end_ms)
    if speech_ms is None:
        return None
    if speech_ms < LEAST_SPEECH_MS:
        return "no_speech"
    return "boilerplate" if words in _FILLERS and speech_ms < SHORT_SPEECH_MS else None
