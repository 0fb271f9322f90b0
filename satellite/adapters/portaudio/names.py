"""Which device a name means. Pure: what there is, is an argument.

In this order: ``default``; ``usb-1-1.2``, the socket of a USB card; ``ReSpeaker``, ``ReSpeaker,1``,
the kernel's id of a card, and a device of it; PortAudio's own name; a name of the sound server; a
part of PortAudio's names that only one has. Never a number: numbers change with every plug.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from satellite.adapters.portaudio import server
from satellite.adapters.portaudio.cards import Card, Pcm
from satellite.adapters.portaudio.server import Node
from satellite.errors import DeviceError

DEFAULT: Final = "default"

# What ALSA's stock configuration offers beside real devices: converters, and parts of card 0.
# fmt: off
ALSA_PARTS: Final = frozenset({
    "a52", "center_lfe", "dmix", "dsnoop", "front", "hdmi", "iec958", "jack", "lavrate",
    "modem", "null", "oss", "phoneline", "pipewire", "pulse", "rear", "samplerate", "side",
    "spdif", "speex", "speexrate", "surround21", "surround40", "surround41", "surround50",
    "surround51", "surround71", "sysdefault", "upmix", "usbstream", "vdownmix",
})
# fmt: on
SERVERS: Final = ("pulseaudio", "pipewire", "wireplumber")  # programs that have the cards
_HW: Final = re.compile(r"\(hw:(\d+),(\d+)\)$")  # at the end of PortAudio's names
_CARD: Final = re.compile(r"(?:(?:plug)?hw:(?:CARD=)?)?([\w-]+?|usb-[\d.-]+)(?:,(?:DEV=)?(\d+))?")
_NUMBERS: Final = re.compile(r"(?:(?:plug)?hw:)?(\d+)(?:,(\d+))?")


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device as PortAudio sees it now. ``index`` holds until the next ``terminate``."""

    index: int
    name: str
    inputs: int  # channels; 0 is no microphone
    outputs: int
    rate_hz: int  # what it prefers

    @property
    def hardware(self) -> tuple[int, int] | None:
        """The numbers of its card and of its device there; None for what is no bare hardware."""
        found = _HW.search(self.name)
        return (int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between the two directions."""

    noun: str
    prefix: str  # of PortAudio's names
    advice: str

    @property
    def captures(self) -> bool:
        """Whether sound comes in."""
        return self.prefix == "input"

    def channels(self, device: Device) -> int:
        """How many of this direction the device has."""
        return device.inputs if self.captures else device.outputs


MIC: Final = Kind("microphone", "input", "plug one in, see `arecord -l`, and join the group audio")
SPEAKER: Final = Kind(
    "loudspeaker", "output", "plug one in, see `aplay -l`, and join the group audio"
)


class UnseenError(DeviceError):
    """The kernel has the device, PortAudio does not: it looks around only while nobody uses it.

    ``cards``: all that the kernel has.
    """

    def __init__(self, sentence: str, cards: Iterable[Card]) -> None:
        self.cards = tuple(cards)
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is at this moment. ``default``: of the system, PortAudio's index.

    ``nodes`` asks the sound server; None where there is none, or the extra is not installed.
    """

    devices: list[Device]
    default: int | None
    cards: list[Card]
    nodes: Callable[[], list[Node] | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What PortAudio has to open, and to which microphone or loudspeaker of the server it leads."""

    device: Device
    node: Node | None = None


def choose(kind: Kind, wanted: str, seen: Seen) -> Chosen:
    """What is meant. Raises DeviceError with the names to choose from, UnseenError among them."""
    able = [device for device in seen.devices if kind.channels(device) > 0]
    if number := _NUMBERS.fullmatch(wanted):
        raise DeviceError(_numbered(kind, wanted, number, seen, able))
    if wanted == DEFAULT:
        return Chosen(_default(kind, seen, able))
    found = _of_card(kind, wanted, seen) or next((d for d in able if d.name == wanted), None)
    if found is not None:
        return Chosen(found)
    gate = next((d for name in server.GATES for d in able if d.name == name), None)
    nodes = seen.nodes() if gate is not None else None
    for node in nodes or ():
        if gate is not None and node.name == wanted:
            return Chosen(gate, node)
    # a monitor is what a loudspeaker plays, and hearing that is never what a part of a name means
    near = [d for d in able if wanted.lower() in d.name.lower() and not _is_monitor(d.name)]
    if len(near) == 1:
        return Chosen(near[0])
    if not able:
        raise _nothing(kind, seen)
    raise DeviceError(_unknown(kind, wanted, near, names_of(kind, seen, near or able, nodes)))


def _of_card(kind: Kind, wanted: str, seen: Seen) -> Device | None:
    """The device of a card that is called by its id or its plug; None when no card is."""
    form = _CARD.fullmatch(wanted)
    if form is None:
        return None
    card = next((card for card in seen.cards if form[1] in {card.id, card.usb}), None)
    if card is None:
        return None
    pcms = card.devices(captures=kind.captures)
    pcm = next((p for p in pcms if form[2] is None or p.number == int(form[2])), None)
    if pcm is None:
        what = kind.noun if form[2] is None or not pcms else f"{kind.noun} of number {form[2]}"
        able = [d for d in seen.devices if kind.channels(d) > 0]
        there = _listed(names_of(kind, seen, able, None)) or "none"
        raise DeviceError(f"the card {form[1]!r} has no {what}; there are: {there}")
    device = next((d for d in seen.devices if d.hardware == (card.number, pcm.number)), None)
    if device is None or kind.channels(device) == 0:
        raise _unseen(kind, wanted, pcm, seen)
    return device


def _default(kind: Kind, seen: Seen, able: list[Device]) -> Device:
    found = next((device for device in able if device.index == seen.default), None)
    if found is not None:
        return found
    if not able:
        raise _nothing(kind, seen)
    there = _listed(names_of(kind, seen, able, seen.nodes()))
    raise DeviceError(f"the system has no default {kind.noun}; name one of: {there}")


def _nothing(kind: Kind, seen: Seen) -> DeviceError:
    """No device of the kind is in PortAudio's list."""
    for card in seen.cards:
        for pcm in card.devices(captures=kind.captures):
            return _unseen(kind, card.id, pcm, seen)
    return DeviceError(f"no {kind.noun} found: {kind.advice}")


def _unseen(kind: Kind, name: str, pcm: Pcm, seen: Seen) -> DeviceError:
    """The kernel has it: somebody else uses it, or PortAudio has not looked since it was there."""
    if pcm.holder:
        return busy(kind, name, pcm.holder)
    return UnseenError(
        f"the {kind.noun} {name!r} is plugged in but cannot be opened; join the group audio"
        " (sudo usermod -aG audio USER), and see that no other program has it",
        (replace(card, pcms=()) for card in seen.cards),
    )


def busy(kind: Kind, name: str, holder: str) -> DeviceError:
    """Somebody else has the device."""
    advice = "stop that program"
    if holder.startswith(SERVERS):
        advice = "write default, or a name of the sound server that `satellite devices` shows"
    return DeviceError(f"the {kind.noun} {name!r} is in use by {holder}; {advice}", "busy")


def holder_of(kind: Kind, device: Device, cards: Iterable[Card]) -> str:
    """Who has a device open, by the kernel's word; empty when it does not tell."""
    for card in cards:
        for pcm in card.devices(captures=kind.captures):
            if device.hardware == (card.number, pcm.number):
                return pcm.holder
    return ""


def _numbered(
    kind: Kind, wanted: str, number: re.Match[str], seen: Seen, able: list[Device]
) -> str:
    """A number is refused, with the name of what it means just now."""
    pair = (int(number[1]), int(number[2] or 0))
    hardware = ":" in wanted or number[2] is not None
    meant = [d for d in able if (d.hardware == pair if hardware else d.index == pair[0])]
    instead = f"write {stable(kind, meant[0], seen.cards)!r}" if meant else ""
    instead = instead or f"write one of: {_listed(names_of(kind, seen, able, None))}"
    return f"{wanted} is no name of a {kind.noun}, and numbers change with every plug; {instead}"


def _unknown(kind: Kind, wanted: str, near: list[Device], there: list[str]) -> str:
    problem = f"{len(near)} {kind.noun}s are called" if near else f"no {kind.noun} is called"
    return f"{problem} {wanted!r}; there are: {_listed(there)}"


def name_of(kind: Kind, chosen: Chosen, seen: Seen) -> str:
    """The name to write for what was chosen."""
    return stable(kind, chosen.device, seen.cards) if chosen.node is None else chosen.node.name


def stable(kind: Kind, device: Device, cards: Iterable[Card]) -> str:
    """The name to write for a device: the id of its card, which stays; else PortAudio's name."""
    card = card_of(device, cards)
    if card is None or device.hardware is None:
        return device.name
    return name_on_card(kind, card, device.hardware[1])


def card_of(device: Device, cards: Iterable[Card]) -> Card | None:
    """The card that a device is a part of; None for what is no bare hardware."""
    return next((c for c in cards if device.hardware and c.number == device.hardware[0]), None)


def name_on_card(kind: Kind, card: Card, number: int) -> str:
    """The name to write for device ``number`` of a card; its first one needs no number."""
    first = next((pcm.number for pcm in card.devices(captures=kind.captures)), number)
    return card.id if number == first else f"{card.id},{number}"


def names_of(kind: Kind, seen: Seen, devices: list[Device], nodes: list[Node] | None) -> list[str]:
    """Names to write, without ALSA's parts and without what loudspeakers play."""
    names = [stable(kind, d, seen.cards) for d in devices if not is_part(d.name)]
    names += [node.name for node in nodes or () if not node.monitor]
    return list(dict.fromkeys(names)) or [device.name for device in devices]


def is_part(name: str) -> bool:
    """Whether it is one of ALSA's stock names, which are no devices."""
    return name in ALSA_PARTS


def _is_monitor(name: str) -> bool:
    return name.lower().endswith(".monitor") or name.lower().startswith("monitor of")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
