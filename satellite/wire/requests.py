"""What people and automations send us over MQTT, read into values or refused with a sentence. Pure.

``B/cmd/<verb>`` takes a plain value, or JSON where the payload begins with ``{``. Whatever comes,
one value is returned: nothing here raises. A refusal never quotes the payload, but for the name of
a key.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from satellite.model import events as ev
from satellite.model.requests import Refused, Reply, Request
from satellite.wire import mqtt
from satellite.wire.verbs import DOES, VERBS, Id, WrongError

LONGEST_PAYLOAD: Final = 16_384  # bytes; home-assistant-mqtt.md 3.2
LONGEST_CORRELATION: Final = 1_024  # bytes


class ToolResultForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    call_id: Annotated[str, Meta(min_length=1, max_length=256)]
    output: Any = None
    is_error: bool = False
    confirmed: bool | None = None
    """The answer to ``tool/confirm``: whether a person wants it to be done."""
    v: Literal[1] = 1


class _OnlyId(msgspec.Struct, frozen=True):
    """To tell the sender of a refused request which one it was."""

    id: Id | None = None


def read(
    verb: str, payload: bytes, *, retained: bool = False, reply: Reply | None = None
) -> Request | Refused:
    """Read one message of ``B/cmd/<verb>``."""
    known = VERBS.get(verb)
    wants_json = payload.lstrip()[:1] == b"{"
    try:
        if known is None:
            raise WrongError(f"there is no such command; there are {', '.join(VERBS)}")
        if retained:
            raise WrongError(
                "was retained, and what the broker keeps is never obeyed; publish it again without"
                " retain, and an empty retained message once, to clear the topic"
            )
        if len(payload) > LONGEST_PAYLOAD:
            raise WrongError(f"is {len(payload)} bytes long, at most {LONGEST_PAYLOAD} are read")
        if not wants_json:
            return Request(verb, known.from_text(_decoded(payload)), reply=reply)
        form = _decode(payload, known.form)
        order = known.from_form(form)
        return Request(verb, order, _id(form.id), _sent_at(form.ts), reply)
    except WrongError as exc:
        shown = verb if known is not None else _briefly(verb)
        usage = f"; {known.usage}" if known is not None and not retained else ""
        given = _id_of(payload) if wants_json else None
        return Refused(shown, f"{shown}: {exc}{usage}", given, reply)


def read_tool_result(payload: bytes, *, retained: bool = False) -> ev.ToolDone | Refused:
    """Read one message of ``B/tool/result``; ``output`` becomes text for the model."""
    usage = 'send {"v": 1, "call_id": "the call\'s", "output": "It is done.", "is_error": false}'
    try:
        if retained:
            raise WrongError("was retained; publish it without retain")
        if len(payload) > LONGEST_PAYLOAD:
            raise WrongError(f"is {len(payload)} bytes long, at most {LONGEST_PAYLOAD} are read")
        form = _decode(payload, ToolResultForm)
        return ev.ToolDone(form.call_id, _for_the_model(form), form.confirmed)
    except WrongError as exc:
        return Refused("tool/result", f"tool/result: {exc}; {usage}")


def allowed(reply: Reply | None, closed: tuple[str, ...]) -> Reply | None:
    """Where a requester waits, unless that is below one of the topics ``closed``.

    Nobody may have us announce devices, with our rights, that they could not announce themselves.
    """
    if reply is None or len(reply.correlation or b"") > LONGEST_CORRELATION:
        return None
    return None if reply.topic.startswith(tuple(f"{prefix}/" for prefix in closed)) else reply


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of the JSON form of each topic that is read, by topic below the base."""
    kinds: dict[str, type[msgspec.Struct]] = {f"cmd/{n}": verb.form for n, verb in VERBS.items()}
    made = {}
    for name, kind in {**kinds, "tool/result": ToolResultForm}.items():
        title = f"{name}, version 1"
        made[name] = {"$schema": mqtt.DIALECT, **msgspec.json.schema(kind), "title": title}
    return made


def table() -> str:
    """What can be asked, as the table of docs/mqtt/README.md."""
    rows = ["| topic | what it does | how |", "| --- | --- | --- |"]
    for name, verb in VERBS.items():
        usage = verb.usage[0].upper() + verb.usage[1:]
        shown = re.sub(r"(\{[^}]*\})", r"`\1`", usage)
        rows.append(f"| [`cmd/{name}`](cmd-{name}.schema.json) | {DOES[name]} | {shown} |")
    return "\n".join(rows) + "\n"


def _for_the_model(form: ToolResultForm) -> str:
    output = {"error": form.output} if form.is_error else form.output
    if isinstance(output, str):
        return output
    try:
        return msgspec.json.encode(output).decode()
    except RecursionError:
        raise WrongError("is nested too deeply") from None


def _decode(payload: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(payload, type=kind)
    except msgspec.ValidationError as exc:
        raise WrongError(_sentence(str(exc))) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise WrongError("begins like JSON and is none") from None
    except RecursionError:
        raise WrongError("is nested too deeply") from None


_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_AT: Final = re.compile(r"(.*) - at `\$\.(\w+)`", re.DOTALL)
_KIND: Final = re.compile("`([a-z| ]+)`")
_WORDS: Final = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "an object",
    "str": "a text",
}


def _in_words(kinds: str) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds.split(" | "))


def _sentence(found: str) -> str:
    """Turn the library's sentence, which may quote a value, into one that does not."""
    if unknown := _UNKNOWN.match(found):
        return f"has a key {_briefly(unknown[1])} that means nothing here"
    if missing := _MISSING.match(found):
        return f"has no {missing[1]}"
    if where := _AT.fullmatch(found):
        why = "is none of its values" if where[1].startswith("Invalid") else where[1].lower()
        return f"{where[2]}: {_KIND.sub(lambda kind: _in_words(kind[1]), why)}"
    return "is no JSON object of this command"


def _id_of(payload: bytes) -> str | None:
    try:
        return _id(msgspec.json.decode(payload[:LONGEST_PAYLOAD], type=_OnlyId).id)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, WrongError):
        return None


def _id(given: str | None) -> str | None:
    if given is not None and not given.isprintable():
        raise WrongError("id: holds what cannot be printed")
    return given


def _sent_at(ts: str | float | None) -> float | None:
    if not isinstance(ts, str):
        return ts
    try:
        at = datetime.fromisoformat(ts)
        if at.tzinfo is None:
            raise WrongError("ts: has no time zone; end it with Z or such as +01:00")
        return at.timestamp()
    except WrongError:
        raise
    except (ValueError, OverflowError):
        raise WrongError("ts: is no time such as 2026-11-21T08:00:00Z") from None


def _decoded(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise WrongError("is no UTF-8") from None


def _briefly(name: str) -> str:
    """A name from outside, for a sentence."""
    return ascii(name if len(name) <= 32 else f"{name[:32]}...").strip("'\"")
