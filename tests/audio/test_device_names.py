"""Which device a name means, on machines made up of what real ones say of themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_cards import MadeUpCards, a_raspberry_pi, as_portaudio_sees_it

from satellite.adapters.portaudio.cards import Card, cards
from satellite.adapters.portaudio.names import (
    MIC,
    SPEAKER,
    Device,
    Kind,
    Seen,
    UnseenError,
    choose,
    name_of,
    names_of,
    stable,
)
from satellite.adapters.portaudio.server import Node
from satellite.errors import DeviceError

DEFAULT = 12
NODES = {
    "input": [
        Node("alsa_output.usb-Jabra.analog-stereo.monitor", "Monitor of Jabra", 2, 48_000, True),
        Node("alsa_input.usb-Jabra_SPEAK_510-00.mono-fallback", "Jabra Mono", 1, 16_000),
    ],
    "output": [Node("alsa_output.usb-Jabra.analog-stereo", "Jabra", 2, 48_000)],
}


@pytest.fixture
def machine(tmp_path: Path) -> MadeUpCards:
    """A Raspberry Pi with many cards."""
    return a_raspberry_pi(tmp_path)


def seen(machine: MadeUpCards, kind: Kind = MIC, *, server: bool = True) -> Seen:
    nodes = NODES[kind.prefix] if server else None
    return Seen(as_portaudio_sees_it(), DEFAULT, cards(machine.root), lambda: nodes)


def sentence(kind: Kind, wanted: str, there: Seen) -> str:
    with pytest.raises(DeviceError) as caught:
        choose(kind, wanted, there)
    return str(caught.value)


# --- the kernel's word -------------------------------------------------------------------------


def test_cards_are_read_with_their_plugs_and_devices(machine: MadeUpCards) -> None:
    found = {card.id: card for card in cards(machine.root)}
    assert list(found) == [
        "vc4hdmi0", "Headphones", "Device", "Device_1", "ArrayUAC10", "seeed2micvoicec", "Loopback",
    ]  # fmt: skip
    assert (found["Device"].usb, found["Device_1"].usb) == ("usb-1-1.2", "usb-1-1.3")
    assert found["Device"].name == "USB PnP Sound Device"
    assert (found["vc4hdmi0"].usb, found["vc4hdmi0"].number) == ("", 0)
    assert [pcm.number for pcm in found["Loopback"].devices(captures=True)] == [0, 1]
    assert found["Headphones"].devices(captures=True) == []
    assert found["Headphones"].devices(captures=False)[0].name == "bcm2835_headpho"


def test_who_has_a_device_open_is_told(machine: MadeUpCards) -> None:
    machine.hold(2, "0c", 812, "arecord")
    pcms = {pcm.captures: pcm.holder for pcm in cards(machine.root)[2].pcms}
    assert pcms == {True: "arecord (process 812)", False: ""}


@pytest.mark.parametrize("listed", [None, "--- no soundcards ---\n", "\0\xff nonsense [ ]: -\n"])
def test_a_kernel_without_sound_has_no_cards(tmp_path: Path, listed: str | None) -> None:
    if listed is not None:
        (tmp_path / "proc/asound").mkdir(parents=True)
        (tmp_path / "proc/asound/cards").write_text(listed)
    assert cards(tmp_path) == []


def test_a_card_that_goes_while_it_is_read_is_half_there(machine: MadeUpCards) -> None:
    link = machine.root / "sys/class/sound/card2"
    (link / "device").unlink()
    (machine.root / "proc/asound/card2/pcm0c/sub0/status").unlink()
    (machine.root / "proc/asound/card2/pcm0c/info").unlink()
    card = cards(machine.root)[2]
    assert (card.id, card.usb) == ("Device", "")
    assert card.devices(captures=True)[0].holder == ""


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wanted", "index"),
    [
        (MIC, "default", 12),
        (MIC, "Device", 2),
        (MIC, "Device_1", 3),
        (MIC, "Device_1,0", 3),
        (MIC, "usb-1-1.2", 2),
        (MIC, "usb-1-1.3", 3),
        (MIC, "ArrayUAC10", 4),
        (MIC, "seeed2micvoicec", 5),
        (MIC, "Loopback", 6),
        (MIC, "Loopback,1", 7),
        (MIC, "hw:CARD=Device_1,DEV=0", 3),
        (MIC, "plughw:Device", 2),
        (MIC, "ReSpeaker", 4),
        (MIC, "seeed-2mic", 5),
        (MIC, "ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:4,0)", 4),
        (MIC, "pulse", 10),
        (SPEAKER, "vc4hdmi0", 0),
        (SPEAKER, "Headphones", 1),
        (SPEAKER, "usb-1-1.4", 4),
        (SPEAKER, "sysdefault", 8),
    ],
)
def test_a_name_means_one_device(machine: MadeUpCards, kind: Kind, wanted: str, index: int) -> None:
    chosen = choose(kind, wanted, seen(machine, kind))
    assert (chosen.device.index, chosen.node) == (index, None)


def test_a_name_holds_when_the_number_changes(machine: MadeUpCards) -> None:
    machine.unplug(2)
    machine.unplug(3)
    machine.plug(2, "Device_1", "USB-Audio", "USB PnP Sound Device", ("0c",), "1-1.3")
    there = seen(machine)
    assert choose(MIC, "Device_1", there).device.index == 2
    assert choose(MIC, "usb-1-1.3", there).device.index == 2
    assert "no microphone is called 'usb-1-1.2'" in sentence(MIC, "usb-1-1.2", there)


def test_a_name_of_the_sound_server_goes_through_its_gate(machine: MadeUpCards) -> None:
    wanted = "alsa_input.usb-Jabra_SPEAK_510-00.mono-fallback"
    chosen = choose(MIC, wanted, seen(machine))
    assert (chosen.device.name, chosen.node) == ("pulse", NODES["input"][1])
    assert name_of(MIC, chosen, seen(machine)) == wanted
    assert choose(SPEAKER, "alsa_output.usb-Jabra.analog-stereo", seen(machine, SPEAKER)).node


@pytest.mark.parametrize(
    ("names", "gate"),
    [
        (("default", "pulse", "pipewire"), "pulse"),
        (("default", "pipewire"), "pipewire"),
        (("default",), "default"),
    ],
)
def test_the_best_gate_is_taken(machine: MadeUpCards, names: tuple[str, ...], gate: str) -> None:
    devices = [Device(n, name, 32, 32, 44_100) for n, name in enumerate(names)]
    there = replace(seen(machine), devices=devices)
    assert choose(MIC, NODES["input"][1].name, there).device.name == gate


def test_a_monitor_is_chosen_by_its_full_name_alone(machine: MadeUpCards) -> None:
    monitor = NODES["input"][0].name
    assert choose(MIC, monitor, seen(machine)).node == NODES["input"][0]
    assert monitor not in sentence(MIC, "Jabra", seen(machine))


def test_the_server_is_not_asked_for_what_the_kernel_knows(machine: MadeUpCards) -> None:
    def asked() -> None:
        raise AssertionError("the server was asked")

    there = replace(seen(machine), nodes=asked)
    for wanted in ("default", "Device", "usb-1-1.3", "pulse"):
        choose(MIC, wanted, there)


# --- what is wrong -----------------------------------------------------------------------------

MICS = "'Device', 'Device_1', 'ArrayUAC10', 'seeed2micvoicec', 'Loopback', 'Loopback,1', 'default'"
CHANGE = "and numbers change with every plug"


@pytest.mark.parametrize(
    ("kind", "wanted", "told"),
    [
        (MIC, "Jabra", f"no microphone is called 'Jabra'; there are: {MICS}, 'alsa_input"),
        (MIC, "USB PnP", "2 microphones are called 'USB PnP'; there are: 'Device', 'Device_1'"),
        (MIC, "3", f"3 is no name of a microphone, {CHANGE}; write 'Device_1'"),
        (MIC, "hw:4", f"hw:4 is no name of a microphone, {CHANGE}; write 'ArrayUAC10'"),
        (MIC, "hw:6,1", "write 'Loopback,1'"),
        (MIC, "plughw:2,0", "write 'Device'"),
        (MIC, "1", f"{CHANGE}; write one of: {MICS}"),
        (SPEAKER, "1", "write 'Headphones'"),
        (MIC, "Headphones", f"the card 'Headphones' has no microphone; there are: {MICS}"),
        (MIC, "Loopback,3", "the card 'Loopback' has no microphone of number 3; there are: "),
        (MIC, "usb-1-1.9", "no microphone is called 'usb-1-1.9'; there are: 'Device'"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_answered_with_the_right_ones(
    machine: MadeUpCards, kind: Kind, wanted: str, told: str
) -> None:
    assert told in sentence(kind, wanted, seen(machine, kind))


def test_every_name_that_is_told_means_its_device(machine: MadeUpCards) -> None:
    for kind in (MIC, SPEAKER):
        there = seen(machine, kind)
        able = [device for device in there.devices if kind.channels(device)]
        for device in able:
            assert choose(kind, stable(kind, device, there.cards), there).device == device
        for name in names_of(kind, there, able, NODES[kind.prefix]):
            assert choose(kind, name, there)


def test_alsa_parts_are_told_where_there_is_nothing_else(machine: MadeUpCards) -> None:
    there = Seen([Device(0, "pulse", 32, 32, 44_100)], None, [])
    assert "there are: 'pulse'" in sentence(MIC, "Jabra", there)


def test_a_missing_default_is_told_with_names(machine: MadeUpCards) -> None:
    there = replace(seen(machine), default=None)
    assert f"no default microphone; name one of: {MICS}" in sentence(MIC, "default", there)


@pytest.mark.parametrize("wanted", ["Device", "usb-1-1.2", "Device,0"])
def test_f44_a_device_that_somebody_uses_is_told_with_the_program(
    machine: MadeUpCards, wanted: str
) -> None:
    """PortAudio leaves out what it cannot open while it looks around."""
    machine.hold(2, "0c", 812, "arecord")
    there = without(seen(machine), 2)
    with pytest.raises(DeviceError) as caught:
        choose(MIC, wanted, there)
    assert caught.value.why == "busy"
    assert str(caught.value) == (
        f"the microphone {wanted!r} is in use by arecord (process 812); stop that program"
    )


def test_a_card_of_the_sound_server_is_told_to_be_named_there(machine: MadeUpCards) -> None:
    machine.hold(2, "0c", 812, "pipewire")
    assert "; write default, or a name of the sound server" in sentence(
        MIC, "Device", without(seen(machine), 2)
    )


def test_f42_a_device_that_portaudio_has_not_seen_is_told_apart(machine: MadeUpCards) -> None:
    there = without(seen(machine), 2)
    with pytest.raises(UnseenError, match="'Device' is plugged in but cannot be opened"):
        choose(MIC, "Device", there)
    nothing = replace(there, devices=[], default=None)
    for wanted in ("default", "Jabra"):
        with pytest.raises(UnseenError, match="'Device' is plugged in"):
            choose(MIC, wanted, nothing)
    bare = replace(nothing, cards=[Card(0, "vc4hdmi0", "HDMI")])
    assert sentence(MIC, "default", bare).startswith("no microphone found: plug one in")


def without(there: Seen, index: int) -> Seen:
    return replace(there, devices=[d for d in there.devices if d.index != index])
