"""What tools, MQTT, systemd and the clock say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from satellite.model.requests import Refused, Request, Setting
from satellite.model.session import Session
from satellite.model.tuning import Tuning


@dataclass(frozen=True, slots=True)
class ToolDone:
    """A tool ran, or could not: ``output`` is for the model.

    ``confirmed``: it has not run, but a person said that it may, or may not.
    """

    call_id: str
    output: str = field(repr=False)
    confirmed: bool | None = None


@dataclass(frozen=True, slots=True)
class BusUp:
    """The broker took us in; what it retained may be gone."""


@dataclass(frozen=True, slots=True)
class BusDown:
    """The broker is away, or refused us; the link goes on trying. ``fix``: what a person can do."""

    detail: str
    fix: str
    code: str = "mqtt_unreachable"


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed. ``frame_at`` is when the last frame was captured, None before the first.

    ``limited`` counts what came over MQTT too fast to be carried out, since the start.
    ``in_mic_since``: since when the capture thread is within one call into the sound system;
    ``in_speaker_since`` is the same of the playback thread.
    """

    frame_at: float | None = None
    limited: int = 0
    in_mic_since: float | None = None
    in_speaker_since: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeRequested:
    """A person wants other settings from now on: of the session, and of our own threads.

    ``tuning``: the core decides by it from now on.
    """

    session: Session
    settings: Mapping[Setting, str | int] = field(default_factory=dict)
    tuning: Tuning | None = None


@dataclass(frozen=True, slots=True)
class ConfigRead:
    """The configuration was read again, and not taken over where there are ``problems``."""

    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A person or systemd wants us to end."""

    signum: int


@dataclass(frozen=True, slots=True)
class UnmuteRequested:
    """A person at the machine wants the microphone to be open again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody asks for something over MQTT, in a form that we understand."""

    request: Request


@dataclass(frozen=True, slots=True)
class Misasked:
    """Somebody asks for something over MQTT that was refused before anybody decided on it."""

    refused: Refused


@dataclass(frozen=True, slots=True)
class HouseUp:
    """Home Assistant has started, and wants to be told everything again."""


@dataclass(frozen=True, slots=True)
class OutboxNoted:
    """How the outbox is, whenever that changes.

    ``waiting`` messages are not with anybody yet, the oldest for ``oldest_s``; ``expired`` and
    ``lost`` were never delivered since the start. ``denied`` are topics that the broker does not
    let us write; ``fault`` says in a sentence what is wrong with the disk, None when nothing is.
    """

    waiting: int = 0
    oldest_s: float = 0.0
    expired: int = 0
    lost: int = 0
    denied: tuple[str, ...] = ()
    fault: str | None = None
