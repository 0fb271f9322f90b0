"""What a configuration means for hearing: what opens the gate, and what listens for it.

It decides nothing about the conversation, and opens no device.
"""

from __future__ import annotations

import logging

from satellite.adapters import echo, silero, voice, wake
from satellite.adapters.discerner import Discerner
from satellite.adapters.resampler import Resampler
from satellite.capture import Ears
from satellite.config.schema import Config
from satellite.errors import SetupError
from satellite.far_end import FarEnd
from satellite.logic.gate import Gate, GateSettings
from satellite.model import commands as cmd
from satellite.model.audio import frames
from satellite.model.ports import Network, Waker
from satellite.model.session import Activation
from satellite.own_voice import OwnVoice

log = logging.getLogger(__name__)


def activations() -> tuple[Activation, ...]:
    """What can open the gate on this machine."""
    always: tuple[Activation, ...] = ("open_mic", "push_to_talk")
    return (*always, "wake_word") if wake.is_installed() else always


def check(config: Config) -> None:
    """Raise SetupError where what the configuration asks for cannot be had here."""
    if config.gate.activation == "wake_word":
        _waker(config)
    if config.audio.duplex == "cancel":
        _own_voice(FarEnd())


def find(config: Config) -> None:
    """Raise SetupError where an extra is missing; nothing is loaded to find that out."""
    if config.gate.activation == "wake_word" and not wake.is_installed():
        raise SetupError(wake.INSTALL)
    if config.audio.duplex == "cancel" and not echo.is_installed():
        raise SetupError(echo.INSTALL)


def doubts(config: Config) -> tuple[str, ...]:
    """What will work all the same, but worse than the configuration asks for."""
    if config.gate.confirm and not silero.is_installed():
        return (f"gate.confirm: what confirms speech is not installed; {silero.FIX}",)
    return ()


def far_end(config: Config) -> FarEnd | None:
    """Where the speaker tells the microphone what it plays, if anybody asks."""
    return FarEnd() if config.audio.duplex == "cancel" else None


def ears(config: Config, far: FarEnd | None = None) -> Ears:
    """What judges sound; a wake word is not loaded before it is wanted.

    Raises SetupError where the echo canceller is wanted and missing.
    """
    own_voice = None if far is None else _own_voice(far)
    confirms = network() if config.gate.confirm else None
    patience = frames(config.wake_word.patience_s * 1000)
    return Ears(voice.make_judge, lambda: _waker(config), own_voice, confirms, patience)


def network() -> Network | None:
    """What confirms speech. Without it the satellite hears all the same, and more than speech."""
    try:
        return silero.Silero()
    except SetupError as exc:
        log.warning("%s", exc)
        return None


def wanted(config: Config) -> cmd.SetEars:
    """How to hear at first."""
    return cmd.SetEars(config.gate.aggressiveness, config.gate.activation)


def gate(config: Config) -> Gate:
    """The gate, closed."""
    g = config.gate
    return Gate(
        GateSettings.from_ms(
            onset_ms=g.onset_ms,
            pre_roll_ms=g.pre_roll_ms,
            hangover_ms=g.hangover_ms,
            limit_ms=g.max_utterance_s * 1000,
            ends_turns=config.realtime.manual,
        )
    )


def _waker(config: Config) -> Waker:
    given = config.wake_word
    return wake.WakeWords(given.model, given.threshold, Resampler)


def _own_voice(far: FarEnd) -> OwnVoice:
    return OwnVoice(far, echo.EchoCanceller(), Discerner())
