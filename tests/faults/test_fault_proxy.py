"""Each fault does on the wire what its name says (S41); every frame of a client is kept (S42)."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from faults.fault_answers import failed, several_items
from faults.fault_bench import CREATED, DONE, MODEL, answer, everything, the, through, types, until
from faults.fault_kinds import (
    Close,
    On,
    close,
    delay,
    drop,
    duplicate,
    insert,
    malformed,
    no_credit,
    refused,
    reset,
    slow_start,
    stall,
    unknown_event,
)
from faults.fault_proxy import FaultProxy
from faults.small_server import small_server
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode
from websockets.sync.client import ClientConnection, connect

from satellite.local import server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with small_server(server.Settings(beta=True)) as url:
        yield url


def test_without_faults_the_proxy_passes_everything(url: str) -> None:
    with through(url, subprotocols=["realtime"]) as (_, websocket):
        events = answer(websocket)
        assert websocket.subprotocol == "realtime"
    assert types(events)[0] == CREATED
    assert events[0]["session"]["model"] == "gpt-realtime-2.1"
    assert "response.output_audio.delta" in types(events)
    assert the(events, DONE)["response"]["status"] == "completed"


def test_refusals_of_the_server_behind_are_passed(url: str) -> None:
    with FaultProxy(url) as proxy, connect(proxy.url) as websocket:
        assert json.loads(websocket.recv(5))["error"]["code"] == "missing_model"
        with pytest.raises(ConnectionClosed):
            websocket.recv(5)
        assert websocket.close_code == 4000
        assert websocket.close_reason == "invalid_request_error.missing_model"
    with (
        FaultProxy(url + "/other") as proxy,
        pytest.raises(InvalidStatus) as got,
        connect(proxy.url),
    ):
        pass
    assert got.value.response.status_code == 404
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        FaultProxy(f"ws://127.0.0.1:{port}/v1/realtime") as proxy,
        pytest.raises(InvalidStatus) as got,
        connect(proxy.url),
    ):
        pass
    assert got.value.response.status_code == 502


@pytest.mark.checklist("S41")
@pytest.mark.parametrize(
    ("code", "reason"), [(1011, "server_error.oops"), (1001, ""), (3000, "x" * 120), (1000, "bye")]
)
def test_close_with_any_code_at_any_event(url: str, code: int, reason: str) -> None:
    on = On("response.output_audio_transcript.delta", 2)
    with through(url, close(on, code, reason)) as (_, websocket):
        websocket.send('{"type":"response.create"}')
        seen = [json.loads(message)["type"] for message in everything(websocket)]
    assert (websocket.close_code, websocket.close_reason) == (code, reason)
    assert seen.count(on.type) == 2
    assert seen[-1] == on.type


def test_a_code_that_cannot_be_sent_is_refused_at_once() -> None:
    for code in (1005, 1006, 999, 5000):
        with pytest.raises(ValueError, match="cannot be sent"):
            Close(code)


@pytest.mark.checklist("S41")
def test_reset_is_a_tcp_reset(url: str) -> None:
    with through(url, reset(On(CREATED))) as (_, websocket):
        with pytest.raises(ConnectionClosed) as closed:
            until(websocket, "never")
        assert websocket.close_code == 1006
        assert isinstance(closed.value.__cause__, ConnectionResetError)


class Counting(ClientConnection):
    """Counts the PINGs and PONGs that come."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.came: list[Opcode] = []
        super().__init__(*args, **options)

    def process_event(self, event: Any) -> None:
        self.came.append(getattr(event, "opcode", Opcode.CONT))
        super().process_event(event)


@pytest.mark.checklist("S41")
def test_a_stall_says_and_answers_nothing_and_stays_open(url: str) -> None:
    options = {"create_connection": Counting, "ping_interval": None, "ping_s": 0.05}
    with through(url, stall(On("input_audio_buffer.cleared")), **options) as (_, websocket):
        assert websocket.ping().wait(5)
        until(websocket, CREATED)
        websocket.send('{"type":"input_audio_buffer.clear"}')
        until(websocket, "input_audio_buffer.cleared")
        websocket.came.clear()
        websocket.send('{"type":"response.create"}')
        assert not websocket.ping().wait(0.3)  # long enough for six PINGs of the proxy
        assert websocket.came == []
        assert websocket.state.name == "OPEN"


