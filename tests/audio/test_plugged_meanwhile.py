"""What is plugged in while another device is open, through real PortAudio, which does not see it.

The kernel's list of cards is made up; the cards are virtual ones with names like PortAudio's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from known_sound import known_sound
from made_up_cards import MadeUpCards
from virtual_card import VirtualCard

HARDWARE = "USB PnP (hw 2,0)"  # ALSA takes no colon in the name of a device

PROGRAM = """
import faulthandler, re, sys, threading, time
from pathlib import Path
from satellite.adapters.portaudio import MicSource, SpeakerSink, cards, names
from satellite.adapters.resampler import Resampler
from satellite.errors import DeviceError

faulthandler.dump_traceback_later(60, exit=True)
cards.ROOT = Path(sys.argv[2])
names._HW = re.compile(r"\\(hw (\\d+),(\\d+)\\)$")

def speak():
    for at in range(0, len(sound), 1920):
        sink.write(sound[at : at + 1920])

def hear():
    while not stop.is_set():
        mic.read(960)

sound, stop = sys.stdin.buffer.read(), threading.Event()
mic = MicSource("Device" if sys.argv[1] == "mic" else "default", Resampler)
sink = SpeakerSink("Device" if sys.argv[1] == "speaker" else "default", Resampler)
late, first, work = (mic, sink, speak) if sys.argv[1] == "mic" else (sink, mic, hear)
first.open()
try:
    late.open()
except DeviceError as exc:
    print(exc)
print(flush=True)
for _ in range(2000):
    if Path(sys.argv[2], "plugged").exists():
        break
    time.sleep(0.01)
thread = threading.Thread(target=work, daemon=True)
thread.start()
before = time.monotonic()
late.open()
print("found", time.monotonic() - before, flush=True)
if late is mic:
    mic.read(960)
else:
    speak()
stop.set()
thread.join()
mic.close()
sink.close()
"""


@pytest.mark.parametrize("late", ["mic", "speaker"])
def test_f42_a_device_is_found_that_was_plugged_in_while_another_one_is_open(
    tmp_path: Path, late: str
) -> None:
    machine = MadeUpCards(tmp_path / "machine")
    card = VirtualCard(folder(tmp_path / "card"), names=(HARDWARE,))
    config = Path(card.env["ALSA_CONFIG_PATH"])
    both = config.read_text()
    config.write_text(both[: both.index('pcm."')] + both[both.index('pcm."default"') :])
    card.start()
    sound = known_sound()[: 2 * 48_000]
    command = [sys.executable, "-c", PROGRAM, late, str(machine.root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env={**os.environ, **card.env}, stdin=pipe, stdout=pipe) as user:
        assert user.stdin is not None
        assert user.stdout is not None
        user.stdin.write(sound)
        user.stdin.close()
        noun = "microphone" if late == "mic" else "loudspeaker"
        assert user.stdout.readline().startswith(f"no {noun} is called 'Device'".encode())
        assert user.stdout.readline() == b"\n"
        machine.plug(2, "Device", "USB-Audio", "USB PnP Sound Device", ("0c", "0p"), "1-1.2")
        config.write_text(both)
        (machine.root / "plugged").touch()
        found, seconds = user.stdout.readline().split()
        assert found == b"found"
        assert float(seconds) < 10.0
        user.stdout.read()
        assert user.wait(20) == 0
    card.close()
    played = card.played()
    # all of it, in two parts where the loudspeaker was closed and opened
    parts = [sound[at : at + 1920] for at in range(0, len(sound), 1920)]
    assert [part for part in parts if part not in played] == []


def folder(path: Path) -> Path:
    path.mkdir()
    return path
