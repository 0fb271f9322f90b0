#!/usr/bin/env python3
"""Continuous capture and playback at once: is any sample dropped, repeated or put in?

    .venv/bin/python benchmarks/sound/duplex.py [--seconds 3600]

The daemon's own threads and adapters and real PortAudio, in a process of their own, at a private
PulseAudio server, which plays silence where no sound came in time, so that a gap shows. Every
sample of both directions is compared with what was sent.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from duplex import Duplex
from pulse_card import PulseCard


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    card = PulseCard()
    card.start()
    run = Duplex(card, parser.parse_args().seconds, tell_s=60.0)
    try:
        said = run.run()
    finally:
        card.close()
    print(
        f"heard   {run.heard.tally}\nplayed  {run.played.tally}\nload    {os.getloadavg()}\n{said}"
    )


if __name__ == "__main__":
    main()