@pytest.mark.checklist("S9")
def test_the_proxy_pings_as_a_server_does(url: str) -> None:
    options = {"create_connection": Counting, "ping_interval": None, "ping_s": 0.05}
    with through(url, **options) as (_, websocket):
        deadline = time.monotonic() + 5
        while websocket.came.count(Opcode.PING) < 2 and time.monotonic() < deadline:
            with suppress(TimeoutError):
                websocket.recv(0.05)
        assert websocket.came.count(Opcode.PING) >= 2


@pytest.mark.checklist("S41")
def test_delay_holds_an_event_and_keeps_the_order(url: str) -> None:
    with through(url, delay(On("response.created"), 0.3)) as (_, websocket):
        until(websocket, CREATED)
        began = time.monotonic()
        events = answer(websocket)
        assert time.monotonic() - began >= 0.3
    kinds = types(events)
    assert kinds[0] == "response.created"
    assert kinds.index(DONE) > kinds.index("response.output_item.added")


@pytest.mark.checklist("S41")
def test_session_created_can_be_slow(url: str) -> None:
    began = time.monotonic()
    with through(url, slow_start(0.3)) as (_, websocket):
        until(websocket, CREATED)
    assert time.monotonic() - began >= 0.3


@pytest.mark.checklist("S41")
def test_duplicate_says_the_same_event_twice(url: str) -> None:
    with through(url, duplicate(On("response.output_audio.delta", 2))) as (_, websocket):
        sound = [e for e in answer(websocket) if e["type"] == "response.output_audio.delta"]
    assert sound[1] == sound[2]
    assert sound[0] != sound[1]
    with through(url) as (_, websocket):
        assert types(answer(websocket)).count("response.output_audio.delta") == len(sound) - 1


@pytest.mark.checklist("S41")
def test_unknown_and_malformed_messages_come_between_good_ones(url: str) -> None:
    faults = (
        unknown_event(On("response.created")),
        malformed(On("response.output_item.added")),
        insert(On("response.content_part.added"), "[1, 2]"),
    )
    with through(url, *faults) as (_, websocket):
        websocket.send('{"type":"response.create"}')
        raw = []
        while not raw or '"rate_limits.updated"' not in raw[-1]:
            raw.append(str(websocket.recv(5)))
    at = [at for at, text in enumerate(raw) if '"response.from_the_future"' in text]
    assert '"response.created"' in raw[at[0] - 1]
    (bad,) = [at for at, text in enumerate(raw) if text == '{"type": "response.done", ']
    assert '"response.output_item.added"' in raw[bad - 1]
    assert raw.count("[1, 2]") == 1


@pytest.mark.checklist("S41")
@pytest.mark.parametrize(
    "kind", ["response.created", "input_audio_buffer.committed", "rate_limits.updated"]
)
def test_drop_loses_every_event_of_a_type(url: str, kind: str) -> None:
    with through(url, drop(kind)) as (_, websocket):
        until(websocket, CREATED)
        audio = base64.b64encode(bytes(9600)).decode()
        websocket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        websocket.send('{"type":"input_audio_buffer.commit"}')
        events = answer(websocket, DONE)
        websocket.send('{"type":"input_audio_buffer.clear"}')
        events += until(websocket, "input_audio_buffer.cleared")
    kinds = types(events)
    assert kind not in kinds
    assert {"conversation.item.done", DONE, "input_audio_buffer.cleared"} <= set(kinds)


@pytest.mark.checklist("S41")
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("rate_limit_exceeded", "invalid_request_error"),
        ("insufficient_quota", "insufficient_quota"),
        ("server_error", "server_error"),
        ("model_not_found", "invalid_request_error"),
    ],
)
def test_failed_responses_with_each_code(url: str, code: str, kind: str) -> None:
    with through(url, failed(code, kind, n=2)) as (_, websocket):
        first, second = answer(websocket), answer(websocket)
    assert the(first, DONE)["response"]["status"] == "completed"
    assert types(second) == ["response.created", DONE, "rate_limits.updated"]
    response = second[1]["response"]
    assert response["id"] == second[0]["response"]["id"]
    assert response["status"] == "failed"
    assert response["output"] == []
    assert response["status_details"]["error"]["code"] == code
    assert response["status_details"]["error"]["type"] == kind
    assert response["usage"]["total_tokens"] == 0


