"""``satellite devices`` on real and on made-up machines: what it shows, and what it hears."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any, ClassVar

import pytest
from audio_types import MakeCard
from made_up_cards import MadeUpCards, a_raspberry_pi, as_portaudio_sees_it
from pulse_card import PulseCard

from satellite.adapters.portaudio import cards as kernel
from satellite.adapters.portaudio import server
from satellite.cli.main import main
from satellite.logic.level import level


def devices(env: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "satellite", "devices", *options]
    return subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, text=True, timeout=60
    )


def tone(amplitude: float, seconds: float) -> bytes:
    """440 Hz; what is above full scale is cut."""
    values = (amplitude * math.sin(n * math.tau * 440 / 24_000) for n in range(24_000))
    second = array("h", (max(-32_768, min(32_767, round(value))) for value in values)).tobytes()
    return (second * math.ceil(seconds))[: int(seconds * 48_000)]


# --- a machine in the kernel's and PortAudio's words -------------------------------------------

CAN = {  # rates and least channels of the bare hardware
    0: ((44_100, 48_000), 2),
    1: ((44_100, 48_000), 1),
    2: ((44_100, 48_000), 1),
    4: ((16_000,), 6),
    5: ((8_000, 16_000, 24_000, 32_000, 44_100, 48_000), 2),
}


class Pi:
    """As PyAudio's, on the machine of made_up_cards, whose second USB microphone is in use."""

    seen: ClassVar = [device for device in as_portaudio_sees_it() if device.index != 3]

    def get_device_count(self) -> int:
        return len(self.seen)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        device = self.seen[index]
        return {
            "index": index,
            "name": device.name,
            "maxInputChannels": device.inputs,
            "maxOutputChannels": device.outputs,
            "defaultSampleRate": device.rate_hz,
        }

    def get_default_input_device_info(self) -> dict[str, Any]:
        return self.get_device_info_by_index(len(self.seen) - 1)

    get_default_output_device_info = get_default_input_device_info

    def is_format_supported(self, rate: int, **asked: int) -> bool:
        index = asked.get("input_device", asked.get("output_device", 0))
        rates, least = CAN.get(as_portaudio_sees_it().index(self.seen[index]), ((rate,), 1))
        if (
            rate not in rates
            or asked.get("input_channels", asked.get("output_channels", 0)) < least
        ):
            raise ValueError("no", -9997)
        return True

    def terminate(self) -> None:
        pass


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUpCards:
    machine = a_raspberry_pi(tmp_path)
    machine.hold(3, "0c", 812, "arecord")
    monkeypatch.setattr(kernel, "ROOT", tmp_path)
    monkeypatch.setattr(server, "reach", lambda: None)
    monkeypatch.setattr("pyaudio.PyAudio", Pi)
    return machine


SIX, RATE = "6 channels", "converted"


