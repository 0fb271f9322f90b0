#!/usr/bin/env python3
"""Continuous capture and playback at once: is any sample dropped, repeated or put in?

    .venv/bin/python benchmarks/sound/duplex.py [--seconds 3600] [--realtime]

The daemon's own threads and adapters and real PortAudio, in a process of their own, at a private
PulseAudio server, which plays silence where no sound came in time, so that a gap shows. Every
sample of both directions is compared with what was sent. ``--realtime`` (root) puts all of it,
sound server and card too, before whatever else the machine does: a busy machine is no idle one.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from duplex import Duplex
from priority import first
from pulse_card import PulseCard


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--realtime", action="store_true", help="before all else; root")
    args = parser.parse_args()
    if args.realtime:
        first(os.getpid())  # and whoever is started from here
    card = PulseCard()
    card.start()
    if args.realtime:
        first(card.pid)  # it gives back what it was started with
    run = Duplex(card, args.seconds, tell_s=60.0)
    try:
        said = run.run()
    finally:
        card.close()
    print(
        f"heard   {run.heard.tally}\nplayed  {run.played.tally}\nload    {os.getloadavg()}\n{said}"
    )


if __name__ == "__main__":
    main()
