"""G.711 on the wire, 24 kHz PCM inside. What changes the rate is handed in.

Both ways the sound flows through one resampler, so that no piece's edge is heard: ours until we end
a turn or the session, the server's for an item. A resampler holds some ms back until then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from satellite.model import g711
from satellite.model.audio import RATE
from satellite.model.g711 import Law
from satellite.model.session import Format
from satellite.wire.realtime import AS_PCM, Sound
from satellite.wire.server_events import Ear, Pcm

G711_RATE: Final = 8000
APPEND_BYTES: Final = G711_RATE // 5  # 200 ms: C29
LAWS: Final[dict[Format, Law]] = {"pcmu": "ulaw", "pcma": "alaw"}


class Resample(Protocol):
    """s16le in, s16le out: about all that is ready."""

    def __call__(self, pcm: bytes) -> bytes: ...

    def flush(self) -> bytes:
        """What was held back; nothing may follow."""


MakeResample = Callable[[int, int], Resample]  # from Hz, to Hz


class _Mouth:
    """Our sound, as the session wants it."""

    def __init__(self, law: Law, make: MakeResample) -> None:
        self._law = law
        self._make = make
        self._resample = make(RATE, G711_RATE)

    def convert(self, pcm: bytes) -> bytes:
        return g711.encode(self._resample(pcm), self._law)

    def end(self) -> bytes:
        rest = self._resample.flush()
        self._resample = self._make(RATE, G711_RATE)
        return g711.encode(rest, self._law)


class _Ear:
    """The sound of one item of the server's."""

    def __init__(self, law: Law, make: MakeResample) -> None:
        self._law = law
        self._resample = make(G711_RATE, RATE)

    def __call__(self, sound: bytes) -> bytes:
        return self._resample(g711.decode(sound, self._law))

    def flush(self) -> bytes:
        return self._resample.flush()


def sound(given: Format, make: MakeResample) -> Sound:
    """How our voice travels in this format."""
    law = LAWS.get(given)
    if law is None:
        return AS_PCM
    mouth = _Mouth(law, make)
    return Sound(mouth.convert, mouth.end, APPEND_BYTES)


def ear(given: Format, make: MakeResample) -> Callable[[], Ear]:
    """How answers in this format are heard: a new ear for each item."""
    law = LAWS.get(given)
    return Pcm if law is None else lambda: _Ear(law, make)
