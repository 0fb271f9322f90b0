"""docs/home-assistant/node-red.json can be imported, and says and hears what the contract has.

docs/home-assistant/testing.md tells how it is tried in a real Node-RED.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import msgspec
import pytest
from paho.mqtt.client import topic_matches_sub

from satellite.model import records as rec
from satellite.model.ports import Message
from satellite.model.requests import Reply, Request
from satellite.wire import mqtt, requests

DOCS: Final = Path(__file__).parents[2] / "docs" / "home-assistant"
FLOW: Final[list[dict[str, Any]]] = json.loads((DOCS / "node-red.json").read_text())
CORE: Final = {
    "comment",
    "debug",
    "function",
    "inject",
    "mqtt in",
    "mqtt out",
    "mqtt-broker",
    "switch",
    "tab",
}
BASE: Final = "satellite/kitchen"
GIVEN: Final = {"v": 1, "id": "b-1", "text": "Yes.", "ts": "2026-11-21T08:00:00.000Z"}


def of(kind: str) -> list[dict[str, Any]]:
    return [node for node in FLOW if node["type"] == kind]


def named(name: str) -> dict[str, Any]:
    [node] = [node for node in FLOW if node.get("name") == name]
    return node


def asks() -> list[str]:
    """The functions that make a command."""
    return [node["func"] for node in of("function") if "topic:" in node["func"]]


def topic(key: str, code: str) -> str:
    """What stands behind a key of the code, for the satellite in the kitchen."""
    [found] = re.findall(rf'\b{key}: ["`](.*?)["`],', code)
    return str(found).replace("${device_id}", "kitchen")


def test_it_is_made_of_nodes_that_every_node_red_has() -> None:
    assert {node["type"] for node in FLOW} <= CORE
    ids = [node["id"] for node in FLOW]
    assert len(set(ids)) == len(ids)
    for node in FLOW:
        assert {to for wires in node.get("wires", []) for to in wires} <= set(ids)
        assert node.get("z", ids[0]) == ids[0]


def test_nobody_can_forget_to_name_their_broker() -> None:
    [broker] = of("mqtt-broker")
    assert broker["protocolVersion"] == "5"  # as the editor writes it: it compares with the text
    assert broker["broker"] == "broker.example"
    assert "`broker.example`" in (DOCS / "README.md").read_text()
    assert not broker.keys() & {"credentials", "user", "password"}
    users = of("mqtt in") + of("mqtt out")
    assert {node["broker"] for node in users} == {broker["id"]}


def test_what_is_said_is_heard_once() -> None:
    for node in of("mqtt in"):
        assert (node["qos"], node["rh"], node["datatype"]) == ("1", "2", "json")
    heard = named("what was said")
    assert topic_matches_sub(heard["topic"], f"{BASE}/transcript")
    assert heard["wires"] == [[named("once, and in time")["id"]]]


def test_only_fields_are_read_that_a_transcript_has() -> None:
    read = {"text"}
    assert named("about the lights")["property"] == "payload.text"
    for node in of("function"):
        for names in re.findall(r"const \{(.*?)\} = msg.payload", node["func"]):
            read |= {name.strip() for name in names.split(",")}
    assert {"id", "ts", "device_id"} <= read <= set(rec.Transcript.__struct_fields__)
    words = re.findall(r'event_type === "(\w+)"', named("once, and in time")["func"])
    assert set(words) <= set(get_args(get_type_hints(rec.Transcript)["event_type"]))


@pytest.mark.parametrize("code", asks())
def test_commands_are_understood(code: str) -> None:
    base, verb = topic("topic", code).split("/cmd/")
    [body] = re.findall(r"payload: \{(.*)\}", code)
    keys = {part.split(":")[0].strip() for part in body.split(",")}
    assert base == BASE
    assert {"id", "ts"} <= keys
    read = requests.read(verb, msgspec.json.encode({key: GIVEN[key] for key in keys}))
    assert isinstance(read, Request)


def test_commands_are_not_retained() -> None:
    for node in of("mqtt out"):
        assert (node["qos"], node["retain"], node["expiry"]) == ("1", "false", "30")


def test_the_result_comes_where_it_is_waited_for() -> None:
    [code] = [code for code in asks() if "responseTopic" in code]
    assert "correlationData: Buffer.from(id)" in code
    result = Message(f"{BASE}/result", b"{}", 1, False, 60)
    answer = mqtt.answer(result, Reply(topic("responseTopic", code), b"b-1"), BASE)
    assert answer is not None
    assert topic_matches_sub(named("what became of it")["topic"], answer.topic)
    [rule] = named("not only begun")["rules"]
    assert named("not only begun")["property"] == "payload.status"
    assert rule["v"] in get_args(get_type_hints(rec.Result)["status"])


def test_its_code_is_a_few_lines() -> None:
    assert max(len(node["func"].splitlines()) for node in of("function")) <= 8
