"""Everything that sounds or hears on this machine, each by the name to write, and what it can do.

For a person who chooses: each device is tried, so this is no part of the daemon.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from satellite.adapters.portaudio import library
from satellite.adapters.portaudio.cards import Card
from satellite.adapters.portaudio.devices import Look
from satellite.adapters.portaudio.names import (
    DEFAULT,
    Device,
    Kind,
    Seen,
    card_of,
    is_part,
    name_on_card,
    stable,
)
from satellite.adapters.portaudio.server import GATES, Node
from satellite.adapters.portaudio.stream import check, ways

PROBED_HZ: Final = (8_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000)
ANY: Final = 32  # channels that ALSA's converters and servers claim to have


@dataclass(frozen=True, slots=True)
class Found:
    """A device by the ``name`` to write.

    ``rates_hz``: those it was seen to take. ``channels``: 0 where it converts to any number.
    ``opens``: rate and channels that the satellite would use; None where it cannot be opened.
    ``holder``: the program that has it. ``plug``: the name of its socket, where it has one.
    """

    name: str
    what: str
    rates_hz: tuple[int, ...] = ()
    channels: int = 0
    opens: tuple[int, int] | None = None
    default: bool = False
    holder: str = ""
    plug: str = ""


def survey(*kinds: Kind) -> dict[Kind, list[Found]]:
    """All devices of each direction, the default first. Raises SetupError without PortAudio."""
    found = {}
    with library.LIFECYCLE:
        audio = library.initialise()
        try:
            for kind in kinds:
                with contextlib.closing(Look(kind, audio)) as look:
                    found[kind] = _survey(kind, audio, look.seen)
        finally:
            library.terminate(audio)
    return found


def _survey(kind: Kind, audio: Any, seen: Seen) -> list[Found]:
    able = [device for device in seen.devices if kind.channels(device) > 0]
    # without an ALSA device that leads there, the names of the server are of no use
    nodes = seen.nodes() if any(device.name in GATES for device in able) else None
    found = [
        _of_portaudio(kind, audio, seen, device, nodes or [])
        for device in able
        if not is_part(device.name)
    ]
    found += [each for card in seen.cards for each in _unseen(kind, card, able)]
    found += [_of_server(node) for node in nodes or () if not node.monitor]
    return sorted(found, key=lambda each: each.name != DEFAULT)


def _of_portaudio(kind: Kind, audio: Any, seen: Seen, device: Device, nodes: list[Node]) -> Found:
    card = card_of(device, seen.cards)
    most = kind.channels(device)
    what = device.name.rpartition(" (hw:")[0] or device.name
    if device.name == DEFAULT:
        now = next((node.name for node in nodes if node.default), "")
        what = "what the sound system has chosen" + (f", now {now}" if now else "")
    return Found(
        stable(kind, device, seen.cards),
        what if card is None else card.name,
        tuple(_rates(kind, audio, device, most)),
        most if most < ANY else 0,
        next((way for way in ways(device, most, 1) if _can(kind, audio, device, *way)), None),
        device.index == seen.default,
        plug="" if card is None else card.usb,
    )


def _rates(kind: Kind, audio: Any, device: Device, most: int) -> Iterator[int]:
    for rate in PROBED_HZ:
        if any(_can(kind, audio, device, rate, channels) for channels in {1, min(2, most), most}):
            yield rate


def _can(kind: Kind, audio: Any, device: Device, rate: int, channels: int) -> bool:
    try:
        check(rate, channels, kind, device, audio)
    except ValueError:
        return False
    return True


def _unseen(kind: Kind, card: Card, able: list[Device]) -> Iterator[Found]:
    """What the kernel has and PortAudio could not open to look at it."""
    for pcm in card.devices(captures=kind.captures):
        if not any(device.hardware == (card.number, pcm.number) for device in able):
            name = name_on_card(kind, card, pcm.number)
            yield Found(name, card.name, holder=pcm.holder, plug=card.usb)


def _of_server(node: Node) -> Found:
    what = f"{node.description}, of the sound server"
    rate = node.rate_hz
    return Found(node.name, what, (rate,), node.channels, (24_000, 1), node.default)
