"""Every client event of the GA dialect that this server takes, and what may be in it.

The tables are realtime-protocol.md 3.1 and 3.2 in code, with the value rules of the live service,
including those that openai's own types let through. What the live service knows and this server
cannot do (MCP tools, stored prompts, idle timeout, G.711) is refused by name. Pure.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from satellite.local.schema import (
    Refusal,
    Shape,
    anything,
    array,
    boolean,
    choice,
    decimal,
    either,
    integer,
    missing,
    nullable,
    record,
    tagged,
    text,
    wrong_type,
    wrong_value,
)

APPEND_LIMIT: Final = 15 * 1024 * 1024  # bytes of audio in one event: realtime-protocol.md 3.1
RATE: Final = 24_000  # the only rate of audio/pcm: realtime-protocol.md 6
_ITEMS: Final = 256  # items in one response.create input
_TEXT: Final = 1_000_000  # characters of one text; the live limit is 16,384 tokens, about 65,000
_ID: Final = text(512)

A_TYPE = "Passing a transcription session update event to a realtime session is not allowed."


def _modalities(value: Any, path: str) -> None:
    array(text(), 8)(value, path)
    if value not in (["text"], ["audio"]):
        raise Refusal(
            "invalid_value",
            f"Invalid modalities: {[word[:16] for word in value]}. "
            "Supported combinations are: ['text'] and ['audio'].",
            path,
        )


def _tokens(value: Any, path: str) -> None:
    if isinstance(value, str):
        choice("inf")(value, path)
    else:
        integer(1, 4096)(value, path)


def _metadata(value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    if len(value) > 16 or any(len(key) > 64 for key in value):
        raise Refusal("invalid_value", f"Invalid '{path}': at most 16 keys of 64.", path)
    for key, element in value.items():
        text(512)(element, f"{path}.{key}")


def _unsupported(what: str) -> Shape:
    """A key that only null fits, because this server cannot do what it asks for."""

    def check(value: Any, path: str) -> None:
        if value is not None:
            raise Refusal("invalid_value", f"{what} is not supported by this local server.", path)

    return check


_PCM = record({"type": choice("audio/pcm"), "rate": integer(RATE, RATE)}, "type", "rate")
_FORMAT = tagged({"audio/pcm": _PCM})

_SERVER_VAD = record(
    {
        "type": text(),
        "threshold": decimal(0.0, 1.0),
        "prefix_padding_ms": integer(0, 10_000),
        "silence_duration_ms": integer(0, 60_000),
        "idle_timeout_ms": _unsupported("Idle timeout"),
        "create_response": boolean,
        "interrupt_response": boolean,
    }
)
_SEMANTIC_VAD = record(
    {
        "type": text(),
        "eagerness": choice("low", "medium", "high", "auto"),
        "create_response": boolean,
        "interrupt_response": boolean,
    }
)
_TRANSCRIPTION = record(
    {
        "model": text(128),
        "language": nullable(text(16)),
        "languages": nullable(array(text(16), 32)),
        "prompt": nullable(text(_TEXT)),
        "keywords": nullable(array(text(256), 1000)),
        "delay": nullable(choice("minimal", "low", "medium", "high", "xhigh")),
    }
)
_NOISE = record({"type": choice("near_field", "far_field"), "strength": nullable(anything)}, "type")
_VOICE = either(text(64), record({"id": text(128)}, "id"))
_FUNCTION_TOOL = record(
    {
        "type": text(),
        "name": text(128),
        "description": nullable(text(_TEXT)),
        "parameters": nullable(anything),
    },
    "name",
)
_TOOLS = array(tagged({"function": _FUNCTION_TOOL}), 128)
_TOOL_CHOICE = either(
    choice("none", "auto", "required"),
    tagged({"function": record({"type": text(), "name": text(128)}, "name")}),
)
_REASONING = record({"effort": nullable(choice("minimal", "low", "medium", "high", "xhigh"))})
_INCLUDE = array(choice("item.input_audio_transcription.logprobs"), 4)
_TRUNCATION = either(
    choice("auto", "disabled"),
    tagged(
        {
            "retention_ratio": record(
                {
                    "type": text(),
                    "retention_ratio": decimal(0.0, 1.0),
                    "token_limits": nullable(
                        record({"post_instructions": nullable(integer(0, 1_000_000))})
                    ),
                },
                "retention_ratio",
            )
        }
    ),
)
_TRACING = either(
    choice("auto"),
    record({"group_id": text(512), "metadata": anything, "workflow_name": text(512)}),
)

_AUDIO_INPUT = record(
    {
        "format": _FORMAT,
        "transcription": nullable(_TRANSCRIPTION),
        "noise_reduction": nullable(_NOISE),
        "turn_detection": nullable(
            tagged({"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD})
        ),
    }
)
_AUDIO_OUTPUT = record({"format": _FORMAT, "voice": _VOICE, "speed": decimal(0.25, 1.5)})

_REALTIME_SESSION = record(
    {
        "type": text(),
        "audio": record({"input": _AUDIO_INPUT, "output": _AUDIO_OUTPUT}),
        "include": nullable(_INCLUDE),
        "instructions": text(_TEXT),
        "max_output_tokens": _tokens,
        "model": text(128),
        "output_modalities": _modalities,
        "parallel_tool_calls": boolean,
        "prompt": _unsupported("A stored prompt"),
        "reasoning": nullable(_REASONING),
        "tool_choice": _TOOL_CHOICE,
        "tools": _TOOLS,
        "tracing": nullable(_TRACING),
        "truncation": _TRUNCATION,
    }
)


def _session(value: Any, path: str) -> None:
    """Legality table 2.2 first, in its words; then what the session holds."""
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    wanted = value.get("type")
    if wanted is None:
        raise missing(f"{path}.type")
    if wanted == "transcription":
        raise Refusal("invalid_parameter", A_TYPE, "")
    if wanted != "realtime":
        raise wrong_value(f"{path}.type", str(wanted), ("realtime", "transcription"))
    _REALTIME_SESSION(value, path)


_INPUT_TEXT = record({"type": text(), "text": text(_TEXT)}, "text")
_OUTPUT_TEXT = record({"type": text(), "text": text(_TEXT), "transcript": nullable(text())}, "text")
_INPUT_AUDIO = record(
    {"type": text(), "audio": text(), "transcript": nullable(text(_TEXT))}, "audio"
)
_PARTS: Final = {
    "user": tagged({"input_text": _INPUT_TEXT, "input_audio": _INPUT_AUDIO}),
    "assistant": tagged({"output_text": _OUTPUT_TEXT, "output_audio": _OUTPUT_TEXT}),
    "system": tagged({"input_text": _INPUT_TEXT}),
}
_COMMON: Final[dict[str, Shape]] = {
    "type": text(),
    "id": nullable(text(512)),
    "object": nullable(choice("realtime.item")),
    "status": nullable(choice("completed", "incomplete", "in_progress")),
}
_MESSAGE = tagged(
    {
        role: record({**_COMMON, "role": text(), "content": array(part, 64)}, "role", "content")
        for role, part in _PARTS.items()
    },
    "role",
)
_ITEM = tagged(
    {
        "message": _MESSAGE,
        "function_call": record(
            {**_COMMON, "name": text(128), "arguments": text(_TEXT), "call_id": nullable(_ID)},
            "name",
            "arguments",
        ),
        "function_call_output": record(
            {**_COMMON, "call_id": _ID, "output": text(_TEXT)}, "call_id", "output"
        ),
    }
)
_REFERENCE = record({"type": text(), "id": _ID}, "id")


def _input_item(value: Any, path: str) -> None:
    if isinstance(value, dict) and value.get("type") == "item_reference":
        _REFERENCE(value, path)
    else:
        _ITEM(value, path)


_RESPONSE = record(
    {
        "audio": nullable(record({"output": record({"format": _FORMAT, "voice": _VOICE})})),
        "conversation": choice("auto", "none"),
        "input": array(_input_item, _ITEMS),
        "instructions": nullable(text(_TEXT)),
        "max_output_tokens": nullable(_tokens),
        "metadata": nullable(_metadata),
        "output_modalities": nullable(_modalities),
        "parallel_tool_calls": boolean,
        "prompt": _unsupported("A stored prompt"),
        "reasoning": nullable(_REASONING),
        "tool_choice": _TOOL_CHOICE,
        "tools": _TOOLS,
    }
)
_ITEM_ID: Final[dict[str, Shape]] = {"item_id": _ID}
_EVENTS: Final[dict[str, tuple[dict[str, Shape], tuple[str, ...]]]] = {
    "session.update": ({"session": _session}, ("session",)),
    "input_audio_buffer.append": ({"audio": text()}, ("audio",)),
    "input_audio_buffer.commit": ({}, ()),
    "input_audio_buffer.clear": ({}, ()),
    "conversation.item.create": (
        {"item": _ITEM, "previous_item_id": nullable(_ID)},
        ("item",),
    ),
    "conversation.item.truncate": (
        {**_ITEM_ID, "content_index": integer(0, 64), "audio_end_ms": integer(0, 2**31)},
        ("item_id", "content_index", "audio_end_ms"),
    ),
    "conversation.item.delete": (_ITEM_ID, ("item_id",)),
    "conversation.item.retrieve": (_ITEM_ID, ("item_id",)),
    "response.create": ({"response": nullable(_RESPONSE)}, ()),
    "response.cancel": ({"response_id": nullable(_ID)}, ()),
}
TYPES: Final = tuple(_EVENTS)
_CHECK: Final = tagged(
    {
        name: record({"type": text(), "event_id": nullable(text(512)), **keys}, *required)
        for name, (keys, required) in _EVENTS.items()
    }
)


def parse(message: str | bytes) -> dict[str, Any]:
    """One message as a JSON object. Raises Refusal: ``invalid_event`` or ``invalid_json``."""
    if isinstance(message, bytes):
        raise Refusal("invalid_event", "Expected a text WebSocket message.")
    try:
        event = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise Refusal("invalid_json", "Failed to parse the message as JSON.") from None
    if not isinstance(event, dict):
        raise Refusal("invalid_event", "Expected a JSON object.")
    return event


def check(event: dict[str, Any]) -> None:
    """Raises Refusal with what is wrong first; afterwards every key has its documented type."""
    _CHECK(event, "")


def check_session(value: Any, path: str = "session") -> None:
    """The same for a session object alone, as a client secret pins one. Raises Refusal."""
    _session(value, path)


def decode_audio(encoded: str) -> bytes:
    """Raw samples out of base64. Raises Refusal for what is not base64 or more than 15 MiB."""
    try:
        pcm = base64.b64decode(encoded, validate=True)
    except (ValueError, UnicodeError):
        pcm = None
    if pcm is None:
        raise Refusal(
            "invalid_value",
            "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got "
            "an invalid value.",
            "audio.audio",
        )
    if len(pcm) > APPEND_LIMIT:
        raise Refusal(
            "invalid_value", "Invalid 'audio'. Expected at most 15 MiB of audio.", "audio.audio"
        )
    return pcm
