"""The sound formats of the wire, and the 24 kHz s16le mono that is behind all of them.

G.711 is one byte for each sample of 8 kHz. A stream goes through one Decoder or Encoder, so that
its pieces fit; ``finish`` gives what the filter held back, and then as much came out as went in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from satellite.adapters.resampler import Resampler
from satellite.model import g711
from satellite.model.g711 import Law

_RATE: Final = 24_000
_G711_RATE: Final = 8_000
_HELD_MS: Final = 60  # more than the filter holds back, which is 25


@dataclass(frozen=True, slots=True)
class Format:
    law: Law | None  # None: s16le at 24 kHz
    bytes_per_ms: int
    sample_bytes: int


LINEAR: Final = Format(None, 48, 2)
_FORMATS: Final = {
    "audio/pcm": LINEAR,
    "audio/pcmu": Format("ulaw", 8, 1),
    "audio/pcma": Format("alaw", 8, 1),
}


def named(wire: dict[str, Any]) -> Format:
    """The format of a checked format object such as ``{"type": "audio/pcmu"}``."""
    return _FORMATS[wire["type"]]


class _Rate:
    """A resampler that knows how many samples it owes."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._resample = Resampler(from_hz, to_hz)
        self._from, self._to = from_hz, to_hz
        self._taken = self._given = 0  # samples

    def __call__(self, pcm: bytes) -> bytes:
        self._taken += len(pcm) // 2
        made = self._resample(pcm)
        self._given += len(made) // 2
        return made

    def finish(self) -> bytes:
        owed = self._taken * self._to // self._from - self._given
        return self._resample(bytes(2 * self._from * _HELD_MS // 1000))[: max(0, owed) * 2]


class Decoder:
    """Whole samples of the wire in, 24 kHz out."""

    def __init__(self, source: Format) -> None:
        self._law = source.law
        self._rate = None if source.law is None else _Rate(_G711_RATE, _RATE)

    def __call__(self, data: bytes) -> bytes:
        if self._law is None or self._rate is None:
            return data
        return self._rate(g711.decode(data, self._law))

    def finish(self) -> bytes:
        return b"" if self._rate is None else self._rate.finish()


class Encoder:
    """24 kHz in, samples of the wire out."""

    def __init__(self, target: Format) -> None:
        self._law = target.law
        self._rate = None if target.law is None else _Rate(_RATE, _G711_RATE)

    def __call__(self, pcm: bytes) -> bytes:
        if self._law is None or self._rate is None:
            return pcm
        return g711.encode(self._rate(pcm), self._law)

    def finish(self) -> bytes:
        if self._law is None or self._rate is None:
            return b""
        return g711.encode(self._rate.finish(), self._law)


def decoded(data: bytes, source: Format) -> bytes:
    """A whole recording: as many milliseconds of 24 kHz as it was before."""
    decoder = Decoder(source)
    return decoder(data) + decoder.finish()


def encoded(pcm: bytes, target: Format) -> bytes:
    encoder = Encoder(target)
    return encoder(pcm) + encoder.finish()
