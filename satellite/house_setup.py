"""What a configuration means for the house: what Home Assistant is told, and what may be spent.

It decides nothing, and opens nothing.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime

from satellite import __version__, hearing_setup, session_setup
from satellite.config.schema import Config
from satellite.logic.chosen import ChosenSettings, why_not
from satellite.logic.presence import PresenceSettings
from satellite.model import models
from satellite.model.ports import Message
from satellite.model.requests import AUTO, Set, Setting
from satellite.model.tuning import Tuning
from satellite.wire import discovery, mqtt


def about(config: Config) -> discovery.About:
    """What the entities depend on."""
    realtime = config.realtime
    answers = realtime.session == "conversation"
    return discovery.About(
        name=config.name,
        base_topic=mqtt.base(config.mqtt.topic_prefix, config.name),
        prefix=config.mqtt.discovery_prefix,
        mode=config.mqtt.discovery,
        version=__version__,
        voices=realtime.row.voices,
        languages=models.LANGUAGES,
        activations=hearing_setup.activations(),
        refused=frozenset((*config.commands.refuse, *_fixed(config))),
        answers=answers,
        speaks=answers and realtime.output == "audio" and not config.audio.output.silent,
        retain_text=config.privacy.retain_text,
    )


def chosen(config: Config) -> ChosenSettings:
    """What can be chosen instead over MQTT."""
    return ChosenSettings(
        volume=config.audio.output.volume,
        sensitivity=config.gate.aggressiveness,
        activation=config.gate.activation,
        activations=frozenset(hearing_setup.activations()),
    )


def _fixed(config: Config) -> list[str]:
    """The settings that are the server's affair, or that its models do not have."""
    session, known = session_setup.session(config), ChosenSettings()
    settings: tuple[Setting, ...] = ("voice", "language", "transcription_prompt")
    return [name for name in settings if why_not(Set(name, None), session, known) is not None]


def presence(config: Config) -> PresenceSettings:
    """When the house is told what."""
    known = about(config)
    return PresenceSettings(
        uniform=random.uniform,
        announced=discovery.topics(known),
        choices=frozenset({None, AUTO, *known.voices, *known.languages, *known.activations}),
        version=__version__,
    )


def tuning(config: Config) -> Tuning:
    """What can change while we run.

    No cap where no price is known, since nothing can be counted then.
    """
    answer, transcript = config.realtime.prices
    counts = (answer if config.realtime.session == "conversation" else transcript) is not None
    return Tuning(
        idle_close_s=config.realtime.idle_close_s,
        follow_up_s=config.wake_word.follow_up_s,
        chimes=frozenset(config.audio.output.chimes),
        drop_phantoms=config.realtime.transcription.phantoms == "drop",
        partials=config.mqtt.publish_partial,
        remote_unmute=config.privacy.remote_unmute,
        cap_day=config.budget.per_day if counts else None,
        cap_month=config.budget.per_month if counts else None,
    )


def local_day(wall: float) -> str:
    """The day in this machine's time zone at an instant in epoch seconds."""
    return datetime.fromtimestamp(wall).astimezone().date().isoformat()


def stale(config: Config, kept: Mapping[str, object]) -> tuple[Message, ...]:
    """What empties the topics that an earlier configuration retained and this one does not."""
    before, now = kept.get("announced"), discovery.topics(about(config))
    named = before if isinstance(before, list) else []
    return tuple(mqtt.empty(t) for t in named if isinstance(t, str) and t not in now)
