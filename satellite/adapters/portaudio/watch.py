"""Whether the sound server still lets us hear the microphone that we opened.

A server whose microphone is unplugged moves its hearers to another one without a word, even to the
monitor of the loudspeaker: then the assistant hears itself. So a moved stream is a lost device.
"""

from __future__ import annotations

from satellite.adapters.portaudio.names import Chosen, Kind
from satellite.adapters.portaudio.server import GATES, Node, Server
from satellite.errors import DeviceError


class Watch:
    """Owns ``server``. ``stream``: ours at the server. One thread."""

    def __init__(self, kind: Kind, server: Server, stream: int, name: str) -> None:
        self._kind = kind
        self._server = server
        self._stream = stream
        self._name = name

    def look(self) -> None:
        """Raise DeviceError when we hear another one than at first. A server that hangs is silent,
        and nobody waits for it.
        """
        try:
            if not self._server.has_changed(self._stream):
                return
        except ConnectionError as exc:
            raise DeviceError(f"the {self._kind.noun} {self._name!r} is gone: {exc}") from exc
        now = self._server.heard_by(self._stream)
        if now is None or now.name != self._name:
            where = "ended our recording" if now is None else f"moved us to {now.name!r}"
            raise DeviceError(
                f"the {self._kind.noun} {self._name!r} is gone: the sound server {where};"
                " check its plug"
            )

    def close(self) -> None:
        """Give the connection back."""
        self._server.close()


def is_through_server(chosen: Chosen) -> bool:
    """Whether the sound may come from a server."""
    return chosen.node is not None or chosen.device.name in GATES


def begin(kind: Kind, chosen: Chosen, server: Server | None) -> Watch | None:
    """Watch the recording that was begun just now; None when it is none of a server.

    Owns ``server``. Raises DeviceError when the server gave us something else than a microphone,
    or than the one that was named.
    """
    if server is None:
        return None
    try:
        server.follow()
        stream = server.stream_of_ours()
        now = None if stream is None else server.heard_by(stream)
        if stream is not None and now is not None:
            _check(kind, chosen.node, now)
            return Watch(kind, server, stream, now.name)
    except ConnectionError as exc:
        server.close()
        raise DeviceError(f"{exc}; check that it runs") from exc
    except DeviceError:
        server.close()
        raise
    server.close()
    if chosen.node is None:
        return None
    raise DeviceError(
        f"ALSA's device {chosen.device.name!r} does not lead to the sound server that has"
        f" {chosen.node.name!r}; run: sudo apt install libasound2-plugins, or pipewire-alsa"
    )


def _check(kind: Kind, wanted: Node | None, now: Node) -> None:
    if wanted is not None and wanted.name != now.name:
        raise DeviceError(
            f"the sound server gave us {now.name!r} in place of {wanted.name!r};"
            f" move the recording of this program in its mixer, or write {now.name!r}"
        )
    if wanted is None and now.monitor:
        raise DeviceError(
            f"the sound server has no {kind.noun}, only what its loudspeakers play"
            f" ({now.name!r}); {kind.advice}"
        )
