"""What a configuration means for the house: the entities that Home Assistant is told of.

It decides nothing, and opens nothing.
"""

from __future__ import annotations

import hashlib

from satellite import __version__
from satellite.adapters import wake
from satellite.config.schema import Config
from satellite.model import models
from satellite.model import records as rec
from satellite.model.session import Activation, Session
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
        activations=activations(),
        answers=answers,
        speaks=answers and realtime.output == "audio" and not config.audio.output.silent,
        retain_text=config.privacy.retain_text,
    )


def activations() -> tuple[Activation, ...]:
    """What can open the gate on this machine."""
    always: tuple[Activation, ...] = ("open_mic", "push_to_talk")
    return (*always, "wake_word") if wake.is_installed() else always


def settings(config: Config, session: Session) -> rec.Settings:
    """What can be changed while it runs, as the configuration has it."""
    return rec.Settings(
        muted=False,
        volume=config.audio.output.volume,
        voice=session.voice,
        language=session.language,
        transcription_prompt=session.transcription_prompt,
        instructions_sha256=hashlib.sha256(session.instructions.encode()).hexdigest(),
        sensitivity=config.gate.aggressiveness,
        activation=config.gate.activation,
        turn_detection="manual" if session.manual else "server_vad",
    )
