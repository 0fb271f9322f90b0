"""The effective settings of one session: what it starts with and what an update makes of it.

Kept as the JSON object that ``session.created`` and ``session.updated`` carry, so that what a
client reads is what the session does. Pure. Start values are those of live sessions
(realtime-protocol.md 2.4: silence 200 ms, not the documented 500).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Final

from satellite.local.schema import Refusal

PCM: Final = {"type": "audio/pcm", "rate": 24_000}
INSTRUCTIONS: Final = (
    "This is a local assistant for the home. It answers with fixed skills and does not follow "
    "instructions."
)
_SERVER_VAD: Final[dict[str, Any]] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: Final[dict[str, Any]] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_DETECTION: Final = {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}
_TRANSCRIPTION: Final[dict[str, Any]] = {"model": None, "language": None, "prompt": None}
# No model of meaning runs here: semantic_vad waits for a silence that grows as eagerness falls.
# Ours, well inside the documented upper bounds of 8, 4 and 2 s.
_EAGERNESS_MS: Final = {"low": 1500, "medium": 800, "auto": 800, "high": 500}


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the server's VAD is to judge; None in its place means that the client ends turns."""

    threshold: float
    prefix_ms: int
    silence_ms: int
    create_response: bool
    interrupt_response: bool


def initial(
    session_id: str, model: str, expires_at: int, pinned: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The session object of ``session.created``; ``expires_at`` is in seconds since the epoch.

    ``pinned``, already checked for shape, is laid over it. Raises Refusal for what cannot be.
    """
    session = _start(session_id, model, expires_at)
    return session if pinned is None else updated(session, pinned, assistant_spoke=False)


def _start(session_id: str, model: str, expires_at: int) -> dict[str, Any]:
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": dict(PCM),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(_SERVER_VAD),
            },
            "output": {"format": dict(PCM), "voice": "marin", "speed": 1.0},
        },
        "include": None,
    }


def updated(
    current: dict[str, Any], asked: dict[str, Any], *, assistant_spoke: bool
) -> dict[str, Any]:
    """A new session object: ``asked``, already checked for shape, laid over ``current``.

    Raises Refusal for what cannot change (2.3), and then nothing has changed.
    """
    if asked.get("model", current["model"]) != current["model"]:
        raise Refusal("invalid_value", "Cannot update a session's model.", "session.model")
    if assistant_spoke and "voice" in asked.get("audio", {}).get("output", {}):
        raise Refusal(
            "cannot_update_voice",
            "Cannot update a conversation's voice if assistant audio is present.",
            "session.audio.output.voice",
        )
    session = copy.deepcopy(current)
    _lay_over(session, asked)
    _complete(session["audio"]["input"])
    return session


def _lay_over(base: dict[str, Any], asked: dict[str, Any]) -> None:
    """Omitted keys stay, at every depth (S14; open question 3 of the protocol page).

    An object of another ``type`` than the one it replaces shares nothing with it.
    """
    for key, value in asked.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and _same(old, value):
            _lay_over(old, value)
        else:
            base[key] = copy.deepcopy(value)


def _same(old: dict[str, Any], value: dict[str, Any]) -> bool:
    return "id" not in old and value.get("type") in (None, old.get("type"))


def _complete(audio_input: dict[str, Any]) -> None:
    detection = audio_input["turn_detection"]
    if detection is not None:
        audio_input["turn_detection"] = {**_DETECTION[detection["type"]], **detection}
    transcription = audio_input["transcription"]
    if transcription is not None:
        audio_input["transcription"] = {**_TRANSCRIPTION, **transcription}


def turn_detection(session: dict[str, Any]) -> TurnDetection | None:
    detection = session["audio"]["input"]["turn_detection"]
    if detection is None:
        return None
    values = {**_SERVER_VAD, **detection}
    if detection["type"] == "semantic_vad":
        values["silence_duration_ms"] = _EAGERNESS_MS[detection["eagerness"]]
    return TurnDetection(
        threshold=values["threshold"],
        prefix_ms=values["prefix_padding_ms"],
        silence_ms=values["silence_duration_ms"],
        create_response=values["create_response"],
        interrupt_response=values["interrupt_response"],
    )


@dataclass(frozen=True, slots=True)
class ResponseSettings:
    """What one response is made with: the session's settings with ``response.create`` on top."""

    audio: bool  # speech, or text only
    voice: Any
    speed: float
    max_output_tokens: int | str
    metadata: dict[str, str] | None
    in_conversation: bool  # false for conversation "none"
    instructions: str | None  # of this response alone
    tools: tuple[dict[str, Any], ...]
    standing_tokens: int  # of the session's instructions, which every response reads again


def response_settings(session: dict[str, Any], asked: dict[str, Any]) -> ResponseSettings:
    output = session["audio"]["output"]
    override = (asked.get("audio") or {}).get("output", {})
    modalities = asked.get("output_modalities") or session["output_modalities"]
    return ResponseSettings(
        audio=modalities == ["audio"],
        voice=override.get("voice", output["voice"]),
        speed=output["speed"],
        max_output_tokens=asked.get("max_output_tokens") or session["max_output_tokens"],
        metadata=asked.get("metadata"),
        in_conversation=asked.get("conversation", "auto") == "auto",
        instructions=asked.get("instructions"),
        tools=_usable(
            asked.get("tools", session["tools"]), asked.get("tool_choice", session["tool_choice"])
        ),
        standing_tokens=len(session["instructions"]) // 4,
    )


def _usable(tools: list[dict[str, Any]], choice: Any) -> tuple[dict[str, Any], ...]:
    if choice == "none":
        return ()
    if isinstance(choice, dict):
        return tuple(tool for tool in tools if tool["name"] == choice["name"])
    return tuple(tools)
