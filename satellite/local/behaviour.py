"""What the live service leaves open, or what a test wants to see: how one session behaves. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["realtime", "transcription"]
Transcripts = Literal["ready", "before", "inside", "after", "never", "failed"]
TRANSCRIPTS: Final[tuple[Transcripts, ...]] = (
    "ready",
    "before",
    "inside",
    "after",
    "never",
    "failed",
)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """``transcripts``: when the words of an item are told, seen from the response to it (S26).

    "ready" as soon as they are known, "before" the response, "inside" it, "after" it, "never", or
    as "failed". ``refuse_odd_audio``: an append of half a sample is an error (S24).
    """

    transcripts: Transcripts = "ready"
    refuse_odd_audio: bool = False
