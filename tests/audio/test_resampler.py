"""The resampler: the same sound however it is cut, at the right pitch and loudness, clipped."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satellite.adapters.resampler import Resampler
from satellite.errors import SetupError

RATES = [(48_000, 24_000), (44_100, 24_000), (16_000, 24_000), (24_000, 48_000), (24_000, 44_100)]


def noise(samples: int) -> bytes:
    values = np.random.default_rng(7).integers(-32768, 32768, samples)
    return bytes(values.astype("<i2").tobytes())


def tone(hz: float, rate: int, peak: float = 16_000) -> bytes:
    wave = np.sin(2 * np.pi * hz * np.arange(rate) / rate) * peak
    return bytes(np.clip(np.rint(wave), -32768, 32767).astype("<i2").tobytes())


@pytest.mark.parametrize("rates", RATES)
@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 6000), max_size=12))
def test_what_comes_out_does_not_depend_on_the_cuts(
    rates: tuple[int, int], cuts: list[int]
) -> None:
    sound = noise(6000)
    convert, bounds = Resampler(*rates), [0, *sorted(cuts), 6000]
    pieces = [convert(sound[2 * start : 2 * end]) for start, end in itertools.pairwise(bounds)]
    assert b"".join(pieces) == Resampler(*rates)(sound)


@pytest.mark.parametrize("rates", RATES)
def test_pitch_and_loudness_stay(rates: tuple[int, int]) -> None:
    out = np.frombuffer(Resampler(*rates)(tone(1000, rates[0])), "<i2").astype(float)
    assert len(out) == pytest.approx(rates[1], abs=rates[1] * 0.025)  # 20 ms are held back
    middle = out[rates[1] // 4 :][: rates[1] // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * rates[1] / len(middle) == 1000
    assert np.abs(middle).max() == pytest.approx(16_000, rel=0.01)


def test_what_24_khz_cannot_hold_is_taken_out() -> None:
    out = np.frombuffer(Resampler(48_000, 24_000)(tone(17_000, 48_000)), "<i2")
    assert np.abs(out[2400:-2400].astype(int)).max() <= 2  # -80 dB and better


def test_what_is_too_loud_is_clipped_and_never_wraps() -> None:
    square = (np.where(np.arange(4800) % 480 < 240, 32767, -32768)).astype("<i2")
    out = np.frombuffer(Resampler(48_000, 24_000)(square.tobytes()), "<i2").astype(int)
    settled = out[400:]
    assert settled.max() == 32767
    assert settled.min() == -32768
    assert np.abs(np.diff(settled)).max() < 60_000  # a wrapped peak would jump by 65,535


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(SetupError, match=r"pip install 'realtime-satellite\[resample\]'"):
        Resampler(48_000, 24_000)
