"""What a session needs done and cannot do itself: hear, answer, speak. One Protocol each.

A server is built from one Engines; tests build theirs from small fakes. Every engine is called
from one thread only, its own, so that none needs a lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from satellite.local.vad import Detector


@dataclass(frozen=True, slots=True)
class Say:
    """Speak this to the person."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """Call this tool of the session; ``arguments`` become its JSON."""

    name: str
    arguments: dict[str, Any] = field(repr=False)


class Recogniser(Protocol):
    def transcribe(self, pcm: bytes) -> str:
        """24 kHz s16le mono to text; "" when nothing was said. Blocks about 70 ms."""


class Responder(Protocol):
    def answer(self, text: str, tools: Sequence[dict[str, Any]]) -> Say | Call:
        """What to say or do about ``text``; ``tools`` are function tools of the session."""

    def report(self, output: str) -> Say:
        """What to say about the output of a tool that was called."""


class Synthesiser(Protocol):
    def speak(self, text: str, speed: float) -> Iterator[bytes]:
        """Text to pieces of 24 kHz s16le mono, each as soon as it is ready."""


@dataclass(frozen=True, slots=True)
class Engines:
    recogniser: Recogniser
    responder: Responder
    synthesiser: Synthesiser
    detector: Callable[[], Detector]
