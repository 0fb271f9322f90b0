"""Who may open a session, and how the others are told: an ``error`` event, then a close frame.

Causes, codes and reasons are the table of realtime-protocol.md 1.3: reason = type or type.code.
Pure. What this server does not speak yet (beta, transcription sessions) is refused by name.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from satellite.local.schema import Refusal

_INVALID: Final = "invalid_request_error"


class Closed(Exception):  # noqa: N818  the protocol's word
    """The session ends: send ``refusal`` as an error of ``type``, close with code and reason."""

    def __init__(
        self, refusal: Refusal, close_code: int, kind: str = _INVALID, reason: str | None = None
    ) -> None:
        self.refusal = refusal
        self.type = kind
        self.close_code = close_code
        self.reason = reason or (kind if refusal.code is None else f"{kind}.{refusal.code}")
        super().__init__(self.reason)


def admit(path: str, headers: Mapping[str, str], api_key: str | None) -> str:
    """The model of a connection that may go on. Raises Closed for the first thing wrong."""
    _check_key(headers.get("Authorization"), api_key)
    if "OpenAI-Beta" in headers:
        raise _refused(
            "beta_api_shape_disabled",
            "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
        )
    query = parse_qs(urlsplit(path).query)
    if "transcription" in query.get("intent", ()):
        raise _refused(
            "invalid_value", "Transcription sessions are not supported by this local server."
        )
    model = query.get("model", [""])[0]
    if not model:
        raise _refused(
            "missing_model",
            "You must provide a model parameter, for example "
            "ws://127.0.0.1:8765/v1/realtime?model=local",
        )
    return model[:128]


def _check_key(given: str | None, wanted: str | None) -> None:
    if wanted is None:
        return
    if given is None:
        refusal = Refusal(None, "Missing bearer or basic authentication in header")
        raise Closed(refusal, 3000)
    scheme, _, key = given.partition(" ")
    same = hmac.compare_digest(key.strip().encode(errors="replace"), wanted.encode())
    if scheme.lower() != "bearer" or not same:
        raise Closed(Refusal("invalid_api_key", "Incorrect API key provided."), 3000)


def _refused(code: str, message: str) -> Closed:
    return Closed(Refusal(code, message), 4000)


def overloaded() -> Closed:
    refusal = Refusal("session_limit_reached", "Too many sessions are open; try again later.")
    return Closed(refusal, 1013, "server_error")


def expired() -> Closed:
    text = "Your session hit the maximum duration of 60 minutes."
    return Closed(Refusal("session_expired", text), 1001, reason=text)
