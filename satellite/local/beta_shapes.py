"""Client events of the beta dialect: the tables of realtime-protocol.md 3.3 in code. Pure."""

from __future__ import annotations

from typing import Any, Final

from satellite.local import client_events
from satellite.local.behaviour import Kind
from satellite.local.client_events import BUFFER, Events, checker, wrong_kind
from satellite.local.schema import (
    Refusal,
    Shape,
    anything,
    array,
    choice,
    decimal,
    either,
    missing,
    nullable,
    record,
    tagged,
    text,
)
from satellite.local.shapes import (
    BETA_DETECTION,
    HEARING_DETECTION,
    ID,
    INCLUDE,
    INPUT_AUDIO,
    INPUT_TEXT,
    ITEMS,
    LONG,
    NOISE,
    TOOLS,
    TRACING,
    item,
    item_or_reference,
    metadata,
    tokens,
)

_VOICES: Final = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")
_COMBINATIONS: Final = (["text"], ["audio", "text"], ["text", "audio"])


def _modalities(value: Any, path: str) -> None:
    array(text(), 8)(value, path)
    if value not in _COMBINATIONS:
        raise Refusal(
            "invalid_value",
            f"Invalid modalities: {[word[:16] for word in value]}. "
            "Supported combinations are: ['text'] and ['audio', 'text'].",
            path,
        )


_FORMAT = choice("pcm16", "g711_ulaw", "g711_alaw")
_TEMPERATURE = decimal(0.6, 1.2)
_FUNCTION = record({"name": text(128)}, "name")
_NAMED = record({"type": choice("function"), "name": text(128), "function": _FUNCTION})


def _named(value: Any, path: str) -> None:
    _NAMED(value, path)
    if "name" not in value and "function" not in value:
        raise missing(f"{path}.name")


_TOOL_CHOICE = either(text(128), _named)  # a word, or a function in any of the old ways
_WORDS: Final[dict[str, Shape]] = {
    "model": text(128),
    "language": nullable(text(16)),
    "prompt": nullable(text(LONG)),
}
_MODELS = choice("gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1")
_HEARING: Final[dict[str, Shape]] = {
    "modalities": _modalities,
    "input_audio_format": _FORMAT,
    "input_audio_noise_reduction": nullable(NOISE),
    "client_secret": nullable(anything),
}
_SESSION = record(
    {
        **_HEARING,
        "input_audio_transcription": nullable(record(_WORDS)),
        "model": text(128),
        "instructions": text(LONG),
        "voice": choice(*_VOICES),
        "output_audio_format": _FORMAT,
        "turn_detection": nullable(BETA_DETECTION),
        "tools": TOOLS,
        "tool_choice": _TOOL_CHOICE,
        "temperature": _TEMPERATURE,
        "max_response_output_tokens": tokens,
        "speed": decimal(0.25, 1.5),
        "tracing": nullable(TRACING),
        "include": nullable(INCLUDE),
    }
)
_TRANSCRIPTION_SESSION = record(
    {
        **_HEARING,
        "input_audio_transcription": nullable(record({**_WORDS, "model": _MODELS})),
        "turn_detection": nullable(HEARING_DETECTION),
        "include": nullable(INCLUDE),
    }
)

_TEXT = record({"type": text(), "text": text(LONG)}, "text")
_AUDIO = record({"type": text(), "transcript": nullable(text(LONG))})
_PARTS: Final = {
    "user": tagged({"input_text": INPUT_TEXT, "input_audio": INPUT_AUDIO}),
    "assistant": tagged({"text": _TEXT, "audio": _AUDIO}),
    "system": tagged({"input_text": INPUT_TEXT}),
}
_ITEM = item(_PARTS)
_RESPONSE = record(
    {
        "modalities": nullable(_modalities),
        "instructions": nullable(text(LONG)),
        "voice": choice(*_VOICES),
        "output_audio_format": _FORMAT,
        "tools": TOOLS,
        "tool_choice": _TOOL_CHOICE,
        "temperature": nullable(_TEMPERATURE),
        "max_response_output_tokens": nullable(tokens),
        "conversation": choice("auto", "none"),
        "input": array(item_or_reference(_ITEM), ITEMS),
        "metadata": nullable(metadata),
    }
)


def _other_kind(kind: Kind) -> Shape:
    def check(_value: Any, _path: str) -> None:
        raise wrong_kind(kind)

    return check


def _events(kind: Kind) -> Events:
    realtime = kind == "realtime"
    answering: Events = {
        "response.create": ({"response": nullable(_RESPONSE)}, ()),
        "response.cancel": ({"response_id": nullable(ID)}, ()),
    }
    mine, other = (_SESSION, _other_kind(kind)) if realtime else (_other_kind(kind), None)
    return {
        "session.update": ({"session": mine}, ("session",)),
        "transcription_session.update": (
            {"session": other or _TRANSCRIPTION_SESSION},
            ("session",),
        ),
        **BUFFER,
        "conversation.item.create": ({"item": _ITEM, "previous_item_id": nullable(ID)}, ("item",)),
        **client_events.ITEMS,
        **(answering if realtime else {}),
    }


_CHECK: Final = {kind: checker(_events(kind)) for kind in ("realtime", "transcription")}


def check(event: dict[str, Any], kind: Kind) -> None:
    """Raises Refusal with what is wrong first; afterwards every key has its documented type."""
    _CHECK[kind](event, "")
