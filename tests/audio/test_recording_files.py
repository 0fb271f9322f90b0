"""Whatever a recorder writes becomes 24 kHz mono; whatever is none gets one clear sentence."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from satellite.adapters.recording import load
from satellite.errors import RecordingError, SetupError


def sine(rate: int, seconds: float = 0.5, peak: float = 0.5) -> npt.NDArray[np.float64]:
    wave_ = np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)
    return np.asarray(wave_ * peak, dtype=np.float64)


def samples(pcm: bytes) -> npt.NDArray[np.int64]:
    return np.frombuffer(pcm, "<i2").astype(np.int64)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """24 kHz, mono, 16 bit: 12,000 samples of noise."""
    path = tmp_path / "ours.wav"
    values = np.random.default_rng(1).integers(-32768, 32768, 12_000).astype("<i2")
    soundfile.write(path, values, 24_000)
    return path


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_every_rate_and_number_of_channels(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.stack([sine(rate)] * channels, axis=1), rate)
    heard = samples(load(path))
    assert len(heard) == pytest.approx(12_000, abs=1)
    expected = sine(24_000)[: len(heard)] * 32_768
    assert np.abs(heard - expected)[240:-240].max() < 40


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_every_width(tmp_path: Path, subtype: str, form: str) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, sine(24_000), 24_000, subtype=subtype, format=form)
    step = 256 if subtype == "PCM_U8" else 1
    assert np.abs(samples(load(path)) - sine(24_000) * 32_768).max() <= step


def test_channels_are_mixed(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.array([[8192, 4096], [-8192, 0]] * 100, dtype="<i2"), 24_000)
    assert samples(load(path))[:2].tolist() == [6144, -4096]


def test_our_own_kind_is_kept_bit_for_bit(ours: Path) -> None:
    values, _ = soundfile.read(ours, dtype="int16")
    assert load(ours) == values.tobytes()
    flac = ours.with_suffix(".flac")
    soundfile.write(flac, values, 24_000)
    assert load(flac) == values.tobytes()


def test_what_is_too_loud_or_no_number_is_no_noise(tmp_path: Path) -> None:
    path = tmp_path / "float.wav"
    values = np.array([1.5, -1.5, np.nan, np.inf, -np.inf, 0.25], dtype="float32")
    soundfile.write(path, values, 24_000, subtype="FLOAT")
    assert samples(load(path)).tolist() == [32767, -32768, 0, 32767, -32768, 8192]


def test_one_who_streams_leaves_the_length_open(ours: Path) -> None:
    whole = load(ours)
    content = bytearray(ours.read_bytes())
    content[4:8] = content[40:44] = b"\xff" * 4
    ours.write_bytes(content)
    assert load(ours) == whole


def test_other_chunks_are_stepped_over(ours: Path) -> None:
    whole, content = load(ours), ours.read_bytes()
    note = b"LIST" + struct.pack("<I", 5) + b"INFOx\0"
    ours.write_bytes(content[:36] + note + content[36:] + note)
    assert load(ours) == whole


# --- what cannot be heard ----------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        load(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: ")
    assert "\n" not in told
    return told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"What can I do for you?" * 50, "is no sound that can be read"),
        (b"RIFF\x24\0\0\0WAVE", "is a WAV file without samples"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "is a WAV file without samples"),
        (b"RIFF\xff\xff\xff\xffWAVE" + b"\xff" * 100, "is a WAV file without samples"),
    ],
)
def test_what_is_no_recording(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    assert told in refused(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path)
    assert "there is no such file" in refused(tmp_path / "none.wav")
    os.mkfifo(tmp_path / "pipe")
    assert "is a device or a pipe" in refused(tmp_path / "pipe")


@pytest.mark.parametrize("rate", [24_000, 48_000])
def test_what_is_cut_short(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, sine(rate, 2.0), rate)
    path.write_bytes(path.read_bytes()[: 44 + rate])
    assert "promises 2.0 s of sound and 0.5 s are there" in refused(path)


@pytest.mark.parametrize("rate", [24_000, 48_000])
def test_what_holds_no_sound(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "none.wav"
    soundfile.write(path, sine(rate, 0.0), rate)
    assert "holds no sound" in refused(path)


@pytest.mark.parametrize("rate", [100, 1_000_000])
def test_what_has_an_impossible_rate(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.zeros(100), rate)
    assert f"its header says {rate} Hz" in refused(path)


@pytest.mark.parametrize("rate", [24_000, 8_000])
def test_what_is_longer_than_an_hour(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(b"")
    size = 2 * rate * 3601
    header = bytearray(path.read_bytes())
    header[40:44] = struct.pack("<I", size)
    path.write_bytes(header)
    os.truncate(path, 44 + size)  # a hole: no disk is filled
    assert "at most 1 h is read" in refused(path)


def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: Path) -> None:
    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "cannot be read: Permission denied" in refused(ours)


# --- the extra ---------------------------------------------------------------------------------


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, sine(48_000), 48_000)
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(SetupError, match=r"pip install 'realtime-satellite\[resample\]'"):
        load(path)


def test_our_own_kind_loads_nothing(ours: Path) -> None:
    script = (
        "import sys; from satellite.adapters.recording import load; load(sys.argv[1]);"
        "assert not {'numpy', 'soxr', 'soundfile'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(ours)], check=True)
