#!/usr/bin/env python3
"""Are wake words heard, and nothing else taken for one?

    .venv/bin/python benchmarks/hearing/wake.py [--hours H] [--quick]

Synthetic voices (hibari of the extra local, Debian's flite and espeak-ng) say each word, alone and
followed at once by a request, at three levels, in pink noise and in music; Debian's prompts in five
languages, texts read by flite, and music say none of them. All goes through the real resampler and
networks of satellite/adapters/wake.py. For each threshold the table says how much of what was said
is noticed, and how often a network that nobody called was that sure: moments less than a second
apart are one. A voice of which a network is never 0.5 sure, in no place at all, pronounces the word
another way: such are named, and left out of the hits in brackets.
"""

from __future__ import annotations

import argparse
import functools
import pydoc_data.topics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from sounds import MUSIC, SPOKEN, Sound, decode, music, pink

from satellite.adapters.resampler import Resampler
from satellite.adapters.wake import WakeWords
from satellite.local import synthesiser
from satellite.model.audio import FRAME_BYTES, FRAME_MS, RATE

WORDS: Final = {  # as voices say it that know how to read, and the one that must be told
    "okay_nabu": "Okay nah boo",
    "hey_jarvis": "Hey Jarvis",
    "hey_mycroft": "Hey Mycroft",
    "alexa": "Alexa",
}
REQUESTS: Final = (".", ", what time is it?")
PLACES: Final = (  # speech in dBFS; what sounds beside it, and how much louder speech is
    (-14, None, 0),
    (-26, None, 0),
    (-40, None, 0),
    (-26, "pink", 20),
    (-26, "pink", 10),
    (-26, "music", 20),
    (-26, "music", 10),
)
AGAINST: Final = (10, 5, 0)  # dB that the person is louder than the assistant
THRESHOLDS: Final = (0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99)
NEAR: Final = (
    "Okay, now put the butter into the bowl and stir until it is smooth.",
    "Okay, no problem. I have set a timer for ten minutes.",
    "Okay, nobody knew about the bamboo canoe.",
    "In Namibia one finds an old desert. Nablus is a city.",
    "Hey, Jupiter is the largest planet. Hey, Travis and Davis are here.",
    "He was a service man who gave away harvest wine in jars.",
    "Hey, Marvin. Hey, Charles. Hey, Carlos. Hey, Jasmine.",
    "My craft is carpentry. Microsoft and Minecraft are two companies.",
    "Hey, my cruft of old files is gone.",
    "A lexicon is a book of words. Electra was a daughter of Agamemnon.",
    "Alexander the Great was born in Pella. Alex has a sister.",
    "I relaxed a little. A lecture on taxes keeps boredom away.",
)
FLITE: Final = ("slt", "rms", "awb", "kal16")
ESPEAK: Final = ("en-us", "en-gb", "en-us+f3", "en-us+m3", "en-gb+f2")
APART: Final = 1000 // FRAME_MS
Say = Callable[[str], Sound]
Peaks = dict[str, list[float]]  # by word: how sure, at moments a second or more apart


@functools.cache
def hibari() -> synthesiser.HibariSynthesiser:
    return synthesiser.load()


@functools.cache
def tunes() -> list[Sound]:
    return music()


def say_hibari(speed: float, text: str) -> Sound:
    pcm = b"".join(hibari().speak(text, speed))
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768


def say_other(command: tuple[str, ...], text: str) -> Sound:
    """``command`` writes the WAV file that is its last word."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run([*(text if c == "TEXT" else c for c in command), str(path)], check=True)
        return decode(path)


def voices() -> dict[str, Say]:
    made: dict[str, Say] = {
        f"hibari {speed}": functools.partial(say_hibari, speed) for speed in (0.85, 1.0, 1.2)
    }
    for name in FLITE:
        command = ("flite", "-voice", name, "-t", "TEXT", "-o")
        made[f"flite {name}"] = functools.partial(say_other, command)
    for name in ESPEAK:
        command = ("espeak-ng", "-v", name, "TEXT", "-w")
        made[f"espeak-ng {name}"] = functools.partial(say_other, command)
    return made


def level(samples: Sound, dbfs: float) -> Sound:
    """The parts within 35 dB of the loudest have this level."""
    loud = samples[np.abs(samples) > np.abs(samples).max() / 56]
    return samples * (10 ** (dbfs / 20) / np.sqrt(np.mean(loud**2)))


def pcm_of(samples: Sound) -> bytes:
    return (np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()


def room(seconds: float, rng: np.random.Generator) -> Sound:
    """It hisses at -62 dBFS."""
    return 10 ** (-62 / 20) * rng.standard_normal(round(seconds * RATE), np.float32)


def peaks(samples: Sound) -> Peaks:
    """How sure each network was of its word, where it was at all."""
    ears = WakeWords(list(WORDS), None, Resampler)
    pcm, found = pcm_of(samples), {word: list[float]() for word in WORDS}
    last = dict.fromkeys(WORDS, -APART)
    for n in range(len(pcm) // FRAME_BYTES):
        sure = ears.certainties(pcm[n * FRAME_BYTES : (n + 1) * FRAME_BYTES])
        for word, certainty in sure.items():
            if certainty < THRESHOLDS[0]:
                continue
            if n - last[word] > APART or not found[word]:
                found[word].append(0.0)
            last[word] = n
            found[word][-1] = max(found[word][-1], certainty)
    return found


# --- the word is said ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody said ``word``, and how sure its network was; ``wrong``: as another network was."""

    word: str
    voice: str
    place: str
    sure: float
    wrong: float


