"""The local server with engines that cost nothing, for tests of clients in front of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from satellite.local import server
from satellite.local.background import in_background
from satellite.local.engines import Engines, Say
from satellite.model.audio import silence


class _Still:
    """Satisfies vad.Detector: nobody ever speaks, so the client ends turns."""

    def frames(self, pcm: bytes) -> Iterator[float]:
        return iter((0.0,) * (len(pcm) // 1536))


class _Recogniser:
    def transcribe(self, _pcm: bytes) -> str:
        return "what time is it"


class _Responder:
    def answer(self, _text: str, _tools: Sequence[dict[str, Any]]) -> Say:
        return Say("It is noon. Time to eat.")

    def report(self, _output: str) -> Say:
        return Say("Done.")


class _Synthesiser:
    def speak(self, text: str, _speed: float) -> Iterator[bytes]:
        yield len(text).to_bytes(2, "little") + silence(200)[2:]
        yield silence(100)


@contextmanager
def small_server(settings: server.Settings | None = None) -> Iterator[str]:
    """Serve while the block runs; gives the URL."""
    engines = Engines(_Recogniser(), _Responder(), _Synthesiser(), _Still)
    with in_background(engines, settings) as url:
        yield url
