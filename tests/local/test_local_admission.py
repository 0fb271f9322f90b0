"""Who gets a session and which: over a real socket, as the live service does (S6, S8)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from local_bench import check_s1
from local_socket import MODEL, everything, run
from websockets.asyncio.client import connect

from satellite.local import server
from satellite.local.admission import Admitted, Closed, Pinned, Rules, admit
from satellite.local.beta import BetaSession
from satellite.local.engines import Engines
from satellite.local.session import Session

RIGHT = {"Authorization": "Bearer right"}
BETA = {"OpenAI-Beta": "realtime=v1"}
KEYED = server.Settings(api_key="right")
FEW = server.Settings(models=("gpt-realtime-2.1", "local"))
POOR = server.Settings(out_of_credit=True)
INVALID = "invalid_request_error"
NO_ACCESS = "The model `gpt-realtime-mini` does not exist or you do not have access to it."
NO_BEARER = "Missing bearer or basic authentication in header"
NO_BETA = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
OTHER = 'Model "gpt-5" is not supported in realtime mode.'
WHISPER = 'Model "whisper-1" is not supported in realtime mode.'

# settings, query, headers, error type, code, start of the message, close code, reason
REFUSED = [
    (KEYED, MODEL, {"Authorization": "Bearer wrong"}, INVALID, "invalid_api_key",
     "Incorrect API key provided", 3000, "invalid_request_error.invalid_api_key"),
    (KEYED, MODEL, {"Authorization": "Basic right"}, INVALID, "invalid_api_key",
     "Incorrect API key provided", 3000, "invalid_request_error.invalid_api_key"),
    (KEYED, MODEL, {}, INVALID, None, NO_BEARER, 3000, "invalid_request_error"),
    (KEYED, "", RIGHT, INVALID, "missing_model",
     "You must provide a model parameter, for example ws", 4000,
     "invalid_request_error.missing_model"),
    (KEYED, MODEL, {**RIGHT, **BETA}, INVALID, "beta_api_shape_disabled", NO_BETA, 4000,
     "invalid_request_error.beta_api_shape_disabled"),
    (FEW, "?model=gpt-5", {}, INVALID, "invalid_model", OTHER, 4000,
     "invalid_request_error.invalid_model"),
    (FEW, "?model=gpt-realtime-mini", {}, INVALID, "model_not_found", NO_ACCESS, 4004,
     "invalid_request_error.model_not_found"),
    (server.Settings(), "?model=whisper-1", {}, INVALID, "invalid_model", WHISPER, 4000,
     "invalid_request_error.invalid_model"),
    (server.Settings(), MODEL + "&intent=sing", {}, INVALID, "invalid_value",
     "Invalid value: 'sing'. Supported values are: 'realtime' and 'transcription'.", 4000,
     "invalid_request_error.invalid_value"),
    (server.Settings(), MODEL, {"Authorization": "Bearer ek_none"}, INVALID, "invalid_api_key",
     "Incorrect API key provided", 3000, "invalid_request_error.invalid_api_key"),
    (POOR, MODEL, {}, "insufficient_quota", "insufficient_quota",
     "You exceeded your current quota", 1013, "insufficient_quota.insufficient_quota"),
]  # fmt: skip


@pytest.mark.checklist("S6")
@pytest.mark.parametrize(
    ("settings", "query", "headers", "kind", "code", "message", "close", "reason"), REFUSED
)
def test_refusals_come_after_the_upgrade(
    fake_engines: Engines,
    settings: server.Settings,
    query: str,
    headers: dict[str, str],
    kind: str,
    code: str | None,
    message: str,
    close: int,
    reason: str,
) -> None:
    (event,), close_code, close_reason = run(
        fake_engines,
        lambda url: everything(url + query, additional_headers=headers),
        settings,
    )
    check_s1(event)
    assert (event["error"]["type"], event["error"]["code"]) == (kind, code)
    assert event["error"]["message"].startswith(message)
    assert (close_code, close_reason) == (close, reason)


async def _first(url: str, dialect: type[Session] = Session, **options: Any) -> dict[str, Any]:
    async with connect(url, **options) as websocket:
        event: dict[str, Any] = json.loads(await websocket.recv())
        check_s1(event, dialect)
        return event


@pytest.mark.checklist("S6", "S7")
@pytest.mark.parametrize(
    ("settings", "query", "headers"),
    [
        (KEYED, MODEL, RIGHT),
        (server.Settings(), MODEL, {}),
        (server.Settings(), MODEL, RIGHT),
        (server.Settings(), "?model=whatever", {}),
        (server.Settings(), "?model=local&intent=realtime", {}),
        (FEW, "?model=local", {}),
    ],
)
def test_the_others_are_let_in(
    fake_engines: Engines, settings: server.Settings, query: str, headers: dict[str, str]
) -> None:
    event = run(fake_engines, lambda url: _first(url + query, additional_headers=headers), settings)
    assert event["type"] == "session.created"
    assert event["session"]["model"] == query.removeprefix("?model=").split("&")[0]


@pytest.mark.checklist("S8")
def test_a_model_beside_the_intent_opens_a_conversation(fake_engines: Engines) -> None:
    for model in ("gpt-realtime-2.1", "gpt-4o-mini-transcribe"):
        query = f"?intent=transcription&model={model}"
        event = run(fake_engines, lambda url, query=query: _first(url + query))
        assert event["type"] == "session.created"
        assert event["session"]["type"] == "realtime"


@pytest.mark.checklist("S7", "S8")
def test_the_intent_alone_opens_a_transcription_session(fake_engines: Engines) -> None:
    event = run(fake_engines, lambda url: _first(url + "?intent=transcription"), FEW)
    assert event["type"] == "session.created"
    assert event["session"]["type"] == "transcription"
    assert event["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200


@pytest.mark.checklist("S8")
@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("?model=gpt-realtime", "session.created"),
        ("?intent=transcription", "transcription_session.created"),
    ],
)
def test_the_beta_header_gets_the_beta_dialect_where_it_may(
    fake_engines: Engines, query: str, kind: str
) -> None:
    event = run(
        fake_engines,
        lambda url: _first(url + query, BetaSession, additional_headers=BETA),
        server.Settings(beta=True),
    )
    assert event["type"] == kind
    assert event["session"]["input_audio_format"] == "pcm16"
    ga = run(fake_engines, lambda url: _first(url + query), server.Settings(beta=True))
    assert "audio" in ga["session"]


def test_a_browser_gives_its_key_as_a_subprotocol(fake_engines: Engines) -> None:
    def opened(url: str, key: str) -> Any:
        return _first(url + MODEL, subprotocols=["realtime", f"openai-insecure-api-key.{key}"])

    assert run(fake_engines, lambda url: opened(url, "right"), KEYED)["type"] == "session.created"
    refused = run(fake_engines, lambda url: opened(url, "wrong"), KEYED)
    assert refused["error"]["code"] == "invalid_api_key"


def _decided(query: str, headers: dict[str, str] | None = None, **rules: Any) -> Admitted | str:
    try:
        return admit(f"/v1/realtime{query}", headers or {}, Rules(**rules))
    except Closed as closed:
        return closed.reason


SPEAKS = Pinned("realtime", "gpt-realtime-2", {})
OPEN = Pinned("realtime", None, {})
WRITES = Pinned("transcription", None, {})
NO_MODEL = "invalid_request_error.missing_model"
BAD_VALUE = "invalid_request_error.invalid_value"


@pytest.mark.checklist("S8")
@pytest.mark.parametrize(
    ("query", "pinned", "expected"),
    [
        ("?intent=transcription", None, Admitted("transcription", "")),
        ("?intent=transcription&model=a", None, Admitted("realtime", "a")),
        ("?model=a", None, Admitted("realtime", "a")),
        ("?intent=realtime", None, NO_MODEL),
        ("", SPEAKS, Admitted("realtime", "gpt-realtime-2", pinned=SPEAKS)),
        ("?model=other", SPEAKS, Admitted("realtime", "gpt-realtime-2", pinned=SPEAKS)),
        ("?intent=transcription", SPEAKS, BAD_VALUE),
        ("?model=a", OPEN, Admitted("realtime", "a", pinned=OPEN)),
        ("", OPEN, NO_MODEL),
        ("", WRITES, Admitted("transcription", "", pinned=WRITES)),
        ("?intent=transcription&model=a", WRITES, Admitted("transcription", "", pinned=WRITES)),
        ("?intent=realtime", WRITES, BAD_VALUE),
    ],
)
def test_query_and_secret_decide_type_and_model(
    query: str, pinned: Pinned | None, expected: Admitted | str
) -> None:
    secret = {} if pinned is None else {"Authorization": "Bearer ek_1"}
    assert _decided(query, secret, pinned_by=lambda _: pinned) == expected


@pytest.mark.checklist("S8")
def test_the_beta_header_is_obeyed_only_when_the_server_may() -> None:
    disabled = "invalid_request_error.beta_api_shape_disabled"
    assert _decided("?model=a", BETA) == disabled
    assert _decided("?model=a", BETA, beta=True) == Admitted("realtime", "a", "beta")
    written = Admitted("transcription", "", "beta")
    assert _decided("?intent=transcription", BETA, beta=True) == written
    offered = {"Sec-WebSocket-Protocol": "realtime, openai-beta.realtime-v1"}
    assert _decided("?model=a", offered) == disabled
    secret = {**BETA, "Authorization": "Bearer ek_1"}
    assert _decided("?model=a", secret, beta=True, pinned_by=lambda _: SPEAKS) == disabled


def test_a_key_that_looks_like_a_secret_is_still_the_key() -> None:
    header = {"Authorization": "Bearer ek_mine"}
    assert _decided("?model=a", header, api_key="ek_mine") == Admitted("realtime", "a")