def called(task: tuple[str, str]) -> list[Said]:
    word, voice = task
    rng, say, found = np.random.default_rng(5), voices()[voice], list[Said]()
    for request in REQUESTS:
        spoken = say(WORDS[word] + request)
        for n, (dbfs, beside, snr) in enumerate(PLACES):
            scene = np.concatenate([room(2, rng), level(spoken, dbfs), room(1, rng)])
            if beside:
                noise = tunes()[n % len(tunes())] if beside == "music" else pink(10 * RATE, rng)
                at = 20 * RATE if beside == "music" else 0
                scene = scene + level(np.resize(noise[at:], len(scene)), dbfs - snr)
            sure = {name: max(each, default=0.0) for name, each in peaks(scene).items()}
            place = f"{beside} {snr} dB" if beside else f"{dbfs} dBFS"
            others = max(value for name, value in sure.items() if name != word)
            found.append(Said(word, voice, place + request[:1], sure[word], others))
    return found


def interrupted(task: tuple[str, str]) -> list[Said]:
    """The word against the assistant's own voice, in a room without an echo canceller."""
    word, voice = task
    answer = level(say_hibari(1.0, " ".join(_sentences())[:400]), -26)
    spoken, found = voices()[voice](WORDS[word] + "."), list[Said]()
    for snr in AGAINST:
        scene, at = answer.copy(), (2 + len(voice) % 5) * RATE
        scene[at : at + len(spoken)] += level(spoken, -26 + snr)
        found.append(Said(word, voice, f"{snr} dB", max(peaks(scene)[word], default=0.0), 0.0))
    return found


# --- it is not -----------------------------------------------------------------------------------


def _sentences() -> Iterator[str]:
    """Prose that Python brings along."""
    for text in pydoc_data.topics.topics.values():
        for part in text.replace("\n", " ").split(". "):
            sentence = " ".join(part.split())
            if 40 < len(sentence) < 300 and sum(
                c.isalpha() or c == " " for c in sentence
            ) > 0.9 * len(sentence):
                yield sentence + "."


def batches(hours: float) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What others say: the kind of it, and files to hear or texts to read, some minutes each."""
    kinds = {".g722", ".gsm", ".wav"}
    files = sorted(p for p in SPOKEN.rglob("*") if p.suffix in kinds and p.stat().st_size > 2000)
    files = [p for p in files if p.suffix == ".g722" or not list(p.parent.glob("*.g722"))]
    for start in range(0, len(files), 100):
        yield "recorded speech", tuple(map(str, files[start : start + 100]))
    for tune in sorted(MUSIC.glob("*.g722")):
        yield "music", (str(tune),)
    lines, each = list(_sentences()), 40
    for n in range(round(hours * 3600 / 240)):  # 40 sentences are about 4 minutes
        some = tuple(lines[(n * each + k) % len(lines)] for k in range(each))
        yield f"read by flite {FLITE[n % 3]}", some
    for voice in ("flite slt", "flite rms", "hibari 1.0", "espeak-ng en-us"):
        yield f"near misses, {voice}", NEAR


def uncalled(task: tuple[str, tuple[str, ...]]) -> tuple[str, float, Peaks]:
    kind, parts = task
    rng = np.random.default_rng(7)
    if kind in {"recorded speech", "music"}:
        heard = [decode(Path(part)) for part in parts]
    else:
        say = voices()[
            kind.removeprefix("read by ").removeprefix("near misses, ").removeprefix("own voice, ")
        ]
        heard = [say(part) for part in parts]
    pieces: list[Sound] = [room(2, rng)]
    for each in heard:
        if np.abs(each).max() > 0:
            pieces += [level(each, -26), room(0.4, rng)]
    scene = np.concatenate(pieces)
    return kind.split(",")[0], len(scene) / RATE, peaks(scene)


def own_voice(minutes: float) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What the assistant says comes back to the microphone whole."""
    lines = list(_sentences())[::-1]
    for n in range(round(minutes / 2)):
        yield "own voice, hibari 1.0", tuple(lines[n * 20 : n * 20 + 20])


