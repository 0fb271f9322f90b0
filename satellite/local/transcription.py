"""How the words of the user's audio are told, by model: realtime-protocol.md 7. Pure.

Whatever the model is called, one recogniser hears. What differs between the models is imitated:
pieces, usage and log probabilities. The recogniser gives no probability, so LOGPROB is the one of
every token: a fixed value, of a confidence of 0.9, and no measurement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from satellite.local.conversation import Item, audio_tokens, text_tokens

LIVE_MODELS: Final = ("gpt-live-transcribe", "gpt-realtime-whisper")  # tell while audio comes
LOGPROB: Final = -0.105
_LOGPROB_MODELS: Final = ("gpt-4o-transcribe", "gpt-4o-mini-transcribe")
_BY_TIME: Final = (*LIVE_MODELS, "whisper-1", "gpt-transcribe")  # billed by duration
_SPEAKERS: Final = "gpt-4o-transcribe-diarize"
_KIND: Final = "conversation.item.input_audio_transcription"
_TOKEN: Final = re.compile(r"\s*(?:\w+(?:['\u2019]\w+)*|[^\w\s]+)|\s+")

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Style:
    """How one item's words are told: with the settings of the moment it was committed."""

    model: str
    logprobs: bool  # asked for by ``include``

    @property
    def live(self) -> bool:
        return self.model in LIVE_MODELS

    @property
    def scored(self) -> bool:
        return self.logprobs and self.model in _LOGPROB_MODELS


def completed(item: Item, text: str, style: Style, told: str = "") -> list[Event]:
    """Deltas and their end; ``told`` is the beginning of ``text`` that deltas have told before."""
    rest = text[len(told) :]
    if style.model == _SPEAKERS:
        events = [_segment(item, rest)] if rest else []
    else:
        pieces = [rest] if style.model == "whisper-1" else tokens(rest)
        events = [delta(item.id, piece, style) for piece in pieces if piece]
    done: Event = {"transcript": text, "usage": _usage(item, text, style)}
    if style.scored:
        done["logprobs"] = logprobs(text)
    if style.model == "gpt-transcribe":
        done["languages"] = [{"code": "en"}]  # the only one that is recognised here
    return [*events, {"type": f"{_KIND}.completed", **_place(item.id), **done}]


def delta(item_id: str, piece: str, style: Style) -> Event:
    scores = {"logprobs": logprobs(piece)} if style.scored else {}
    return {"type": f"{_KIND}.delta", **_place(item_id), "delta": piece, **scores}


def _segment(item: Item, text: str) -> Event:
    """All of the item: one speaker is all that is told apart here."""
    span = {"start": 0.0, "end": item.audio_ms / 1000}
    who = {"id": f"seg_{item.id}", "speaker": "A", "text": text}
    return {"type": f"{_KIND}.segment", **_place(item.id), **who, **span}


def failed(item: Item) -> Event:
    message = f"Input transcription failed for item '{item.id}'."
    error = {"type": "server_error", "code": None, "message": message, "param": None}
    return {"type": f"{_KIND}.failed", **_place(item.id), "error": error}


def tokens(text: str) -> list[str]:
    """Words and marks, each with the space before it; together they are ``text``."""
    return _TOKEN.findall(text)


def logprobs(text: str) -> list[Event]:
    return [
        {"token": token, "logprob": LOGPROB, "bytes": list(token.encode())}
        for token in tokens(text)
    ]


def _place(item_id: str) -> Event:
    return {"item_id": item_id, "content_index": 0}


def _usage(item: Item, text: str, style: Style) -> Event:
    if style.model in _BY_TIME:
        return {"type": "duration", "seconds": item.audio_ms / 1000}
    heard, written = audio_tokens(item), text_tokens(text)
    return {
        "type": "tokens",
        "total_tokens": heard + written,
        "input_tokens": heard,
        "output_tokens": written,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
    }


class Growing:
    """The words of speech that is still going on: told once two hearings in a row agree on them.

    What was told cannot be taken back, so the last word, which the end of the sound may have cut,
    always waits.
    """

    def __init__(self) -> None:
        self._before: list[str] = []
        self.told = ""

    def heard(self, text: str) -> str:
        """What is new to tell; "" when nothing is."""
        words = text.split()
        agreed = _agreed(self._before, words)
        self._before = words
        return self._tell(words[: min(agreed, len(words) - 1)])

    def whole(self, text: str) -> str:
        """The final transcript: what was told, and of ``text`` what comes after as many words."""
        rest = text.split()[len(self.told.split()) :]
        return " ".join(filter(None, (self.told, *rest)))

    def _tell(self, words: list[str]) -> str:
        fresh = words[len(self.told.split()) :]
        if not fresh:
            return ""
        piece = " ".join(fresh) if not self.told else " " + " ".join(fresh)
        self.told += piece
        return piece


def _agreed(before: list[str], words: list[str]) -> int:
    """How many words both begin with, but for case and marks."""
    for at, (old, new) in enumerate(zip(before, words, strict=False)):
        if _bare(old) != _bare(new):
            return at
    return min(len(before), len(words))


def _bare(word: str) -> str:
    return re.sub(r"\W", "", word).casefold()
