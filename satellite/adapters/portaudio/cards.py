"""The sound cards of this machine by the kernel's word: names that stay, plugs, who has them open.

Read from ``/proc/asound`` and ``/sys/class/sound`` at each call; empty where the kernel has no
sound, and without what an entry does not tell or that vanishes meanwhile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path("/")  # tests have machines of their own

_CARD: Final = re.compile(r"^\s*(\d+) \[(\S+)\s*\]: .*? - (.*)$", re.MULTILINE)
_PCM: Final = re.compile(r"pcm(\d+)([cp])")
_USB: Final = re.compile(r"(\d+-\d+(?:\.\d+)*):[\d.]+")
_NAME: Final = re.compile(r"^name: (.*)$", re.MULTILINE)
_OWNER: Final = re.compile(r"^owner_pid\s*: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pcm:
    """One device of a card, in one direction. ``holder``: the program that has it open, or empty"""

    number: int
    captures: bool
    name: str
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A sound card. ``number`` changes with every plug, ``id`` only if two are equal.

    ``usb``: ``usb-1-1.2``, bus and sockets on the way to it; empty for what is no USB device.
    """

    number: int
    id: str
    name: str
    usb: str = ""
    pcms: tuple[Pcm, ...] = ()

    def devices(self, *, captures: bool) -> list[Pcm]:
        """Its devices of one direction, in order."""
        return sorted((p for p in self.pcms if p.captures is captures), key=lambda p: p.number)


def cards(root: Path | None = None) -> list[Card]:
    """All sound cards of this moment, by number."""
    root = root or ROOT
    listed = _read(root / "proc/asound/cards")
    return [
        Card(int(number), card_id, name, _usb(root, number), _pcms(root, number))
        for number, card_id, name in _CARD.findall(listed)
    ]


def _usb(root: Path, number: str) -> str:
    """The card's place is the USB interface that ``device`` points at: 1-1.2:1.0."""
    try:
        place = (root / f"sys/class/sound/card{number}/device").resolve(strict=True).name
    except OSError:
        return ""
    found = _USB.fullmatch(place)
    return f"usb-{found[1]}" if found else ""


def _pcms(root: Path, number: str) -> tuple[Pcm, ...]:
    found = []
    for folder in sorted((root / f"proc/asound/card{number}").glob("pcm*")):
        match = _PCM.fullmatch(folder.name)
        if match:
            name = _NAME.search(_read(folder / "info"))
            holder = _holder(root, folder)
            found.append(Pcm(int(match[1]), match[2] == "c", name[1] if name else "", holder))
    return tuple(found)


def _holder(root: Path, pcm: Path) -> str:
    """Who has the device open, when all that it can serve at once is taken."""
    subs = [_read(sub / "status") for sub in sorted(pcm.glob("sub*"))]
    owners = [_OWNER.search(status) for status in subs]
    if not subs or not all(owners):
        return ""
    pid = next(owner[1] for owner in owners if owner)
    name = _read(root / f"proc/{pid}/comm").strip()
    return f"{name} (process {pid})" if name else f"process {pid}"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # unplugged in between, or not ours to read
        return ""
