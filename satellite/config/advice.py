"""What is not wrong with a configuration, but its owner should know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from satellite.config.rules import Finding
from satellite.config.schema import Config
from satellite.config.session_keys import Realtime
from satellite.model.models import ending, transcriber

_ONLY_ANSWERS: Final = (
    "realtime.model",
    "realtime.instructions",
    "realtime.voice",
    "realtime.output",
    "realtime.output_format",
    "tools.builtin",
)
_PAID: Final = frozenset({"openai", "azure", "xai"})
_NOT_AT_XAI: Final = (
    "realtime.output",
    "realtime.noise_reduction",
    "realtime.transcription.model",
    "realtime.transcription.language",
    "realtime.transcription.prompt",
    "realtime.transcription.keywords",
    "realtime.transcription.confidence",
)


def given(config: Config, today: date) -> Iterator[Finding]:
    """Yield what to know, the keys that it is about first."""
    yield from _endings(config.realtime, today)
    yield from _ignored(config)
    yield from _doubtful(config)
    yield from _button(config)
    yield from _uncounted(config)


def _endings(realtime: Realtime, today: date) -> Iterator[Finding]:
    if realtime.row.models != "service":
        return
    if realtime.session == "conversation" and (sentence := ending(realtime.model, today)):
        yield Finding(("realtime.model",), sentence)
    if sentence := ending(realtime.transcription.model, today):
        yield Finding(("realtime.transcription.model",), sentence)


def _ignored(config: Config) -> Iterator[Finding]:
    realtime = config.realtime
    if realtime.session == "transcription":
        for key in _ONLY_ANSWERS:
            if key in config.marks:
                yield Finding((key,), "has no effect with session: transcription")
    if realtime.row.top_level:
        for key in _NOT_AT_XAI:
            if key in config.marks:
                yield Finding((key,), f"has no effect with provider: {realtime.provider}")
    secret = realtime.client_secret
    if secret.used and realtime.api_key is not None:
        yield Finding(("realtime.api_key",), "is not used, since there is a client_secret")
    if secret.token is not None and secret.url is None:
        yield Finding(("realtime.client_secret.token",), "is not used without url")


def _doubtful(config: Config) -> Iterator[Finding]:
    realtime = config.realtime
    heard = realtime.transcription
    if heard.confidence and not transcriber(heard.model).confidence:
        yield Finding(
            ("realtime.transcription.confidence",), f"has no effect: {heard.model} does not tell"
        )
    if realtime.provider == "azure" and "realtime.transcription.model" not in config.marks:
        yield Finding(
            ("realtime.transcription.model",),
            f"is {heard.model}, and must be the name of a deployment of yours at azure",
        )
    if realtime.provider == "azure" and realtime.dialect == "beta":
        yield Finding(
            ("realtime.dialect",), "is azure's preview, which is not kept up since 2026-04-30"
        )


def _button(config: Config) -> Iterator[Finding]:
    """Who writes no device may mean MQTT; who writes a key may have forgotten the device."""
    activation, button = config.gate.activation, config.push_to_talk
    if activation == "push_to_talk" and button.device is None:
        sentence = "is push_to_talk without push_to_talk.device: only cmd/listen over MQTT opens it"
        yield Finding(("gate.activation", "push_to_talk.device"), sentence)
    if activation == "open_mic" and button.device is not None:
        sentence = "has a button, which only stops answers while gate.activation is open_mic"
        yield Finding(("push_to_talk.device", "gate.activation"), sentence)


def _uncounted(config: Config) -> Iterator[Finding]:
    """A cap holds only where a price is known; who is not billed needs none."""
    realtime, budget = config.realtime, config.budget
    written = any(key in config.marks for key in ("budget.per_day", "budget.per_month"))
    if (budget.per_day, budget.per_month) == (None, None):
        return
    if realtime.provider not in _PAID and not written:
        return
    names = (realtime.model, realtime.transcription.model)
    unknown = [name for name, price in zip(names, realtime.prices, strict=True) if price is None]
    if realtime.session == "transcription":
        unknown = [name for name in unknown if name == realtime.transcription.model]
    key = "budget.per_day" if "budget.per_day" in config.marks else "budget.per_month"
    key = key if written else "budget"
    counted = realtime.session == "conversation" and realtime.model not in unknown
    if unknown and counted:
        sentence = f"does not count what {unknown[0]} costs: its price is not known"
        yield Finding((key,), sentence)
    elif unknown:
        whose = " and ".join(unknown)
        sentence = f"does not hold: the price of {whose} is not known, so nothing is counted"
        yield Finding((key,), f"{sentence}; set a limit with whoever bills you")
