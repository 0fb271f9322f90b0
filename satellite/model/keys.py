"""Keys of the kernel's input devices by name: those that people make a button of.

Numbers are from linux/input-event-codes.h; any other key is written as its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MOST: Final = 0x2FF  # KEY_MAX

_LETTERS: Final = {16: "QWERTYUIOP", 30: "ASDFGHJKL", 44: "ZXCVBNM"}
_OTHERS: Final = {
    "KEY_ESC": 1,
    "KEY_0": 11,
    "KEY_BACKSPACE": 14,
    "KEY_TAB": 15,
    "KEY_ENTER": 28,
    "KEY_LEFTCTRL": 29,
    "KEY_LEFTSHIFT": 42,
    "KEY_RIGHTSHIFT": 54,
    "KEY_LEFTALT": 56,
    "KEY_SPACE": 57,
    "KEY_CAPSLOCK": 58,
    "KEY_SCROLLLOCK": 70,
    "KEY_F11": 87,
    "KEY_F12": 88,
    "KEY_KPENTER": 96,
    "KEY_RIGHTCTRL": 97,
    "KEY_RIGHTALT": 100,
    "KEY_UP": 103,
    "KEY_PAGEUP": 104,
    "KEY_LEFT": 105,
    "KEY_RIGHT": 106,
    "KEY_DOWN": 108,
    "KEY_PAGEDOWN": 109,
    "KEY_MUTE": 113,
    "KEY_VOLUMEDOWN": 114,
    "KEY_VOLUMEUP": 115,
    "KEY_POWER": 116,
    "KEY_PAUSE": 119,
    "KEY_MENU": 139,
    "KEY_PROG1": 148,
    "KEY_PROG2": 149,
    "KEY_NEXTSONG": 163,
    "KEY_PLAYPAUSE": 164,
    "KEY_PREVIOUSSONG": 165,
    "KEY_PHONE": 169,
    "KEY_PROG3": 202,
    "KEY_PROG4": 203,
    "KEY_PLAY": 207,
    "KEY_MICMUTE": 248,
    "BTN_0": 0x100,
    "BTN_1": 0x101,
    "BTN_LEFT": 0x110,
    "BTN_RIGHT": 0x111,
    "BTN_MIDDLE": 0x112,
    "BTN_TRIGGER": 0x120,
    "KEY_VOICECOMMAND": 0x246,
    "KEY_ASSISTANT": 0x247,
}


def _codes() -> dict[str, int]:
    codes = dict(_OTHERS)
    codes |= {f"KEY_{n}": n + 1 for n in range(1, 10)}
    codes |= {f"KEY_F{n}": n + 58 for n in range(1, 11)}
    codes |= {f"KEY_F{n}": n + 170 for n in range(13, 25)}
    for first, letters in _LETTERS.items():
        codes |= {f"KEY_{letter}": first + n for n, letter in enumerate(letters)}
    return codes


CODES: Final[Mapping[str, int]] = MappingProxyType(_codes())


def code_of(key: str) -> int | None:
    """The code of a name or of a number in decimal; None where it is neither."""
    if key.isascii() and key.isdecimal():
        return int(key) if 0 < int(key) <= MOST else None
    return CODES.get(key.upper())


def name_of(code: int) -> str:
    """What to write for a code."""
    return next((name for name, known in CODES.items() if known == code), str(code))
