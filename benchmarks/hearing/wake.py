#!/usr/bin/env python3
"""Are wake words heard, and nothing else taken for one?

    .venv/bin/python benchmarks/hearing/wake.py [--quick] [--keep FILE | --again FILE]

Synthetic voices (hibari of the extra local, Debian's flite and espeak-ng) say each word, alone and
followed at once by a request, at three levels, in pink noise and in music. Debian's prompts in five
languages and texts read by nine voices, more than five hours, say none of them; nor do sentences
that sound like them, music, and the assistant's own voice. All goes once through the real resampler
and networks of satellite/adapters/wake.py, and how sure each was is kept, so that every threshold
is answered by one pass. Moments less than a second apart are one wake.

Every other voice, and every other batch of what others say, is for choosing a threshold; what is
chosen is then told of the half that had no part in it. About 6 minutes of CPU; --keep writes down
what the networks said, and --again prints the tables from that.
"""

from __future__ import annotations

import argparse
import functools
import pickle
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from sounds import MUSIC, Sound, decode, pink
from wake_sounds import (
    Batch,
    batches,
    level,
    room,
    say_hibari,
    scene_of,
    sentences,
    tunes,
    voices,
)

from satellite.adapters.resampler import Resampler
from satellite.adapters.wake import WakeWords
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
THRESHOLDS: Final = (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
APART: Final = 1000 // FRAME_MS
Trace = npt.NDArray[np.float16]  # (frames, words): how sure


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody said ``word``; ``trace`` of the networks. ``half``: 0 is for choosing."""

    word: str
    voice: str
    half: int
    place: str
    trace: Trace

    @property
    def sure(self) -> float:
        return float(self.trace[:, list(WORDS).index(self.word)].max())


@dataclass(frozen=True, slots=True)
class Other:
    """Nobody said a word."""

    kind: str
    voice: str
    half: int
    trace: Trace

    @property
    def hours(self) -> float:
        return len(self.trace) * FRAME_MS / 3_600_000


def pcm_of(samples: Sound) -> bytes:
    return (np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()


def traced(samples: Sound) -> Trace:
    ears, pcm = WakeWords(list(WORDS), None, Resampler), pcm_of(samples)
    starts = range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)
    sure = (ears.certainties(pcm[start : start + FRAME_BYTES]) for start in starts)
    return np.array([[each[word] for word in WORDS] for each in sure], np.float16)


def called(task: tuple[str, str, int]) -> list[Said]:
    word, voice, half = task
    rng, say, found = np.random.default_rng(5), voices()[voice], list[Said]()
    for request in REQUESTS:
        spoken = say(WORDS[word] + request)
        for n, (dbfs, beside, snr) in enumerate(PLACES):
            scene = np.concatenate([room(2, rng), level(spoken, dbfs), room(1, rng)])
            if beside:
                noise = tunes()[n % len(tunes())] if beside == "music" else pink(10 * RATE, rng)
                at = 20 * RATE if beside == "music" else 0
                scene = scene + level(np.resize(noise[at:], len(scene)), dbfs - snr)
            place = f"{beside} {snr} dB" if beside else f"{dbfs} dBFS"
            found.append(Said(word, voice, half, place + request[:1], traced(scene)))
    return found


@functools.cache
def answer() -> Sound:
    return level(say_hibari(1.0, " ".join(sentences())[:400]), -26)


def interrupted(task: tuple[str, str, int]) -> list[Said]:
    """The word against the assistant's own voice, in a room without an echo canceller."""
    word, voice, half = task
    spoken, found = voices()[voice](WORDS[word] + "."), list[Said]()
    at = 3 * RATE
    for snr in AGAINST:
        scene = answer()[len(voice) % 5 * RATE :][: at + len(spoken) + RATE].copy()
        scene[at : at + len(spoken)] += level(spoken, -26 + snr)
        found.append(Said(word, voice, half, f"{snr} dB", traced(scene)))
    return found


def uncalled(task: tuple[int, Batch]) -> Other:
    half, batch = task
    return Other(batch[0], batch[1], half, traced(scene_of(batch)))


def cost() -> None:
    """CPU of each word more."""
    pcm = pcm_of(decode(next(iter(sorted(MUSIC.glob("*.g722")))))[: 30 * RATE])
    for count in range(1, len(WORDS) + 1):
        ears, least = WakeWords(list(WORDS)[:count], 0.999, Resampler), 1e9
        for _ in range(3):
            began = time.process_time()
            for start in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
                ears.hear(pcm[start : start + FRAME_BYTES])
            least = min(least, time.process_time() - began)
        print(f"{count} words: {1000 * least / 30:.2f} ms of CPU a second of sound")


def listen(given: argparse.Namespace) -> tuple[list[Said], list[Said], list[Other]]:
    tasks = [(word, voice, n % 2) for word in WORDS for n, voice in enumerate(voices())]
    heard = list(batches(given.hours, given.own, 1.0))
    if given.quick:
        tasks, heard = tasks[::5], heard[::20]
    halved = [(n % 2, batch) for n, batch in enumerate(heard)]
    np.random.default_rng(2).shuffle(halved)  # type: ignore[arg-type]
    said, against, others = list[Said](), list[Said](), list[Other]()
    with get_context("spawn").Pool(given.processes) as pool:
        for some in pool.imap_unordered(called, tasks):
            said += some
            progress(f"{len(said)} of {len(tasks) * len(PLACES) * len(REQUESTS)} calls")
        for other in pool.imap_unordered(uncalled, halved):
            others.append(other)
            keep(given.keep, (said, against, others))
            progress(f"{len(others)} of {len(heard)} batches of what others say")
        for some in pool.imap(interrupted, tasks):
            against += some
    return said, against, others


def keep(path: Path | None, found: tuple[list[Said], list[Said], list[Other]]) -> None:
    """Also on the way: an evening that ends early is not lost."""
    if path is not None:
        path.write_bytes(pickle.dumps(found))


def progress(done: str) -> None:
    print(done, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2.5, help="of texts that are read")
    parser.add_argument("--own", type=float, default=20.0, help="minutes of the own voice")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", type=Path)
    given = parser.parse_args()
    if given.again:
        found = pickle.loads(given.again.read_bytes())
    else:
        cost()
        found = listen(given)
        keep(given.keep, found)
    import wake_tables  # it wants this module whole

    wake_tables.show(*found)


if __name__ == "__main__":
    import wake  # what is kept must be wake.Said, not __main__.Said

    sys.exit(wake.main())
