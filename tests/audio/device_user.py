"""The program under test: one device of the virtual card, used as the daemon's threads do.

    device_user.py hear DEVICE SECONDS SAMPLES [HZ]   captured PCM follows the line "open" on stdout
    device_user.py play DEVICE [HZ]                   PCM comes from stdin after that line
    device_user.py listen DEVICE [muted]              the capture thread; "mute" and "unmute" come
                                                      from stdin, each event is a line on stdout
    device_user.py answer DEVICE [HZ]                 the playback thread; each line on stdin is an
                                                      order, each event is a line on stdout
    device_user.py names                              the devices, one a line

An error's sentence is the only line on stdout, and 1 the exit code. With HZ the device cannot do
any other rate.
"""

from __future__ import annotations

import contextlib
import sys
import time
from array import array
from typing import Any

from satellite.adapters import portaudio
from satellite.adapters.portaudio import library
from satellite.adapters.portaudio.devices import Look
from satellite.adapters.portaudio.names import MIC
from satellite.adapters.resampler import Resampler
from satellite.capture import Capture, Ears
from satellite.errors import DeviceError
from satellite.logic.gate import Gate, GateSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import RATE
from satellite.playback import Playback


def main(verb: str, *args: str) -> None:
    """Do what ``verb`` says."""
    match verb, args:
        case "hear", (device, seconds, samples, *hz):
            only(hz)
            hear(device, float(seconds), int(samples))
        case "play", (device, *hz):
            only(hz)
            play(device)
        case "listen", (device, *muted):
            listen(device, muted=bool(muted))
        case "answer", (device, *hz):
            only(hz)
            answer(device)
        case "names", ():
            names()


def names() -> None:
    """All that PortAudio sees at this moment."""
    with library.LIFECYCLE:
        audio = library.initialise()
        with contextlib.closing(Look(MIC, audio)) as look:
            sys.stdout.write("".join(f"{found.name}\n" for found in look.seen.devices))
        library.terminate(audio)


def hear(device: str, seconds: float, samples: int) -> None:
    """Capture for ``seconds`` of sound, ``samples`` at a time."""
    source = portaudio.MicSource(device, Resampler)
    source.open()
    tell(b"open\n")
    for _ in range(round(seconds * RATE / samples)):
        tell(source.read(samples))
    source.close()
    source.close()


def listen(device: str, *, muted: bool) -> None:
    """Do as the daemon does; every frame is taken for speech."""
    source = portaudio.MicSource(device, Resampler)
    gate = Gate(GateSettings(onset=1, pre_roll=5, hangover=35, limit=10_000))
    ears = Ears(lambda aggressiveness: lambda frame: True, lambda: None)  # type: ignore[arg-type]
    capture = Capture(source, ears, cmd.SetEars(2, "open_mic"), gate, say, time.monotonic)
    if muted:
        capture.put(cmd.MuteMic(True))
    capture.start()
    for line in sys.stdin:
        capture.put(cmd.MuteMic(line == "mute\n"))
    assert capture.stop(2)


def say(event: ev.Event) -> None:
    """The event's name, and how much was heard."""
    size = len(event.pcm) if isinstance(event, ev.Heard) else 0
    tell(f"{type(event).__name__} {size}\n".encode())


def play(device: str) -> None:
    """Play all of stdin in slices of 40 ms, then say how much had not sounded."""
    sink = portaudio.SpeakerSink(device, Resampler)
    sink.open()
    tell(b"open\n")
    delay = 0.0
    while piece := sys.stdin.buffer.read(1920):
        sink.write(piece)
        delay = sink.delay_s()
    sink.close()
    sink.close()
    tell(f"{delay:.3f}\n".encode())


def answer(device: str) -> None:
    """Do as the daemon does. Sound is ``counted``: whoever records it knows where it was cut.

    Orders: ``play MS``, ``end``, ``flush``, ``pause``, ``resume``, ``chime NAME``.
    """
    sink = portaudio.SpeakerSink(device, Resampler)
    playback = Playback(sink, tell_of_playout, time.monotonic, volume=100)
    playback.start()
    done = 0
    for line in sys.stdin:
        match line.split():
            case ["play", ms]:
                pcm = counted(done, int(ms) * RATE // 1000)
                done += len(pcm) // 2
                playback.put(cmd.Play("r", "a", 0, pcm))
            case ["end"]:
                playback.put(cmd.EndPlay("r"))
            case ["flush"]:
                playback.put(cmd.FlushPlayout("r"))
            case ["chime", ("woke" | "message" | "failed") as name]:
                playback.put(cmd.PlayChime(name))
            case [word]:
                playback.put(cmd.PausePlayout(word == "pause"))
    assert playback.stop(2)


def counted(first: int, samples: int) -> bytes:
    """Sample n is n % 30,000 + 1: none is silence, and each tells which it is."""
    return array("h", (n % 30_000 + 1 for n in range(first, first + samples))).tobytes()


def tell_of_playout(event: ev.Event) -> None:
    """The event's name, and how much had been heard or why not."""
    what: object = getattr(event, "played_ms", getattr(event, "why", ""))
    tell(f"{type(event).__name__} {what}\n".encode())


def only(hz: list[str]) -> None:
    """Make PortAudio refuse every rate but this one, as it does for bare hardware."""
    if not hz:
        return
    import pyaudio

    supported = pyaudio.PyAudio.is_format_supported

    def refuse(self: Any, rate: float, **asked: Any) -> bool:
        if rate != int(hz[0]):
            raise ValueError("Invalid sample rate", -9997)
        return bool(supported(self, rate, **asked))

    pyaudio.PyAudio.is_format_supported = refuse


def tell(data: bytes) -> None:
    """Write at once."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except DeviceError as exc:
        print(exc)
        sys.exit(1)
