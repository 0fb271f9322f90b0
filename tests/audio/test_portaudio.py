"""Real PortAudio through the virtual card: what is fed is heard, what is written is played."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from array import array
from pathlib import Path

import numpy as np
import pytest
from audio_types import MakeCard, Use
from virtual_card import VirtualCard

from satellite.adapters.portaudio import MicSource
from satellite.adapters.portaudio.loudspeaker import PAD_MS
from satellite.adapters.resampler import Resampler
from satellite.errors import DeviceError, SetupError
from satellite.model.audio import silence


def noise(samples: int) -> bytes:
    """Samples that are never zero, so that added silence shows."""
    rng = random.Random(samples)
    return array(
        "h", [rng.choice((-1, 1)) * rng.randint(1, 32000) for _ in range(samples)]
    ).tobytes()


def opened(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == b"open\n", (line, process.communicate())


def finished(process: subprocess.Popen[bytes], given: bytes | None = None) -> bytes:
    """Wait for the end and return stdout. Nothing may be on stderr, from any library."""
    out, err = process.communicate(given, timeout=20)
    assert err == b""
    assert process.returncode == 0
    return out


def sentence(process: subprocess.Popen[bytes]) -> str:
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (1, b"")
    return out.decode().rstrip("\n")


# --- hearing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [480, 960, 1920, 700])
def test_every_sample_is_heard_once(card: VirtualCard, use: Use, samples: int) -> None:
    sound = noise(9600)
    user = use(card.env, "hear", "default", "0.6", str(samples))
    opened(user)
    card.feed(sound)
    assert sound in finished(user)


def test_a_device_that_stalls_is_heard_again(card: VirtualCard, use: Use) -> None:
    sound = noise(9600)
    user = use(card.env, "hear", "default", "0.8", "960")
    opened(user)
    card.feed(sound)
    while card.unheard() > len(sound) // 2:
        time.sleep(0.005)
    card.stall(True)
    with pytest.raises(subprocess.TimeoutExpired):
        user.wait(0.6)
    card.stall(False)
    assert sound in finished(user)


def test_a_device_of_48_khz_is_heard_through_the_resampler(make_card: MakeCard, use: Use) -> None:
    card = make_card(rate=48_000)
    sound = noise(19_200)
    user = use(card.env, "hear", "default", "0.6", "960", "48000")
    opened(user)
    card.feed(sound)
    heard = finished(user)
    # silence is captured until the sound is fed: some number of whole periods
    assert any(resampled(bytes(k * 1920) + sound, len(heard)) == heard for k in range(40))


def resampled(pcm: bytes, length: int) -> bytes:
    """48 kHz to 24 kHz with silence after it, the first ``length`` bytes."""
    return Resampler(48_000, 24_000)(pcm + bytes(3 * length))[:length]


def test_a_converter_of_alsa_is_used_as_it_is(make_card: MakeCard, use: Use) -> None:
    """Behind ALSA's plug a 48 kHz card takes 24 kHz: nothing is resampled in Python."""
    card = make_card(rate=48_000, plug=True)
    wave = np.sin(2 * np.pi * 1000 * np.arange(28_800) / 48_000) * 16_000
    user = use(card.env, "hear", "default", "0.9", "960")
    opened(user)
    card.feed(wave.astype("<i2").tobytes())
    heard = np.frombuffer(finished(user), "<i2").astype(float)
    tone = heard[np.argmax(np.abs(heard) > 1000) :][480 : 480 + 9600]
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone))))
    assert np.argmax(spectrum) * 24_000 / len(tone) == 1000
    assert np.abs(tone).max() == pytest.approx(16_000, rel=0.02)


# --- playing -----------------------------------------------------------------------------------


def test_every_sample_is_played_to_the_end(card: VirtualCard, use: Use) -> None:
    sound = noise(9600)
    user = use(card.env, "play", "virtual", "24000")
    opened(user)
    delay = float(finished(user, sound))
    played = all_of(card)
    start = played.find(sound[:64])
    assert played[start : start + len(sound)] == sound
    after = played[start + len(sound) :]
    assert not after.strip(b"\0")
    assert len(after) <= len(silence(PAD_MS))
    assert 0.0 < delay < 0.3  # what the card and the pipe hold


def test_what_48_khz_plays_comes_from_the_resampler(make_card: MakeCard, use: Use) -> None:
    card = make_card(rate=48_000)
    sound = noise(9600)
    user = use(card.env, "play", "default", "48000")
    opened(user)
    finished(user, sound)
    played = all_of(card)
    expected = Resampler(24_000, 48_000)(sound + silence(PAD_MS))
    assert expected[: 2 * len(sound)] in played


def all_of(card: VirtualCard) -> bytes:
    """What was played, once the pipe is empty."""
    size = -1
    while size != len(card.played()):
        size = len(card.played())
        time.sleep(0.1)
    return card.played()


# --- names -------------------------------------------------------------------------------------


