"""When the house is told what: everything at each connect, then what changes, then a pulse. Pure.

Rule 1: at each connect to the broker birth, state, settings and usage go out at once, whatever the
broker retained: it may have forgotten. The entities follow within a second, so that many satellites
do not speak at once, and after SETTLE_S the first diagnostics, which Home Assistant hears by then.
Rule 2: when Home Assistant has started, all of that again, within HOUSE_S.
Rule 3: otherwise only what differs from what was told last, and diagnostics once a minute: nobody
has to ask whether we live, and an idle satellite costs one message a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from satellite.logic.link import Link, Phase
from satellite.logic.openings import Openings
from satellite.logic.report import timestamp
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant, seconds_of

ENTITIES_S: Final = (0.2, 1.0)  # what was taken back must be gone by then
HOUSE_S: Final = 5.0
SETTLE_S: Final = 2.0  # Home Assistant listens 0.2 s after it was told; a busy one takes longer
PULSE_S: Final = 60.0
CHOICE_S: Final = 1.0  # until Home Assistant knows a new value to choose


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """``uniform(a, b)`` draws from [a, b]. ``announced`` are the topics that we retain.

    ``choices`` are the values that the entities offer without being asked to.
    """

    uniform: Callable[[float, float], float]
    announced: tuple[str, ...] = ()
    choices: frozenset[str | None] = frozenset()
    version: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """What the house was told. ``*_at`` is when it is told next, None for never."""

    up: bool = False
    entities_at: float | None = None
    again_at: float | None = None
    pulse_at: float | None = None
    settings_at: float = 0.0
    settings: rec.Settings | None = None
    usage: rec.Usage | None = None
    chosen: frozenset[str | None] = frozenset()  # more that the entities offer
    kept: tuple[str, ...] | None = None  # the topics that we said we retain
    outbox: ev.OutboxNoted = field(default_factory=ev.OutboxNoted)
    started: Instant | None = None
    connects: int = 0
    losses: int = 0  # of sessions


@dataclass(frozen=True, slots=True)
class Told:
    """What can be told of the present moment; None for what is not known yet."""

    state: rec.State | None
    settings: rec.Settings | None
    usage: rec.Usage | None
    echoes: int = 0
    underruns: int = 0
    mic_gaps: int = 0
    openings: Openings = field(default_factory=Openings)


Step = tuple[Presence, tuple[cmd.Command, ...]]


def note(
    presence: Presence, event: ev.Event, link: Link, now: Instant, settings: PresenceSettings
) -> Presence:
    """Remember what an event means for what is told when; ``link`` is as it was before."""
    match event:
        case ev.BusUp():
            at = now.mono + settings.uniform(*ENTITIES_S)
            connects = presence.connects + 1
            return replace(
                presence, up=True, entities_at=at, again_at=None, pulse_at=None, connects=connects
            )
        case ev.BusDown():
            return replace(presence, up=False, entities_at=None, again_at=None, pulse_at=None)
        case ev.HouseUp() if presence.up and presence.again_at is None:
            return replace(presence, again_at=now.mono + settings.uniform(0.0, HOUSE_S))
        case ev.OutboxNoted():
            return replace(presence, outbox=event)
        case ev.LinkDown(number) if number == link.number and link.phase is Phase.READY:
            return replace(presence, losses=presence.losses + 1)
        case _:
            return presence


def again(presence: Presence, now: Instant) -> Presence:
    """Somebody wants to be told everything once more, at once."""
    return replace(presence, again_at=now.mono) if presence.up else presence


def tell(
    presence: Presence,
    event: ev.Event,
    told: Told,
    link: Link,
    now: Instant,
    settings: PresenceSettings,
) -> Step:
    """Return the orders that are due; those of ``told.state`` when it changes are not ours."""
    if presence.started is None:
        presence = replace(presence, started=now)
    if not presence.up:
        return _changes(presence, told, now, settings)
    if isinstance(event, ev.BusUp):
        return _everything(presence, told)
    orders: tuple[cmd.Command, ...] = ()
    for due in (_again, _changes, _entities):
        presence, more = due(presence, told, now, settings)
        orders = (*orders, *more)
    presence, pulse = _pulse(presence, told, link, now, settings)
    return presence, (*orders, *pulse)


def deadline(presence: Presence) -> float | None:
    """When a Tick is due; the pulse and a new choice have time until the next."""
    due = [at for at in (presence.entities_at, presence.again_at) if at is not None]
    return min(due, default=None)


def _everything(presence: Presence, told: Told) -> Step:
    """Tell every state, whether it has changed or not."""
    records = (told.state, told.settings, told.usage)
    known = tuple(cmd.Publish(record) for record in records if record is not None)
    presence = replace(presence, settings=told.settings, usage=told.usage)
    return presence, (cmd.AnnounceOnline(), *known)


def _again(presence: Presence, told: Told, now: Instant, _settings: PresenceSettings) -> Step:
    if presence.again_at is None or now.mono < presence.again_at:
        return presence, ()
    return _everything(replace(presence, again_at=None, entities_at=now.mono), told)


def _changes(presence: Presence, told: Told, now: Instant, settings: PresenceSettings) -> Step:
    orders: list[cmd.Command] = []
    if told.usage is not None and told.usage != presence.usage:
        presence = replace(presence, usage=told.usage)
        orders.append(cmd.Publish(told.usage))
    wanted = told.settings
    if wanted is None or wanted == presence.settings or now.mono < presence.settings_at:
        return presence, tuple(orders)
    fresh = _choices(wanted) - settings.choices - presence.chosen
    if fresh and presence.up:  # what cannot be chosen would be ignored, with a warning
        at = now.mono + CHOICE_S
        presence = replace(presence, chosen=presence.chosen | fresh, settings_at=at)
        return presence, (*orders, cmd.AnnounceEntities(wanted))
    return replace(presence, settings=wanted), (*orders, cmd.Publish(wanted))


def _choices(settings: rec.Settings) -> frozenset[str | None]:
    return frozenset({settings.voice, settings.language, settings.activation})


def _entities(presence: Presence, told: Told, now: Instant, settings: PresenceSettings) -> Step:
    due = presence.entities_at is not None and now.mono >= presence.entities_at
    if not due or told.settings is None:
        return presence, ()
    orders: list[cmd.Command] = [cmd.AnnounceEntities(told.settings)]
    if presence.kept != settings.announced:
        orders.append(cmd.Keep("announced", list(settings.announced)))
    return replace(
        presence,
        entities_at=None,
        pulse_at=now.mono + SETTLE_S,
        chosen=presence.chosen | _choices(told.settings),
        kept=settings.announced,
    ), tuple(orders)


def _pulse(
    presence: Presence, told: Told, link: Link, now: Instant, settings: PresenceSettings
) -> Step:
    if presence.pulse_at is None or now.mono < presence.pulse_at:
        return presence, ()
    started = presence.started or now
    outbox = presence.outbox
    record = rec.Diagnostics(
        session_connected=link.phase is Phase.READY,
        started_at=timestamp(started.wall),
        uptime_s=int(now.mono - started.mono),
        outbox_depth=outbox.waiting,
        outbox_oldest_s=round(outbox.oldest_s, 1),
        outbox_expired=outbox.expired,
        mqtt_reconnects=max(0, presence.connects - 1),
        session_reconnects=presence.losses,
        echoes=told.echoes,
        underruns=told.underruns,
        mic_gaps=told.mic_gaps,
        gate_opened=told.openings.opened,
        gate_refused=told.openings.refused,
        sent_in_vain_s=round(seconds_of(told.openings.vain_bytes), 1),
        version=settings.version,
        ts=timestamp(now.wall),
    )
    return replace(presence, pulse_at=now.mono + PULSE_S), (cmd.Publish(record),)
