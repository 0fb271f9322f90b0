"""Rules between keys. Each names the keys it reads, so that it is silent while one is wrong.

The numbers are from the server's turn detection: it needs its silence to be sent (law 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from satellite.config.schema import Config, is_loopback

SILENCE_MARGIN_MS: Final = 200  # the server's detector decays for up to that long
PRE_ROLL_MARGIN_MS: Final = 100  # so that the server's padding never reaches into older sound
_MANUAL_ONLY: Final = ("gpt-live-transcribe", "gpt-realtime-whisper")  # refuse server_vad
_OTHER_PROTOCOLS: Final = ("/translations", "/live")  # other events than Realtime's


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken rule: the key that it is about first, then the others that it reads."""

    keys: tuple[str, ...]
    sentence: str


def broken(config: Config) -> Iterator[Broken]:
    """Yield every rule that ``config`` breaks."""
    yield from _audio(config)
    yield from _gate(config)
    yield from _realtime(config)
    yield from _mqtt(config)


def _audio(config: Config) -> Iterator[Broken]:
    given = config.audio.input
    if given.file and given.device != "default":
        yield Broken(
            ("audio.input.file", "audio.input.device"),
            "is set together with device; a recording takes the place of a microphone: delete one",
        )
    if given.loop and not given.file:
        yield Broken(
            ("audio.input.loop", "audio.input.file"),
            "is true without a file; set file or delete loop",
        )
    if config.audio.output.file and config.audio.output.device != "default":
        yield Broken(
            ("audio.output.file", "audio.output.device"),
            "is set together with device; a file takes the place of a loudspeaker: delete one",
        )


def _gate(config: Config) -> Iterator[Broken]:
    gate, turns = config.gate, config.realtime.turn_detection
    least = turns.silence_duration_ms + SILENCE_MARGIN_MS
    if gate.hangover_ms < least:
        yield Broken(
            ("gate.hangover_ms", "realtime.turn_detection.silence_duration_ms"),
            f"is {gate.hangover_ms}, must be at least {least}"
            f" (server silence {turns.silence_duration_ms} + {SILENCE_MARGIN_MS}); raise it",
        )
    least = turns.prefix_padding_ms + gate.onset_ms + PRE_ROLL_MARGIN_MS
    if gate.pre_roll_ms < least:
        yield Broken(
            (
                "gate.pre_roll_ms",
                "gate.onset_ms",
                "realtime.turn_detection.prefix_padding_ms",
            ),
            f"is {gate.pre_roll_ms}, must be at least {least} (server padding"
            f" {turns.prefix_padding_ms} + onset {gate.onset_ms} + {PRE_ROLL_MARGIN_MS}); raise it",
        )


def _realtime(config: Config) -> Iterator[Broken]:
    realtime = config.realtime
    if realtime.url is not None:
        for sentence in _wrong_with_url(realtime.url):
            yield Broken(("realtime.url",), sentence)
    elif realtime.provider == "compatible":
        yield Broken(
            ("realtime.url", "realtime.provider"),
            "is required with provider: compatible, such as wss://server.example/v1/realtime",
        )
    here = realtime.url is not None and is_loopback(_split(realtime.url).hostname or "")
    if realtime.api_key is None and realtime.provider == "openai" and not here:
        yield Broken(
            ("realtime.api_key", "realtime.provider", "realtime.url"),
            "is required; write api_key: !secret openai_api_key here"
            " and the key into secrets.yaml beside this file",
        )
    if realtime.transcription.model in _MANUAL_ONLY:
        yield Broken(
            ("realtime.transcription.model",),
            f"is {realtime.transcription.model}, which servers refuse together with server_vad;"
            " take gpt-4o-mini-transcribe",
        )


_KEY_WORDS: Final = frozenset({"api_key", "apikey", "key", "token", "access_token"})


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is not a port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def _wrong_with_url(url: str) -> Iterator[str]:
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
    if parts.username or parts.password:
        yield "holds a user name or a password; delete it and use api_key"
    query = parse_qs(parts.query, keep_blank_values=True)
    if _KEY_WORDS & {word.lower().replace("-", "_") for word in query}:
        yield "holds a key; delete it there and use api_key"
    if "model" in query:
        yield "holds model=; delete it there and set realtime.model"
    if "intent" in query:
        yield "holds intent=; delete it, since only conversations are supported"
    if parts.path.rstrip("/").endswith(_OTHER_PROTOCOLS) or "/live/" in parts.path:
        yield "is the address of another protocol; one that ends in /v1/realtime is needed"


def _mqtt(config: Config) -> Iterator[Broken]:
    mqtt = config.mqtt
    if mqtt.tls is False and not is_loopback(mqtt.host) and not mqtt.allow_plaintext:
        yield Broken(
            ("mqtt.tls", "mqtt.host", "mqtt.allow_plaintext"),
            "is false, so that everybody in the network can read and give commands; set it to"
            " true, or accept that with allow_plaintext: true",
        )
    if mqtt.ca_file and not mqtt.use_tls:
        yield Broken(
            ("mqtt.ca_file", "mqtt.tls", "mqtt.host"), "has no effect without TLS; set tls: true"
        )