def test_devices_have_names(make_card: MakeCard, use: Use) -> None:
    card = make_card(names=("USB Mic", "Headset"))
    assert sorted(finished(use(card.env, "names")).decode().split("\n")) == [
        "",
        "Headset",
        "USB Mic",
        "default",
    ]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("Jabra", "no microphone is called 'Jabra'; there are: '"),
        ("usb", "2 microphones are called 'usb'; there are: 'USB "),
        ("1", "1 is no name of a microphone, and numbers change with every plug; write '"),
        ("77", "numbers change with every plug; write one of: '"),
        ("speaker", "no microphone is called 'speaker'; there are: '"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(
    make_card: MakeCard, use: Use, wanted: str, told: str
) -> None:
    card = make_card(names=("USB Mic", "USB Camera", "speaker.monitor"))
    assert told in sentence(use(card.env, "hear", wanted, "0.1", "480"))


@pytest.mark.parametrize("wanted", ["USB", "headset", " Headset "])
def test_an_exact_name_or_one_part_is_enough(make_card: MakeCard, use: Use, wanted: str) -> None:
    card = make_card(names=("USB", "USB Camera", "Headset"))
    opened(use(card.env, "hear", wanted, "0.1", "480"))


# --- nothing there -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("hear", "default", "1", "480"), "no microphone found: plug one in, see `arecord -l`"),
        (("play", "default"), "no loudspeaker found: plug one in, see `aplay -l`"),
    ],
)
def test_no_device_is_told_with_what_to_do(
    tmp_path: Path, use: Use, args: tuple[str, ...], told: str
) -> None:
    config = tmp_path / "asound.conf"
    config.write_text("pcm.default { type hw card 31 }\n")
    assert told in sentence(use({"ALSA_CONFIG_PATH": str(config)}, *args))


def test_an_ordinary_machine_is_quiet_on_stderr(use: Use) -> None:
    """ALSA's own configuration, with JACK and all: 80 to 100 lines without our care."""
    finished(use({}, "names"))


LOGS = """
import logging, os
from satellite.adapters.portaudio import library
from satellite.cli import demo, main

def run(args):
    with library.quiet():
        os.write(2, b"of a library\\n")
        logging.getLogger("satellite").warning("a problem")
    os.write(2, b"what ends a process\\n")
    return 0

demo.register = lambda commands: commands.add_parser("demo").set_defaults(run=run)
raise SystemExit(main.main(["demo"]))
"""


def test_what_is_logged_while_a_library_is_kept_quiet_is_not_lost() -> None:
    """The other thread has a problem to tell while this one opens or closes its device."""
    done = subprocess.run([sys.executable, "-c", LOGS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    logged, last = done.stderr.splitlines()
    assert logged.endswith("WARNING a problem")
    assert last == "what ends a process"


# --- streams that die --------------------------------------------------------------------------


class DeadStream:
    """As PyAudio's after the sound server was killed."""

    def __init__(self, *errors: OSError) -> None:
        self._errors = list(errors)

    def get_input_latency(self) -> float:
        return 0.08

    def get_read_available(self) -> int:
        raise self._errors.pop(0)

    def close(self) -> None:
        raise OSError("Stream not open", -9988)


class FakeAudio:
    """As PyAudio's, with one microphone."""

    def __init__(self, stream: DeadStream, hz: int = 24_000) -> None:
        self._stream, self._hz = stream, hz
        self.terminated = 0

    def get_device_count(self) -> int:
        return 1

    def get_device_info_by_index(self, index: int) -> dict[str, object]:
        return {
            "index": index,
            "name": "USB Mic",
            "maxInputChannels": 1,
            "maxOutputChannels": 0,
            "defaultSampleRate": float(self._hz),
        }

    def get_default_input_device_info(self) -> dict[str, object]:
        return self.get_device_info_by_index(0)

    def is_format_supported(self, rate: float, **asked: object) -> bool:
        if rate != self._hz:
            raise ValueError("Invalid sample rate", -9997)
        return True

    def open(self, **asked: object) -> DeadStream:
        if self._stream is None:
            raise OSError(-9985, "Device unavailable")
        return self._stream

    def terminate(self) -> None:
        self.terminated += 1


def with_pyaudio(monkeypatch: pytest.MonkeyPatch, audio: FakeAudio) -> FakeAudio:
    monkeypatch.setattr("pyaudio.PyAudio", lambda: audio)
    return audio


@pytest.mark.parametrize("number", [-9999, -9988])
def test_a_dead_stream_is_told_and_given_back(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    stream = DeadStream(OSError(number, "Unanticipated host error"))
    audio = with_pyaudio(monkeypatch, FakeAudio(stream))
    source = MicSource("default", Resampler)
    source.open()
    with pytest.raises(DeviceError, match="the microphone 'USB Mic' stopped working"):
        source.read(480)
    source.close()
    source.close()
    assert audio.terminated == 1


def test_a_busy_device_is_told_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = with_pyaudio(monkeypatch, FakeAudio(None))  # type: ignore[arg-type]
    with pytest.raises(DeviceError, match="'USB Mic' is in use by another program"):
        MicSource("default", Resampler).open()
    assert audio.terminated == 1


def test_a_missing_extra_is_named_and_the_device_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    audio = with_pyaudio(monkeypatch, FakeAudio(DeadStream(), hz=44_100))
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(SetupError, match=r"pip install 'realtime-satellite\[resample\]'"):
        MicSource("usb", Resampler).open()
    assert audio.terminated == 1
