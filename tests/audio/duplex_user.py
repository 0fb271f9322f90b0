"""The program under test: both devices used at once, by the daemon's own threads.

    duplex_user.py DEVICE SECONDS

It plays tests/known_sound.py for so long, as it would come from a server, and writes all that it
captures to stdout, until stdin ends. Then one line of JSON about itself goes to stderr.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue

from satellite.adapters import portaudio
from satellite.adapters.resampler import Resampler
from satellite.capture import Capture, Ears
from satellite.logic.gate import Gate, GateSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import RATE, SAMPLE_BYTES
from satellite.playback import Playback

sys.path.insert(0, str(Path(__file__).parents[1]))

from known_sound import known_sound

PIECE = RATE * SAMPLE_BYTES // 5  # 200 ms, as servers send them
AHEAD_S = 1.0


class Sure:
    """A Network to which all is speech, also what goes on for an hour; never twice as sure."""

    def __init__(self) -> None:
        self._sure = itertools.cycle((1.0, 0.99))

    def hear(self, frame: bytes) -> float:
        return next(self._sure)

    def forget(self) -> None:
        pass

    renew = forget


def main(device: str, seconds: float) -> None:
    """Play and hear, and tell everything that was not sound."""
    told: SimpleQueue[ev.Event] = SimpleQueue()

    def post(event: ev.Event) -> None:
        if isinstance(event, ev.Heard):
            sys.stdout.buffer.write(event.pcm)
            sys.stdout.buffer.flush()
        else:
            told.put(event)

    gate = Gate(GateSettings(onset=1, pre_roll=1, hangover=35, limit=1 << 40))
    ears = Ears(lambda aggressiveness: lambda frame: True, lambda: None, network=Sure())  # type: ignore[arg-type]
    source = portaudio.MicSource(device, Resampler)
    capture = Capture(source, ears, cmd.SetEars(2, "open_mic"), gate, post, time.monotonic)
    sink = portaudio.SpeakerSink(device, Resampler)
    playback = Playback(sink, post, time.monotonic, volume=100)
    capture.start()
    playback.start()
    play(playback, seconds)
    sys.stdin.buffer.read()
    assert capture.stop(2)
    assert playback.stop(2)
    names = [type(told.get()).__name__ for _ in range(told.qsize())]
    print(json.dumps({"told": names, "threads": threading.active_count()}), file=sys.stderr)


def play(playback: Playback, seconds: float) -> None:
    """Order the sound at the pace of time, a second ahead."""
    sound, began = known_sound(), time.monotonic()
    size = round(seconds * RATE) * SAMPLE_BYTES
    for at in range(0, size, PIECE):
        due = began + at / SAMPLE_BYTES / RATE - AHEAD_S
        time.sleep(max(0.0, due - time.monotonic()))
        place = at % len(sound)
        piece = (sound[place:] + sound)[: min(PIECE, size - at)]
        playback.put(cmd.Play("r1", "i1", 0, piece))
    playback.put(cmd.EndPlay("r1"))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
