"""Rooms in which people speak, and rooms in which nobody does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import sounds
from sounds import CELL, SPEECH_DBFS, Prompt, Sound

from satellite.model.audio import RATE

ROOM_DBFS: Final = -62.0  # the hiss of every room
FIRST_S: Final = 5.0
LEAST_GAP_S, MOST_GAP_S = 0.9, 8.0
KINDS: Final = ("white noise", "pink noise", "music", "babble")
BELOW_DB: Final = (20, 10, 5, 0)
MUSIC_DBFS: Final = (-20, -30, -40, -50)
NOISE_DBFS: Final = (-20, -30, -40, -50, -60)


@dataclass(frozen=True, slots=True)
class Place:
    """``kind`` of sound beside speech, ``level`` in dB below it; where nobody speaks, in dBFS."""

    name: str
    kind: str = ""
    level: float = 0.0
    speech: bool = True
    softer_db: float = 0.0
    music_before: bool = False  # ten loud minutes


@dataclass(frozen=True, slots=True)
class Material:
    """What scenes are made of. ``others`` talk in the babble, none of them in ``people``."""

    people: list[Prompt]
    others: list[Prompt]
    music: list[Sound]
    minutes: float  # of each noise alone


@dataclass(frozen=True, slots=True)
class Scene:
    """``said``: first and last sample of each utterance; ``sounds``: is there speech in each 10 ms
    of all; ``begins``: what came before is not counted."""

    pcm: npt.NDArray[np.int16]
    said: list[tuple[int, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    sounds: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    begins: int = 0


def places() -> list[Place]:
    """All, in the order of the table."""
    return [
        Place("quiet room"),
        Place("quiet room, 20 dB softer", softer_db=20),
        Place("quiet, after 10 minutes of loud music", music_before=True),
        *(Place(f"{kind} {db} dB", kind, db) for kind in KINDS for db in BELOW_DB),
        Place("nobody, quiet room", speech=False),
        *(Place(f"nobody, music {db} dBFS", "music", db, speech=False) for db in MUSIC_DBFS),
        *(
            Place(f"nobody, {kind} {db} dBFS", kind, db, speech=False)
            for kind in ("white noise", "pink noise", "fan", "knocks")
            for db in NOISE_DBFS
        ),
    ]


def scene(place: Place, material: Material, seed: int) -> Scene:
    """The same for the same ``seed``."""
    rng = np.random.default_rng(seed)
    if not place.speech:
        of_noise = round(material.minutes * 60 * RATE)
        count = sum(map(len, material.music)) if place.kind == "music" else of_noise
        beside = _beside(place.kind, count, material, rng)
        if place.kind:
            beside = sounds.at_level(beside, place.level)
        return Scene(_pcm(beside, rng))
    pieces: list[Sound] = [np.zeros(round(FIRST_S * RATE), np.float32)]
    if place.music_before:
        pieces[0] = np.append(_loud_music(material), pieces[0])
    begins = at = len(pieces[0]) // CELL * CELL
    pieces[0] = pieces[0][:at]
    cells, said, names = [np.zeros(at // CELL, np.bool_)], [], []
    for n in rng.permutation(len(material.people)):
        prompt = material.people[n]
        gap = round(np.exp(rng.uniform(np.log(LEAST_GAP_S), np.log(MOST_GAP_S))) * 100) * CELL
        pieces += [prompt.samples, np.zeros(gap, np.float32)]
        cells += [prompt.sounds, np.zeros(gap // CELL, np.bool_)]
        said.append((at, at + len(prompt.samples)))
        names.append(prompt.name)
        at += len(prompt.samples) + gap
    sound = np.concatenate(pieces)
    sound[begins:] *= 10 ** (-place.softer_db / 20)
    if place.kind:
        beside = _beside(place.kind, len(sound), material, rng)
        sound += sounds.at_level(beside, SPEECH_DBFS - place.level)
    return Scene(_pcm(sound, rng), said, names, np.concatenate(cells), begins)


def _beside(kind: str, count: int, material: Material, rng: np.random.Generator) -> Sound:
    match kind:
        case "white noise":
            return sounds.white(count, rng)
        case "pink noise":
            return sounds.pink(count, rng)
        case "fan":
            return sounds.fan(count, rng)
        case "knocks":
            return sounds.knocks(count, rng)
        case "music":
            whole = np.concatenate(
                [material.music[n] for n in rng.permutation(len(material.music))]
            )
            return np.resize(whole, count)
        case "babble":
            return sounds.babble(material.others, count, rng)
    return np.zeros(count, np.float32)


def _loud_music(material: Material) -> Sound:
    return sounds.at_level(np.resize(np.concatenate(material.music), 600 * RATE), -15)


def _pcm(sound: Sound, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """As a microphone gives it, with the hiss of the room."""
    sound = sound + rng.standard_normal(len(sound), np.float32) * np.float32(10 ** (ROOM_DBFS / 20))
    return (np.clip(sound, -1, 1) * 32_767).astype("<i2")