def test_each_device_is_shown_by_its_stable_name_with_what_it_does(
    pi: MadeUpCards, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["devices"]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    mics = shown[: shown.index("")]
    assert mics == [
        "Microphones, to write as audio.input.device:",
        "default * what the sound system has chosen any rate, any channels used as it is",
        "Device USB PnP Sound Device 44.1/48 kHz, mono used at 48,000 Hz, converted",
        "or usb-1-1.2: whatever card is in that socket",
        f"ArrayUAC10 ReSpeaker 4 Mic Array (UAC1.0) 16 kHz, {SIX} used at 16,000 Hz, {SIX}, {RATE}",
        "or usb-1-1.4: whatever card is in that socket",
        "seeed2micvoicec seeed-2mic-voicecard any rate, stereo used at 24,000 Hz, 2 channels",
        "Loopback Loopback any rate, any channels used as it is",
        "Loopback,1 Loopback any rate, any channels used as it is",
        "Device_1 USB PnP Sound Device in use by arecord (process 812)",
        "or usb-1-1.3: whatever card is in that socket",
        "* is the default",
    ]
    rest = "\n".join(shown)
    assert "Loudspeakers, to write as audio.output.device:" in rest
    assert "vc4hdmi0 vc4-hdmi-0 44.1/48 kHz, stereo used at 48,000 Hz, 2 channels, conv" in rest
    assert "lavrate" not in rest


def test_for_programs_it_is_one_json_object(
    pi: MadeUpCards, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["devices", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == ["microphones", "loudspeakers"]
    array_ = next(mic for mic in shown["microphones"] if mic["name"] == "ArrayUAC10")
    assert array_ == {
        "name": "ArrayUAC10",
        "what": "ReSpeaker 4 Mic Array (UAC1.0)",
        "rates_hz": [16_000],
        "channels": 6,
        "opens": [16_000, 6],
        "default": False,
        "holder": "",
        "plug": "usb-1-1.4",
    }


# --- real PortAudio ----------------------------------------------------------------------------


def test_a_machine_without_sound_is_told_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "asound.conf"
    config.write_text("pcm.default { type hw card 31 }\n")
    for options in ((), ("--listen",), ("--json",)):
        done = devices({"ALSA_CONFIG_PATH": str(config)}, *options)
        assert (done.returncode, done.stdout) == (78, "")
        assert done.stderr.startswith("satellite: no sound device found: plug one in and see")


def test_a_configuration_of_alsa_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    config = tmp_path / "asound.conf"
    config.write_text("pcm.{{{\n")
    done = devices({"ALSA_CONFIG_PATH": str(config)})
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("satellite: the sound system cannot be used (")
    assert ".asoundrc" in done.stderr


def test_a_name_that_the_terminal_cannot_write_is_shown_all_the_same(pulse: PulseCard) -> None:
    with pulse.control() as control:
        control.module_load(
            "module-null-sink", "sink_name=kitchen sink_properties=device.description=Küche"
        )
    done = devices({**pulse.env, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "K\\xfcche, of the sound server" in done.stdout


def test_cards_of_alsa_are_shown_and_heard(make_card: MakeCard) -> None:
    card = make_card(names=("USB Mic",))
    card.feed(tone(3277, 8))
    done = devices(card.env, "--listen")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "listening to default ...\nlistening to USB Mic ...\n"
    assert "  USB Mic " in done.stdout
    # the clock of a busy machine is not the card's, and that is said in place of "sound"
    assert re.search("; -23 dBFS, peak -20; (sound|it says 24,000 Hz: .* too busy)", done.stdout)


def test_what_a_sound_server_has_is_shown_without_monitors(pulse: PulseCard) -> None:
    done = devices(pulse.env)
    assert (done.returncode, done.stderr) == (0, "")
    mics, _, speakers = done.stdout.partition("Loudspeakers")
    assert "what the sound system has chosen, now mic" in mics
    assert "  mic * " in mics
    assert "of the sound server" in mics
    assert "  speaker * " in speakers
    assert "monitor" not in done.stdout.lower()


def test_a_sound_servers_microphone_is_heard_and_silence_named(pulse: PulseCard) -> None:
    done = devices(pulse.env, "--listen", "--json")
    assert done.returncode == 0, done.stderr
    heard = {mic["name"]: mic["heard"] for mic in json.loads(done.stdout)["microphones"]}
    assert set(heard) == {"default", "mic"}
    assert heard["mic"]["rate_hz"] == 24_000
    assert heard["mic"]["measured_hz"] > 0
    assert heard["mic"]["level"]["rms"] is None
    assert heard["mic"]["fault"].startswith("silence: exact zeros")


# --- levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pcm", "rms", "peak", "fault"),
    [
        (tone(3277, 1), -23, -20, ""),
        (tone(30_000, 1), -4, -1, ""),
        (tone(20, 1), -67, -64, "hardly anything"),
        (tone(60_000, 1), -1, 0, "clipping: "),
        (array("h", [500] * 24_000).tobytes(), -36, -36, "always the same value"),
        (bytes(48_000), None, None, "silence: exact zeros"),
    ],
)
def test_a_level_and_what_is_wrong_with_it(
    pcm: bytes, rms: float | None, peak: float | None, fault: str
) -> None:
    found = level(pcm)
    assert found.rms is rms or found.rms == pytest.approx(rms, abs=0.5)
    assert found.peak is peak or found.peak == pytest.approx(peak, abs=0.5)
    assert found.fault.startswith(fault)
    assert bool(found.fault) == bool(fault)
