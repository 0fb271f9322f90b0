"""The effective settings of one session: what it starts with and what an update makes of it.

Kept as the JSON object that ``session.created`` and ``session.updated`` carry, so that what a
client reads is what the session does. Pure. Start values are those of live sessions
(realtime-protocol.md 2.4: silence 200 ms, not the documented 500).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Final

from satellite.local import sound
from satellite.local.behaviour import Kind
from satellite.local.schema import Refusal
from satellite.local.sound import Format
from satellite.local.transcription import LIVE_MODELS, Style

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
_HEARS_ONLY: Final[dict[str, dict[str, Any]]] = {  # the keys of a transcription session: 2.2
    "server_vad": {
        key: _SERVER_VAD[key]
        for key in ("type", "threshold", "prefix_padding_ms", "silence_duration_ms")
    },
    "semantic_vad": {"type": "semantic_vad", "eagerness": "auto"},
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
    idle_ms: int | None = None  # of silence after an answer, until the user is asked again


def initial(
    session_id: str, model: str, expires_at: int, kind: Kind = "realtime"
) -> dict[str, Any]:
    """The session object of ``session.created``; ``expires_at`` is in seconds since the epoch.

    ``model`` is not shown in a transcription session.
    """
    if kind == "transcription":
        return _transcription(session_id, expires_at)
    return _realtime(session_id, model, expires_at)


def pinned(start: dict[str, Any], secret: dict[str, Any] | None) -> dict[str, Any]:
    """``start`` under the session object of a client secret, already checked for shape.

    Raises Refusal for what cannot be: values that do not go together, or another model.
    """
    return start if secret is None else updated(start, secret, assistant_spoke=False)


def _audio_input(detection: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": dict(PCM),
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": dict(detection),
    }


def _transcription(session_id: str, expires_at: int) -> dict[str, Any]:
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": session_id,
        "expires_at": expires_at,
        "audio": {"input": _audio_input(_HEARS_ONLY["server_vad"])},
        "include": None,
    }


def _realtime(session_id: str, model: str, expires_at: int) -> dict[str, Any]:
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
            "input": _audio_input(_SERVER_VAD),
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
    if "model" in asked and asked["model"] != current["model"]:
        raise Refusal("invalid_value", "Cannot update a session's model.", "session.model")
    if assistant_spoke and "voice" in asked.get("audio", {}).get("output", {}):
        raise Refusal(
            "cannot_update_voice",
            "Cannot update a conversation's voice if assistant audio is present.",
            "session.audio.output.voice",
        )
    session = copy.deepcopy(current)
    _lay_over(session, asked)
    _complete(session["audio"]["input"], session["type"])
    _check(session["audio"]["input"])
    return session


def _check(audio_input: dict[str, Any]) -> None:
    """What fits only together. Raises Refusal."""
    model = (audio_input["transcription"] or {}).get("model")
    if model in LIVE_MODELS and audio_input["turn_detection"] is not None:
        raise Refusal(
            "invalid_value",
            "Turn detection is not supported for this transcription model.",
            "session.audio.input.turn_detection",
        )


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


def _complete(audio_input: dict[str, Any], kind: Kind) -> None:
    detection = audio_input["turn_detection"]
    if detection is not None:
        whole = _DETECTION if kind == "realtime" else _HEARS_ONLY
        audio_input["turn_detection"] = {**whole[detection["type"]], **detection}
    transcription = audio_input["transcription"]
    if transcription is not None:
        audio_input["transcription"] = {**_TRANSCRIPTION, **transcription}


def turn_detection(session: dict[str, Any]) -> TurnDetection | None:
    detection = session["audio"]["input"]["turn_detection"]
    if detection is None:
        return None
    values = {**_SERVER_VAD, **detection}
    answers = session["type"] == "realtime"
    if detection["type"] == "semantic_vad":
        values["silence_duration_ms"] = _EAGERNESS_MS[detection["eagerness"]]
    return TurnDetection(
        threshold=values["threshold"],
        prefix_ms=values["prefix_padding_ms"],
        silence_ms=values["silence_duration_ms"],
        create_response=answers and values["create_response"],
        interrupt_response=answers and values["interrupt_response"],
        idle_ms=values["idle_timeout_ms"],
    )


def input_format(session: dict[str, Any]) -> Format:
    return sound.named(session["audio"]["input"]["format"])


def transcription(session: dict[str, Any]) -> Style | None:
    """How the user's words are told; None when they are not."""
    wanted = session["audio"]["input"]["transcription"]
    if wanted is None:
        return None
    return Style(wanted["model"] or "", logprobs=bool(session["include"]))


@dataclass(frozen=True, slots=True)
class ResponseSettings:
    """What one response is made with: the session's settings with ``response.create`` on top."""

    audio: bool  # speech, or text only
    wire_format: dict[str, Any]
    input_format: Format  # of sound in the items it is given
    voice: Any
    temperature: float | None  # of the beta dialect; shown and of no effect
    speed: float
    max_output_tokens: int | str
    metadata: dict[str, str] | None
    in_conversation: bool  # false for conversation "none"
    instructions: str | None  # of this response alone
    tools: tuple[dict[str, Any], ...]
    standing_tokens: int  # of the session's instructions, which every response reads again

    @property
    def format(self) -> Format:
        return sound.named(self.wire_format)

    @property
    def reads_aloud(self) -> bool:
        """The text it is given is to be spoken as it is: docs/local-server.md."""
        return not self.in_conversation and (self.metadata or {}).get("purpose") == "say"


def response_settings(session: dict[str, Any], asked: dict[str, Any]) -> ResponseSettings:
    output = session["audio"]["output"]
    override = (asked.get("audio") or {}).get("output", {})
    modalities = asked.get("output_modalities") or session["output_modalities"]
    return ResponseSettings(
        audio=modalities == ["audio"],
        wire_format=override.get("format", output["format"]),
        input_format=input_format(session),
        temperature=asked.get("temperature", session.get("temperature")),
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
