"""Client events: JSON, the table of realtime-protocol.md 3.1, and sound in base64. Pure.

An event is checked whole before anything is done about it, and refused in the words of the live
service: rules of legality first (2.2), then the shape.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from satellite.local import shapes
from satellite.local.behaviour import Kind
from satellite.local.schema import (
    Refusal,
    Shape,
    choice,
    integer,
    missing,
    nullable,
    record,
    tagged,
    text,
    wrong_type,
)
from satellite.local.shapes import ID, ITEM, RESPONSE

APPEND_LIMIT: Final = 15 * 1024 * 1024  # bytes of audio in one event: realtime-protocol.md 3.1
_SESSIONS: Final = {"realtime": shapes.SESSION, "transcription": shapes.TRANSCRIPTION_SESSION}


def wrong_kind(kind: Kind) -> Refusal:
    """An update of the other type came to a session of this kind (2.2, A and B)."""
    other = "transcription" if kind == "realtime" else "realtime"
    message = f"Passing a {other} session update event to a {kind} session is not allowed."
    return Refusal("invalid_parameter", message, "")


def check_session(value: Any, path: str = "session", kind: Kind | None = None) -> None:
    """A session object, in an update of a session of ``kind`` or, None, in a client secret.

    Raises Refusal.
    """
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    wanted = value.get("type")
    if wanted is None:
        raise missing(f"{path}.type")
    choice(*_SESSIONS)(wanted, f"{path}.type")
    if kind not in (None, wanted):
        raise wrong_kind("realtime" if wanted == "transcription" else "transcription")
    _SESSIONS[wanted](value, path)


ITEM_ID: Final[dict[str, Shape]] = {"item_id": ID}
Events = dict[str, tuple[dict[str, Shape], tuple[str, ...]]]
BUFFER: Final[Events] = {  # in every session, in both dialects; so are ITEMS
    "input_audio_buffer.append": ({"audio": text()}, ("audio",)),
    "input_audio_buffer.commit": ({}, ()),
    "input_audio_buffer.clear": ({}, ()),
}
ITEMS: Final[Events] = {
    "conversation.item.truncate": (
        {**ITEM_ID, "content_index": integer(0, 64), "audio_end_ms": integer(0, 2**31)},
        ("item_id", "content_index", "audio_end_ms"),
    ),
    "conversation.item.delete": (ITEM_ID, ("item_id",)),
    "conversation.item.retrieve": (ITEM_ID, ("item_id",)),
}
_CREATE_ITEM: Final[Events] = {
    "conversation.item.create": ({"item": ITEM, "previous_item_id": nullable(ID)}, ("item",))
}
_ANSWERING: Final[Events] = {
    "response.create": ({"response": nullable(RESPONSE)}, ()),
    "response.cancel": ({"response_id": nullable(ID)}, ()),
}


def _update(kind: Kind) -> Events:
    def check(value: Any, path: str) -> None:
        check_session(value, path, kind)

    return {"session.update": ({"session": check}, ("session",))}


def checker(events: Events) -> Shape:
    """The check of a whole event, by its type."""
    return tagged(
        {
            name: record({"type": text(), "event_id": nullable(text(512)), **keys}, *required)
            for name, (keys, required) in events.items()
        }
    )


_REALTIME: Final = {**_update("realtime"), **BUFFER, **_CREATE_ITEM, **ITEMS, **_ANSWERING}
_TRANSCRIPTION: Final = {**_update("transcription"), **BUFFER, **_CREATE_ITEM, **ITEMS}
TYPES: Final = tuple(_REALTIME)
_CHECK: Final = {"realtime": checker(_REALTIME), "transcription": checker(_TRANSCRIPTION)}


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


def check(event: dict[str, Any], kind: Kind) -> None:
    """Raises Refusal with what is wrong first; afterwards every key has its documented type."""
    _CHECK[kind](event, "")


def decode_audio(encoded: str) -> bytes:
    """Raw samples out of base64. Raises Refusal for what is not base64 or more than 15 MiB."""
    try:
        data = base64.b64decode(encoded, validate=True)
    except (ValueError, UnicodeError):
        data = None
    if data is None:
        raise not_sound()
    if len(data) > APPEND_LIMIT:
        raise Refusal(
            "invalid_value", "Invalid 'audio'. Expected at most 15 MiB of audio.", "audio.audio"
        )
    return data


def not_sound() -> Refusal:
    return Refusal(
        "invalid_value",
        "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got "
        "an invalid value.",
        "audio.audio",
    )
