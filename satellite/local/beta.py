"""The beta dialect: the same session under its old names (realtime-protocol.md 3.3, 3.4, 4.11).

Sessions think in GA words. Client events are checked in beta words and then renamed; server events
are renamed on their way out. A session of this dialect keeps ``temperature`` and shows it; it has
no effect, as nothing here has a temperature. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from satellite.local import beta_shapes
from satellite.local.behaviour import Kind
from satellite.local.dialect import Dialect, Event
from satellite.local.schema import Refusal
from satellite.local.session import Session

_TEMPERATURE: Final = 0.8
_VOICE: Final = "alloy"
_FORMATS: Final[dict[str, Event]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_FORMAT_NAMES: Final = {wire["type"]: name for name, wire in _FORMATS.items()}
_PLACES: Final = {  # where a key of the flat session is in GA
    "modalities": ("output_modalities",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "input_audio_format": ("audio", "input", "format"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "max_response_output_tokens": ("max_output_tokens",),
}
_EVENTS: Final = {
    "response.output_text.": "response.text.",
    "response.output_audio_transcript.": "response.audio_transcript.",
    "response.output_audio.": "response.audio.",
}
_PARTS: Final = {"text": "output_text", "audio": "output_audio"}
_PART_NAMES: Final = {new: old for old, new in _PARTS.items()}
_REQUESTS: Final = 1_000  # a minute: nothing is limited here, but the dialect reports it


class Beta:
    """Satisfies Dialect."""

    def understood(self, event: Event, kind: Kind) -> Event:
        beta_shapes.check(event, kind)
        match event["type"]:
            case "session.update" | "transcription_session.update":
                session = {"type": kind, **_session_in(event["session"], kind)}
                return {**event, "type": "session.update", "session": session}
            case "conversation.item.create":
                return {**event, "item": _item_in(event["item"])}
            case "response.create" if event.get("response"):
                return {**event, "response": _response_in(event["response"])}
        return event

    def refused(self, refusal: Refusal) -> Refusal:
        param = refusal.param
        for key, place in _PLACES.items():
            path = "session." + ".".join(place)
            if param is not None and (param == path or param.startswith(path + ".")):
                param = f"session.{key}{param[len(path) :]}"
        return Refusal(refusal.code, refusal.message, param)

    def begun(self, session: Event) -> Event:
        if session["type"] == "transcription":
            return session
        output = {**session["audio"]["output"], "voice": _VOICE}
        audio = {**session["audio"], "output": output}
        return {**session, "audio": audio, "temperature": _TEMPERATURE}

    def said(self, event: Event) -> list[Event]:
        kind = event["type"]
        if kind in _SAID:
            return _SAID[kind](event)
        if "item" in event:
            return [{**event, "item": _item_out(event["item"])}]
        for new, old in _EVENTS.items():
            if kind.startswith(new):
                return [{**event, "type": old + kind[len(new) :]}]
        return [event]


class BetaSession(Session):
    """Made and used exactly as Session."""

    dialect: ClassVar[Dialect] = Beta()

    def _opened(self) -> None:
        super()._opened()
        if self._kind == "realtime":
            conversation = {"id": self._conversation_id, "object": "realtime.conversation"}
            self._outbox.send("conversation.created", conversation=conversation)


def _without(event: Event, key: str) -> Event:
    return {name: value for name, value in event.items() if name != key}


def _put(tree: Event, place: tuple[str, ...], value: Any) -> None:
    for key in place[:-1]:
        tree = tree.setdefault(key, {})
    tree[place[-1]] = value


def _get(tree: Event, place: tuple[str, ...]) -> Any:
    for key in place:
        tree = tree[key]
    return tree


def _session_in(flat: Event, kind: Kind) -> Event:
    session: Event = {}
    for key, value in flat.items():
        if key == "client_secret" or (key == "modalities" and kind == "transcription"):
            continue  # nothing here depends on them
        _put(session, _PLACES.get(key, (key,)), _value_in(key, value))
    return session


def _value_in(key: str, value: Any) -> Any:
    match key:
        case "modalities" if value is not None:
            return ["audio"] if "audio" in value else ["text"]
        case "input_audio_format" | "output_audio_format":
            return dict(_FORMATS[value])
        case "tool_choice":
            return _choice_in(value)
    return value


def _choice_in(value: Any) -> Any:
    if value in ("none", "auto", "required"):
        return value
    if isinstance(value, str):
        return {"type": "function", "name": value}
    return {"type": "function", "name": value.get("name") or value["function"]["name"]}


def _response_in(flat: Event) -> Event:
    response: Event = {}
    for key, value in flat.items():
        given = [_item_in(item) for item in value] if key == "input" else _value_in(key, value)
        _put(response, _PLACES.get(key, (key,)), given)
    return response


def _item_in(item: Event) -> Event:
    if item.get("role") != "assistant":
        return item
    content = [{**part, "type": _PARTS[part["type"]]} for part in item["content"]]
    return {**item, "content": content}


def _item_out(item: Event) -> Event:
    if "content" not in item:
        return item
    content = [
        {**part, "type": _PART_NAMES.get(part["type"], part["type"])} for part in item["content"]
    ]
    return {**item, "content": content}


def _told_session(event: Event) -> Event:
    session = event["session"]
    if session["type"] == "transcription":
        return {
            "type": event["type"].replace("session", "transcription_session"),
            "session": _hearing_out(session),
        }
    return {"type": event["type"], "session": _session_out(session)}


def _hearing_out(session: Event) -> Event:
    hearing = session["audio"]["input"]
    return {
        "id": session["id"],
        "object": session["object"],
        "expires_at": session["expires_at"],
        "input_audio_format": _FORMAT_NAMES[hearing["format"]["type"]],
        "input_audio_transcription": hearing["transcription"],
        "input_audio_noise_reduction": hearing["noise_reduction"],
        "turn_detection": hearing["turn_detection"],
        "client_secret": None,
        "include": session["include"],
    }


def _session_out(session: Event) -> Event:
    output = session["audio"]["output"]
    detection = session["audio"]["input"]["turn_detection"]
    return {
        **_hearing_out(session),
        "model": session["model"],
        "modalities": _modalities_out(session["output_modalities"]),
        "instructions": session["instructions"],
        "voice": output["voice"],
        "speed": output["speed"],
        "output_audio_format": _FORMAT_NAMES[output["format"]["type"]],
        "turn_detection": detection and _without(detection, "idle_timeout_ms"),
        "tools": session["tools"],
        "tool_choice": _choice_out(session["tool_choice"]),
        "temperature": session["temperature"],
        "max_response_output_tokens": session["max_output_tokens"],
        "tracing": session["tracing"],
    }


def _modalities_out(value: list[str]) -> list[str]:
    return ["text", "audio"] if value == ["audio"] else ["text"]


def _choice_out(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) else value


def _response_out(response: Event) -> Event:
    output = response["audio"]["output"]
    kept = {key: response[key] for key in response if key not in ("audio", "output_modalities")}
    return {
        **kept,
        "output": [_item_out(item) for item in response["output"]],
        "modalities": _modalities_out(response["output_modalities"]),
        "voice": output["voice"],
        "output_audio_format": _FORMAT_NAMES[output["format"]["type"]],
        "usage": response["usage"] and _usage_out(response["usage"]),
    }


def _usage_out(usage: Event) -> Event:
    details = usage["input_token_details"]
    kept = {key: details[key] for key in ("cached_tokens", "text_tokens", "audio_tokens")}
    return {**usage, "input_token_details": kept}


def _limits() -> Event:
    limits = [
        {"name": "requests", "limit": _REQUESTS, "remaining": _REQUESTS, "reset_seconds": 0},
        {"name": "tokens", "limit": 1_000_000, "remaining": 1_000_000, "reset_seconds": 0},
    ]
    return {"type": "rate_limits.updated", "rate_limits": limits}


def _created(event: Event) -> list[Event]:
    return [{**event, "type": "conversation.item.created", "item": _item_out(event["item"])}]


def _answer(event: Event) -> list[Event]:
    return [{**event, "response": _response_out(event["response"])}]


_SAID: Final[dict[str, Callable[[Event], list[Event]]]] = {
    "session.created": lambda event: [_told_session(event)],
    "session.updated": lambda event: [_told_session(event)],
    "conversation.item.added": _created,
    "conversation.item.done": lambda _event: [],
    "rate_limits.updated": lambda _event: [],
    "response.created": lambda event: [*_answer(event), _limits()],
    "response.done": _answer,
    "response.function_call_arguments.done": lambda event: [_without(event, "name")],
    "conversation.item.input_audio_transcription.completed": lambda event: [
        _without(event, "languages")
    ],
}
