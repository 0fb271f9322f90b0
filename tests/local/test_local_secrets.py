"""Client secrets over HTTP on the port of the WebSockets (S11, S16), and what else comes there."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from local_bench import check_s1
from openai import OpenAI
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from satellite.local import client_secrets, server
from satellite.local.admission import Pinned
from satellite.local.background import in_background
from satellite.local.client_secrets import ClientSecrets, TooMany
from satellite.local.engines import Engines
from satellite.local.plain_http import HttpRequest, Incoming, Malformed
from satellite.local.schema import Refusal

SECRETS = "/v1/realtime/client_secrets"
KEY = {"Authorization": "Bearer right"}
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime-2.1",
    "instructions": "Speak French.",
    "audio": {"output": {"voice": "cedar"}},
}


@pytest.fixture
def url(fake_engines: Engines) -> Iterator[str]:
    with in_background(fake_engines, server.Settings(api_key="right")) as url:
        yield url


def asked(
    url: str, body: Any = None, method: str = "POST", path: str = SECRETS, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one request."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    connection.request(method, path, raw, headers or KEY)
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "application/json"
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def created(websocket: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(websocket.recv(5))
    check_s1(event)
    assert event["type"] == "session.created", event
    session: dict[str, Any] = event["session"]
    return session


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


@pytest.mark.checklist("S11")
def test_a_secret_pins_type_model_and_settings(url: str) -> None:
    before = int(time.time())
    status, answer = asked(url, {"session": SESSION})
    assert status == 200
    assert set(answer) == {"value", "expires_at", "session"}
    assert answer["value"].startswith("ek_")
    assert before + 600 <= answer["expires_at"] <= time.time() + 600
    assert answer["session"]["instructions"] == "Speak French."
    assert answer["session"]["audio"]["output"]["voice"] == "cedar"
    assert answer["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200
    for query in ("", "?model=other", "?intent=realtime"):  # several sessions from one secret
        with connect(url + query, additional_headers=bearer(answer["value"])) as websocket:
            session = created(websocket)
        assert session["model"] == "gpt-realtime-2.1"
        assert session["instructions"] == "Speak French."
        assert session["audio"]["output"]["voice"] == "cedar"


@pytest.mark.checklist("S8", "S11", "S16")
@pytest.mark.parametrize("query", ["", "?intent=transcription", "?model=gpt-realtime-2.1"])
def test_a_secret_pins_a_transcription_session(url: str, query: str) -> None:
    transcription = {"model": "gpt-4o-transcribe", "language": "fr"}
    heard = {"input": {"transcription": transcription}}
    status, answer = asked(url, {"session": {"type": "transcription", "audio": heard}})
    assert status == 200
    assert answer["session"]["type"] == "transcription"
    with connect(url + query, additional_headers=bearer(answer["value"])) as websocket:
        session = created(websocket)
        assert session["type"] == "transcription"
        assert session["audio"]["input"]["transcription"]["language"] == "fr"
        fresh = {"input": {"noise_reduction": {"type": "near_field"}}}
        update = {"type": "session.update", "session": {"type": "transcription", "audio": fresh}}
        websocket.send(json.dumps(update))
        updated = json.loads(websocket.recv(5))["session"]["audio"]["input"]
    assert updated["noise_reduction"] == {"type": "near_field"}
    assert updated["transcription"]["language"] == "fr"


@pytest.mark.checklist("S16")
def test_a_pinned_session_may_update_other_keys_but_not_its_model(url: str) -> None:
    value = asked(url, {"session": SESSION})[1]["value"]
    with connect(url, additional_headers=bearer(value)) as websocket:
        created(websocket)

        def update(**session: Any) -> dict[str, Any]:
            session["type"] = "realtime"
            websocket.send(json.dumps({"type": "session.update", "session": session}))
            event: dict[str, Any] = json.loads(websocket.recv(5))
            return event

        fresh = update(audio={"output": {"speed": 1.25}})["session"]
        assert fresh["audio"]["output"] == {
            "format": {"type": "audio/pcm", "rate": 24000},
            "voice": "cedar",
            "speed": 1.25,
        }
        assert fresh["instructions"] == "Speak French."
        assert update(instructions="")["session"]["instructions"] == ""
        assert update(model="gpt-realtime-2")["type"] == "error"


@pytest.mark.checklist("S11")
def test_the_official_client_asks_and_connects(url: str) -> None:
    base = "http" + url.removeprefix("ws").removesuffix("/realtime")
    with OpenAI(api_key="right", base_url=base, max_retries=0) as client:
        secret = client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Hi."},
        )
    assert secret.session.type == "realtime"
    assert secret.session.instructions == "Hi."
    assert secret.expires_at <= time.time() + 60
    with (
        OpenAI(api_key=secret.value, websocket_base_url="ws" + base[4:]) as browser,
        browser.realtime.connect(model="gpt-realtime-2.1") as connection,
    ):
        event = connection.recv()
    assert event.type == "session.created"
    assert event.session.instructions == "Hi."


def secret_of(store: ClientSecrets, seconds: int | None = None) -> str:
    body = {} if seconds is None else {"expires_after": {"seconds": seconds}}
    value: str = store.create(json.dumps(body).encode())["value"]
    return value


@pytest.mark.checklist("S11")
@pytest.mark.parametrize(("seconds", "lives"), [(None, 600), (10, 10), (7200, 7200)])
def test_a_secret_lives_as_long_as_asked(seconds: int | None, lives: int) -> None:
    now = [1000.0]
    store = ClientSecrets(lambda: now[0], lambda prefix: f"{prefix}_1")
    value = secret_of(store, seconds)
    now[0] += lives - 0.1
    assert store.pinned_by(value) == Pinned("realtime", None, {"type": "realtime"})
    now[0] += 0.1
    assert store.pinned_by(value) is None
    assert store.pinned_by("ek_other") is None


def test_live_secrets_are_bounded_and_expired_ones_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_secrets, "_MOST", 2)
    now = [0.0]
    store = ClientSecrets(lambda: now[0], lambda prefix: f"{prefix}_1")
    secret_of(store, 10)
    kept = secret_of(store, 60)
    with pytest.raises(TooMany):
        secret_of(store)
    now[0] = 11
    assert store.pinned_by(secret_of(store)) is not None
    assert store.pinned_by(kept) is not None


@pytest.mark.checklist("S11")
def test_an_expired_secret_is_refused_like_a_bad_key(
    fake_engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    with in_background(fake_engines, server.Settings(api_key="right")) as url:
        value = asked(url, {"expires_after": {"seconds": 10}, "session": SESSION})[1]["value"]
        now[0] += 10
        for key in (value, "ek_none", "wrong"):
            with connect(url, additional_headers=bearer(key)) as websocket:
                error = json.loads(websocket.recv(5))["error"]
                assert error["code"] == "invalid_api_key"
                with pytest.raises(ConnectionClosed):
                    websocket.recv(5)
            assert websocket.close_code == 3000
            assert websocket.close_reason == "invalid_request_error.invalid_api_key"


AFTER = "expires_after.seconds"
WRONG_BODIES = [
    (b"{", "invalid_json", None),
    (b"\xff\xfe", "invalid_json", None),
    (b"[" * 60_000, "invalid_json", None),
    ([], "invalid_type", ""),
    ({"expires_after": {"seconds": 9}}, "integer_below_min_value", AFTER),
    ({"expires_after": {"seconds": 7201}}, "integer_above_max_value", AFTER),
    ({"expires_after": {"seconds": "60"}}, "invalid_type", AFTER),
    ({"expires_after": {"anchor": "now"}}, "invalid_value", "expires_after.anchor"),
    ({"session": {}}, "missing_required_parameter", "session.type"),
    ({"session": {"type": "sing"}}, "invalid_value", "session.type"),
    ({"session": {**SESSION, "vioce": 1}}, "unknown_parameter", "session.vioce"),
    (
        {"session": {"type": "transcription", "instructions": ""}},
        "unknown_parameter",
        "session.instructions",
    ),
    ({"sesion": SESSION}, "unknown_parameter", "sesion"),
    (
        {"session": {**SESSION, "output_modalities": ["audio", "text"]}},
        "invalid_value",
        "session.output_modalities",
    ),
]


@pytest.mark.checklist("S11")
@pytest.mark.parametrize(("body", "code", "param"), WRONG_BODIES)
def test_what_is_wrong_in_a_request_is_told(
    url: str, body: Any, code: str, param: str | None
) -> None:
    status, answer = asked(url, body)
    error = answer["error"]
    assert (status, error["code"], error["param"]) == (400, code, param)
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", SECRETS, {"X": "1"}, 401),
        ("POST", SECRETS, {"Authorization": "Bearer wrong"}, 401),
        ("POST", SECRETS, {"Authorization": "Bearer ek_none"}, 401),
        ("POST", "/v1/realtime", KEY, 405),
        ("POST", "/v1/chat/completions", KEY, 404),
        ("DELETE", SECRETS, KEY, 405),
        ("GET", SECRETS, KEY, 405),
        ("GET", "/", KEY, 404),
        ("PUT", "/v1/realtime/sessions", KEY, 404),
    ],
)
def test_other_requests_have_their_status(
    url: str, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    got, answer = asked(url, None, method, path, **headers)
    assert got == status
    assert answer["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/realtime/translations?model=x", "/v1/live/sessions"])
def test_other_protocols_are_refused_by_name(url: str, path: str) -> None:
    for method in ("GET", "POST"):
        status, answer = asked(url, None, method, path)
        assert status == 404
        assert answer["error"]["message"].startswith(path.partition("?")[0])


def test_a_secret_cannot_make_another(url: str) -> None:
    value = asked(url)[1]["value"]
    assert asked(url, None, **bearer(value))[0] == 401


def raw(url: str, *pieces: bytes) -> bytes:
    """What comes back for bytes, until the server closes."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), 10) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.01)  # so that pieces arrive apart; nothing waits for it
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


