"""What differs between two configurations, and what of it a running daemon can take over."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from satellite.config.schema import Config
from satellite.model.requests import Setting

OVER_MQTT: Final[dict[str, Setting]] = {
    "audio.output.volume": "volume",
    "gate.activation": "activation",
    "gate.aggressiveness": "sensitivity",
    "realtime.instructions": "instructions",
    "realtime.voice": "voice",
    "realtime.transcription.language": "language",
    "realtime.transcription.prompt": "transcription_prompt",
}
"""Keys whose value can be changed over MQTT too, and how that is called there."""

_LIVE: Final = (
    "audio.output.chimes",
    "audio.output.volume",
    "budget",
    "gate.activation",
    "gate.aggressiveness",
    "mqtt.publish_partial",
    "privacy.remote_unmute",
    "realtime.idle_close_s",
    "realtime.instructions",
    "realtime.noise_reduction",
    "realtime.transcription",
    "realtime.turn_detection.prefix_padding_ms",
    "realtime.turn_detection.silence_duration_ms",
    "realtime.turn_detection.threshold",
    "realtime.voice",
    "tools",
    "wake_word.follow_up_s",
)


def changed(old: Config, new: Config) -> tuple[str, ...]:
    """The keys whose values differ, in the order of the schema."""
    return tuple(_changed(old, new, ""))


def is_live(key: str) -> bool:
    """True for a key whose new value needs no restart."""
    return key.startswith(_LIVE)


def taken_over(running: Any, given: Any, keys: Collection[str], path: str = "") -> Any:
    """Return a section, or all, of ``running`` with the values that ``given`` has for ``keys``."""
    taken = {}
    for entry in fields(running):
        if "setting" not in entry.metadata:
            continue
        before, after = getattr(running, entry.name), getattr(given, entry.name)
        key = f"{path}.{entry.name}" if path else entry.name
        if is_dataclass(before):
            taken[entry.name] = taken_over(before, after, keys, key)
        elif key in keys:
            taken[entry.name] = after
    return replace(running, **taken)


def _changed(old: Any, new: Any, path: str) -> Iterator[str]:
    for entry in fields(old):
        if "setting" not in entry.metadata:
            continue
        before, after = getattr(old, entry.name), getattr(new, entry.name)
        key = f"{path}.{entry.name}" if path else entry.name
        if is_dataclass(before):
            yield from _changed(before, after, key)
        elif before != after:
            yield key
