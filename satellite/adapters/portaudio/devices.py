"""What there is at this moment, for names.py to choose from, and the way to what was chosen."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from satellite.adapters.portaudio import server
from satellite.adapters.portaudio.cards import cards
from satellite.adapters.portaudio.names import Chosen, Device, Kind, Seen


class Look:
    """A look around for one direction: PortAudio, the kernel, and the sound server if need be."""

    def __init__(self, kind: Kind, audio: Any) -> None:
        self.audio = audio
        self._kind = kind
        self._server: server.Server | None = None
        self.seen = Seen(_devices(audio), _default(kind, audio), cards(), self._nodes)

    def hand_over(self) -> server.Server | None:
        """A connection to the sound server, for the caller to close; None where there is none."""
        reached, self._server = self._reach(), None
        return reached

    def close(self) -> None:
        """Give the connection back, if there is one."""
        if self._server is not None:
            self._server.close()

    def _reach(self) -> server.Server | None:
        if self._server is None:
            self._server = server.reach()
        return self._server

    def _nodes(self) -> list[server.Node] | None:
        reached = self._reach()
        try:
            return None if reached is None else reached.nodes(captures=self._kind.captures)
        except ConnectionError:
            return None


@contextlib.contextmanager
def led_to(kind: Kind, chosen: Chosen) -> Iterator[None]:
    """Let ALSA's way to the sound server lead to the chosen microphone. Hold LIFECYCLE."""
    if chosen.node is None:
        yield
        return
    wanted = server.environment(chosen.node.name, captures=kind.captures)
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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


def _default(kind: Kind, audio: Any) -> int | None:
    with contextlib.suppress(OSError):  # there is none
        return int(getattr(audio, f"get_default_{kind.prefix}_device_info")()["index"])
    return None
