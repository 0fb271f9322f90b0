"""What a configuration means for the session: its settings, its address, its spelling.

It decides nothing about the conversation, and opens nothing.
"""

from __future__ import annotations

from typing import Final

from satellite.adapters.realtime_link import Endpoint
from satellite.config.schema import Config
from satellite.model.models import TRANSCRIBERS, Transcriber
from satellite.model.session import Kind, Session
from satellite.wire import realtime

_KINDS: Final[dict[str, Kind]] = {"conversation": "realtime", "transcription": "transcription"}

# A field of Session, and the keys that settle it where a client secret has settled the rest.
_KEYS_OF: Final = {
    "instructions": ("realtime.instructions",),
    "output": ("realtime.output",),
    "tools": ("tools.builtin",),
    "voice": ("realtime.voice",),
    "transcription_model": (
        "realtime.transcription.model",
        "realtime.transcription.language",
        "realtime.transcription.prompt",
        "realtime.transcription.keywords",
    ),
    "noise_reduction": ("realtime.noise_reduction",),
}


def session(config: Config) -> Session:
    """The session's settings, but for the tools."""
    r = config.realtime
    tells = TRANSCRIBERS.get(r.transcription.model, Transcriber()).confidence
    asked = r.transcription.confidence
    return Session(
        kind=_KINDS[r.session],
        instructions=r.instructions,
        voice=r.voice,
        output=r.output,
        transcription_model=r.transcription.model,
        transcription_prompt=r.transcription.prompt,
        keywords=r.transcription.keywords,
        language=r.transcription.language,
        confidence=tells and r.row.models == "service" if asked is None else asked,
        manual=r.manual,
        threshold=r.turn_detection.threshold,
        prefix_padding_ms=r.turn_detection.prefix_padding_ms,
        silence_duration_ms=r.turn_detection.silence_duration_ms,
        noise_reduction=r.noise_reduction,
        input_format=r.input_format,
        output_format=r.output_format,
        left_alone=_left_alone(config),
    )


def _left_alone(config: Config) -> frozenset[str]:
    """What was not written, where a client secret or a provider knows better than our defaults."""
    unwritten = {
        name for name, keys in _KEYS_OF.items() if not any(key in config.lines for key in keys)
    }
    if config.realtime.client_secret.used:
        return frozenset(unwritten)
    if config.realtime.row.top_level:  # has voices of its own
        return frozenset(unwritten & {"voice"})
    return frozenset()


def endpoint(config: Config) -> Endpoint:
    """Where to connect, and as whom."""
    r = config.realtime
    headers = () if r.api_key is None else (r.row.header + r.api_key,)
    if r.session == "transcription":
        url = realtime.transcription_url(r.endpoint)
    else:
        url = realtime.session_url(r.endpoint, r.model)
    return Endpoint(url, headers, r.connect_timeout_s)
