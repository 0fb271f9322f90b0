"""What a sound server says of its microphones and loudspeakers: PulseAudio, or PipeWire for it.

Asked through pulsectl, an extra, loaded only when a name or the default can mean the server.
PortAudio reaches the server through ALSA's plugin, which takes the name from the environment.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

GATES: Final = ("pulse", "pipewire", "default")  # ALSA's names of the server, best first

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Node:
    """A microphone (source) or loudspeaker (sink) of the server."""

    name: str
    description: str
    channels: int
    rate_hz: int
    monitor: bool = False  # what a loudspeaker plays
    default: bool = False


class Server:
    """A connection. One thread; after ``close`` nothing may be asked of it.

    Raises ConnectionError when the server has gone.
    """

    def __init__(self, pulse: Any, errors: tuple[type[Exception], ...]) -> None:
        self._pulse = pulse
        self._errors = errors
        self._changed: set[int] = set()

    def nodes(self, *, captures: bool) -> list[Node]:
        """All of one direction, monitors too."""
        with self._asking():
            info = self._pulse.server_info()
            default = info.default_source_name if captures else info.default_sink_name
            found = self._pulse.source_list() if captures else self._pulse.sink_list()
            return [_node(each, default) for each in found]

    def stream_of_ours(self) -> int | None:
        """The recording stream of this process, the newest if there are more; None without one.

        PipeWire tells the process of a client; of a stream only where it came as PulseAudio's.
        """
        pid, key = str(os.getpid()), "application.process.id"
        with self._asking():
            clients = {c.index for c in self._pulse.client_list() if c.proplist.get(key) == pid}
            ours = [
                stream.index
                for stream in self._pulse.source_output_list()
                if stream.client in clients or stream.proplist.get(key) == pid
            ]
        return max(ours, default=None)

    def follow(self) -> None:
        """Have the server tell what becomes of recording streams; ``has_changed`` hears it."""
        with self._asking():
            self._pulse.event_mask_set("source_output")
        self._pulse.event_callback_set(lambda event: self._changed.add(event.index))

    def has_changed(self, stream: int) -> bool:
        """Whether the server said anything of a stream since this was asked last. Never waits."""
        with self._asking():
            self._pulse.event_listen(timeout=0.0001)  # 0 would wait for ever
        changed, self._changed = self._changed, set()
        return stream in changed

    def heard_by(self, stream: int) -> Node | None:
        """The microphone that a recording stream is connected to; None when there is no such."""
        with contextlib.suppress(*self._errors):
            source = self._pulse.source_output_info(stream).source
            return _node(self._pulse.source_info(source), "")
        return None

    def close(self) -> None:
        """Give the connection back."""
        self._pulse.close()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except self._errors as exc:
            raise ConnectionError(f"the sound server does not answer ({exc})") from exc


def is_installed() -> bool:
    """Whether the extra is there."""
    import importlib.util

    return importlib.util.find_spec("pulsectl") is not None


@functools.cache
def library() -> Any:
    """pulsectl; None without the C library that it loads, which is told once."""
    try:
        import pulsectl
    except OSError as exc:
        log.warning("the sound server cannot be asked (%s); run: sudo apt install libpulse0", exc)
        return None
    return pulsectl


def reach() -> Server | None:
    """A connection to the server of this user; None without a server or without the extra."""
    if not _may_run(os.environ) or not is_installed():
        return None
    pulsectl = library()
    if pulsectl is None:
        return None
    try:
        pulse = pulsectl.Pulse("realtime-satellite", connect=False)
        try:
            pulse.connect(autospawn=False)  # with a timeout it would wait for the whole of it
        except BaseException:
            pulse.close()
            raise
    except pulsectl.PulseError:
        return None
    return Server(pulse, (pulsectl.PulseError, pulsectl.PulseDisconnected))


def environment(node: str, *, captures: bool) -> dict[str, str]:
    """What leads ALSA's plugins of PulseAudio and of PipeWire to one microphone or loudspeaker."""
    return {"PULSE_SOURCE" if captures else "PULSE_SINK": node, "PIPEWIRE_NODE": node}


def _may_run(environment: Mapping[str, str]) -> bool:
    """Without loading anything: is there a place where a server could be?"""
    if environment.get("PULSE_SERVER"):
        return True
    places = [
        environment.get("PULSE_RUNTIME_PATH", ""),
        f"{environment.get('XDG_RUNTIME_DIR', '')}/pulse",
        f"/run/user/{os.getuid()}/pulse",
        "/run/pulse",
    ]
    # a service may not even look below /run/user, and Path.exists() would raise
    return any(
        os.path.exists(f"{place}/native")  # noqa: PTH110
        for place in places
        if place.startswith("/")
    )


def _node(found: Any, default: str) -> Node:
    monitor = getattr(found, "monitor_of_sink_name", None)  # of sources alone
    return Node(
        str(found.name),
        str(found.description),
        int(found.channel_count),
        int(found.sample_spec.rate),
        bool(monitor),
        found.name == default,
    )
