"""What wake.py found, as tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from wake import APART, THRESHOLDS, WORDS, Other, Said
from wake_sounds import NEARLY, OWN, SPEECH, TUNES

from satellite.adapters.resampler import Resampler
from satellite.adapters.wake import WakeWords

REACH_HOURS: Final = 5.0  # in which one wake that nobody called for is allowed
HALVES: Final = ("to choose by", "to tell of")
COLUMNS: Final = " | ".join(WORDS)


def show(said: list[Said], against: list[Said], others: list[Other]) -> None:
    """Everything, most important first."""
    own = WakeWords(list(WORDS), None, Resampler)._cutoffs
    speech = [other for other in others if other.kind in SPEECH]
    both(said, speech)
    for half, name in enumerate(HALVES):
        print(f"\nThe half {name}:")
        both([s for s in said if s.half == half], [o for o in speech if o.half == half])
    choices(said, speech)
    defaults(said, speech, own)
    places(said, own)
    for kind in (*SPEECH, NEARLY, TUNES, OWN):
        mine = [other for other in others if other.kind == kind]
        only_vain(f"{kind}: {hours(mine):.2f} h", mine)
    places(against, own, "louder than the answer by")


def table(title: str, cell: Callable[[str, float], object]) -> None:
    print(f"\n| {title} | {COLUMNS} |")
    for threshold in THRESHOLDS:
        cells = " | ".join(str(cell(word, threshold)) for word in WORDS)
        print(f"| {threshold} | {cells} |")


def both(said: list[Said], speech: list[Other]) -> None:
    """Of the calls heard, and wakes that nobody called for."""
    title = f"sure by more than: heard, in vain in {hours(speech):.2f} h"
    table(title, lambda w, t: f"{heard(said, w, t)}, {vain(speech, w, t)}")


def only_vain(title: str, others: list[Other]) -> None:
    table(title, lambda w, t: vain(others, w, t))


def hours(others: list[Other]) -> float:
    return sum(other.hours for other in others)


def heard(said: list[Said], word: str, threshold: float) -> str:
    mine = [each.sure > threshold for each in said if each.word == word]
    return f"{sum(mine)} of {len(mine)} ({100 * sum(mine) / max(1, len(mine)):.0f} %)"


def vain(others: list[Other], word: str, threshold: float) -> int:
    return sum(wakes(other, word, threshold) for other in others)


def wakes(other: Other, word: str, threshold: float) -> int:
    """Moments a second or more apart."""
    at = np.nonzero(other.trace[:, list(WORDS).index(word)] > threshold)[0]
    return int(len(at) > 0) + int(np.sum(np.diff(at) > APART))


def choices(said: list[Said], speech: list[Other]) -> None:
    """The lowest threshold within reach on one half, and what it is worth on the other."""
    chosen = [[o for o in speech if o.half == half] for half in range(2)]
    print()
    for word in WORDS:
        allowed = hours(chosen[0]) / REACH_HOURS
        fit = [t for t in THRESHOLDS if vain(chosen[0], word, t) <= allowed]
        if not fit:
            print(f"{word}: no threshold is within reach on the half {HALVES[0]}")
            continue
        for half, name in enumerate(HALVES):
            mine = [s for s in said if s.half == half]
            print(
                f"{word} {fit[0]}, the half {name}: {heard(mine, word, fit[0])},"
                f" in vain {vain(chosen[half], word, fit[0])} in {hours(chosen[half]):.2f} h"
            )


def defaults(said: list[Said], speech: list[Other], own: dict[str, float]) -> None:
    """What the satellite does where nothing is set; who is never understood."""
    for word, cutoff in own.items():
        halves = [
            f"{heard([s for s in said if s.half == half], word, cutoff)},"
            f" {vain([o for o in speech if o.half == half], word, cutoff)} in vain"
            for half in range(2)
        ]
        print(f"{word}, as it is by default, {cutoff}: {'; '.join(halves)}")
        for voice in dict.fromkeys(s.voice for s in said):
            mine = [s.sure for s in said if (s.word, s.voice) == (word, voice)]
            if mine and max(mine) < 0.5:
                print(f"  {voice} never says it for the network: at most {max(mine):.2f} sure")
        others = [s for s in said if s.word != word]
        at = list(WORDS).index(word)
        wrong = sum(float(s.trace[:, at].max()) > cutoff for s in others)
        print(f"  taken for it when another word was said: {wrong} of {len(others)}")


def places(said: list[Said], own: dict[str, float], title: str = "place, by default") -> None:
    print(f"\n| {title} | {COLUMNS} |")
    for place in dict.fromkeys(s.place for s in said):
        here = [s for s in said if s.place == place]
        print(f"| {place} | " + " | ".join(heard(here, w, own[w]) for w in WORDS) + " |")
