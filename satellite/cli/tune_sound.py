"""The sound that ``satellite tune`` looks at: recordings, or a while of the room; and its verdicts.

It stays in memory. Only ``keep`` writes it down.
"""

from __future__ import annotations

import os
import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from satellite.adapters import silero, voice
from satellite.attention import Attention
from satellite.config.schema import AudioInput
from satellite.errors import DeviceError, SetupError
from satellite.logic.level import level
from satellite.logic.tuning import SILENT, Span, levels
from satellite.model.audio import FRAME_BYTES, FRAME_MS, FRAME_SAMPLES, RATE, SAMPLE_BYTES, frames
from satellite.model.ports import Judged, Source

GAP: Final = frames(1000)  # of silence, as recordings in place of a microphone have it
QUIET_S: Final = 3.0  # the room by itself, before somebody speaks
A_SECOND: Final = 1000 // FRAME_MS
LOWEST_DB: Final = -80
BAR: Final = 24


@dataclass(frozen=True, slots=True)
class Sound:
    """Whole frames of model.audio. ``names``: where each recording begins; ``lead``: frames before
    what is called the time 0."""

    pcm: bytes
    names: tuple[tuple[int, str], ...] = ()
    lead: int = 0

    def __len__(self) -> int:
        return len(self.pcm) // FRAME_BYTES

    def frame(self, n: int) -> bytes:
        """One frame."""
        return self.pcm[n * FRAME_BYTES : (n + 1) * FRAME_BYTES]

    def peaks(self) -> list[tuple[int, int]]:
        """The lowest and the highest sample of each frame."""
        samples = memoryview(self.pcm).cast("h")
        pieces = (samples[n : n + FRAME_SAMPLES] for n in range(0, len(samples), FRAME_SAMPLES))
        return [(min(piece), max(piece)) for piece in pieces]

    def fault(self, spans: Sequence[Span]) -> str:
        """What is wrong with the level of the words, or of all where there are none."""
        words = (self.pcm[s.onset * FRAME_BYTES : (s.last + 1) * FRAME_BYTES] for s in spans)
        return level(b"".join(words) or self.pcm).fault


def recorded(paths: Sequence[str | Path]) -> Sound:
    """Recordings as the daemon hears them. Raises RecordingError, or SetupError for the extra."""
    from satellite.adapters import recording

    pcm = bytearray(GAP * FRAME_BYTES)
    names = []
    for path in paths:
        names.append((len(pcm) // FRAME_BYTES, Path(path).name))
        pcm += recording.load(path)
        pcm += bytes(-len(pcm) % FRAME_BYTES + GAP * FRAME_BYTES)
    return Sound(bytes(pcm), tuple(names), GAP)


def listened(given: AudioInput, seconds: int) -> Sound:
    """So long of the room. Raises DeviceError or SetupError with what to do."""
    from satellite.adapters.portaudio import MicSource
    from satellite.adapters.resampler import Resampler

    source = MicSource(given.device, Resampler, given.channel)
    try:
        source.open()
        return Sound(_listen(source, seconds, given.device))
    except DeviceError as exc:
        if exc.why != "busy":
            raise
        raise DeviceError(
            f"{exc}; if that is the satellite, stop it (sudo systemctl stop satellite), or give a"
            " recording: satellite tune speech.wav",
            "busy",
        ) from exc
    finally:
        source.close()


def _listen(source: Source, seconds: int, name: str) -> bytes:
    """Read, and show that it hears."""
    tell = _Progress(seconds, name)
    pcm = bytearray()
    while len(pcm) < seconds * RATE * SAMPLE_BYTES:
        block = source.read(4 * FRAME_SAMPLES)
        pcm += block
        if block:
            tell.heard(len(pcm) / (RATE * SAMPLE_BYTES), block)
    tell.end()
    return bytes(pcm[: seconds * A_SECOND * FRAME_BYTES])


class _Progress:
    """On stderr: a level that moves where that is a terminal, else two lines."""

    def __init__(self, seconds: int, name: str) -> None:
        self._seconds = seconds
        self._quiet_s = min(QUIET_S, seconds / 3)
        self._lively = sys.stderr.isatty()
        self._asked = False
        print(
            f"listening to {name} for {seconds} s: be quiet for {self._quiet_s:.0f} s, then speak"
            " as you would to it",
            file=sys.stderr,
            flush=True,
        )

    def heard(self, at: float, block: bytes) -> None:
        """A block that ends so many seconds after the first."""
        speak = at >= self._quiet_s
        if self._lively:
            loud = max(levels(block), default=SILENT)
            part = min(1.0, max(0.0, 1 - loud / LOWEST_DB))
            bar = ("#" * round(part * BAR)).ljust(BAR, ".")
            words = "now speak          " if speak else "quiet, to learn the room"
            shown = f"\r{at:5.1f} of {self._seconds} s  {bar} {loud:4.0f} dBFS  {words:<24}"
            print(shown, end="", file=sys.stderr, flush=True)
        elif speak and not self._asked:
            print("now speak", file=sys.stderr, flush=True)
        self._asked = speak

    def end(self) -> None:
        """It is all there."""
        if self._lively:
            print(file=sys.stderr)


def keep(sound: Sound, path: Path) -> None:
    """Write it as WAV that only its owner can read. Raises SetupError where that cannot be."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, wave.open(file, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(SAMPLE_BYTES)
            out.setframerate(RATE)
            out.writeframes(sound.pcm)
    except OSError as exc:
        raise SetupError(
            f"{path}: the sound cannot be kept there: {exc.strerror or exc}; choose another name"
        ) from exc


class Verdicts:
    """What the ears of the daemon make of a sound, heard once for each setting of them."""

    def __init__(self, sound: Sound) -> None:
        self._sound = sound
        self._done: dict[tuple[int, bool], list[Judged]] = {}

    def __call__(self, aggressiveness: int, confirm: bool) -> list[Judged]:
        """The Hear of logic.suggesting. Fresh ears each time, as a daemon has that starts."""
        key = aggressiveness, confirm
        if key not in self._done:
            network = silero.Silero() if confirm else None
            attention = Attention(voice.make_judge(aggressiveness), network, aggressiveness)
            attention.begin()
            heard = (self._sound.frame(n) for n in range(len(self._sound)))
            self._done[key] = [attention.hear(frame) for frame in heard]
        return self._done[key]
