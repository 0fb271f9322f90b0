"""Who may open a session and which, and how the others are told: an ``error``, then a close frame.

Causes, codes and reasons are the table of realtime-protocol.md 1.3: reason = type or type.code.
Kind and model of a session follow 1.1. Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

from satellite.local.behaviour import Kind
from satellite.local.schema import Refusal, choice

Dialect = Literal["ga", "beta"]

# Names that the service knows as speaking models: openai's own types, 3.52.0, and the beta's.
_KNOWN: Final = frozenset(
    ("gpt-realtime", "gpt-realtime-1.5", "gpt-realtime-2", "gpt-realtime-2.1",
     "gpt-realtime-2.1-mini", "gpt-realtime-2025-08-28", "gpt-realtime-mini",
     "gpt-realtime-mini-2025-10-06", "gpt-realtime-mini-2025-12-15", "gpt-4o-realtime-preview",
     "gpt-4o-realtime-preview-2024-10-01", "gpt-4o-realtime-preview-2024-12-17",
     "gpt-4o-realtime-preview-2025-06-03", "gpt-4o-mini-realtime-preview",
     "gpt-4o-mini-realtime-preview-2024-12-17", "gpt-audio-1.5", "gpt-audio-mini",
     "gpt-audio-mini-2025-10-06", "gpt-audio-mini-2025-12-15")
)  # fmt: skip
_ONLY_TRANSCRIBE: Final = frozenset(
    ("whisper-1", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize", "gpt-4o-mini-transcribe",
     "gpt-4o-mini-transcribe-2025-03-20", "gpt-4o-mini-transcribe-2025-12-15", "gpt-transcribe",
     "gpt-live-transcribe", "gpt-realtime-whisper")
)  # fmt: skip
_LONGEST_MODEL: Final = 128  # characters that are kept of a model's name
_INVALID: Final = "invalid_request_error"
_PROTOCOL_KEY: Final = "openai-insecure-api-key."  # how a browser gives its key: 1.2
_PROTOCOL_BETA: Final = "openai-beta.realtime-v1"


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


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a client secret decides; ``session`` is that of a ``session.update``, already valid."""

    kind: Kind
    model: str | None  # None: the URL says it
    session: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """What admission goes by. ``pinned_by`` finds what an unexpired client secret decides."""

    api_key: str | None = field(default=None, repr=False)  # None: any key or none is fine
    pinned_by: Callable[[str], Pinned | None] = lambda _: None
    models: tuple[str, ...] | None = None  # None: every model that can hold a conversation
    beta: bool = False  # whether the beta header is obeyed
    out_of_credit: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """The session that a connection gets."""

    kind: Kind
    model: str  # "" in a transcription session
    dialect: Dialect = "ga"
    pinned: Pinned | None = None


def admit(path: str, headers: Mapping[str, str], rules: Rules) -> Admitted:
    """The session that a connection asks for. Raises Closed for the first thing wrong."""
    offered = [word.strip() for word in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    pinned = check_key(headers.get("Authorization") or _browser_key(offered), rules)
    beta = "OpenAI-Beta" in headers or _PROTOCOL_BETA in offered
    if beta and (pinned is not None or not rules.beta):
        raise _refused(
            "beta_api_shape_disabled",
            "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
        )
    kind, model = _asked(parse_qs(urlsplit(path).query), pinned, rules)
    if rules.out_of_credit:
        raise _out_of_credit()
    return Admitted(kind, model, "beta" if beta else "ga", pinned)


def _browser_key(offered: list[str]) -> str | None:
    keys = [word for word in offered if word.startswith(_PROTOCOL_KEY)]
    return f"Bearer {keys[0].removeprefix(_PROTOCOL_KEY)}" if keys else None


def check_key(given: str | None, rules: Rules) -> Pinned | None:
    """What the key pins, if it is a client secret. ``given`` is a whole header. Raises Closed."""
    scheme, _, key = (given or "").partition(" ")
    key = key.strip()
    if scheme.lower() == "bearer" and key.startswith("ek_") and not _same(key, rules.api_key):
        pinned = rules.pinned_by(key)
        if pinned is None:
            raise _bad_key()
        return pinned
    if rules.api_key is None:
        return None
    if given is None:
        raise Closed(Refusal(None, "Missing bearer or basic authentication in header"), 3000)
    if scheme.lower() != "bearer" or not _same(key, rules.api_key):
        raise _bad_key()
    return None


def _same(given: str, wanted: str | None) -> bool:
    return wanted is not None and hmac.compare_digest(
        given.encode(errors="replace"), wanted.encode()
    )


def _asked(query: dict[str, list[str]], pinned: Pinned | None, rules: Rules) -> tuple[Kind, str]:
    """Table 1.1: a secret decides; otherwise ``intent`` does only where no model is named."""
    intent = query.get("intent", [None])[0]
    model = query.get("model", [""])[0][:_LONGEST_MODEL]
    if intent is not None:
        try:
            choice("realtime", "transcription")(intent, "intent")
        except Refusal as refusal:
            raise Closed(refusal, 4000) from None
    if pinned is not None:
        if intent not in (None, pinned.kind):
            raise _refused("invalid_value", f"This client secret is for a {pinned.kind} session.")
        model = pinned.model or model
    transcribes = pinned.kind == "transcription" if pinned else intent == "transcription"
    if transcribes and (pinned is not None or not model):
        return "transcription", ""
    if not transcribes and model in _ONLY_TRANSCRIBE:
        raise _unsupported(model)
    _check_model(model, rules.models)
    return "realtime", model


def _check_model(model: str, allowed: tuple[str, ...] | None) -> None:
    if not model:
        raise _refused(
            "missing_model",
            "You must provide a model parameter, for example "
            "ws://127.0.0.1:8765/v1/realtime?model=local",
        )
    if allowed is None or model in allowed:
        return
    if model not in _KNOWN:
        raise _unsupported(model)
    text = f"The model `{model}` does not exist or you do not have access to it."
    raise Closed(Refusal("model_not_found", text), 4004)


def _unsupported(model: str) -> Closed:
    return _refused("invalid_model", f'Model "{model}" is not supported in realtime mode.')


def _bad_key() -> Closed:
    return Closed(Refusal("invalid_api_key", "Incorrect API key provided."), 3000)


def _refused(code: str, message: str) -> Closed:
    return Closed(Refusal(code, message), 4000)


def _out_of_credit() -> Closed:
    text = "You exceeded your current quota, please check your plan and billing details."
    return Closed(Refusal("insufficient_quota", text), 1013, "insufficient_quota")


def overloaded() -> Closed:
    refusal = Refusal("session_limit_reached", "Too many sessions are open; try again later.")
    return Closed(refusal, 1013, "server_error")


def expired() -> Closed:
    text = "Your session hit the maximum duration of 60 minutes."
    return Closed(Refusal("session_expired", text), 1001, reason=text)
