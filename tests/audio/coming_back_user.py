"""The program under test: the daemon's ears on a real PortAudio, whatever becomes of the device.

    coming_back_user.py DEVICE [quick]     each event is a line on stdout: its name, and why

Whatever is loud is speech. ``quick``: patience and rests are tenths of a second.
``census`` on stdin is answered with threads, descriptors and resident KiB.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from pathlib import Path

from satellite import capture as capture_
from satellite.adapters import portaudio
from satellite.adapters.portaudio import microphone
from satellite.adapters.resampler import Resampler
from satellite.capture import Capture, Ears
from satellite.logic.backoff import Backoff
from satellite.logic.gate import Gate, GateSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.ports import Judge


def main(device: str, quick: str = "") -> None:
    """Hear until stdin ends."""
    if quick:
        microphone.LOOK_S = 0.1  # type: ignore[misc]
        capture_.REOPEN = Backoff(0.1, 0.2)  # type: ignore[misc]
    stall_s = 0.3 if quick else microphone.STALL_S
    source = portaudio.MicSource(device, Resampler, stall_s=stall_s)
    gate = Gate(GateSettings(onset=2, pre_roll=5, hangover=5, limit=1000))
    ears = Ears(judge, lambda: None)  # type: ignore[arg-type, return-value]
    hears = Capture(source, ears, cmd.SetEars(2, "open_mic"), gate, say, time.monotonic)
    hears.start()
    for line in sys.stdin:
        if line == "census\n":
            tell("census", *census())
        else:
            hears.put(cmd.MuteMic(line == "mute\n"))
    assert hears.stop(2)


def judge(_aggressiveness: int) -> Judge:
    return lambda frame: max(memoryview(frame).cast("h")) > 1000


def say(event: ev.Event) -> None:
    if isinstance(event, ev.MicLost):
        tell("MicLost", event.why, event.detail)
    elif not isinstance(event, ev.MicSignal):
        tell(type(event).__name__)


def census() -> tuple[int, int, int]:
    """Threads, descriptors, resident KiB."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())  # those of libraries, too
    assert threads >= threading.active_count()
    return threads, sum(1 for _ in Path("/proc/self/fd").iterdir()), resident // 1024


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