@pytest.mark.checklist("S41")
def test_a_response_can_fail_after_it_was_heard(url: str) -> None:
    with through(url, failed("server_error", "server_error", late=True)) as (_, websocket):
        events = answer(websocket)
    assert "response.output_audio.delta" in types(events)
    assert the(events, DONE)["response"]["status"] == "failed"


@pytest.mark.checklist("S41")
def test_an_answer_in_several_message_items(url: str) -> None:
    with through(url) as (_, websocket):
        whole = answer(websocket)
    with through(url, several_items(2)) as (_, websocket):
        events = answer(websocket)
    added = [e for e in events if e["type"] == "response.output_item.added"]
    assert [event["output_index"] for event in added] == [0, 1]
    ids = [event["item"]["id"] for event in added]
    assert len(set(ids)) == 2
    spoken = [e for e in events if e["type"] == "response.output_audio.delta"]
    before = [e for e in whole if e["type"] == "response.output_audio.delta"]
    assert [e["delta"] for e in spoken] == [e["delta"] for e in before]
    assert [e["item_id"] for e in spoken] == sorted([e["item_id"] for e in spoken], key=ids.index)
    assert {e["item_id"] for e in spoken} == set(ids)
    words = [e["transcript"] for e in events if e["type"].endswith("audio_transcript.done")]
    output = the(events, DONE)["response"]["output"]
    assert [item["id"] for item in output] == ids
    assert [item["content"][0]["transcript"] for item in output] == words
    assert "".join(words) == the(whole, "response.output_audio_transcript.done")["transcript"]
    assert all(words)
    items = [e for e in events if e["type"] == "conversation.item.added"]
    assert items[1]["previous_item_id"] == ids[0]
    event_ids = [event["event_id"] for event in events]
    assert len(set(event_ids)) == len(event_ids)


BETA = {"OpenAI-Beta": "realtime=v1"}


@pytest.mark.checklist("S41")
def test_answers_in_the_beta_dialect_fail_and_split_too(url: str) -> None:
    header = {"additional_headers": BETA}
    with through(url, failed("server_error", "server_error"), **header) as (_, websocket):
        events = answer(websocket, DONE)
        assert events[-1]["response"]["status"] == "failed"
        kinds = set(types(events))
        assert not [kind for kind in kinds if kind.startswith("response.output_item")]
        assert "conversation.item.created" not in kinds
    with through(url, several_items(3), drop("response.created"), **header) as (_, websocket):
        events = answer(websocket, DONE)
    kinds = types(events)
    assert "response.created" not in kinds
    assert kinds.count("conversation.item.created") == 3
    words = [e["transcript"] for e in events if e["type"] == "response.audio_transcript.done"]
    assert "".join(words)
    output = the(events, DONE)["response"]["output"]
    assert [item["content"][0]["transcript"] for item in output] == words


@pytest.mark.checklist("S41")
def test_no_credit_at_connect(url: str) -> None:
    with through(url, no_credit()) as (_, websocket):
        event = json.loads(websocket.recv(5))
        assert event["error"]["type"] == event["error"]["code"] == "insufficient_quota"
        with pytest.raises(ConnectionClosed):
            websocket.recv(5)
    assert websocket.close_code == 1013
    assert websocket.close_reason == "insufficient_quota.insufficient_quota"


@pytest.mark.checklist("S41")
@pytest.mark.parametrize("status", [400, 401, 403, 429])
def test_http_refusal_of_one_connection_and_not_of_the_next(url: str, status: int) -> None:
    with FaultProxy(url, refused(status, "no", connection=1)) as proxy:
        with pytest.raises(InvalidStatus) as got, connect(proxy.url + MODEL):
            pass
        assert got.value.response.status_code == status
        assert got.value.response.body == b"no"
        with connect(proxy.url + MODEL) as websocket:
            until(websocket, CREATED)


@pytest.mark.checklist("S41")
def test_a_client_event_can_set_off_a_fault_and_faults_add_up(url: str) -> None:
    on = On("input_audio_buffer.clear", 2, by="client")
    with through(url, duplicate(On(CREATED)), close(on, 4321, "so there")) as (_, websocket):
        assert types(until(websocket, CREATED) + until(websocket, CREATED)) == [CREATED] * 2
        websocket.send('{"type":"input_audio_buffer.clear"}')
        until(websocket, "input_audio_buffer.cleared")
        websocket.send('{"type":"input_audio_buffer.clear"}')
        with pytest.raises(ConnectionClosed):
            until(websocket, "never")
    assert websocket.close_code == 4321
