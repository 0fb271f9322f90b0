"""The whole of hearing, real detector and network: people get through, noise and music do not.

benchmarks/hearing does the same at length, on recorded people and music.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import satellite.demo
from satellite import hearing_setup
from satellite.adapters.recording import load
from satellite.config.schema import Config
from satellite.hearing import Hearing
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, RATE, SAMPLE_BYTES

Sound = npt.NDArray[np.float64]
REQUESTS = sorted(Path(satellite.demo.__file__).parent.glob("*.wav"))
SPOKEN, ROOM = 0.05, 0.0008  # of 1.0, the mean: -26 and -62 dBFS
GAP_S = 2.5
CHORDS = ((220, 277, 330), (175, 220, 262), (196, 247, 294), (165, 208, 247))


def white(count: int) -> Sound:
    return np.random.default_rng(1).standard_normal(count)


def pink(count: int) -> Sound:
    spectrum = np.fft.rfft(white(count))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.fft.irfft(spectrum, count)


def note(hz: float, seconds: float, decay_s: float) -> Sound:
    at = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * k * hz * at) / k**1.5 for k in range(1, 7))
    return np.asarray(tone * np.exp(-at / decay_s) * np.minimum(1, at / 0.01))


def chords(count: int) -> Sound:
    bars = [sum(note(hz, 2.0, 1.0) for hz in chord) for chord in CHORDS]
    return np.resize(np.concatenate([np.asarray(bar) for bar in bars]), count)


def melody(count: int) -> Sound:
    steps = np.random.default_rng(2).integers(0, 13, 200)
    return np.resize(
        np.concatenate([note(262 * 2 ** (step / 12), 0.3, 0.2) for step in steps]), count
    )


def loud(sound: Sound, mean: float) -> Sound:
    return sound * mean / np.sqrt(np.mean(sound**2))


def request(path: Path) -> Sound:
    """From the first to the last 10 ms within 35 dB of the loudest."""
    cell = RATE // 100
    samples = np.frombuffer(load(path), "<i2").astype(float) / 32_768
    cells = samples[: len(samples) // cell * cell].reshape(-1, cell)
    power = np.mean(cells**2, axis=1)
    sounds = np.nonzero(power > power.max() * 10**-3.5)[0]
    return loud(cells[sounds[0] : sounds[-1] + 1].reshape(-1), SPOKEN)


def heard(sound: Sound) -> list[tuple[int, int]]:
    """First and last sample of everything that the gate let through, as it is shipped."""
    config = Config()
    sent: list[tuple[int, int]] = []
    at, opened = 0, False

    def post(event: object) -> None:
        nonlocal opened
        if isinstance(event, ev.GateOpened):
            opened = True
        elif isinstance(event, ev.Heard):
            first = at - len(event.pcm) // SAMPLE_BYTES if opened else sent.pop()[0]
            opened = False
            sent.append((first, at))

    hearing = Hearing(
        hearing_setup.ears(config), hearing_setup.wanted(config), hearing_setup.gate(config), post
    )
    hearing.begin()
    room = loud(white(len(sound)), ROOM)
    pcm = (np.clip(sound + room, -1, 1) * 32_767).astype("<i2").tobytes()
    for start in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        at = (start + FRAME_BYTES) // SAMPLE_BYTES
        hearing.hear(pcm[start : start + FRAME_BYTES], at / RATE, deaf=False)
    return sent


@pytest.mark.parametrize("noise", [None, white, pink], ids=["quiet", "white", "pink"])
def test_every_request_is_sent_whole_and_nothing_else(noise: Callable[[int], Sound] | None) -> None:
    gap = np.zeros(round(GAP_S * RATE))
    pieces, said, at = [gap], [], len(gap)
    for path in REQUESTS:
        samples = request(path)
        said.append((at, at + len(samples)))
        pieces += [samples, gap]
        at += len(samples) + len(gap)
    sound = np.concatenate(pieces)
    if noise is not None:
        sound = sound + loud(noise(len(sound)), SPOKEN / 10**0.5)
    sent = heard(sound)
    assert len(sent) == len(said) == 6
    for (first, end), (begins, ends) in zip(sent, said, strict=True):
        assert first <= begins < ends <= end, "it is cut"
        assert end - first < ends - begins + 1.5 * RATE, "more than pre-roll and hang-over"


@pytest.mark.parametrize("music", [chords, melody])
def test_after_a_minute_of_music_somebody_is_heard_against_it(
    music: Callable[[int], Sound],
) -> None:
    said = [request(path) for path in REQUESTS[:3]]
    gap = np.zeros(round(GAP_S * RATE))
    spoken = np.concatenate([np.zeros(60 * RATE), *(part for one in said for part in (one, gap))])
    sent = heard(spoken + loud(music(len(spoken)), SPOKEN / 10**0.25))
    at = 60 * RATE
    for one in said:
        assert any(first <= at < at + len(one) <= end for first, end in sent), "it is cut"
        at += len(one) + len(gap)
    assert sum(end - first for first, end in sent) < 4 * sum(map(len, said)), "music is sent"


@pytest.mark.parametrize("sound", [white, pink, chords, melody])
@pytest.mark.parametrize("mean", [0.1, 0.02], ids=["loud", "soft"])
def test_where_nobody_speaks_nothing_opens(sound: Callable[[int], Sound], mean: float) -> None:
    assert heard(loud(sound(20 * RATE), mean)) == []
