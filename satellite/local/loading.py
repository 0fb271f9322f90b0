"""Load and warm every engine; slow (2 s) and said so line by line."""

from __future__ import annotations

from collections.abc import Callable

from satellite.local import recogniser, responder, synthesiser, vad
from satellite.local.engines import Engines


def load(say: Callable[[str], None]) -> Engines:
    """``say`` gets one short line before each step. Raises SetupError with what to install."""
    say("loading speech detection")
    detector = vad.load()
    say("loading speech recognition")
    hears = recogniser.load()
    say("loading answers")
    answers = responder.load()
    say("loading speech synthesis")
    return Engines(hears, answers, synthesiser.load(), detector)
