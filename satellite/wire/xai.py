"""xAI's form of the session: voice and turn_detection at its top, and no type. Pure.

What its reference does not name is not sent: it has a recogniser of its own, always speaks, and
answers and can be interrupted without being told to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

_TURNS: Final = ("type", "threshold", "prefix_padding_ms", "silence_duration_ms")


def spell(message: Json) -> Json:
    """Turn a client message of the GA dialect into xAI's. ``message`` stays as it is."""
    match message["type"]:
        case "session.update":
            return {"type": "session.update", "session": _session(message["session"])}
        case "response.create" if "response" in message:
            return {"type": "conversation.item.create", "item": _spoken(message["response"])}
        case _:
            return message


def _spoken(response: Mapping[str, Any]) -> Json:
    """xAI has an item that is spoken as it is, and answers with a response of its own."""
    text = response["input"][0]["content"][0]["text"]
    content = [{"type": "output_text", "text": text}]
    return {"type": "force_message", "role": "assistant", "content": content}


def _session(session: Mapping[str, Any]) -> Json:
    made: Json = {key: session[key] for key in ("instructions", "tools") if key in session}
    audio = session.get("audio", {})
    if "voice" in audio.get("output", {}):
        made["voice"] = audio["output"]["voice"]
    if "turn_detection" in audio.get("input", {}):
        turns = audio["input"]["turn_detection"]
        made["turn_detection"] = turns and {key: turns[key] for key in _TURNS}
    formats = {side: {"format": v["format"]} for side, v in audio.items() if "format" in v}
    if formats:
        made["audio"] = formats
    return made
