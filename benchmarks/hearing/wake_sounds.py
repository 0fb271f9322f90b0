"""Who says wake words, and what others say: voices, Debian's prompts, texts that are read.

Samples are float32 at 24 kHz, 1.0 the loudest, as in sounds.py.
"""

from __future__ import annotations

import functools
import pydoc_data.topics
import subprocess
import tempfile
import wave
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from sounds import INSTALL, MUSIC, SPOKEN, Sound, decode, music

from satellite.local import synthesiser
from satellite.model.audio import RATE

FLITE: Final = ("slt", "rms", "awb", "kal16")
ESPEAK: Final = ("en-us", "en-gb", "en-us+f3", "en-us+m3", "en-gb-scotland")
READERS: Final = (  # in turns: the slower half of a batch is not always the same voice's
    "flite slt",
    "espeak-ng en-us",
    "hibari 1.0",
    "flite rms",
    "espeak-ng en-gb",
    "flite awb",
    "hibari 1.2",
    "flite kal16",
    "espeak-ng en-us+m3",
)
LICENCES: Final = Path("/usr/share/common-licenses")
FORMATS: Final = {  # what ffmpeg is told of headless sound, bytes a second
    ".g722": (("-f", "g722"), 8_000),
    ".gsm": (("-f", "gsm"), 1_650),
    ".wav": (("-f", "s16le", "-ar", "8000", "-ac", "1"), 16_000),
}
NEAR: Final = (
    "Okay, now put the butter into the bowl and stir until it is smooth.",
    "Okay, no problem. I have set a timer for ten minutes.",
    "Okay, nobody knew about the bamboo canoe.",
    "In Namibia one finds an old desert. Nablus is a city.",
    "Hey, Jupiter is the largest planet. Hey, Travis and Davis are here.",
    "He was a service man who gave away harvest wine in jars.",
    "Hey, Marvin. Hey, Charles. Hey, Carlos. Hey, Jasmine.",
    "My craft is carpentry. Microsoft and Minecraft are two companies.",
    "Hey, my cruft of old files is gone.",
    "A lexicon is a book of words. Electra was a daughter of Agamemnon.",
    "Alexander the Great was born in Pella. Alex has a sister.",
    "I relaxed a little. A lecture on taxes keeps boredom away.",
)
RECORDED, READ, NEARLY, TUNES, OWN = "recorded", "read", "near misses", "music", "own voice"
SPEECH: Final = (RECORDED, READ)
Say = Callable[[str], Sound]
Batch = tuple[str, str, tuple[str, ...]]  # kind, voice or folder, files or texts


@functools.cache
def hibari() -> synthesiser.HibariSynthesiser:
    return synthesiser.load()


@functools.cache
def tunes() -> list[Sound]:
    return music()


def say_hibari(speed: float, text: str) -> Sound:
    pcm = b"".join(hibari().speak(text, speed))
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768


def say_other(command: tuple[str, ...], text: str) -> Sound:
    """``command`` writes the WAV file that is its last word."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run([*(text if c == "TEXT" else c for c in command), str(path)], check=True)
        return decode(path)


def voices() -> dict[str, Say]:
    made: dict[str, Say] = {
        f"hibari {speed}": functools.partial(say_hibari, speed) for speed in (0.85, 1.0, 1.2)
    }
    for name in FLITE:
        command = ("flite", "-voice", name, "-t", "TEXT", "-o")
        made[f"flite {name}"] = functools.partial(say_other, command)
    for name in ESPEAK:
        command = ("espeak-ng", "-v", name, "TEXT", "-w")
        made[f"espeak-ng {name}"] = functools.partial(say_other, command)
    return made


def level(samples: Sound, dbfs: float) -> Sound:
    """The parts within 35 dB of the loudest have this level."""
    loud = samples[np.abs(samples) > np.abs(samples).max() / 56]
    return samples * (10 ** (dbfs / 20) / np.sqrt(np.mean(loud**2)))


def room(seconds: float, rng: np.random.Generator) -> Sound:
    """It hisses at -62 dBFS."""
    return 10 ** (-62 / 20) * rng.standard_normal(round(seconds * RATE), np.float32)


def sentences() -> list[str]:
    """Prose of Python's manual and of licences, mixed, none of it twice."""
    texts = [*map(str, pydoc_data.topics.topics.values())]
    licences = (path for path in sorted(LICENCES.glob("*")) if not path.is_symlink())
    texts += [path.read_text("utf-8", errors="replace") for path in licences]
    found = dict[str, None]()
    for text in texts:
        for part in text.replace("\n", " ").split(". "):
            sentence = " ".join(part.split())
            plain = sum(c.isalpha() or c == " " for c in sentence)
            if 40 < len(sentence) < 300 and plain > 0.9 * len(sentence):
                found[sentence + "."] = None
    mixed = list(found)
    np.random.default_rng(11).shuffle(mixed)  # type: ignore[arg-type]
    return mixed


