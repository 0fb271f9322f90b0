"""What a turn cost, from the server's own counts. Pure.

Cached tokens are a part of the input and are counted once, at their lower price. Where the server
does not say what kind of input was cached, it is taken for text as far as there is text, and the
sum is an estimate. An unknown model has no price, never an invented one (C54).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from satellite.model.events import TranscriptUsage, Usage
from satellite.model.models import Price, TranscriptPrice

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars; ``exact`` is False where the server's counts leave room."""

    usd: float
    exact: bool = True

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.usd + other.usd, self.exact and other.exact)


def of_response(usage: Usage, price: Price) -> Cost:
    """The price of one response."""
    image_in, image_cached = price.image_in, price.image_cached
    exact = not usage.input_image_tokens or (image_in is not None and image_cached is not None)
    audio, image = usage.input_audio_tokens, usage.input_image_tokens
    text = max(0, usage.input_tokens - audio - image)
    split = usage.cached_audio_tokens is not None
    cached_audio, cached_image = usage.cached_audio_tokens or 0, usage.cached_image_tokens or 0
    cached_text = usage.cached_tokens - cached_audio - cached_image
    if not split and usage.cached_tokens:
        exact = False
        cached_text = min(text, usage.cached_tokens)
        cached_audio = min(audio, usage.cached_tokens - cached_text)
    cached_text = min(text, max(0, cached_text))
    cached_audio, cached_image = min(audio, cached_audio), min(image, cached_image)
    text_out = max(0, usage.output_tokens - usage.output_audio_tokens)
    micro = (
        (text - cached_text) * price.text_in
        + cached_text * price.text_cached
        + (audio - cached_audio) * price.audio_in
        + cached_audio * price.audio_cached
        + (image - cached_image) * (image_in or price.text_in)
        + cached_image * (image_cached or price.text_cached)
        + text_out * price.text_out
        + usage.output_audio_tokens * price.audio_out
    )
    return Cost(micro / _MILLION, exact)


def of_transcript(usage: TranscriptUsage, price: TranscriptPrice) -> Cost | None:
    """The price of one transcript; None where usage and price are not of the same kind."""
    if usage.seconds is not None and price.minute is not None:
        return Cost(usage.seconds / 60 * price.minute)
    if usage.input_tokens is None or price.tokens_in is None or price.tokens_out is None:
        return None
    spent = usage.input_tokens * price.tokens_in + (usage.output_tokens or 0) * price.tokens_out
    return Cost(spent / _MILLION)
