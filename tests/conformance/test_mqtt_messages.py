"""The MQTT contract: what is published is what docs/mqtt/ promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from satellite.model import records as rec
from satellite.model.ports import Message
from satellite.wire import mqtt

SCHEMAS = Path(__file__).parents[2] / "docs" / "mqtt"
ENVELOPE: dict[str, Any] = {
    "id": "b-1",
    "seq": 1,
    "turn_id": "b-t1",
    "device_id": "kitchen",
    "ts": "2026-11-21T08:00:00.000Z",
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
    ),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_payload_obeys_its_published_schema(record: rec.Record) -> None:
    message = mqtt.encode(record, "satellite/kitchen", retain_text=False)
    name = message.topic.rpartition("/")[2]
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    payload = json.loads(message.payload)
    jsonschema.validate(payload, schema)
    assert payload["v"] == 1


@pytest.mark.parametrize("name", sorted(mqtt.schemas()))
def test_the_published_schemas_are_those_of_the_code(name: str) -> None:
    committed = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    assert committed == json.loads(json.dumps(mqtt.schemas()[name])), "run scripts/make-docs"


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
    assert not mqtt.encode(RECORDS[4], "satellite/kitchen", retain_text=True).retain


def test_state_and_status_are_retained() -> None:
    state = mqtt.encode(RECORDS[0], "satellite/kitchen", retain_text=False)
    assert (state.topic, state.retain, state.qos) == ("satellite/kitchen/state", True, 1)
    birth = mqtt.status("satellite/kitchen", mqtt.ONLINE)
    assert birth == Message("satellite/kitchen/status", b"online", 1, True, None)
