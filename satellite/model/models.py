"""What is known about the service's models: what they take, what they cost, when they end.

Facts of the provider's model and deprecation pages, stored August to October 2026, with names as
they are asked for. What is not here is unknown: no price is ever invented, nothing is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens; images are None where no price is published."""

    text_in: float
    text_cached: float
    text_out: float
    audio_in: float
    audio_cached: float
    audio_out: float
    image_in: float | None = None
    image_cached: float | None = None


@dataclass(frozen=True, slots=True)
class TranscriptPrice:
    """USD for a million tokens, or for a minute of sound; one of the two."""

    tokens_in: float | None = None
    tokens_out: float | None = None
    minute: float | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model that answers. ``ends``: the service stops it on that day; then take ``successor``."""

    price: Price | None = None
    ends: date | None = None
    successor: str = ""


@dataclass(frozen=True, slots=True)
class Transcriber:
    """A model that writes down what was said.

    ``manual``: a live one, only in transcription sessions where we end the turns. ``languages``:
    takes a list in place of one. ``ends`` and ``successor`` are as a Speaker's.
    """

    price: TranscriptPrice | None = None
    ends: date | None = None
    successor: str = ""
    manual: bool = False
    languages: bool = False
    keywords: bool = False
    prompt: bool = True
    confidence: bool = False


_WHOLE: Final = Price(4.00, 0.40, 24.00, 32.00, 0.40, 64.00, 5.00, 0.50)
_OLDER: Final = Price(4.00, 0.40, 16.00, 32.00, 0.40, 64.00, 5.00, 0.50)
_SMALL: Final = Price(0.60, 0.06, 2.40, 10.00, 0.30, 20.00, 0.80, 0.08)
_SMALL_OLDER: Final = Price(0.60, 0.06, 2.40, 10.00, 0.30, 20.00)
_PREVIEW: Final = Price(0.60, 0.30, 2.40, 10.00, 0.30, 20.00)
_JANUARY: Final = date(2027, 1, 20)
_FEBRUARY: Final = date(2027, 2, 26)

SPEAKERS: Final[dict[str, Speaker]] = {
    "gpt-realtime-2.1": Speaker(_WHOLE),
    "gpt-realtime-2": Speaker(_WHOLE),
    "gpt-realtime-2.1-mini": Speaker(_SMALL),
    "gpt-realtime-1.5": Speaker(_OLDER),
    "gpt-realtime": Speaker(_OLDER, _JANUARY, "gpt-realtime-2.1"),
    "gpt-realtime-mini": Speaker(_SMALL_OLDER, _JANUARY, "gpt-realtime-2.1-mini"),
    "gpt-4o-mini-realtime-preview": Speaker(_PREVIEW),
}

_NEXT: Final = "gpt-transcribe"

TRANSCRIBERS: Final[dict[str, Transcriber]] = {
    "whisper-1": Transcriber(TranscriptPrice(minute=0.006), _FEBRUARY, _NEXT),
    "gpt-4o-mini-transcribe": Transcriber(
        TranscriptPrice(1.25, 5.00), _FEBRUARY, _NEXT, confidence=True
    ),
    "gpt-4o-transcribe": Transcriber(
        TranscriptPrice(2.50, 10.00), _FEBRUARY, _NEXT, confidence=True
    ),
    "gpt-4o-transcribe-diarize": Transcriber(None, _FEBRUARY, _NEXT, prompt=False),
    "gpt-transcribe": Transcriber(TranscriptPrice(minute=0.0045), languages=True, keywords=True),
    "gpt-live-transcribe": Transcriber(
        TranscriptPrice(minute=0.017), manual=True, languages=True, keywords=True
    ),
    "gpt-realtime-whisper": Transcriber(TranscriptPrice(minute=0.017), manual=True, prompt=False),
}

LANGUAGES: Final = (
    "ar", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "he", "hi", "hr", "hu",
    "id", "it", "ja", "ko", "lt", "lv", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv",
    "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
"""To choose from, ISO 639-1; every model above takes them, and others."""

_UNKNOWN: Final = Transcriber(keywords=True, confidence=True)


def transcriber(name: str) -> Transcriber:
    """What a model takes; one that is not known takes what it is given."""
    return TRANSCRIBERS.get(name, _UNKNOWN)


def ending(name: str, today: date) -> str | None:
    """Say when the service stops this model, and what comes after; None where no end is known."""
    model = SPEAKERS.get(name) or TRANSCRIBERS.get(name)
    if model is None or model.ends is None:
        return None
    verb = "ended" if today >= model.ends else "ends"
    return f"{name} {verb} on {model.ends}; take {model.successor}"