def batches(hours: float, own_minutes: float, share: float) -> Iterator[Batch]:
    """What others say, some minutes each; ``hours`` are read, ``share`` of the recordings heard."""
    lines, each = sentences(), 40
    for n in range(min(round(hours * 3600 / 260), len(lines) // each - 15)):
        voice = READERS[n % len(READERS)]  # 40 sentences are a little over 4 minutes
        yield READ, voice, tuple(lines[n * each : (n + 1) * each])
    for n in range(round(own_minutes / 2)):
        yield OWN, "hibari 1.0", tuple(lines[::-1][n * 20 : n * 20 + 20])
    for folder in sorted(path for path in SPOKEN.iterdir() if not path.is_symlink()):
        files = [path for path in recordings(folder) if path.stat().st_size > 2000]
        for start in range(0, round(share * len(files)), 100):
            yield RECORDED, folder.name, tuple(map(str, files[start : start + 100]))
    for tune in sorted(MUSIC.glob("*.g722")):
        yield TUNES, tune.stem, (str(tune),)
    for voice in READERS:
        yield NEARLY, voice, NEAR


def recordings(folder: Path) -> list[Path]:
    """In the best format there is of a folder: the others hold the same recordings."""
    for suffix in FORMATS:
        if found := sorted(folder.rglob(f"*{suffix}")):
            return found
    return []


def scene_of(batch: Batch) -> Sound:
    """One after the other at -26 dBFS, each 0.4 s after the last."""
    kind, voice, parts = batch
    if kind in {RECORDED, TUNES}:
        heard = decode_all([Path(part) for part in parts])
    else:
        say = voices()[voice]  # several sentences at once: a program is started for each
        texts = parts if kind == NEARLY else [" ".join(parts[n : n + 5]) for n in range(0, 40, 5)]
        heard = [say(text) for text in texts if text]
    rng = np.random.default_rng(7)
    pieces = [room(2, rng)]
    for each in heard:
        if len(each) and np.abs(each).max() > 0:
            pieces += [level(each, -26), room(0.4, rng)]
    return np.concatenate(pieces)


def decode_all(paths: Sequence[Path]) -> list[Sound]:
    """Files of one format, by one ffmpeg: to start it for each costs more than to listen."""
    options, per_second = FORMATS[paths[0].suffix]
    raw = [_raw(path) for path in paths]
    command = ["ffmpeg", "-v", "error", *options, "-i", "-", "-ar", str(RATE), "-ac", "1"]
    try:
        done = subprocess.run(
            [*command, "-f", "s16le", "-"], input=b"".join(raw), check=True, capture_output=True
        )
    except FileNotFoundError as exc:
        raise SystemExit(f"ffmpeg is missing; {INSTALL}") from exc
    samples = np.frombuffer(done.stdout, "<i2").astype(np.float32) / 32_768
    ends = np.cumsum([0] + [len(each) for each in raw]) * (RATE / per_second)
    return [samples[round(a) : round(b)] for a, b in pairwise(ends)]


def _raw(path: Path) -> bytes:
    if path.suffix != ".wav":
        return path.read_bytes()
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (8000, 1, 2):
            raise SystemExit(f"{path}: not 8 kHz, mono, 16 bit, as all of its package are")
        return file.readframes(file.getnframes())