def cost() -> None:
    """CPU of each word more."""
    pcm = pcm_of(decode(next(iter(sorted(MUSIC.glob("*.g722")))))[: 60 * RATE])
    for count in range(1, len(WORDS) + 1):
        ears, least = WakeWords(list(WORDS)[:count], 0.999, Resampler), 1e9
        for _ in range(3):
            began = time.process_time()
            for start in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
                ears.hear(pcm[start : start + FRAME_BYTES])
            least = min(least, time.process_time() - began)
        print(f"{count} words: {1000 * least / 60:.2f} ms of CPU a second of sound")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=3.0, help="of read texts")
    parser.add_argument("--own", type=float, default=20.0, help="minutes of the own voice")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    tasks = [(word, voice) for word in WORDS for voice in voices()]
    if given.quick:
        tasks, given.hours, given.own = tasks[::5], 0.1, 2.0
    cost()
    with get_context("spawn").Pool(2) as pool:
        said = [each for some in pool.imap(called, tasks) for each in some]
        report_hits(said)
        against = [each for some in pool.imap(interrupted, tasks) for each in some]
        report_against(against)
        others = list(pool.imap_unordered(uncalled, [*own_voice(given.own), *batches(given.hours)]))
        report_others(others)


def report_hits(said: list[Said]) -> None:
    """The table of hits."""
    unlike = set()
    for word in WORDS:
        for voice in voices():
            mine = [s.sure for s in said if (s.word, s.voice) == (word, voice)]
            if mine and max(mine) < 0.5:
                unlike.add((word, voice))
                print(f"{voice} says {word} another way: at most {max(mine):.2f} sure of it")
    print("\n| threshold | " + " | ".join(WORDS) + " |")
    for threshold in THRESHOLDS:
        cells = []
        for word in WORDS:
            mine = [s for s in said if s.word == word]
            fair = [s for s in mine if (s.word, s.voice) not in unlike]
            cells.append(f"{_share(mine, threshold)} ({_share(fair, threshold)})")
        print(f"| {threshold} | " + " | ".join(cells) + " |")
    print("\n| place, at the word's own threshold | " + " | ".join(WORDS) + " |")
    own = WakeWords(list(WORDS), None, Resampler)._cutoffs
    for place in dict.fromkeys(s.place for s in said):
        rows = [[s for s in said if (s.word, s.place) == (word, place)] for word in WORDS]
        cells = [_share(row, own[w]) for w, row in zip(WORDS, rows, strict=True)]
        print(f"| {place} | " + " | ".join(cells) + " |")
    wrong = sum(s.wrong > 0.85 for s in said)
    print(f"\nanother word was noticed {wrong} times of {len(said)}")


def _share(said: list[Said], threshold: float) -> str:
    heard = sum(each.sure > threshold for each in said)
    return f"{heard} of {len(said)}" if said else "-"


def report_against(said: list[Said]) -> None:
    print("\n| louder than the answer by, threshold | " + " | ".join(WORDS) + " |")
    for place in dict.fromkeys(s.place for s in said):
        for threshold in (0.3, 0.5, 0.7, 0.85, 0.95):
            rows = [[s for s in said if (s.word, s.place) == (word, place)] for word in WORDS]
            cells = " | ".join(_share(row, threshold) for row in rows)
            print(f"| {place}, {threshold} | {cells} |")


def report_others(others: list[tuple[str, float, Peaks]]) -> None:
    """How often a network was sure of what nobody had said."""
    for kind in dict.fromkeys(kind for kind, _, _ in others):
        seconds = sum(s for k, s, _ in others if k == kind)
        print(f"\n| {kind}: {seconds / 3600:.2f} h, threshold | " + " | ".join(WORDS) + " |")
        for threshold in THRESHOLDS:
            counts = [
                sum(sure > threshold for k, _, found in others if k == kind for sure in found[word])
                for word in WORDS
            ]
            print(f"| {threshold} | " + " | ".join(map(str, counts)) + " |")


if __name__ == "__main__":
    sys.exit(main())
