"""What the satellite asks of a Realtime session. A value; ``wire`` spells it for a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal["realtime", "transcription"]  # the protocol's words for a session's type
Activation = Literal["open_mic", "wake_word", "push_to_talk"]  # what opens the gate
Duplex = Literal["half", "full", "cancel"]  # what is heard while the assistant speaks
Format = Literal["pcm", "pcmu", "pcma"]  # 24 kHz linear, or 8 kHz G.711 of either law

QUOTE: Final = 12
LEAST_QUOTE: Final = 4  # shorter words are in every sentence


OUR_TOOLS: Final = {"time": "get_time"}  # by their name in the configuration


@dataclass(frozen=True, slots=True)
class House:
    """Of a tool that the house carries out: what the model is not told.

    ``sensitive``: a person must say yes to each call before the house hears of it.
    """

    timeout_s: float = 10.0
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. ``parameters`` is a JSON Schema.

    ``house`` is None for one of our own. It is no affair of the server's, so none of what is equal.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    house: House | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Session:
    """One session's settings. ``left_alone`` names fields whose value is the server's affair."""

    kind: Kind = "realtime"
    instructions: str = field(default="", repr=False)
    voice: str = "marin"
    output: Literal["audio", "text"] = "audio"
    transcription_model: str = "gpt-4o-mini-transcribe"
    transcription_prompt: str = field(default="", repr=False)
    keywords: tuple[str, ...] = field(default=(), repr=False)
    language: str | None = None
    confidence: bool = False  # ask for the recogniser's probabilities
    manual: bool = False  # we end the turns, not the server's VAD
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    noise_reduction: Literal["near_field", "far_field"] | None = "far_field"
    input_format: Format = "pcm"
    output_format: Format = "pcm"
    tools: tuple[Tool, ...] = field(default=(), repr=False)
    left_alone: frozenset[str] = frozenset()

    def unquoted(self, text: str) -> str:
        """``text`` up to where it quotes the owner's own words; a server may say what it refuses.

        So many characters in a row as QUOTE are no chance.
        """
        own = [self.instructions, self.transcription_prompt, *self.keywords]
        found = [text.find(words) for words in own if LEAST_QUOTE <= len(words) < QUOTE]
        for start in range(len(text) - QUOTE + 1):
            if any(text[start : start + QUOTE] in words for words in own):
                found.append(start)
                break
        start = min((at for at in found if at >= 0), default=len(text))
        return text if start == len(text) else f"{text[:start]}(the rest quotes your settings)"

    @property
    def answers(self) -> bool:
        """False in a session that only writes down what was said."""
        return self.kind == "realtime"
