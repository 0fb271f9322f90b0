"""Trees like /proc/asound and /sys/class/sound of real machines, for a test to change."""

from __future__ import annotations

import shutil
from pathlib import Path

from satellite.adapters.portaudio.names import Device

Pcms = tuple[str, ...]


class MadeUpCards:
    """Sound cards below ``root``, as ``cards(root)`` reads them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[int, str] = {}
        (root / "proc/asound").mkdir(parents=True)
        (root / "sys/class/sound").mkdir(parents=True)

    def plug(
        self, number: int, card_id: str, driver: str, name: str, pcms: Pcms, usb: str = ""
    ) -> None:
        """A card with the devices ``pcms``, such as ``0c`` and ``1p``; ``usb`` such as 1-1.2."""
        at = "usb-0000:01:00.0-1.2, full speed" if usb else name
        self._listed[number] = (
            f"{number:2} [{card_id:<15}]: {driver} - {name}\n{'':22}{name} at {at}\n"
        )
        self._write()
        for pcm in pcms:
            self._status(number, pcm, "closed\n")
            (self.root / f"proc/asound/card{number}/pcm{pcm}/info").write_text(
                f"card: {number}\ndevice: {pcm[:-1]}\nsubdevice: 0\nstream: CAPTURE\n"
                f"id: {driver}\nname: {driver}\nsubname: subdevice #0\nclass: 0\n"
                "subclass: 0\nsubdevices_count: 1\nsubdevices_avail: 1\n"
            )
        interface = f"{usb}:1.0" if usb else "soc:sound"
        device = self.root / "sys/devices/platform/usb1" / usb / interface
        folder = device / f"sound/card{number}"
        folder.mkdir(parents=True)
        (folder / "device").symlink_to("../../../" + interface)
        (self.root / f"sys/class/sound/card{number}").symlink_to(folder)

    def unplug(self, number: int) -> None:
        """The card is gone."""
        del self._listed[number]
        self._write()
        shutil.rmtree(self.root / f"proc/asound/card{number}")
        link = self.root / f"sys/class/sound/card{number}"
        shutil.rmtree(link.resolve())
        link.unlink()

    def hold(self, number: int, pcm: str, pid: int, program: str) -> None:
        """A program has the device open."""
        self._status(
            number,
            pcm,
            f"state: RUNNING\nowner_pid   : {pid}\ntrigger_time: 12.5\ntstamp      : 0.0\n"
            "delay       : 480\navail       : 480\navail_max   : 1920\n-----\n"
            "hw_ptr      : 480\nappl_ptr    : 0\n",
        )
        (self.root / f"proc/{pid}").mkdir(exist_ok=True)
        (self.root / f"proc/{pid}/comm").write_text(program + "\n")

    def _status(self, number: int, pcm: str, text: str) -> None:
        sub = self.root / f"proc/asound/card{number}/pcm{pcm}/sub0"
        sub.mkdir(parents=True, exist_ok=True)
        (sub / "status").write_text(text)

    def _write(self) -> None:
        listed = "".join(self._listed.values()) or "--- no soundcards ---\n"
        (self.root / "proc/asound/cards").write_text(listed)


def a_raspberry_pi(root: Path) -> MadeUpCards:
    """A Raspberry Pi 4 with two equal USB microphones, a microphone array and a USB camera."""
    cards, both = MadeUpCards(root), ("0c", "0p")
    cards.plug(0, "vc4hdmi0", "vc4-hdmi", "vc4-hdmi-0", ("0p",))
    cards.plug(1, "Headphones", "bcm2835_headpho", "bcm2835 Headphones", ("0p",))
    cards.plug(2, "Device", "USB-Audio", "USB PnP Sound Device", ("0c", "0p"), "1-1.2")
    cards.plug(3, "Device_1", "USB-Audio", "USB PnP Sound Device", ("0c", "0p"), "1-1.3")
    cards.plug(4, "ArrayUAC10", "USB-Audio", "ReSpeaker 4 Mic Array (UAC1.0)", both, "1-1.4")
    cards.plug(5, "seeed2micvoicec", "seeed2micvoicec", "seeed-2mic-voicecard", ("0c", "0p"))
    cards.plug(6, "Loopback", "Loopback", "Loopback", ("0c", "0p", "1c", "1p"))
    return cards


def as_portaudio_sees_it() -> list[Device]:
    """The same machine, in PortAudio's words; ALSA's parts and its default come last."""
    rows = [
        ("vc4-hdmi-0: MAI PCM i2s-hifi-0 (hw:0,0)", 0, 2, 44_100),
        ("bcm2835 Headphones: - (hw:1,0)", 0, 8, 44_100),
        ("USB PnP Sound Device: Audio (hw:2,0)", 1, 2, 44_100),
        ("USB PnP Sound Device: Audio (hw:3,0)", 1, 2, 44_100),
        ("ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:4,0)", 6, 2, 16_000),
        ("seeed-2mic-voicecard: bcm2835-i2s-wm8960-hifi wm8960-hifi-0 (hw:5,0)", 2, 2, 44_100),
        ("Loopback: PCM (hw:6,0)", 32, 32, 44_100),
        ("Loopback: PCM (hw:6,1)", 32, 32, 44_100),
        ("sysdefault", 0, 128, 48_000),
        ("lavrate", 0, 128, 44_100),
        ("pulse", 32, 32, 44_100),
        ("dmix", 0, 2, 48_000),
        ("default", 32, 32, 44_100),
    ]
    return [Device(index, *row) for index, row in enumerate(rows)]
