"""Records become MQTT messages: topic, payload, QoS, retain, expiry. Pure.

The base topic is ``<prefix>/<name>``. What a person said is never retained unless the owner asks
for it, and expires at the broker: an order carried out minutes late is worse than none.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from satellite.model import records as rec
from satellite.model.ports import Message

ONLINE: Final = b"online"
OFFLINE: Final = b"offline"
STATUS: Final = "status"
EVENT_EXPIRY_S: Final = 120  # home-assistant-mqtt.md 3.2


def base(prefix: str, name: str) -> str:
    """The topic that all of the satellite's topics stand below."""
    return f"{prefix}/{name}"


_TOPICS: Final[dict[type[rec.Record], str]] = {
    rec.State: "state",
    rec.Transcript: "transcript",
    rec.Response: "response",
    rec.TurnRecord: "turn",
}


def encode(record: rec.Record, base_topic: str, *, retain_text: bool) -> Message:
    """Make the message of one record."""
    topic = f"{base_topic}/{_TOPICS[type(record)]}"
    payload = msgspec.json.encode(record)
    if isinstance(record, rec.State):
        return Message(topic, payload, qos=1, retain=True, expiry_s=None)
    assert isinstance(record, rec.Envelope)
    retained = retain_text and not isinstance(record, rec.TurnRecord)
    expiry_s = None if retained else EVENT_EXPIRY_S
    return Message(topic, payload, qos=1, retain=retained, expiry_s=expiry_s, seq=record.seq)


def status(base_topic: str, payload: bytes) -> Message:
    """Birth, will, or the word that goes before an orderly end."""
    topic = f"{base_topic}/{STATUS}"
    return Message(topic, payload, qos=1, retain=True, expiry_s=None)


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each topic's payload, by topic name; docs/mqtt/ holds them.

    Every field is always sent, so every field is required; more may be added within a version.
    """
    made: dict[str, dict[str, Any]] = {}
    for kind, name in _TOPICS.items():
        schema = msgspec.json.schema(kind)
        for definition in schema["$defs"].values():
            definition["required"] = list(definition["properties"])
        dialect = "https://json-schema.org/draft/2020-12/schema"
        made[name] = {"$schema": dialect, "title": f"{name}, version 1", **schema}
    return made
