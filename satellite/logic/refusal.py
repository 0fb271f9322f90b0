"""Why a session ended or never began, and whether trying again can help.

The tables are those of the service: it accepts the upgrade even with a bad key or model, then says
why in an ``error`` event and in the close frame, whose *reason* is read before its code, because
1013 can mean "try again later" and "no credit". Proxies and other servers refuse by HTTP status.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from satellite.model.events import LinkDown, ServerError


class Again(Enum):
    """When to connect again."""

    NOW = auto()  # not a failure: a session has reached its age
    LATER = auto()  # not a failure: when somebody speaks
    BACKOFF = auto()  # it may pass by itself
    SLOWLY = auto()  # a person must act first


@dataclass(frozen=True, slots=True)
class Refusal:
    """What went wrong, for the problem list."""

    code: str
    detail: str
    fix: str
    again: Again


_KEY = "put a valid key where realtime.api_key points and restart"
_MODEL = "set realtime.model to a model that this key may use"
_CREDIT = "add credit to the account of this key, or raise its limit"
_LENDER = "check realtime.client_secret and who makes the secrets; the satellite goes on trying"
_BETA = 'set "dialect: ga" below realtime: in the configuration and restart'
_SERVER = "nothing to do unless it lasts; the satellite goes on trying"
_ADDRESS = "check realtime.url and the network; the satellite goes on trying"

HARMLESS: Final = frozenset(
    {
        "cannot_update_voice",
        "conversation_already_has_active_response",
        "inference_rate_limit_exceeded",
        "input_audio_buffer_commit_empty",
        "item_delete_invalid_item_id",
        "item_retrieve_invalid_item_id",
        "item_truncate_invalid_item_id",
        "rate_limit_exceeded",
        "response_cancel_not_active",
        "session_expired",
    }
)
"""Codes of errors that a session survives and that are dealt with where they belong."""

_BY_CODE: Final[dict[str, tuple[str, str, Again]]] = {
    "invalid_api_key": ("realtime_auth", _KEY, Again.SLOWLY),
    "account_deactivated": ("realtime_auth", _KEY, Again.SLOWLY),
    "insufficient_quota": ("realtime_quota", _CREDIT, Again.SLOWLY),
    "billing_hard_limit_reached": ("realtime_quota", _CREDIT, Again.SLOWLY),
    "invalid_model": ("realtime_refused", _MODEL, Again.SLOWLY),
    "model_not_found": ("realtime_refused", _MODEL, Again.SLOWLY),
    "missing_model": ("realtime_refused", _MODEL, Again.SLOWLY),
    "beta_api_shape_disabled": ("realtime_refused", _BETA, Again.SLOWLY),
    "session_expired": ("realtime_unreachable", _SERVER, Again.NOW),
    "client_secret": ("realtime_auth", _LENDER, Again.BACKOFF),
    "rate_limit_exceeded": ("realtime_busy", _SERVER, Again.BACKOFF),
    "inference_rate_limit_exceeded": ("realtime_busy", _SERVER, Again.BACKOFF),
    "server_error": ("realtime_unreachable", _SERVER, Again.BACKOFF),
    "session_limit_reached": ("realtime_busy", _SERVER, Again.BACKOFF),
}
_BY_CLOSE: Final[dict[int, tuple[str, str, Again]]] = {
    1000: ("realtime_unreachable", _SERVER, Again.LATER),
    1001: ("realtime_unreachable", _SERVER, Again.LATER),
    3000: ("realtime_auth", _KEY, Again.SLOWLY),
    4000: ("realtime_refused", _MODEL, Again.SLOWLY),
    4004: ("realtime_refused", _MODEL, Again.SLOWLY),
}
_BY_STATUS: Final[dict[int, tuple[str, str, Again]]] = {
    401: ("realtime_auth", _KEY, Again.SLOWLY),
    403: ("realtime_auth", _KEY, Again.SLOWLY),
    404: ("realtime_refused", "check the path in realtime.url and realtime.model", Again.SLOWLY),
    408: ("realtime_unreachable", _SERVER, Again.BACKOFF),
    429: ("realtime_unreachable", _SERVER, Again.BACKOFF),
}


def classify(down: LinkDown, error: ServerError | None) -> Refusal:
    """Name the cause. ``error`` is the last ``error`` event of a session that never was ready."""
    code = _code_of(down, error)
    if code in _BY_CODE:
        name, fix, again = _BY_CODE[code]
    elif error is not None and error.kind == "invalid_request_error":
        name, fix, again = "realtime_refused", _MODEL, Again.SLOWLY
    elif down.code in _BY_CLOSE:
        name, fix, again = _BY_CLOSE[down.code]
    elif down.status is not None and 400 <= down.status < 500:
        other = ("realtime_refused", "check realtime.url", Again.SLOWLY)
        name, fix, again = _BY_STATUS.get(down.status, other)
    else:
        name, fix, again = "realtime_unreachable", _ADDRESS, Again.BACKOFF
    if error is not None and error.code is None and down.code == 3000:
        name, fix, again = "realtime_auth", _KEY, Again.SLOWLY
    return Refusal(name, _detail(down, error), fix, again)


def mismatch(found: str, wanted: str) -> Refusal:
    """The server opened a session of another type than this satellite is set up for (C15).

    ``found`` may be a dialect: the session is told in that one.
    """
    if found in {"ga", "beta"}:
        detail = f"the server speaks the {found} dialect, and is spoken to in the other"
        fix = f'set "dialect: {found}" below realtime: in the configuration and restart'
        return Refusal("session_refused", detail, fix, Again.SLOWLY)
    if wanted == "realtime":
        fix = 'remove intent=transcription from realtime.url, or set "session: transcription"'
    else:
        fix = "check realtime.url and realtime.client_secret: they open another kind of session"
    detail = f'the server opened a "{found}" session, expected "{wanted}"'
    return Refusal("realtime_refused", detail, fix, Again.SLOWLY)


def _code_of(down: LinkDown, error: ServerError | None) -> str:
    """The close reason is ``type`` or ``type.code``, or a sentence; where it is known it wins."""
    if "maximum duration" in down.reason:
        return "session_expired"
    if down.reason.rpartition(".")[2] in _BY_CODE:
        return down.reason.rpartition(".")[2]
    if error is not None:
        return error.code or error.kind
    return ""


def _detail(down: LinkDown, error: ServerError | None) -> str:
    if error is None:
        return down.detail
    return f"{down.detail}: {error.message}" if error.message else down.detail
