"""The proxy with faults in front of the server with its real voice, in both dialects."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from faults.fault_answers import several_items
from faults.fault_kinds import Fault, On, close, duplicate
from faults.fault_proxy import FaultProxy
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from satellite.local import server
from satellite.local.background import in_background
from satellite.local.engines import Engines

BETA = {"OpenAI-Beta": "realtime=v1"}


@pytest.fixture(scope="module")
def both_dialects(real_engines: Engines) -> Iterator[str]:
    with in_background(real_engines, server.Settings(beta=True)) as url:
        yield url


def _answer(url: str, headers: dict[str, str], *faults: Fault) -> tuple[list[dict], int | None]:
    """What comes for a typed question until its end, or the close; and its code."""
    item = {"type": "message", "role": "user"}
    content = [{"type": "input_text", "text": "Hello."}]
    item_create = {"type": "conversation.item.create", "item": {**item, "content": content}}
    events = []
    with (
        FaultProxy(url, *faults) as proxy,
        connect(proxy.url + "?model=gpt-realtime", additional_headers=headers) as websocket,
    ):
        websocket.send(json.dumps(item_create))
        websocket.send('{"type":"response.create"}')
        try:
            while not events or events[-1]["type"] != "response.done":
                events.append(json.loads(websocket.recv(30)))
        except ConnectionClosed:
            pass
    return events, websocket.close_code


def _sound(events: list[dict]) -> list[bytes]:
    return [
        base64.b64decode(event["delta"])
        for event in events
        if event["type"] in ("response.audio.delta", "response.output_audio.delta")
    ]


@pytest.mark.checklist("S41")
@pytest.mark.parametrize("headers", [{}, BETA], ids=["ga", "beta"])
def test_faults_change_a_spoken_answer(both_dialects: str, headers: dict[str, str]) -> None:
    whole, _ = _answer(both_dialects, headers)
    assert len(_sound(whole)) >= 5
    split, _ = _answer(both_dialects, headers, several_items(2))
    assert _sound(split) == _sound(whole)
    assert len(split[-1]["response"]["output"]) == 2
    kind = next(e["type"] for e in whole if e["type"].endswith("audio.delta"))
    cut, code = _answer(both_dialects, headers, close(On(kind, 3), 1012, "restart"))
    assert _sound(cut) == _sound(whole)[:3]
    assert code == 1012
    twice, _ = _answer(both_dialects, headers, duplicate(On(kind, 3)))
    assert _sound(twice) == [*_sound(whole)[:3], *_sound(whole)[2:]]
