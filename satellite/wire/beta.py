"""The beta dialect, for servers that still speak it: GA messages under their old names.

Pure. The table is realtime-protocol.md 3.4. The session is flat and has no type; its update has a
name of its own in a transcription session (C16).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

_FORMATS: Final = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
_UPDATES: Final = {
    "realtime": "session.update",
    "transcription": "transcription_session.update",
}
_PARTS: Final = {"output_text": "text", "output_audio": "audio"}


def spell(message: Json) -> Json:
    """Turn a client message of the GA dialect into the beta's. ``message`` stays as it is."""
    match message["type"]:
        case "session.update":
            session = message["session"]
            return {"type": _UPDATES[session["type"]], "session": _session(session)}
        case "conversation.item.create":
            return {**message, "item": _item(message["item"])}
        case "response.create" if "response" in message:
            return {**message, "response": _response(message["response"])}
        case _:
            return message


def _response(response: Json) -> Json:
    made = {key: value for key, value in response.items() if key != "output_modalities"}
    return {**made, "modalities": ["text", "audio"], "input": [_item(i) for i in made["input"]]}


def _session(session: Mapping[str, Any]) -> Json:
    """What is not in ``session`` is not in the result, so that a small update stays small."""
    made: Json = {key: session[key] for key in ("instructions", "tools") if key in session}
    if "output_modalities" in session:
        spoken = "audio" in session["output_modalities"]
        made["modalities"] = ["text", "audio"] if spoken else ["text"]
    audio = session.get("audio", {})
    made |= _input(audio.get("input", {}))
    output = audio.get("output", {})
    if "format" in output:
        made["output_audio_format"] = _FORMATS[output["format"]["type"]]
    if "voice" in output:
        made["voice"] = output["voice"]
    if session["type"] == "transcription" and "include" in session:
        made["include"] = session["include"]
    return made


def _input(given: Mapping[str, Any]) -> Json:
    made: Json = {}
    if "format" in given:
        made["input_audio_format"] = _FORMATS[given["format"]["type"]]
    if "noise_reduction" in given:
        made["input_audio_noise_reduction"] = given["noise_reduction"]
    if "transcription" in given:
        made["input_audio_transcription"] = _transcription(given["transcription"])
    if "turn_detection" in given:
        made["turn_detection"] = given["turn_detection"]
    return made


def _transcription(given: Mapping[str, Any]) -> Json:
    """The beta knows one language and no keywords."""
    made = {key: given[key] for key in ("model", "language", "prompt") if key in given}
    if given.get("languages"):
        made["language"] = given["languages"][0]
    return made


def _item(item: Json) -> Json:
    if "content" not in item:
        return item
    content = [{**part, "type": _PARTS.get(part["type"], part["type"])} for part in item["content"]]
    return {**item, "content": content}
