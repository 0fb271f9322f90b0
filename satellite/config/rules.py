"""Rules between keys. Each names the keys it reads, so that it is silent while one is wrong.

Those of the section ``realtime`` are in ``session_rules.py``.

The numbers are from the server's turn detection: it needs its silence to be sent (law 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from satellite.config.schema import Audio, Config
from satellite.config.setting import is_loopback
from satellite.model.json_schema import unusable
from satellite.model.keys import code_of
from satellite.model.session import OUR_TOOLS

SILENCE_MARGIN_MS: Final = 200  # the server's detector decays for up to that long
MOST_TOOLS: Final = 32  # each is paid for with every answer
PRE_ROLL_MARGIN_MS: Final = 100  # so that the server's padding never reaches into older sound


@dataclass(frozen=True, slots=True)
class Finding:
    """What to say: the key that it is about first, then the others that it depends on."""

    keys: tuple[str, ...]
    sentence: str


def broken(config: Config) -> Iterator[Finding]:
    """Yield every rule that ``config`` breaks."""
    yield from _audio(config)
    yield from _gate(config)
    if not config.wake_word.model:
        yield Finding(("wake_word.model",), "names no word; write one or delete the line")
    if code_of(config.push_to_talk.key) is None:
        sentence = (
            f"is {config.push_to_talk.key}, which has no name here; write the number that `evtest`"
            " or linux/input-event-codes.h has for it, in quotes"
        )
        yield Finding(("push_to_talk.key",), sentence)
    yield from _mqtt(config)
    yield from _tools(config)


def _tools(config: Config) -> Iterator[Finding]:
    """A wrong schema would be found by the model, in the middle of a sentence."""
    ours = {OUR_TOOLS[name] for name in config.tools.builtin}
    names: set[str] = set()
    if len(config.tools.mqtt) > MOST_TOOLS:
        yield Finding(("tools.mqtt",), f"has {len(config.tools.mqtt)} tools, at most {MOST_TOOLS}")
    for n, tool in enumerate(config.tools.mqtt):
        key = f"tools.mqtt[{n}]"
        if not tool.name:
            yield Finding((f"{key}.name",), "is required")
        elif tool.name in names:
            yield Finding((f"{key}.name",), f"is {tool.name}, which another one has; rename one")
        elif tool.name in ours:
            sentence = f"is {tool.name}, which one of this program has (tools.builtin); rename it"
            yield Finding((f"{key}.name", "tools.builtin"), sentence)
        names.add(tool.name)
        if not tool.description.strip():
            sentence = "is required: by it the model knows when to call it"
            yield Finding((f"{key}.description",), sentence)
        for sentence in _parameters(tool.parameters):
            yield Finding((f"{key}.parameters",), sentence)


def _parameters(schema: Mapping[str, Any]) -> Iterator[str]:
    wrong = list(unusable(schema))
    yield from wrong
    if not wrong and schema.get("type") != "object":
        yield "must say type: object, with the parameters below properties"


def _audio(config: Config) -> Iterator[Finding]:
    given = config.audio.input
    if given.file and given.device != "default":
        yield Finding(
            ("audio.input.file", "audio.input.device"),
            "is set together with device; a recording takes the place of a microphone: delete one",
        )
    if given.loop and not given.file:
        yield Finding(
            ("audio.input.loop", "audio.input.file"),
            "is true without a file; set file or delete loop",
        )
    if config.audio.duplex == "cancel":
        yield from _cancelling(config.audio)
    if config.audio.output.file and config.audio.output.device != "default":
        yield Finding(
            ("audio.output.file", "audio.output.device"),
            "is set together with device; a file takes the place of a loudspeaker: delete one",
        )


def _cancelling(audio: Audio) -> Iterator[Finding]:
    if audio.input.file:
        yield Finding(
            ("audio.duplex", "audio.input.file"),
            "is cancel, but no recording hears the loudspeaker; write half or full",
        )
    elif audio.output.file or audio.output.silent:
        yield Finding(
            ("audio.duplex", "audio.output.file", "audio.output.device"),
            "is cancel, but nothing sounds that could be heard; write full",
        )


def _gate(config: Config) -> Iterator[Finding]:
    gate, turns = config.gate, config.realtime.turn_detection
    if config.realtime.manual:
        return  # the server waits for no silence and reaches into no older sound
    least = turns.silence_duration_ms + SILENCE_MARGIN_MS
    if gate.hangover_ms < least:
        yield Finding(
            ("gate.hangover_ms", "realtime.turn_detection.silence_duration_ms"),
            f"is {gate.hangover_ms}, must be at least {least}"
            f" (server silence {turns.silence_duration_ms} + {SILENCE_MARGIN_MS}); raise it",
        )
    least = turns.prefix_padding_ms + gate.onset_ms + PRE_ROLL_MARGIN_MS
    if gate.pre_roll_ms < least:
        yield Finding(
            (
                "gate.pre_roll_ms",
                "gate.onset_ms",
                "realtime.turn_detection.prefix_padding_ms",
            ),
            f"is {gate.pre_roll_ms}, must be at least {least} (server padding"
            f" {turns.prefix_padding_ms} + onset {gate.onset_ms} + {PRE_ROLL_MARGIN_MS}); raise it",
        )


def _mqtt(config: Config) -> Iterator[Finding]:
    mqtt = config.mqtt
    if mqtt.tls is False and not is_loopback(mqtt.host) and not mqtt.allow_plaintext:
        yield Finding(
            ("mqtt.tls", "mqtt.host", "mqtt.allow_plaintext"),
            "is false, so that everybody in the network can read and give commands; set it to"
            " true, or accept that with allow_plaintext: true",
        )
    for key in ("ca_file", "cert_file"):
        if getattr(mqtt, key) and not mqtt.use_tls:
            yield Finding(
                (f"mqtt.{key}", "mqtt.tls", "mqtt.host"),
                "has no effect without TLS; set tls: true",
            )
    for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if getattr(mqtt, key) and not getattr(mqtt, other):
            yield Finding(
                (f"mqtt.{key}", f"mqtt.{other}"),
                f"is set without {other}; a certificate and its key go together",
            )
