"""English number words and simple arithmetic, as a recogniser writes them. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

_WORDS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_SMALL: Final = {word: value for value, word in enumerate(_WORDS.split())}
_TENS_WORDS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS: Final = {word: value * 10 for value, word in enumerate(_TENS_WORDS.split(), 2)}
_DIGITS: Final = re.compile(r"-?\d{1,12}(\.\d{1,12})?")
_OPERATORS: Final[tuple[tuple[str, Callable[[Decimal, Decimal], Decimal]], ...]] = (
    (r"plus|added to|\+", operator.add),
    (r"minus|less|-", operator.sub),
    (r"times|multiplied by|x|\*", operator.mul),
    (r"divided by|over|/", operator.truediv),
)
_WANTED: Final = re.compile(r"(?:what is|what's|whats|how much is|calculate|compute)\s+(.+)")
_PLACES: Final = Decimal("0.0001")


def number(words: str) -> Decimal | None:
    """'twenty one', 'one hundred and five', 'three point five' or '21'; None for anything else."""
    words = words.replace(",", "").strip()
    if _DIGITS.fullmatch(words):
        return Decimal(words)
    negative = re.match(r"(?:minus|negative) ", words)
    whole, point, fraction = words[negative.end() if negative else 0 :].partition(" point ")
    value = _whole(whole.replace("-", " ").split())
    rest = _fraction(fraction.split()) if point else Decimal(0)
    if value is None or rest is None:
        return None
    return -(value + rest) if negative else value + rest


def _fraction(parts: list[str]) -> Decimal | None:
    digits = [_SMALL.get(part, 10) for part in parts]
    if not digits or max(digits) > 9:
        return None
    return Decimal("0." + "".join(map(str, digits)))


def _whole(parts: list[str]) -> Decimal | None:
    """Millions, thousands, the rest; None for words that make no one number ("one two three")."""
    total = 0
    for word, size in (("million", 1_000_000), ("thousand", 1_000), ("", 1)):
        if word and word not in parts:
            continue
        end = parts.index(word) if word else len(parts)
        group, parts = parts[:end], parts[end + 1 :]
        if total and group[:1] == ["and"]:
            group = group[1:]
        if not word and not group and total:
            break
        value = _below_thousand(group)
        if not value and (value is None or total or word):
            return None
        total += value * size
    return Decimal(total)


def _below_thousand(parts: list[str]) -> int | None:
    """'three hundred and six', 'a hundred', 'twelve hundred', 'twenty one', 'zero'."""
    if "hundred" not in parts:
        return _below_hundred(parts)
    at = parts.index("hundred")
    hundreds = 1 if parts[:at] in ([], ["a"]) else _below_hundred(parts[:at])
    rest = parts[at + 1 :]
    if rest[:1] == ["and"]:
        rest = rest[1:] or ["and"]
    units = _below_hundred(rest) if rest else 0
    if not hundreds or units is None or (rest and not units):
        return None
    return hundreds * 100 + units


def _below_hundred(parts: list[str]) -> int | None:
    match parts:
        case [word]:
            return _SMALL.get(word, _TENS.get(word))
        case [ten, unit] if ten in _TENS and 0 < _SMALL.get(unit, 0) < 10:
            return _TENS[ten] + _SMALL[unit]
    return None


def answer(text: str) -> str | None:
    """The result of 'what is seventeen plus twenty five' as a sentence; None if it asks no such."""
    wanted = _WANTED.fullmatch(text)
    if wanted is None:
        return None
    for words, calculate in _OPERATORS:
        parts = re.split(rf"\s+(?:{words})\s+", wanted.group(1), maxsplit=1)
        values = [value for value in map(number, parts) if value is not None]
        if len(parts) == len(values) == 2:
            if calculate is operator.truediv and not values[1]:
                return "Nothing can be divided by zero."
            return f"That is {_spoken(calculate(*values))}."
    return None


def _spoken(value: Decimal) -> str:
    """At most four decimal places, and no trailing zeros."""
    if value == value.to_integral_value():
        return f"{value:.0f}"
    rounded = value.quantize(_PLACES).normalize()
    about = "" if rounded == value else "about "
    return f"{about}{rounded:f}"
