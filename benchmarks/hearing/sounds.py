"""What is heard: recorded speech and music of Debian, and noise made of numbers.

Samples are float32 at 24 kHz, 1.0 the loudest; levels are in dBFS, the mean of the power.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from satellite.model.audio import RATE

Sound = npt.NDArray[np.float32]
PACKAGES: Final = (
    "asterisk-core-sounds-en-g722 asterisk-core-sounds-es-g722 asterisk-core-sounds-fr-g722"
    " asterisk-core-sounds-it-g722 asterisk-core-sounds-ru-g722 asterisk-moh-opsound-g722 ffmpeg"
)
INSTALL: Final = f"run: sudo apt install {PACKAGES}"
SPOKEN: Final = Path("/usr/share/asterisk/sounds")
MUSIC: Final = Path("/usr/share/asterisk/moh")
SPEAKERS: Final = (
    "en_US_f_Allison",
    "es_MX_f_Allison",
    "fr_CA_f_June",
    "it_IT_m_Carlo",
    "ru_RU_f_IvrvoiceRU",
)
G722_BYTES: Final = 8_000  # a second
NO_SPEECH: Final = ("beep", "tone", "monkeys", "confbridge-join", "confbridge-leave")
SHORTEST_S, LONGEST_S = 0.4, 6.0
SPEECH_DBFS: Final = -26.0
CELL: Final = RATE // 100  # truth is told in steps of 10 ms
AUDIBLE_DB: Final = (
    35.0  # below the loudest 10 ms of a prompt: its first and last such are its ends
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Somebody says something. ``sounds``: of each 10 ms, is there speech? The first and the last
    are."""

    name: str
    samples: Sound
    sounds: npt.NDArray[np.bool_]


def decode(path: Path) -> Sound:
    """Raises SystemExit with a sentence where ffmpeg is missing."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-ar", str(RATE), "-ac", "1"]
    try:
        done = subprocess.run([*command, "-f", "s16le", "-"], check=True, capture_output=True)
    except FileNotFoundError as exc:
        raise SystemExit(f"ffmpeg is missing; {INSTALL}") from exc
    return np.frombuffer(done.stdout, "<i2").astype(np.float32) / 32_768


def prompts(each: int, seed: int) -> list[Prompt]:
    """``each`` of every speaker, drawn by ``seed``, one speaker after the other in turns."""
    rng = np.random.default_rng(seed)
    voices = []
    for folder in SPEAKERS:
        paths = sorted((SPOKEN / folder).glob("*.g722"))
        if not paths:
            raise SystemExit(f"{SPOKEN / folder} has no .g722 in it; {INSTALL}")
        rng.shuffle(paths)  # type: ignore[arg-type]
        voices.append(_some(paths, each))
    return [voice[n] for n in range(each) for voice in voices if n < len(voice)]


def _some(paths: list[Path], most: int) -> list[Prompt]:
    found: list[Prompt] = []
    for path in paths:
        seconds = path.stat().st_size / G722_BYTES
        if any(word in path.name for word in NO_SPEECH) or not SHORTEST_S < seconds < LONGEST_S + 1:
            continue
        prompt = _prompt(path)
        if SHORTEST_S <= len(prompt.samples) / RATE <= LONGEST_S:
            found.append(prompt)
        if len(found) == most:
            break
    return found


def _prompt(path: Path) -> Prompt:
    samples = decode(path)
    cells = samples[: len(samples) // CELL * CELL].reshape(-1, CELL)
    power = np.mean(cells**2, axis=1)
    sounds = power > power.max() * 10 ** (-AUDIBLE_DB / 10)
    first, last = np.nonzero(sounds)[0][[0, -1]]
    level = 10 * np.log10(np.mean(power[sounds]))
    samples = cells[first : last + 1].reshape(-1) * 10 ** ((SPEECH_DBFS - level) / 20)
    return Prompt(f"{path.parent.name}/{path.stem}", samples, sounds[first : last + 1])


def music() -> list[Sound]:
    """Every piece."""
    paths = sorted(MUSIC.glob("*.g722"))
    if not paths:
        raise SystemExit(f"{MUSIC} has no .g722 in it; {INSTALL}")
    return [decode(path) for path in paths]


def babble(people: list[Prompt], count: int, rng: np.random.Generator) -> Sound:
    """Eight people at once, who go on talking."""
    mixed = np.zeros(count, np.float32)
    for _ in range(8):
        order = rng.permutation(len(people))
        said = np.concatenate([people[n].samples for n in order])
        mixed += np.resize(np.roll(said, -int(rng.integers(len(said)))), count)
    return mixed


def white(count: int, rng: np.random.Generator) -> Sound:
    return rng.standard_normal(count, np.float32)


def pink(count: int, rng: np.random.Generator) -> Sound:
    """A minute, again and again."""
    size = min(count, 60 * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.resize(np.fft.irfft(spectrum, size).astype(np.float32), count)


def fan(count: int, rng: np.random.Generator) -> Sound:
    """Mains hum, blades and rushing air; two minutes on, one off, three seconds to come and go."""
    at = np.arange(count, dtype=np.float64) / RATE
    hum = sum(np.sin(2 * np.pi * 50 * k * at + k) / k for k in range(1, 9))
    blades = np.sin(2 * np.pi * 187 * at + 0.5 * np.sin(2 * np.pi * 0.7 * at))
    air = pink(count, rng)
    on = np.clip(np.minimum(at % 180, 120 - at % 180) / 3, 0, 1)
    return ((hum + blades + 2 * air / np.std(air)) * on).astype(np.float32)


def knocks(count: int, rng: np.random.Generator) -> Sound:
    """Doors, cups and keys: a ringing of 20 to 200 ms at 150 to 3000 Hz, one or two a second."""
    sound = np.zeros(count, np.float32)
    start = 0
    while (start := start + int(RATE * rng.exponential(0.7))) < count:
        at = np.arange(min(RATE // 2, count - start)) / RATE
        ring = np.sin(2 * np.pi * rng.uniform(150, 3000) * at) + rng.standard_normal(len(at))
        sound[start : start + len(at)] += ring * np.exp(-at / rng.uniform(0.01, 0.06))
    return sound


def at_level(sound: Sound, dbfs: float) -> Sound:
    """Made so loud on the average."""
    power = np.mean(sound.astype(np.float64) ** 2)
    return sound * np.float32(10 ** (dbfs / 20) / np.sqrt(power))
