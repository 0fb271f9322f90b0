"""Records become MQTT messages: topic, payload, QoS, retain, expiry. Pure.

The base topic is ``<prefix>/<name>``. What a person said is never retained unless the owner asks
for it, and expires at the broker: an order carried out minutes late is worse than none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from satellite.model import records as rec
from satellite.model.ports import Message
from satellite.model.requests import Reply

ONLINE: Final = b"online"
OFFLINE: Final = b"offline"
WAKE: Final = b"wake"
STATUS: Final = "status"
LONGEST_TEXT: Final = 8_000  # characters: Home Assistant keeps no more than 16 kB of an entity
LONGEST_TOPIC: Final = 200  # of those that others choose
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic that we write, below the base. ``record`` is None for a plain text.

    ``retain`` "text": only where the owner wants texts to be retained, and for ever then.
    ``expiry_s`` is how long the broker may keep it for somebody, None for ever. ``when`` is a
    part of a sentence for people.
    """

    record: type[rec.Record] | None
    when: str
    retain: Literal["yes", "no", "text"] = "no"
    expiry_s: int | None = None
    qos: int = 1


TOPICS: Final[dict[str, Topic]] = {
    STATUS: Topic(
        None,
        "`online` at each connect; `offline` before an orderly end and as the last will",
        "yes",
    ),
    "state": Topic(rec.State, "each change, and at each connect", "yes"),
    "transcript": Topic(
        rec.Transcript, "what the user said, once for each thing said", "text", 120
    ),
    "transcript/partial": Topic(
        rec.Partial, "what is understood so far, with `mqtt.publish_partial`", expiry_s=5, qos=0
    ),
    "response": Topic(
        rec.Response, "what was answered, when its last sound has been played", "text", 120
    ),
    "turn": Topic(
        rec.TurnRecord, "both, with numbers, when nothing more of the turn can come", expiry_s=120
    ),
    "tool/call": Topic(rec.ToolCall, "the model wants one of `tools.mqtt`", expiry_s=60),
    "tool/confirm": Topic(
        rec.ToolConfirm, "the model wants a `sensitive` one: a person must say yes", expiry_s=60
    ),
    "settings": Topic(rec.Settings, "each change, and at each connect", "yes"),
    "usage": Topic(rec.Usage, "after each turn, at midnight, and at each connect", "yes"),
    "diagnostics": Topic(
        rec.Diagnostics, "two seconds after a connect, then once a minute", "yes", 180, qos=0
    ),
    "error": Topic(
        rec.Fault, "a problem begins, or most of the money of a day is spent", expiry_s=600
    ),
    "wake": Topic(None, "`wake` when the wake word was heard", expiry_s=10),
    "result": Topic(rec.Result, "what became of each command", expiry_s=60),
    "replay": Topic(rec.Replayed, "one for each record that `cmd/replay` asked for", expiry_s=60),
}
_NAMES: Final = {topic.record: name for name, topic in TOPICS.items() if topic.record}
_TEXTS: Final = ("text", "spoken_text", "transcript", "response")


def base(prefix: str, name: str) -> str:
    """The topic that all of the satellite's topics stand below."""
    return f"{prefix}/{name}"


def encode(record: rec.Record, base_topic: str, *, retain_text: bool) -> Message:
    """Make the message of one record."""
    name = _NAMES[type(record)]
    topic = TOPICS[name]
    retain = topic.retain == "yes" or (topic.retain == "text" and retain_text)
    seq = record.seq if isinstance(record, rec.Envelope) else None
    expiry_s = None if topic.retain == "text" and retain else topic.expiry_s
    if isinstance(record, rec.ToolCall):
        expiry_s = _seconds_between(record.ts, record.deadline)
    payload = msgspec.json.encode(_bounded(record))
    return Message(f"{base_topic}/{name}", payload, topic.qos, retain, expiry_s, seq)


def status(base_topic: str, payload: bytes) -> Message:
    """Birth, will, or the word that goes before an orderly end."""
    return _plain(STATUS, base_topic, payload)


def wake(base_topic: str) -> Message:
    """The word that a wake word was heard."""
    return _plain("wake", base_topic, WAKE)


def results(result: rec.Result, reply: Reply | None, base_topic: str) -> tuple[Message, ...]:
    """What became of a request: for all, and for the one who asked."""
    message = encode(result, base_topic, retain_text=False)
    own = answer(message, reply, base_topic) if reply is not None else None
    return (message,) if own is None else (message, own)


def answer(result: Message, reply: Reply, base_topic: str) -> Message | None:
    """The same result for the one who asked, where they wait for it.

    None where that is no topic to publish to, or one that means something else below our base.
    """
    topic = reply.topic
    if not 0 < len(topic) <= LONGEST_TOPIC or topic[0] == "$" or set(topic) & set("+#\0"):
        return None
    inside = topic.removeprefix(f"{base_topic}/")
    if inside != topic and (inside in TOPICS or inside.split("/")[0] in {"cmd", "tool"}):
        return None
    return Message(
        topic,
        result.payload,
        result.qos,
        False,
        result.expiry_s,
        correlation=reply.correlation,
        theirs=True,
    )


def empty(topic: str) -> Message:
    """What makes a broker forget a retained message."""
    return Message(topic, b"", qos=1, retain=True, expiry_s=None)


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each topic's payload, by topic name; docs/mqtt/ holds them.

    Every field is always sent, so every field is required; more may be added within a version.
    """
    made: dict[str, dict[str, Any]] = {}
    for kind, name in _NAMES.items():
        schema = msgspec.json.schema(kind)
        for definition in schema["$defs"].values():
            definition["required"] = list(definition["properties"])
        made[name] = {"$schema": DIALECT, "title": f"{name}, version 1", **schema}
    return made


def file_name(name: str) -> str:
    """The name of a schema's file in docs/mqtt/."""
    return f"{name.replace('/', '-')}.schema.json"


def table() -> str:
    """What we write, as the table of docs/mqtt/README.md."""
    lines = ["| topic | when | QoS | retained | expires |", "| --- | --- | --- | --- | --- |"]
    retained = {"yes": "yes", "no": "no", "text": "only with `privacy.retain_text`"}
    for name, topic in TOPICS.items():
        link = f"[`{name}`]({file_name(name)})" if topic.record else f"`{name}`"
        expires = f"{topic.expiry_s} s" if topic.expiry_s else "never"
        if name.startswith("tool/"):
            expires = "at its `deadline`"
        kept = retained[topic.retain]
        lines.append(f"| {link} | {topic.when} | {topic.qos} | {kept} | {expires} |")
    return "\n".join(lines) + "\n"


def _plain(name: str, base_topic: str, payload: bytes) -> Message:
    topic = TOPICS[name]
    retain = topic.retain == "yes"
    return Message(f"{base_topic}/{name}", payload, topic.qos, retain, topic.expiry_s)


def _bounded(record: rec.Record) -> rec.Record:
    """The record with texts of at most LONGEST_TEXT, and a word where one was cut."""
    if not hasattr(record, "truncated"):
        return record
    texts = {name: getattr(record, name, None) for name in _TEXTS}
    cut = {k: text[:LONGEST_TEXT] for k, text in texts.items() if text and len(text) > LONGEST_TEXT}
    return msgspec.structs.replace(record, truncated=True, **cut) if cut else record


def _seconds_between(ts: str, later: str) -> int:
    """Whole seconds between two timestamps, at least one: an expiry of 0 is none at all."""
    span = datetime.fromisoformat(later) - datetime.fromisoformat(ts)
    return max(1, math.ceil(span.total_seconds()))
