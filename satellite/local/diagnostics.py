"""What a client does wrong and the live service takes in silence: told beside the protocol. Pure.

Each is told once a session, as a Diagnose, and kept in ``told``. The live service takes a file's
header or sound of another rate as sound, and so does this server (S24, S25).
"""

from __future__ import annotations

from typing import Final

from satellite.local.outputs import Diagnose, Outbox
from satellite.local.sound import Format

_CONTAINERS: Final = {
    b"RIFF": "WAV",
    b"OggS": "Ogg",
    b"fLaC": "FLAC",
    b"ID3": "MP3",
    b"\x1aE\xdf\xa3": "WebM",
}
_WINDOW_S: Final = 1.5
_GAP_S: Final = 0.3  # a longer pause is a gate, not a slow clock
_NEAR: Final = 0.05  # of a rate: how far a measured one may be from it
_LINEAR_RATES: Final = {
    1 / 6: "G.711 sent as audio/pcm",
    1 / 3: "8000 Hz sent as 24000 Hz",
    2 / 3: "16000 Hz sent as 24000 Hz",
    44.1 / 24: "44100 Hz sent as 24000 Hz",
    2.0: "48000 Hz sent as 24000 Hz, or stereo as mono",
}
_G711_RATES: Final = {2.0: "16-bit samples sent as G.711", 6.0: "audio/pcm sent as G.711"}


class Diagnostics:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.told: list[Diagnose] = []
        self._pace = _Pace()

    def sound(self, data: bytes, source: Format) -> None:
        """Sound as it came in one event."""
        for magic, name in _CONTAINERS.items():
            if data.startswith(magic):
                self._tell("container", f"the sound begins with the header of a {name} file")
        if len(data) % source.sample_bytes:
            self._tell("odd_bytes", "an append of 16-bit sound holds an odd number of bytes")

    def appended(self, ms: float, at_s: float, source: Format) -> None:
        """So much sound came at a time of the wall clock."""
        ratio = self._pace.ratio(ms, at_s)
        for known, text in (_LINEAR_RATES if source.law is None else _G711_RATES).items():
            if ratio is not None and abs(ratio / known - 1) < _NEAR:
                self._tell("wrong_rate", f"sound comes at {ratio:.2f} of real time: {text}?")

    def _tell(self, code: str, text: str) -> None:
        if all(known.code != code for known in self.told):
            self.told.append(Diagnose(code, text))
            self._outbox.work(self.told[-1])


class _Pace:
    """Milliseconds of sound against milliseconds of wall clock, in windows.

    A ratio counts when two windows in a row have it: a burst, as of a pre-roll, has one only.
    """

    def __init__(self) -> None:
        self._began_s = self._last_s = float("-inf")
        self._ms = 0.0
        self._before: float | None = None

    def ratio(self, ms: float, at_s: float) -> float | None:
        if at_s - self._last_s > _GAP_S:
            self._began_s, self._ms, self._before = at_s, -ms, None  # recorded before it came
        self._last_s = at_s
        self._ms += ms
        length_s = at_s - self._began_s
        if length_s < _WINDOW_S:
            return None
        before, self._before = self._before, self._ms / 1000 / length_s
        self._began_s, self._ms = at_s, 0.0
        if not before or abs(self._before / before - 1) > _NEAR:
            return None
        return self._before
