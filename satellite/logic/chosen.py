"""Settings that people change over MQTT: what is configured, what is chosen instead. Pure.

Rule 1: a choice holds over restarts, and over a change of the configuration that does not touch
its key; where that changes, the file wins and the choice is dropped.
Rule 2: what the server takes is the truth: a choice that it refuses is dropped, and what it has is
shown (``follow``).
Rule 3: what is the same as the configuration is no choice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast, get_args

from satellite.logic.change import Settled
from satellite.model import commands as cmd
from satellite.model import records as rec
from satellite.model.models import transcriber
from satellite.model.requests import AUTO, Set, Setting
from satellite.model.session import Activation, Session

Value = str | int
SETTINGS: Final[tuple[Setting, ...]] = get_args(Setting)
OF_SESSION: Final[tuple[Setting, ...]] = (
    "voice",
    "language",
    "transcription_prompt",
    "instructions",
)
OF_EARS: Final[tuple[Setting, ...]] = ("sensitivity", "activation")

_LEFT_ALONE: Final[dict[Setting, str]] = {
    "voice": "voice",
    "instructions": "instructions",
    "language": "transcription_model",
    "transcription_prompt": "transcription_model",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """``keep``: also after a restart."""

    value: Value = field(repr=False)
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """``configured`` has a value for every setting, ``choices`` only for some.

    ``shown`` is all of them as they are now, for people, None where it is to be made anew;
    ``followed`` is the session that agrees with them.
    """

    configured: Mapping[Setting, Value] = field(default_factory=dict, repr=False)
    choices: Mapping[Setting, Choice] = field(default_factory=dict)
    shown: rec.Settings | None = None
    followed: Session | None = field(default=None, repr=False)

    def value(self, setting: Setting) -> Value:
        """What holds now."""
        choice = self.choices.get(setting)
        return self.configured[setting] if choice is None else choice.value


@dataclass(frozen=True, slots=True)
class ChosenSettings:
    """What the configuration says, beside its session, and which activations there can be."""

    volume: int = 60
    sensitivity: int = 2
    activation: Activation = "open_mic"
    activations: frozenset[Activation] = frozenset({"open_mic", "push_to_talk"})


Step = tuple[Chosen, tuple[cmd.Command, ...]]


def begin(settings: ChosenSettings, session: Session, kept: Mapping[str, object]) -> Step:
    """Begin with the configuration and what was chosen before the restart."""
    configured: dict[Setting, Value] = {
        "volume": settings.volume,
        "sensitivity": settings.sensitivity,
        "activation": settings.activation,
        **_of_session(session),
    }
    choices: dict[Setting, Choice] = {}
    orders: list[cmd.Command] = []
    for setting in SETTINGS:
        entry = kept.get(_name(setting))
        if not isinstance(entry, Mapping):
            continue
        value = entry.get("value")
        fits = isinstance(value, type(configured[setting])) and not isinstance(value, bool)
        again = fits and entry.get("configured") == configured[setting]
        order = Set(setting, value if fits else None)
        if again and why_not(order, session, settings) is None:
            choices[setting] = Choice(cast("Value", value))
        else:
            orders.append(cmd.Keep(_name(setting), None))
    chosen = Chosen(configured, choices)
    return chosen, (*orders, *_effects(Chosen(configured), chosen))


def activation(chosen: Chosen) -> Activation:
    """What opens the gate now."""
    return cast("Activation", chosen.value("activation")) if chosen.configured else "open_mic"


def why_not(order: Set, session: Session, settings: ChosenSettings) -> str | None:
    """Why this setting cannot be changed here, in a sentence; None where it can."""
    setting = order.setting
    if setting == "activation" and order.value is not None:
        if order.value not in settings.activations:
            return (
                "what listens for a wake word is not installed here; run:"
                " pip install 'realtime-satellite[wake]'"
            )
        return None
    if setting in {"voice", "instructions"} and not session.answers:
        return (
            f"a session that only writes down has no {setting};"
            " realtime.session is transcription in the configuration"
        )
    if _LEFT_ALONE.get(setting) in session.left_alone:
        return (
            f"{setting.replace('_', ' ')} is left to the server; write its key below realtime: in"
            " the configuration, then it can be changed from here too"
        )
    if setting == "transcription_prompt" and not transcriber(session.transcription_model).prompt:
        return f"{session.transcription_model} takes no prompt; choose another model"
    return None


def choose(chosen: Chosen, order: Set) -> Step:
    """Take over one choice; it was asked whether it can be made."""
    setting, value = order.setting, order.value
    choices = dict(chosen.choices)
    choices.pop(setting, None)
    if value is not None and value != chosen.configured[setting]:
        choices[setting] = Choice(value, order.keep)
    after = Chosen(chosen.configured, choices)
    return after, (_keep(after, setting), *_effects(chosen, after))


def reconfigure(chosen: Chosen, session: Session, settings: Mapping[Setting, Value]) -> Step:
    """The configuration was read again: what it changes it wins."""
    configured = {**chosen.configured, **_of_session(session), **settings}
    lost = [name for name in SETTINGS if configured[name] != chosen.configured[name]]
    choices = {name: each for name, each in chosen.choices.items() if name not in lost}
    after = Chosen(configured, choices)
    forgotten = tuple(_keep(after, name) for name in lost if name in chosen.choices)
    return after, (*forgotten, *_effects(chosen, after))


def wanted(chosen: Chosen, session: Session) -> Session:
    """``session`` with what holds now."""
    language = str(chosen.value("language"))
    return replace(
        session,
        voice=str(chosen.value("voice")),
        language=None if language == AUTO else language,
        transcription_prompt=str(chosen.value("transcription_prompt")),
        instructions=str(chosen.value("instructions")),
    )


def follow(chosen: Chosen, settled: Settled) -> Step:
    """Drop what the server refused: ``settled`` wants it no more."""
    if settled.wanted is chosen.followed:
        return chosen, ()
    real = _of_session(settled.wanted)
    gone = [name for name in OF_SESSION if real[name] != chosen.value(name)]
    if not gone:
        return replace(chosen, followed=settled.wanted), ()
    choices = dict(chosen.choices)
    for name in gone:
        before = choices.pop(name, None)
        if real[name] != chosen.configured[name]:
            choices[name] = Choice(real[name], before is not None and before.keep)
    after = Chosen(chosen.configured, choices, followed=settled.wanted)
    return after, tuple(_keep(after, name) for name in gone)


def is_refused(chosen: Chosen, setting: Setting, settled: Settled) -> bool:
    """True where what was chosen is wanted no more, because the server did not take it."""
    return chosen.value(setting) != _of_session(settled.wanted)[setting]


def is_late(setting: Setting, settled: Settled) -> bool:
    """True where this session goes on with another value."""
    return _of_session(settled.has)[setting] != _of_session(settled.wanted)[setting]


def show(chosen: Chosen, *, muted: bool, manual: bool) -> Chosen:
    """Note what is to be shown now."""
    if chosen.shown is not None and chosen.shown.muted == muted:
        return chosen
    language = str(chosen.value("language"))
    instructions = str(chosen.value("instructions")).encode(errors="replace")
    current = rec.Settings(
        muted=muted,
        volume=int(chosen.value("volume")),
        voice=str(chosen.value("voice")),
        language=None if language == AUTO else language,
        transcription_prompt=str(chosen.value("transcription_prompt")),
        instructions_sha256=hashlib.sha256(instructions).hexdigest(),
        sensitivity=int(chosen.value("sensitivity")),
        activation=cast("Activation", chosen.value("activation")),
        turn_detection="manual" if manual else "server_vad",
    )
    return replace(chosen, shown=current)


def _of_session(session: Session) -> dict[Setting, Value]:
    return {
        "voice": session.voice,
        "language": session.language or AUTO,
        "transcription_prompt": session.transcription_prompt,
        "instructions": session.instructions,
    }


def _effects(before: Chosen, after: Chosen) -> tuple[cmd.Command, ...]:
    """Orders to our own threads; the session is the link's affair."""
    orders: list[cmd.Command] = []
    if before.value("volume") != after.value("volume"):
        orders.append(cmd.SetVolume(int(after.value("volume"))))
    if any(before.value(name) != after.value(name) for name in OF_EARS):
        activation = cast("Activation", after.value("activation"))
        orders.append(cmd.SetEars(int(after.value("sensitivity")), activation))
    return tuple(orders)


def _keep(chosen: Chosen, setting: Setting) -> cmd.Command:
    choice = chosen.choices.get(setting)
    if choice is None or not choice.keep:
        return cmd.Keep(_name(setting), None)
    entry = {"value": choice.value, "configured": chosen.configured[setting]}
    return cmd.Keep(_name(setting), entry)


def _name(setting: Setting) -> str:
    return f"set.{setting}"
