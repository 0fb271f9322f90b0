#!/usr/bin/env python3
"""From the last sample of a frame at the card to the gate's verdict on it.

    .venv/bin/python benchmarks/sound/latency.py [--seconds 60] [--realtime]

The capture thread with real webrtcvad, real Silero (asked while the gate is open) and real
PortAudio, in a process of their own, at a private PulseAudio server whose microphone gives 20 ms at
a time; each sample says in which of these it was, so each verdict has its own time at the card. The
first frame of a block waits for the last, so one period (80 ms while it is quiet, 40 ms while the
gate is open) and 5 ms is the most that is allowed.
``--realtime``: as in duplex.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from array import array
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from priority import first
from pulse_card import PulseCard

FRAME = 480  # samples of 20 ms, as the card gives and the gate judges them
MOST = 30_000  # names of periods, from 1 on
ALLOWED_MS = {"quiet": 85.0, "open": 45.0}


class Marked:
    """A room in which each period says which one it is, and when it was given."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def __call__(self, fed: bytes, played: bytes) -> bytes:
        del fed, played
        self.at.append(time.monotonic())
        return array("h", [len(self.at) % MOST + 1] * FRAME).tobytes()

    def age(self, mark: int, seen_at: float) -> float:
        """Seconds since the latest period of that name before ``seen_at``."""
        index = mark - 2  # the list began before the count
        return min(seen_at - at for at in self.at[index % MOST :: MOST] if at <= seen_at)


def listen(mode: str, seconds: float) -> None:
    """The program under test: a line for each frame, its last sample and when it was judged."""
    from satellite.adapters import portaudio, voice
    from satellite.adapters.resampler import Resampler
    from satellite.adapters.silero import Silero
    from satellite.capture import Capture, Ears
    from satellite.logic.gate import Gate, GateSettings, Passed
    from satellite.model import commands as cmd

    seen: list[tuple[int, float]] = []

    class Timed(Gate):
        def step(self, frame: bytes, speech: bool) -> Passed:
            passed = super().step(frame, speech)
            seen.append((memoryview(frame).cast("h")[-1], time.monotonic()))
            return passed

    class Asked(Silero):
        """Takes its time, and is sure of whatever it hears."""

        def hear(self, frame: bytes) -> float | None:
            told = super().hear(frame)
            return None if told is None else 0.9 + told / 10

    judge = voice.make_judge(2)
    ears = Ears(
        lambda _: lambda frame: judge(frame) is None or mode == "open",
        lambda: None,
        network=Asked(),
    )
    gate = Timed(GateSettings(onset=1, pre_roll=1, hangover=35, limit=1 << 40))
    source = portaudio.MicSource("default", Resampler)
    wanted = cmd.SetEars(2, "open_mic")
    capture = Capture(source, ears, wanted, gate, lambda _: None, time.monotonic)
    capture.start()
    time.sleep(seconds)
    capture.stop(2)
    print("\n".join(f"{mark} {at}" for mark, at in seen[25:]))  # the first half second opens it


def measure(mode: str, seconds: float, *, realtime: bool) -> tuple[float, ...]:
    """Milliseconds, sorted."""
    room = Marked()
    card = PulseCard(room=room)
    card.start()
    if realtime:
        first(card.pid)  # it gives back what it was started with
    command = [sys.executable, __file__, "--as", mode, "--seconds", str(seconds)]
    try:
        lines = subprocess.run(
            command, env={**os.environ, **card.env}, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    finally:
        card.close()
    pairs = (line.split() for line in lines)
    return tuple(sorted(1000 * room.age(int(mark), float(at)) for mark, at in pairs))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the two")
    parser.add_argument("--realtime", action="store_true", help="before all else; root")
    parser.add_argument("--as", dest="mode", choices=["quiet", "open"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.mode:
        listen(args.mode, args.seconds)
        return
    if args.realtime:
        first(os.getpid())
    print(
        "| | frames | p50 | p95 | p99 | max | allowed |\n" + "| --- " * 7 + "|",
    )
    for mode, allowed in ALLOWED_MS.items():
        ms = measure(mode, args.seconds, realtime=args.realtime)
        at = [ms[min(len(ms) - 1, len(ms) * p // 100)] for p in (50, 95, 99, 100)]
        print(f"| {mode} | {len(ms)} |", " | ".join(f"{x:.1f} ms" for x in at), f"| {allowed} ms |")
    print("load", os.getloadavg())


if __name__ == "__main__":
    main()
