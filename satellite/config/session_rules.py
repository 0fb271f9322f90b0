"""Rules between the keys of the section ``realtime``: what no server would take (C35)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from satellite.config.rules import Finding
from satellite.config.schema import Config
from satellite.config.session_keys import Realtime
from satellite.config.setting import is_loopback
from satellite.model.models import transcriber
from satellite.model.providers import owner_of

_KEY_WORDS: Final = frozenset({"api_key", "apikey", "key", "token", "access_token"})
_OTHER_PROTOCOLS: Final = ("/translations", "/live")  # other events than Realtime's


def broken(config: Config) -> Iterator[Finding]:
    """Yield every rule that the section breaks."""
    yield from _address(config.realtime)
    yield from _dialect(config.realtime)
    yield from _entry(config.realtime)
    yield from _names(config)
    yield from _transcription(config.realtime)
    yield from _sound(config.realtime)


def _address(realtime: Realtime) -> Iterator[Finding]:
    if realtime.url is None:
        if not realtime.row.url:
            yield Finding(
                ("realtime.url", "realtime.provider"),
                f"is required with provider: {realtime.provider}, such as {realtime.row.example}",
            )
        return
    for sentence in wrong_with_url(realtime.url):
        yield Finding(("realtime.url",), sentence)
    owner = owner_of(_split(realtime.url).hostname or "")
    if owner not in (None, realtime.provider):
        yield Finding(
            ("realtime.url", "realtime.provider"),
            f"is an address of {owner}; set provider: {owner}",
        )


def _dialect(realtime: Realtime) -> Iterator[Finding]:
    keys = ("realtime.dialect", "realtime.provider", "realtime.url")
    owner = owner_of(_split(realtime.endpoint).hostname or "")
    preview = "api-version" in parse_qs(_split(realtime.endpoint).query)
    if realtime.dialect == "beta" and owner == "openai":
        yield Finding(
            keys, "is beta, which ended at OpenAI on 2026-05-12; delete the line, since ga is meant"
        )
    elif realtime.dialect not in realtime.row.dialects:
        yield Finding(
            keys,
            f"is beta, which {realtime.provider} does not speak; delete the line, or set"
            " provider: compatible for a server of your own",
        )
    elif realtime.provider == "azure" and realtime.url and preview != (realtime.dialect == "beta"):
        yield Finding(
            ("realtime.url", "realtime.dialect", "realtime.provider"),
            "has an api-version, as only azure's preview has; write"
            f" {realtime.row.example}, or set dialect: beta"
            if preview
            else "lacks the api-version of azure's preview, which dialect: beta means; delete"
            " dialect, or write wss://RESOURCE.openai.azure.com/openai/realtime?api-version=DATE",
        )


def _entry(realtime: Realtime) -> Iterator[Finding]:
    """How to get in: a key, or a secret for each connection."""
    secret = realtime.client_secret
    if secret.url and secret.command:
        yield Finding(
            ("realtime.client_secret.command", "realtime.client_secret.url"),
            "is set together with url; delete one",
        )
    if secret.url:
        for sentence in _wrong_with_secret_url(secret.url):
            yield Finding(("realtime.client_secret.url",), sentence)
    if len(secret.command) == 1 and " " in secret.command[0]:
        yield Finding(
            ("realtime.client_secret.command",),
            "is one word with spaces in it; write a list of words, such as [pass, show, realtime]",
        )
    here = realtime.url is not None and is_loopback(_split(realtime.url).hostname or "")
    if realtime.api_key is None and realtime.row.needs_key and not secret.used and not here:
        yield Finding(
            (
                "realtime.api_key",
                "realtime.provider",
                "realtime.url",
                "realtime.client_secret",
                "realtime.client_secret.url",
                "realtime.client_secret.command",
            ),
            "is required; write api_key: !secret openai_api_key here"
            " and the key into secrets.yaml beside this file",
        )


def _names(config: Config) -> Iterator[Finding]:
    realtime = config.realtime
    answers = realtime.session == "conversation"
    if realtime.row.models == "own" and answers and "realtime.model" not in config.marks:
        what = "your deployment" if realtime.provider == "azure" else "one of its models"
        yield Finding(
            ("realtime.model", "realtime.provider"),
            f"is required with provider: {realtime.provider}; write the name of {what}",
        )
    if not answers and not realtime.row.transcription:
        yield Finding(
            ("realtime.session", "realtime.provider"),
            f"is transcription, which {realtime.provider} does not have; write conversation",
        )


def _transcription(realtime: Realtime) -> Iterator[Finding]:
    given = realtime.transcription
    if realtime.row.models == "own":
        return
    facts = transcriber(given.model)
    if facts.manual and not (realtime.manual and realtime.session == "transcription"):
        yield Finding(
            (
                "realtime.transcription.model",
                "realtime.turn_detection.type",
                "realtime.session",
                "realtime.provider",
            ),
            f"is {given.model}, which servers refuse together with server_vad and in"
            " conversations; take gpt-4o-mini-transcribe, or write session: transcription and"
            " turn_detection: {type: manual}",
        )
    if given.keywords and not facts.keywords:
        yield Finding(
            ("realtime.transcription.keywords", "realtime.transcription.model"),
            f"is set, but {given.model} takes none; write the words into prompt",
        )
    if given.prompt and not facts.prompt:
        instead = "write the words into keywords" if facts.keywords else "delete the line"
        yield Finding(
            ("realtime.transcription.prompt", "realtime.transcription.model"),
            f"is set, but {given.model} takes none; {instead}",
        )


def _sound(realtime: Realtime) -> Iterator[Finding]:
    if not realtime.row.fixed_formats:
        return
    for key in ("input_format", "output_format"):
        if getattr(realtime, key) != "pcm":
            yield Finding(
                (f"realtime.{key}", "realtime.provider"),
                f"is {getattr(realtime, key)}, but with {realtime.provider} sound is pcm;"
                " delete the line",
            )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is not a port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def wrong_with_url(url: str) -> Iterator[str]:
    """Yield sentences. The address itself is never in one, since it may hold a key."""
    parts = _split(url)
    if parts.scheme in ("http", "https"):
        yield f"starts with {parts.scheme}://, which is not a WebSocket; use wss://"
        return
    if parts.scheme not in ("ws", "wss") or not parts.hostname or " " in url:
        yield "is not an address of the form wss://server/v1/realtime"
        return
    if parts.scheme == "ws" and not is_loopback(parts.hostname):
        yield "is ws:// to another machine, where everybody can listen; use wss://"
    query = parse_qs(parts.query, keep_blank_values=True)
    yield from _wrong_with_keys(parts, query)
    yield from _wrong_behind(parts)
    for name in ("model", "deployment"):
        if name in query:
            yield f"holds {name}=; delete it there and set realtime.model"
    if "intent" in query:
        yield "holds intent=; delete it there and set session: conversation or transcription"
    if "call_id" in query:
        yield "holds call_id=, which listens in on another call; delete it"
    if parts.path.rstrip("/").endswith(_OTHER_PROTOCOLS) or "/live/" in parts.path:
        yield "is the address of another protocol; one that ends in /v1/realtime is needed"


def _wrong_with_keys(parts: SplitResult, query: dict[str, list[str]]) -> Iterator[str]:
    if parts.username or parts.password:
        yield "holds a user name or a password; delete it and use api_key"
    if _KEY_WORDS & {word.lower().replace("-", "_") for word in query}:
        yield "holds a key; delete it there and use api_key"


def _wrong_behind(parts: SplitResult) -> Iterator[str]:
    if parts.fragment:
        yield "has a # in it, and what stands behind it is sent to no server; delete that"


def _wrong_with_secret_url(url: str) -> Iterator[str]:
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
        yield "is not an address of the form https://server/v1/realtime/client_secrets"
        return
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        yield "is http:// to another machine, where everybody can listen; use https://"
    if parts.username or parts.password:
        yield "holds a user name or a password; delete it and use token"
    yield from _wrong_behind(parts)
