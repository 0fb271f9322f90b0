"""Which sound devices there are, and which one a name means.

A device is named, never numbered: numbers change with every plug.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from satellite.adapters.portaudio import library
from satellite.errors import DeviceError

DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device as PortAudio sees it now. ``index`` holds until the next ``terminate``."""

    index: int
    name: str
    inputs: int  # channels; 0 is no microphone
    outputs: int
    rate_hz: int  # what it prefers


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between the two directions."""

    noun: str
    channels: str  # the attribute of Device
    prefix: str  # of PortAudio's names
    advice: str


MIC: Final = Kind(
    "microphone", "inputs", "input", "plug one in, see `arecord -l`, and join the group audio"
)
SPEAKER: Final = Kind(
    "loudspeaker", "outputs", "output", "plug one in, see `aplay -l`, and join the group audio"
)


def devices() -> list[Device]:
    """All sound devices of this moment. Raises SetupError when PortAudio is missing."""
    with library.LIFECYCLE:
        audio = library.initialise()
        try:
            return _devices(audio)
        finally:
            audio.terminate()


def _devices(audio: Any) -> list[Device]:
    return [
        Device(
            index,
            str(found["name"]),
            int(found["maxInputChannels"]),
            int(found["maxOutputChannels"]),
            int(found["defaultSampleRate"]),
        )
        for index in range(audio.get_device_count())
        for found in [audio.get_device_info_by_index(index)]
    ]


def choose(kind: Kind, wanted: str, audio: Any) -> Device:
    """The device that is meant. Raises DeviceError with the names to choose from."""
    all_devices = _devices(audio)
    able = [device for device in all_devices if getattr(device, kind.channels) > 0]
    if not able:
        raise DeviceError(f"no {kind.noun} found: {kind.advice}")
    if wanted.isdecimal():
        raise DeviceError(_numbered(kind, wanted, able))
    if wanted == DEFAULT:
        return _default(kind, audio, able)
    exact = [device for device in able if device.name == wanted]
    if exact:
        return exact[0]
    # a monitor is what a loudspeaker plays, and hearing that is never what a part of a name means
    near = [d for d in able if wanted.lower() in d.name.lower() and not _is_monitor(d)]
    if len(near) == 1:
        return near[0]
    problem = f"{len(near)} {kind.noun}s are called" if near else f"no {kind.noun} is called"
    raise DeviceError(f"{problem} {wanted!r}; there are: {_names(near or able)}")


def _default(kind: Kind, audio: Any, able: list[Device]) -> Device:
    try:
        index = int(getattr(audio, f"get_default_{kind.prefix}_device_info")()["index"])
    except OSError as exc:
        raise DeviceError(
            f"the system has no default {kind.noun}; name one of: {_names(able)}"
        ) from exc
    return next(device for device in able if device.index == index)


def _numbered(kind: Kind, wanted: str, able: list[Device]) -> str:
    there = [device.name for device in able if device.index == int(wanted)]
    instead = f"write {there[0]!r}" if there else f"write one of: {_names(able)}"
    return f"{wanted} is no name of a {kind.noun}, and numbers change with every plug; {instead}"


def _is_monitor(device: Device) -> bool:
    return device.name.lower().endswith(".monitor") or device.name.lower().startswith("monitor of")


def _names(able: list[Device]) -> str:
    return ", ".join(repr(device.name) for device in able)
