"""The objects inside client events of the GA dialect: sessions, items, responses.

The tables are realtime-protocol.md 3.2 in code, with the value rules of the live service, including
those that openai's own types let through. What the live service knows and this server cannot do
(MCP tools, stored prompts) is refused by name. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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
    nullable,
    record,
    tagged,
    text,
    wrong_type,
)

RATE: Final = 24_000  # the only rate of audio/pcm: realtime-protocol.md 6
ITEMS: Final = 256  # items in one response.create input
LONG: Final = 1_000_000  # characters of one text; the live limit is 16,384 tokens, about 65,000
ID: Final = text(512)
VOICES: Final = (
    "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip
_NOT_FOR: Final = {
    "prompt": ("gpt-realtime-whisper", "gpt-4o-transcribe-diarize"),
    "keywords": ("gpt-4o-", "whisper-1", "gpt-realtime-whisper"),
    "languages": ("gpt-4o-", "whisper-1", "gpt-realtime-whisper"),
}


def modalities(value: Any, path: str) -> None:
    array(text(), 8)(value, path)
    if value not in (["text"], ["audio"]):
        raise Refusal(
            "invalid_value",
            f"Invalid modalities: {[word[:16] for word in value]}. "
            "Supported combinations are: ['text'] and ['audio'].",
            path,
        )


def tokens(value: Any, path: str) -> None:
    if isinstance(value, str):
        choice("inf")(value, path)
    else:
        integer(1, 4096)(value, path)


def metadata(value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    if len(value) > 16 or any(len(key) > 64 for key in value):
        raise Refusal("invalid_value", f"Invalid '{path}': at most 16 keys of 64.", path)
    for key, element in value.items():
        text(512)(element, f"{path}.{key}")


def unsupported(what: str) -> Shape:
    """A key that only null fits, because this server cannot do what it asks for."""

    def check(value: Any, path: str) -> None:
        if value is not None:
            raise Refusal("invalid_value", f"{what} is not supported by this local server.", path)

    return check


_PCM = record({"type": choice("audio/pcm"), "rate": integer(RATE, RATE)}, "type", "rate")
_G711 = record({"type": text()})
_FORMAT = tagged({"audio/pcm": _PCM, "audio/pcmu": _G711, "audio/pcma": _G711})

_SERVER_VAD: Final[dict[str, Shape]] = {
    "type": text(),
    "threshold": decimal(0.0, 1.0),
    "prefix_padding_ms": integer(0, 10_000),
    "silence_duration_ms": integer(0, 60_000),
}
_SEMANTIC_VAD: Final[dict[str, Shape]] = {
    "type": text(),
    "eagerness": choice("low", "medium", "high", "auto"),
}
_ANSWERS: Final[dict[str, Shape]] = {"create_response": boolean, "interrupt_response": boolean}
_IDLE: Final[dict[str, Shape]] = {"idle_timeout_ms": nullable(integer(5_000, 30_000))}
HEARING_DETECTION = tagged(  # of transcription sessions: nothing there answers
    {"server_vad": record(_SERVER_VAD), "semantic_vad": record(_SEMANTIC_VAD)}
)
BETA_DETECTION = tagged(
    {
        "server_vad": record({**_SERVER_VAD, **_ANSWERS}),
        "semantic_vad": record({**_SEMANTIC_VAD, **_ANSWERS}),
    }
)
_DETECTION = tagged(
    {
        "server_vad": record({**_SERVER_VAD, **_ANSWERS, **_IDLE}),
        "semantic_vad": record({**_SEMANTIC_VAD, **_ANSWERS}),
    }
)
_TRANSCRIPTION_KEYS = record(
    {
        "model": text(128),
        "language": nullable(text(16)),
        "languages": nullable(array(text(16), 32)),
        "prompt": nullable(text(LONG)),
        "keywords": nullable(array(text(256), 1000)),
        "delay": nullable(choice("minimal", "low", "medium", "high", "xhigh")),
    }
)


def _transcription(value: Any, path: str) -> None:
    """Keys that some models do not take: realtime-protocol.md 7."""
    _TRANSCRIPTION_KEYS(value, path)
    if value.get("language") is not None and value.get("languages") is not None:
        raise Refusal(
            "invalid_value",
            f"Invalid '{path}': only one of 'language' and 'languages' can be given.",
            f"{path}.languages",
        )
    model = value.get("model", "")
    for key, models in _NOT_FOR.items():
        if value.get(key) is not None and model.startswith(models):
            raise Refusal(
                "invalid_value",
                f"Invalid '{path}.{key}': not supported for this transcription model.",
                f"{path}.{key}",
            )


NOISE = record({"type": choice("near_field", "far_field"), "strength": nullable(anything)}, "type")
_VOICE = either(choice(*VOICES), record({"id": text(128)}, "id"))
_FUNCTION_TOOL = record(
    {
        "type": text(),
        "name": text(128),
        "description": nullable(text(LONG)),
        "parameters": nullable(anything),
    },
    "name",
)
TOOLS = array(tagged({"function": _FUNCTION_TOOL}), 128)
_TOOL_CHOICE = either(
    choice("none", "auto", "required"),
    tagged({"function": record({"type": text(), "name": text(128)}, "name")}),
)
_REASONING = record({"effort": nullable(choice("minimal", "low", "medium", "high", "xhigh"))})
INCLUDE = array(choice("item.input_audio_transcription.logprobs"), 4)
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
TRACING = either(
    choice("auto"),
    record({"group_id": text(512), "metadata": anything, "workflow_name": text(512)}),
)

_HEARING: Final[dict[str, Shape]] = {
    "format": _FORMAT,
    "transcription": nullable(_transcription),
    "noise_reduction": nullable(NOISE),
}
_AUDIO_INPUT = record({**_HEARING, "turn_detection": nullable(_DETECTION)})
_AUDIO_OUTPUT = record({"format": _FORMAT, "voice": _VOICE, "speed": decimal(0.25, 1.5)})

SESSION = record(
    {
        "type": text(),
        "audio": record({"input": _AUDIO_INPUT, "output": _AUDIO_OUTPUT}),
        "include": nullable(INCLUDE),
        "instructions": text(LONG),
        "max_output_tokens": tokens,
        "model": text(128),
        "output_modalities": modalities,
        "parallel_tool_calls": boolean,
        "prompt": unsupported("A stored prompt"),
        "reasoning": nullable(_REASONING),
        "tool_choice": _TOOL_CHOICE,
        "tools": TOOLS,
        "tracing": nullable(TRACING),
        "truncation": _TRUNCATION,
    }
)
TRANSCRIPTION_SESSION = record(
    {
        "type": text(),
        "audio": record(
            {"input": record({**_HEARING, "turn_detection": nullable(HEARING_DETECTION)})}
        ),
        "include": nullable(INCLUDE),
    }
)

INPUT_TEXT = record({"type": text(), "text": text(LONG)}, "text")
_OUTPUT_TEXT = record({"type": text(), "text": text(LONG), "transcript": nullable(text())}, "text")
INPUT_AUDIO = record({"type": text(), "audio": text(), "transcript": nullable(text(LONG))}, "audio")
_PARTS: Final = {
    "user": tagged({"input_text": INPUT_TEXT, "input_audio": INPUT_AUDIO}),
    "assistant": tagged({"output_text": _OUTPUT_TEXT, "output_audio": _OUTPUT_TEXT}),
    "system": tagged({"input_text": INPUT_TEXT}),
}
_COMMON: Final[dict[str, Shape]] = {
    "type": text(),
    "id": nullable(text(512)),
    "object": nullable(choice("realtime.item")),
    "status": nullable(choice("completed", "incomplete", "in_progress")),
}
_REFERENCE = record({"type": text(), "id": ID}, "id")


def item(parts: Mapping[str, Shape]) -> Shape:
    """An item of either dialect; ``parts`` has what the messages of each role are made of."""
    message = tagged(
        {
            role: record({**_COMMON, "role": text(), "content": array(part, 64)}, "role", "content")
            for role, part in parts.items()
        },
        "role",
    )
    call = {**_COMMON, "name": text(128), "arguments": text(LONG), "call_id": nullable(ID)}
    output = {**_COMMON, "call_id": ID, "output": text(LONG)}
    return tagged(
        {
            "message": message,
            "function_call": record(call, "name", "arguments"),
            "function_call_output": record(output, "call_id", "output"),
        }
    )


def item_or_reference(shape: Shape) -> Shape:
    """What a response may be given in place of the conversation."""

    def check(value: Any, path: str) -> None:
        reference = isinstance(value, dict) and value.get("type") == "item_reference"
        (_REFERENCE if reference else shape)(value, path)

    return check


ITEM = item(_PARTS)
RESPONSE = record(
    {
        "audio": nullable(record({"output": record({"format": _FORMAT, "voice": _VOICE})})),
        "conversation": choice("auto", "none"),
        "input": array(item_or_reference(ITEM), ITEMS),
        "instructions": nullable(text(LONG)),
        "max_output_tokens": nullable(tokens),
        "metadata": nullable(metadata),
        "output_modalities": nullable(modalities),
        "parallel_tool_calls": boolean,
        "prompt": unsupported("A stored prompt"),
        "reasoning": nullable(_REASONING),
        "tool_choice": _TOOL_CHOICE,
        "tools": TOOLS,
    }
)
