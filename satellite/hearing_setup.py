"""What a configuration means for hearing: what opens the gate, and what listens for it.

It decides nothing about the conversation, and opens no device.
"""

from __future__ import annotations

from satellite.adapters import voice, wake
from satellite.adapters.resampler import Resampler
from satellite.capture import Ears
from satellite.config.schema import Config
from satellite.logic.gate import Gate, GateSettings
from satellite.model import commands as cmd
from satellite.model.ports import Waker
from satellite.model.session import Activation


def activations() -> tuple[Activation, ...]:
    """What can open the gate on this machine."""
    always: tuple[Activation, ...] = ("open_mic", "push_to_talk")
    return (*always, "wake_word") if wake.is_installed() else always


def check(config: Config) -> None:
    """Raise SetupError where what the configuration asks for cannot be had here."""
    if config.gate.activation == "wake_word":
        _waker(config)


def ears(config: Config) -> Ears:
    """What judges sound; a wake word is not loaded before it is wanted."""
    return Ears(voice.make_judge, lambda: _waker(config))


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
    return wake.WakeWord(given.model, given.threshold, Resampler)