HEAD = b"POST /v1/realtime/client_secrets HTTP/1.1\r\nAuthorization: Bearer right\r\n"


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        (
            (b"PO", b"ST /v1/realtime/client_se", HEAD[27:], b"Content-Length: 2\r\n\r\n{", b"}"),
            200,
        ),
        ((HEAD + b"Content-Length: 65537\r\n\r\n",), 413),
        ((HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",), 413),
        ((HEAD + b"Content-Length: -1\r\n\r\n",), 400),
        ((HEAD + b"Content-Length: two\r\n\r\n",), 400),
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",), 411),
        ((HEAD + b"X: y\r\n" * 200 + b"\r\n",), 400),
        ((HEAD + b"X: " + b"y" * 20_000,), 400),
        ((b"HELLO\r\n\r\n",), 400),
        ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n",), 400),
        ((b"POST  /x HTTP/1.1\r\n\r\n",), 400),
        ((b"POST /x SPDY/3\r\n\r\n",), 400),
        ((b"POST //[ HTTP/1.1\r\n\r\n",), 404),
        ((b"GET //[ HTTP/1.1\r\nHost: x\r\n\r\n",), 404),
    ],
)
def test_malformed_requests_get_json_and_leave_no_trace(
    url: str, pieces: tuple[bytes, ...], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    answer = raw(url, *pieces)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])
    assert asked(url)[0] == 200  # and the server goes on
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_websocket_may_begin_with_one_byte(url: str) -> None:
    handshake = (
        b"ET /v1/realtime HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    answer = raw(url, b"G", handshake)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"Missing bearer" in answer


def test_a_request_that_breaks_off_gets_no_answer_and_keeps_nobody(url: str) -> None:
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), 5) as connection:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536) == b""


def test_a_bug_while_answering_is_500_without_its_text(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_self: object, _body: bytes) -> None:
        raise RuntimeError("Speak SECRET.")

    monkeypatch.setattr(ClientSecrets, "create", broken)
    status, answer = asked(url)
    assert status == 500
    assert "SECRET" not in json.dumps(answer) + caplog.text


def test_no_value_or_text_in_a_repr_or_exception(url: str) -> None:
    value = asked(url, {"session": SESSION})[1]["value"]
    pinned = Pinned("realtime", "m", {"instructions": "SECRET"})
    request = HttpRequest("POST", "/", {"authorization": f"Bearer {value}"}, b"SECRET")
    with pytest.raises(Malformed) as malformed:
        Incoming().feed(b"SECRET\r\n\r\n")
    with pytest.raises(Refusal) as refusal:
        ClientSecrets(time.time, str).create(b'{"expires_after": {"anchor": "SECRET"}}')
    shown = f"{pinned!r} {request!r} {malformed.value!r} {refusal.value!r}"
    assert "SECRET" not in shown
    assert value not in shown
