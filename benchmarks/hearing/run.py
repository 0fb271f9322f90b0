#!/usr/bin/env python3
"""Does the gate find everybody who speaks, whole, and nobody where there is only music or noise?

    .venv/bin/python benchmarks/hearing/run.py [--quick] [--seeds N] [--places WORD ...]

Recorded speech of five people in as many languages (Debian's prompts), in silence, noise, music and
babble, through the real Hearing, webrtcvad and network with the default configuration; beside it
webrtcvad alone, as the gate was before, and gate.confirm: false. A dB is how much louder the speech
is than what sounds beside it, on the average of the scene; speech has -26 dBFS, every room hisses
at -62 dBFS.

An utterance begins and ends with the first and the last 10 ms of the clean prompt within 35 dB of
its loudest. Found: something of it was sent. Clipped: its first so many ms were not. An opening is
false that comes before the first or more than 200 ms after the last 10 ms of an utterance. The time
to the opening counts to the end of the frame that opened the gate; the block in which the
microphone is read comes on top (sound/latency.py). Of babble, which is speech too, nothing false
can be said. The network hears again what came before when it is woken and when it begins anew.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import picture
import sounds
from listen import SHORT, WAYS, Result, Way, hear
from scenes import Material, Place, places, scene

from satellite.config.schema import Config
from satellite.model.audio import RATE

EACH: Final = 40  # prompts a person
OTHERS: Final = 10
QUIET: Final = "nobody, quiet room"
HEAD: Final = (
    "| | found | clipped > 30 ms (most) | speech not sent | onset → open: p50, p95, max ms"
    " | false a minute | sent ÷ speech | of what may be sent | network heard | CPU ms a second"
    " | webrtcvad alone: found, clipped, false a minute, sent ÷ speech | confirm: false: the same |"
)
_material: Material | None = None  # made before the workers are forked

Row = dict[Way, Result]


@dataclass(frozen=True, slots=True)
class Task:
    """One scene of a place."""

    place: Place
    seed: int


def listen(task: Task) -> Row:
    """Make the scene and hear it in every way."""
    assert _material is not None
    made = scene(task.place, _material, 1000 * task.seed + 7)
    row = {way: hear(made, way, task.seed) for way in WAYS}
    if task.place.name == QUIET:  # the only one whose CPU is compared
        for _ in range(3):
            for way in WAYS:
                row[way].cpu_s = min(row[way].cpu_s, hear(made, way, task.seed).cpu_s)
    return row


def line(name: str, row: Row) -> str:
    """One of the table."""
    one = row["cascade"]
    cpu = f"{1000 * one.cpu_s / one.seconds:.1f}"
    if one.said:
        clipped = f"{clips(one)} ({max(one.clipped, default=0):.0f})"
        delays = list(one.delays.values()) or [np.nan]
        p50, p95, most = np.percentile(delays, [50, 95, 100])
        cells = [
            f"{one.found} of {one.said}",
            clipped,
            f"{100 * one.unsent_s / one.speech_s:.2f} %",
            f"{p50:.0f}, {p95:.0f}, {most:.0f}",
            false(name, one),
            f"{one.sent_s / one.speech_s:.2f}",
            f"{100 * one.sent_s / allowed_s(one):.0f} %",
        ]
    else:
        cells = ["", "", "", "", false(name, one), "", ""]
    awake = f"{100 * one.network / one.seconds:.0f} %"
    cells += [awake, cpu, short(name, row["webrtcvad"]), short(name, row["no network"])]
    return f"| {name} | {' | '.join(cells)} |"


def short(name: str, one: Result) -> str:
    if not one.said:
        return false(name, one)
    return f"{one.found}, {clips(one)}, {false(name, one)}, {one.sent_s / one.speech_s:.2f}"


def clips(one: Result) -> int:
    return sum(ms > SHORT * 1000 / RATE for ms in one.clipped)


def false(name: str, one: Result) -> str:
    return "" if "babble" in name else f"{60 * len(one.false) / one.seconds:.2f}"


def allowed_s(one: Result) -> float:
    """1.35 times the speech, and one hang-over an utterance."""
    return 1.35 * one.speech_s + one.said * Config().gate.hangover_ms / 1000


def goals(rows: dict[str, Row]) -> list[str]:
    """What was to be reached, and what was."""
    ways = {name: row["cascade"] for name, row in rows.items()}
    spoken = {name: one for name, one in ways.items() if one.said}
    to_10 = [n for n in spoken if not n.endswith((" 5 dB", " 0 dB")) and "babble" not in n]
    at_5 = [n for n in spoken if n.endswith(" 5 dB") and "babble" not in n]
    music = [n for n in ways if n.startswith("nobody, music")]
    noise = [n for n in ways if n.startswith("nobody") and n not in music]
    clean = [n for n in spoken if n.startswith("quiet")]
    told = []
    if to_10:
        some = [ways[n] for n in to_10]
        found = f"{sum(o.found for o in some)} of {sum(o.said for o in some)}"
        told.append(f"down to 10 dB: found {found}, clipped {sum(map(clips, some))} (all, 0)")
    if at_5:
        worst = min(ways[n].found / ways[n].said for n in at_5)
        told.append(f"at 5 dB: found {100 * worst:.1f} % in the worst place (98 %)")
    if music:
        many, minutes = _false([ways[n] for n in music])
        told.append(f"music: {many} false in {minutes:.0f} minutes, {many / minutes:.3f} (0.2)")
    if noise:
        many, minutes = _false([ways[n] for n in noise])
        told.append(f"noise: {many} false in {minutes:.0f} minutes (0)")
    if clean:
        most = max(ways[n].sent_s / allowed_s(ways[n]) for n in clean)
        told.append(f"clean rooms: {100 * most:.0f} % of what may be sent (100 %)")
    if "quiet room" in rows:
        new, old = (rows["quiet room"][way].delays for way in ("cascade", "webrtcvad"))
        later = [new[each] - old[each] for each in new.keys() & old.keys()]
        p50, p95, most = np.percentile(later, [50, 95, 100])
        told.append(
            f"quiet room, gate opens later than with webrtcvad alone: p50 {p50:.0f}, p95 {p95:.0f},"
            f" max {most:.0f} ms (80 ms)"
        )
    if QUIET in rows:
        quiet = {way: 1000 * one.cpu_s / one.seconds for way, one in rows[QUIET].items()}
        told.append(
            f"quiet room, CPU a second: {quiet['cascade']:.2f} ms; webrtcvad alone"
            f" {quiet['webrtcvad']:.2f} ms: {quiet['cascade'] / quiet['webrtcvad']:.2f} times (1.3)"
        )
    name, one = max(ways.items(), key=lambda item: item[1].cpu_s / item[1].seconds)
    told.append(f"most CPU a second: {1000 * one.cpu_s / one.seconds:.1f} ms, {name} (50 ms)")
    return told


def _false(results: list[Result]) -> tuple[int, float]:
    return sum(len(one.false) for one in results), sum(one.seconds for one in results) / 60


def worst(name: str, row: Row) -> list[str]:
    """What one would want to listen to."""
    one = row["cascade"]
    told = [f"{name}: missed {each}" for each in one.missed]
    if "babble" not in name:
        told += [f"{name}: false at {at:.1f} s" for at in one.false]
    return told


def main() -> None:
    global _material  # noqa: PLW0603 - what workers are given by forking
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--places", nargs="*", default=[""], help="only those with such a word")
    parser.add_argument("--picture", type=Path, default=Path("hearing.png"))
    parser.add_argument("--seeds", type=int, default=1, help="so many scenes a place")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    each, minutes = (6, 2.0) if args.quick else (EACH, 10.0)
    people = sounds.prompts(each + OTHERS, seed=1)
    heads = each * len(sounds.SPEAKERS)
    _material = Material(people[:heads], people[heads:], sounds.music(), minutes)
    seconds = sum(len(one.samples) for one in people[:heads]) / RATE
    print(
        f"{heads} prompts, {seconds:.0f} s of speech, each {args.seeds} times a place\n", flush=True
    )
    wanted = [place for place in places() if any(word in place.name for word in args.places)]
    tasks = [Task(place, seed) for place in wanted for seed in range(args.seeds)]
    rows: dict[str, Row] = {}
    began = time.monotonic()
    with get_context("fork").Pool(args.jobs, maxtasksperchild=1) as pool:
        print(f"{HEAD}\n|{' --- |' * (HEAD.count('|') - 1)}", flush=True)
        for n, (task, row) in enumerate(zip(tasks, pool.imap(listen, tasks), strict=True), 1):
            name = task.place.name
            rows[name] = {w: rows[name][w] + row[w] for w in WAYS} if name in rows else row
            if task.seed == args.seeds - 1:
                print(line(name, rows[name]), flush=True)
            passed = (time.monotonic() - began) / 60
            print(f"{n} of {len(tasks)} scenes, {passed:.1f} minutes", file=sys.stderr)
    told = [each for name, row in rows.items() for each in worst(name, row)]
    print("\n".join(["", "Reached (to be reached):", *goals(rows), "", *told]))
    picture.draw(args.picture, rows)
    print(f"\n{args.picture}")


if __name__ == "__main__":
    main()
