"""The MQTT contract: what is published is what docs/mqtt/ promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jsonschema
import msgspec
import pytest

from satellite.model import records as rec
from satellite.model.ports import Message
from satellite.model.requests import Reply
from satellite.wire import mqtt, requests

BASE = "satellite/kitchen"
TS = "2026-11-21T08:00:00.000Z"
SCHEMAS = Path(__file__).parents[2] / "docs" / "mqtt"
ENVELOPE: dict[str, Any] = {
    "id": "b-1",
    "seq": 1,
    "turn_id": "b-t1",
    "device_id": "kitchen",
    "ts": TS,
}
RECORDS: list[rec.Record] = [
    rec.State(
        state="idle",
        since="2026-11-21T08:00:00.000Z",
        problems=(rec.Problem(code="mic_missing", since="x", detail="none found", fix="plug in"),),
    ),
    rec.Transcript(**ENVELOPE, event_type="final", item_id="u1", text="turn it on", language="en"),
    rec.Transcript(**ENVELOPE, event_type="missing", item_id="u1", text="", reason="timeout"),
    rec.Response(**ENVELOPE, event_type="cancelled", text="a b", interrupted=True, spoken_text="a"),
    rec.TurnRecord(
        **ENVELOPE,
        event_type="answered",
        item_id="u1",
        transcript="hi",
        response="hello",
        tokens=rec.Tokens(input=1, output=2, cached=0, input_audio=1, output_audio=2),
        opened=rec.Opened(cause="wake_word", wake_word="alexa", agreed=True, sent_s=1, silence_s=0),
    ),
    rec.Partial(turn_id="b-t1", item_id="u1", device_id="kitchen", text="turn", ts=TS),
    rec.Settings(
        muted=False,
        volume=60,
        voice="marin",
        language=None,
        transcription_prompt="",
        instructions_sha256="0" * 64,
        sensitivity=2,
        activation="open_mic",
        turn_detection="server_vad",
    ),
    rec.Usage(
        day="2026-11-21",
        month="2026-11",
        turns_today=3,
        tokens_today=900,
        sent_today_s=12.5,
        cost_today_usd=0.04,
        cost_month_usd=0.9,
        cost_exact=True,
        cap_day_usd=1.0,
        cap_month_usd=None,
        ts=TS,
    ),
    rec.Diagnostics(
        session_connected=True,
        started_at=TS,
        uptime_s=62,
        outbox_depth=0,
        outbox_oldest_s=0.0,
        outbox_expired=0,
        mqtt_reconnects=0,
        session_reconnects=1,
        echoes=0,
        underruns=0,
        mic_gaps=0,
        gate_opened=9,
        gate_refused=2,
        sent_in_vain_s=3.1,
        version="0.1.0",
        ts=TS,
    ),
    rec.Fault(
        event_type="error", code="mic_missing", message="none", fix="plug", device_id="k", ts=TS
    ),
    rec.ToolCall(
        call_id="c1",
        turn_id="b-t1",
        device_id="kitchen",
        name="lights",
        arguments={"on": True},
        deadline="2026-11-21T08:00:10.500Z",
        ts=TS,
    ),
    rec.ToolConfirm(
        call_id="c2",
        turn_id="b-t1",
        device_id="kitchen",
        name="unlock",
        arguments={},
        deadline="2026-11-21T08:00:30.500Z",
        ts=TS,
    ),
    rec.Result(cmd="mute", id=None, status="done", ts=TS),
    rec.Replayed(topic="turn", seq=4, record=msgspec.Raw(b'{"v":1}')),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_payload_obeys_its_published_schema(record: rec.Record) -> None:
    message = mqtt.encode(record, BASE, retain_text=False)
    name = mqtt.file_name(message.topic.removeprefix(f"{BASE}/"))
    schema = json.loads((SCHEMAS / name).read_text())
    payload = json.loads(message.payload)
    jsonschema.validate(payload, schema)
    assert payload["v"] == 1


def test_there_is_an_example_of_every_record() -> None:
    assert {type(record) for record in RECORDS} == {t.record for t in mqtt.TOPICS.values()} - {None}


def test_the_page_has_the_table_of_the_code() -> None:
    page = (SCHEMAS / "README.md").read_text()
    assert mqtt.table() in page, "run scripts/make-docs"
    assert requests.table() in page, "run scripts/make-docs"


MADE = mqtt.schemas() | requests.schemas()


@pytest.mark.parametrize("name", sorted(MADE))
def test_the_published_schemas_are_those_of_the_code(name: str) -> None:
    committed = json.loads((SCHEMAS / mqtt.file_name(name)).read_text())
    assert committed == json.loads(json.dumps(MADE[name])), "run scripts/make-docs"


def test_a_wrong_payload_does_not_obey() -> None:
    schema = json.loads((SCHEMAS / "transcript.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"v": 1, "text": 5}, schema)


def test_what_was_said_is_retained_only_on_request_and_expires() -> None:
    record = RECORDS[1]
    message = mqtt.encode(record, "satellite/kitchen", retain_text=False)
    assert message == Message(
        "satellite/kitchen/transcript", message.payload, 1, False, expiry_s=120, seq=message.seq
    )
    assert mqtt.encode(record, "satellite/kitchen", retain_text=True).retain
    assert mqtt.encode(record, "satellite/kitchen", retain_text=True).expiry_s is None
    assert not mqtt.encode(RECORDS[4], "satellite/kitchen", retain_text=True).retain


def test_state_and_status_are_retained() -> None:
    state = mqtt.encode(RECORDS[0], "satellite/kitchen", retain_text=False)
    assert (state.topic, state.retain, state.qos) == ("satellite/kitchen/state", True, 1)
    birth = mqtt.status("satellite/kitchen", mqtt.ONLINE)
    assert birth == Message("satellite/kitchen/status", b"online", 1, True, None)


def test_the_rest_is_sent_as_the_table_says() -> None:
    sent = {type(r): mqtt.encode(r, BASE, retain_text=False) for r in RECORDS[5:]}
    assert {
        m.topic.removeprefix(f"{BASE}/"): (m.qos, m.retain, m.expiry_s) for m in sent.values()
    } == {
        "transcript/partial": (0, False, 5),
        "settings": (1, True, None),
        "usage": (1, True, None),
        "diagnostics": (0, True, 180),
        "error": (1, False, 600),
        "tool/confirm": (1, False, 31),
        "tool/call": (1, False, 11),  # its deadline
        "result": (1, False, 60),
        "replay": (1, False, 60),
    }
    assert all(message.seq is None for message in sent.values()), "states and answers do not wait"
    assert mqtt.wake(BASE) == Message(f"{BASE}/wake", b"wake", 1, False, 10)


def test_a_long_text_is_cut_and_says_so() -> None:
    long = "ä" * (mqtt.LONGEST_TEXT + 1)
    said = rec.Transcript(**ENVELOPE, event_type="final", item_id="u1", text=long)
    turn = rec.TurnRecord(**ENVELOPE, event_type="answered", transcript="hi", response=long)
    for record, field in ((said, "text"), (turn, "response")):
        payload = json.loads(mqtt.encode(record, BASE, retain_text=False).payload)
        assert payload["truncated"]
        assert payload[field] == long[:-1]
    short = msgspec.structs.replace(said, text=long[:-1])
    assert not json.loads(mqtt.encode(short, BASE, retain_text=False).payload)["truncated"]


def test_a_result_also_goes_where_the_asker_waits_but_to_nothing_that_means_more() -> None:
    result = mqtt.encode(
        rec.Result(cmd="say", id="7", status="done", ts=TS), BASE, retain_text=False
    )
    own = mqtt.answer(result, Reply("replies/7", b"x"), BASE)
    wanted = Message("replies/7", result.payload, 1, False, 60, correlation=b"x", theirs=True)
    assert own == wanted
    assert mqtt.answer(result, Reply(f"{BASE}/result/7"), BASE) is not None
    for topic in ("", "a/#", "a/+", "$SYS/x", "a\0", "a" * 201, f"{BASE}/cmd/say", f"{BASE}/state"):
        assert mqtt.answer(result, Reply(topic), BASE) is None, topic


PAGE = (SCHEMAS / "README.md").read_text()
EXAMPLES = re.findall(r"<!-- example: (\S+) -->\n```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_every_example_of_the_page_obeys_its_schema(name: str, text: str) -> None:
    schema = json.loads((SCHEMAS / mqtt.file_name(name)).read_text())
    jsonschema.validate(json.loads(text), schema)


def test_the_page_has_an_example_of_every_payload() -> None:
    payloads = {name for name, topic in mqtt.TOPICS.items() if topic.record}
    assert payloads | {"tool/result"} <= {name for name, _ in EXAMPLES}


def test_the_page_names_every_problem_and_every_word_of_the_contract() -> None:
    """Whoever adds one is reminded here to say what it means."""
    for kind in (rec.State, rec.Transcript, rec.Response, rec.TurnRecord, rec.Fault):
        hints = get_type_hints(kind)
        for word in get_args(hints.get("event_type", hints.get("state"))):
            assert f"`{word}`" in PAGE, f"{kind.__name__} {word}"
    for name, topic in mqtt.TOPICS.items():
        assert f"`{name}`" in PAGE
        for field in get_type_hints(topic.record or object):
            assert f'"{field}"' in PAGE or field == "confirmed", f"{name} {field}"
