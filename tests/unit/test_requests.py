"""What comes in over MQTT is read or refused with a sentence, and never raises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from satellite.model import events as ev
from satellite.model import requests as req
from satellite.model.requests import Refused, Reply, Request
from satellite.wire import requests
from satellite.wire.verbs import VERBS

HERE = Path(__file__).parent
CANARY = "canary"


def broken() -> list[tuple[str, str]]:
    """A verb and a payload a paragraph, then the sentence; in brackets the id that was read."""
    found = []
    for text in (HERE / "broken_requests.txt").read_text("utf-8").strip("\n").split("\n\n"):
        asked, _, answer = text.partition("\n=> ")
        found.append((asked, answer))
    return found


@pytest.mark.parametrize(("asked", "answer"), broken())
def test_a_broken_request_is_refused_with_a_sentence(asked: str, answer: str) -> None:
    verb, _, payload = asked.partition(" ")
    refused = requests.read(verb, payload.encode())
    assert isinstance(refused, Refused)
    found = f" ({refused.id})" if refused.id else ""
    assert f"{refused.error}{found}" == answer
    assert refused.verb == verb


PLAIN: list[tuple[str, str, req.Order]] = [
    ("mute", "ON", req.Mute(True)),
    ("mute", "OFF", req.Mute(False)),
    ("mute", "toggle", req.Mute(None)),
    ("say", " Dinner is ready \n", req.Say("Dinner is ready")),
    ("ask", "Is a window open?", req.Ask("Is a window open?")),
    ("listen", "start", req.Listen(True)),
    ("listen", "PRESS", req.Listen(True)),
    ("listen", "stop", req.Listen(False)),
    ("cancel", "PRESS", req.Cancel("all")),
    ("cancel", "say", req.Cancel("say")),
    ("volume", "40", req.Set("volume", 40)),
    ("volume", "39.6", req.Set("volume", 40)),
    ("volume", "", req.Set("volume", None)),
    ("voice", "cedar", req.Set("voice", "cedar")),
    ("voice", "", req.Set("voice", None)),
    ("language", "DE", req.Set("language", "de")),
    ("language", "auto", req.Set("language", "auto")),
    ("transcription_prompt", "Kitchen,\nhall.", req.Set("transcription_prompt", "Kitchen,\nhall.")),
    ("instructions", "", req.Set("instructions", None)),
    ("sensitivity", "very high", req.Set("sensitivity", 0)),
    ("sensitivity", "Low", req.Set("sensitivity", 3)),
    ("sensitivity", "2", req.Set("sensitivity", 2)),
    ("activation", "push_to_talk", req.Set("activation", "push_to_talk")),
    ("new_session", "PRESS", req.NewSession()),
    ("restart", "PRESS", req.Restart()),
    ("replay", "4711", req.Replay(4711)),
    ("get", "", req.Get()),
]
JSON: list[tuple[str, dict[str, Any], req.Order]] = [
    ("mute", {"muted": True, "for_s": 600}, req.Mute(True, 600)),
    ("mute", {"muted": False}, req.Mute(False)),
    ("mute", {"for_s": 1.5}, req.Mute(True, 1.5)),
    ("say", {"text": "Hi", "interrupt": True, "volume": 80}, req.Say("Hi", True, 80)),
    ("ask", {"text": "Hi", "respond": False}, req.Ask("Hi", False)),
    ("listen", {"timeout_s": 5}, req.Listen(True, 5)),
    ("listen", {"listen": False}, req.Listen(False)),
    ("cancel", {"what": "response"}, req.Cancel("response")),
    ("volume", {"volume": 40.0, "persist": False}, req.Set("volume", 40, False)),
    ("volume", {"volume": None}, req.Set("volume", None)),
    ("voice", {"text": "cedar", "persist": False}, req.Set("voice", "cedar", False)),
    ("language", {"text": "de"}, req.Set("language", "de")),
    ("instructions", {"text": ""}, req.Set("instructions", None)),
    ("sensitivity", {"sensitivity": "high"}, req.Set("sensitivity", 1)),
    ("sensitivity", {"sensitivity": 3}, req.Set("sensitivity", 3)),
    ("activation", {"activation": "wake_word"}, req.Set("activation", "wake_word")),
    ("replay", {"since": 5, "most": 10}, req.Replay(5, 10)),
    ("get", {}, req.Get()),
]


@pytest.mark.parametrize(("verb", "payload", "order"), PLAIN)
def test_a_plain_value_is_read(verb: str, payload: str, order: req.Order) -> None:
    reply = Reply("reply/me", b"7")
    assert requests.read(verb, payload.encode(), reply=reply) == Request(verb, order, reply=reply)


@pytest.mark.parametrize(("verb", "payload", "order"), JSON)
def test_json_is_read_and_fits_its_schema(
    verb: str, payload: dict[str, Any], order: req.Order
) -> None:
    whole = {"v": 1, "id": "a1", "ts": "2026-11-21T08:00:00.250Z", **payload}
    read = requests.read(verb, f" {json.dumps(whole)}".encode())
    assert read == Request(verb, order, "a1", 1_795_248_000.25)
    schema = requests.schemas()[f"cmd/{verb}"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(whole, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole | {"unknown": 1}, schema)


def test_every_verb_is_in_both_tables() -> None:
    assert {verb for verb, _, _ in PLAIN} | {"say"} == set(VERBS)
    assert {verb for verb, _, _ in JSON} | {
        "new_session",
        "restart",
        "transcription_prompt",
    } == set(VERBS)


@pytest.mark.parametrize(
    "ts", ["2026-11-21T09:00:00+01:00", "2026-11-21 08:00:00Z", 1_795_248_000, 1_795_248_000.0]
)
def test_the_time_of_a_request_is_read_in_any_usual_form(ts: object) -> None:
    read = requests.read("get", json.dumps({"ts": ts}).encode())
    assert isinstance(read, Request)
    assert read.sent_at == 1_795_248_000


@pytest.mark.parametrize("verb", VERBS)
def test_what_was_retained_is_refused_whatever_it_is(verb: str) -> None:
    refused = requests.read(verb, b'{"id": "a1"}', retained=True)
    assert isinstance(refused, Refused)
    assert refused.id == "a1"
    assert "was retained, and what the broker keeps is never obeyed" in refused.error


LONG = [
    ("say", b"x" * 501, "say: has 501 characters; send a text of 1 to 500"),
    ("ask", b"x" * 2001, "ask: has 2001 characters; send a text of 1 to 2000"),
    ("instructions", b"x" * 8001, "instructions: has 8001 characters; send a text of at most 8000"),
    ("say", b'{"text": "%s"}' % (b"x" * 501), "say: text: expected a text of length <= 500; send"),
    ("voice", b"x" * 65, "voice: is no name of a voice; send"),
    ("say", b"x" * 16_385, "say: is 16385 bytes long, at most 16384 are read; send"),
    ("say", b"{" * 16_385, "say: is 16385 bytes long"),
    ("say", b'{"x":' + b"[" * 16_000, "say: has a key x that means nothing here"),
    ("say", b'{"text":' + b"[" * 16_000, "say: text: expected a text, got a list"),
    ("say", b"{" + b'"' + b"k" * 9_000 + b'":1}', f"say: has a key {'k' * 32}... that means"),
    ("say", b"\xff\xfe", "say: is no UTF-8; send"),
    ("say", b'{"text": "\xff"}', "say: begins like JSON and is none; send"),
    ("volume", b"9" * 5_000, "volume: is no number; send"),
    ("volume", b'{"volume": %s}' % (b"9" * 5_000), "volume: volume: number out of range; send"),
    ("replay", b'{"since": %s}' % (b"9" * 5_000), "replay: since: integer value out of range"),
    ("x" * 3_000, b"", f"{'x' * 32}...: there is no such command"),
    ("a\nb", b"", "a\\nb: there is no such command"),
]


@pytest.mark.parametrize(("verb", "payload", "answer"), LONG)
def test_what_is_too_much_is_refused(verb: str, payload: bytes, answer: str) -> None:
    refused = requests.read(verb, payload)
    assert isinstance(refused, Refused)
    assert refused.error.startswith(answer)
    assert len(refused.error) < 400


def test_no_text_is_in_a_refusal_or_a_repr() -> None:
    for verb in VERBS:
        for payload in (CANARY, json.dumps({"text": CANARY}), json.dumps({"what": CANARY})):
            read = requests.read(verb, payload.encode())
            assert CANARY not in repr(read), verb
            read = requests.read(verb, (payload * 3_000).encode())
            assert isinstance(read, Refused) or verb in {"cancel", "get", "new_session", "restart"}
            assert CANARY not in repr(read)


@settings(deadline=None)
@given(st.sampled_from([*VERBS, "unknown", ""]), st.binary(max_size=300), st.booleans())
def test_no_bytes_raise(verb: str, payload: bytes, retained: bool) -> None:
    for given_ in (payload, b"{" + payload):
        assert isinstance(requests.read(verb, given_, retained=retained), Request | Refused)
        assert isinstance(
            requests.read_tool_result(given_, retained=retained), ev.ToolDone | Refused
        )


KEYS = sorted({name for verb in VERBS.values() for name in verb.form.__annotations__} | {"v", "ts"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(VERBS)),
    st.dictionaries(st.sampled_from([*KEYS, "id", "x"]), VALUES, max_size=4),
)
def test_no_json_raises(verb: str, payload: dict[str, object]) -> None:
    read = requests.read(verb, json.dumps(payload).encode())
    assert isinstance(read, Request | Refused)


RESULTS: list[tuple[str, str]] = [
    ('"It is done."', "It is done."),
    ('{"a": [1, null]}', '{"a":[1,null]}'),
    ("null", "null"),
    ("21.5", "21.5"),
]


@pytest.mark.parametrize(("output", "text"), RESULTS)
def test_what_a_tool_says_becomes_text(output: str, text: str) -> None:
    payload = f'{{"v": 1, "call_id": "c1", "output": {output}}}'.encode()
    assert requests.read_tool_result(payload) == ev.ToolDone("c1", text)


def test_a_tool_that_failed_says_so() -> None:
    payload = b'{"call_id": "c1", "output": "no such lamp", "is_error": true}'
    assert requests.read_tool_result(payload) == ev.ToolDone("c1", '{"error":"no such lamp"}')


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"done", "begins like JSON and is none"),
        (b"{}", "has no call_id"),
        (b'{"call_id": "c1", "result": 1}', "has a key result that means nothing here"),
        (b'{"call_id": "c1", "output": ' + b"[" * 16_000, "is nested too deeply"),
        (b"x" * 16_385, "is 16385 bytes long"),
    ],
)
def test_a_broken_tool_result_is_refused(payload: bytes, why: str) -> None:
    refused = requests.read_tool_result(payload)
    assert isinstance(refused, Refused)
    assert refused.error.startswith(f"tool/result: {why}")
    assert 'send {"v": 1, "call_id"' in refused.error


def test_nobody_has_us_write_to_closed_topics() -> None:
    closed = ("homeassistant",)
    assert requests.allowed(None, closed) is None
    fine = Reply("rooms/kitchen/answer", b"7")
    assert requests.allowed(fine, closed) == fine
    assert requests.allowed(Reply("homeassistant/device/x/config"), closed) is None
    assert requests.allowed(Reply("a", b"x" * 1025), closed) is None
