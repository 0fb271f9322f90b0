#!/usr/bin/env python3
"""Answers in made-up rooms: does the assistant interrupt itself, can a person interrupt it?

    .venv/bin/python benchmarks/echo/run.py [--answers N] [--rooms WORD ...] [--jobs N]

Real answers of the local server's voice, a real person's recordings as loud as the echo, and from
the loudspeaker's samples to the server's detection the real parts (tests/echo_room.py). Of N
answers nobody interrupts, of as many somebody does, at any moment until half a second before the
end; they take turns, and the canceller stays the same for all of them.

A reaction is counted from the first 10 ms of the recording within 20 dB of its loudest, to the end
of the block in which the gate opened, and 20 ms for what a room has no clock for: looking for sound
5 ms late (benchmarks/sound), the verdict, two queues, and the device that is dropped in 4 ms
(docs/sound.md).
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from echo_room import Heard, Place, Room, ServerVad, Sound

from satellite.adapters import recording
from satellite.adapters.discerner import Discerner
from satellite.adapters.echo import EchoCanceller
from satellite.errors import RecordingError
from satellite.far_end import FarEnd
from satellite.local import synthesiser
from satellite.model.audio import RATE, silence
from satellite.own_voice import OwnVoice

PROMPTS = Path(__file__).parents[1] / "whole_path" / "prompts.tsv"
SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
THREADS_S = 0.02
SOON_S = 0.3
PLACES = (
    Place("no canceller"),
    Place("RT60 0.2 s", rt60_s=0.2),
    Place("RT60 0.3 s"),
    Place("RT60 0.5 s", rt60_s=0.5),
    Place("noise 20 dB below speech", noise_db=-20),
    Place("loudspeaker clips", clips=2.0),
    Place("clocks 100 ppm apart", ppm=100),
    Place("people move, volume changes", moves=10, volumes=True),
    Place("each answer up to 5 ms off", early_ms=5),
    Place("echo 6 dB louder than speech", echo_db=6),
    Place("each answer the first of all", anew=True),
    Place("each answer after a question", asks=True),
)


def answers() -> list[Sound]:
    """50 answers of 4 to 10 s."""
    lines = PROMPTS.read_text().splitlines()
    texts = [line.split("\t")[1] for line in lines if not line.startswith("#")]
    voice = synthesiser.load()
    found = []
    for n in range(50):
        text = " ".join(texts[(3 * n + k) % len(texts)] for k in range(2 + n % 3))
        found.append(_samples(b"".join(voice.speak(text, 0.9 + 0.05 * (n % 5)))))
    return found


def people(most: int) -> list[Path]:
    """Recordings of 1 to 6 s that are speech for the server where nothing else sounds."""
    found: list[Path] = []
    for path in sorted(SOUNDS.glob("*.wav")):
        try:
            pcm = recording.load(path)
        except RecordingError:
            continue
        if 1 <= len(pcm) / 2 / RATE <= 6 and ServerVad()(silence(300) + pcm):
            found.append(path)
        if len(found) == most:
            break
    return found


def own_voice(place: Place, far: FarEnd) -> OwnVoice | None:
    if place.name == "no canceller":
        return None
    return OwnVoice(far, EchoCanceller(), Discerner())


def row(place: Place, count: int, paths: list[Path]) -> str:
    """Hold the conversations of one room."""
    told = answers()
    began, rng = time.process_time(), np.random.default_rng(7)
    room = Room(place, functools.partial(own_voice, place), ServerVad())
    alone: list[Heard] = []
    interrupted: list[Heard] = []
    for n in range(count):
        answer = told[(7 * n) % len(told)]
        question = _samples(recording.load(paths[-1 - n % len(paths)]))
        if place.asks:
            room.listen(question)
        alone.append(room.answer(answer))
        if place.asks:
            room.listen(question)
        after_s = rng.uniform(0, len(answer) / RATE - 0.5)
        said = _samples(recording.load(paths[n % len(paths)]))
        interrupted.append(room.answer(answer, said, after_s))
    in_vain = sum(len(heard.opened_at) for heard in alone)
    itself = sum(heard.asked > 0 for heard in alone)
    early = sum(_first(heard) < 0 for heard in interrupted)
    reactions = np.array([_first(heard) + THREADS_S for heard in interrupted if _first(heard) >= 0])
    soon, p50, p95 = 0.0, np.nan, np.nan
    if len(reactions):
        soon = 100 * np.sum(reactions <= SOON_S) / count
        p50, p95 = 1000 * np.percentile(reactions, [50, 95])
    heard_by_server = 100 * sum(heard.asked > 0 for heard in interrupted) / count
    cpu = 1000 * (time.process_time() - began) / (room.now - 100)
    return (
        f"| {place.name} | {in_vain} | {itself} | {early} | {soon:.1f} % | {p50:.0f}, {p95:.0f} ms"
        f" | {heard_by_server:.1f} % | {cpu:.0f} ms |"
    )


def _first(heard: Heard) -> float:
    """Seconds from the person's first sample to the first opening; below 0 where it was before."""
    assert heard.spoken_at is not None
    return min((at - heard.spoken_at for at in heard.opened_at), default=99.0)


def _samples(pcm: bytes) -> Sound:
    return np.frombuffer(pcm, "<i2").astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--rooms", nargs="*", default=[""])
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    paths = people(args.answers)
    print(
        f"{len(paths)} recordings\n\n| {args.answers} answers alone, {args.answers} interrupted"
        " | pauses in vain | interrupted itself | paused before | paused within 300 ms | p50, p95"
        " | heard by the server | CPU a second |\n|" + " --- |" * 8,
        flush=True,
    )
    places = [place for place in PLACES if any(word in place.name for word in args.rooms)]
    hold = functools.partial(row, count=args.answers, paths=paths)
    with get_context("spawn").Pool(args.jobs) as pool:  # what is loaded here survives no fork
        for line in pool.imap(hold, places):
            print(line, flush=True)


if __name__ == "__main__":
    main()
