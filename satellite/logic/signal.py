"""Whether a microphone that delivers sound delivers a room. It lives in the capture thread.

Pure: no clock; time is counted in sound. Only what a live microphone cannot give in any room is
held against it: a room is never exactly silent and never repeats itself.

Rule 1: exact zeros for SILENT_S are a switch, a codec or a gain, not a quiet room. Some
speakerphones send zeros in a quiet room by design: each time that sound comes back by itself on an
open stream the patience doubles, to MOST_SILENT_S, and is kept for streams to come.
Rule 2: the same block, or one and the same sample, for STUCK_S is no sound.
Rule 3: a peak below FAINT for FAINT_S is what a muted analogue input leaves (reliability F46: about
0.0007 of full scale; 0.004 and more in 495 recordings of rooms). Exact zeros say nothing here.
Rule 4: more than CLIPPED of the samples at the end of the range, over CLIPPING_S, is distortion
that no recogniser gets over; it is over when it was not so for CALM_S.

It costs two comparisons of memory a block, and a look at every 17th sample (no period of anything).
"""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from satellite.logic.level import CLIPPED, FAINT, TOP
from satellite.model.audio import RATE, SAMPLE_BYTES, seconds_of
from satellite.model.events import Signal

SILENT_S: Final = 5.0
MOST_SILENT_S: Final = 600.0
STUCK_S: Final = 5.0
FAINT_S: Final = 60.0
CLIPPING_S: Final = 3.0
CALM_S: Final = 10.0
STRIDE: Final = 17

_ZEROS: Final = bytes(RATE * SAMPLE_BYTES)  # 1 s; no block is longer


@dataclass(slots=True)
class SignalWatch:
    """What the last blocks of one microphone were like. One thread owns it."""

    signal: Signal = "good"
    _patience_s: float = SILENT_S
    _silent_s: float = 0.0
    _stuck_s: float = 0.0
    _faint_s: float = 0.0
    _calm_s: float = CALM_S
    _recent: deque[tuple[float, float]] = field(default_factory=deque)  # lengths, clipped part
    _last: bytes = field(default=b"", repr=False)

    def begin(self) -> None:
        """Another stream: good until heard otherwise."""
        self.signal = "good"
        self._silent_s = self._stuck_s = self._faint_s = 0.0
        self._calm_s = CALM_S
        self._recent.clear()
        self._last = b""

    def feed(self, block: bytes) -> Signal | None:
        """Hear one block of PCM of model.audio, at most 1 s. The signal, where it changes."""
        length_s = seconds_of(len(block))
        if block == _ZEROS[: len(block)]:
            self._silent_s += length_s
            self._stuck_s = 0.0
        else:
            self._end_silence()
            repeats = self._repeats(block)
            self._stuck_s = self._stuck_s + length_s if repeats else 0.0
            if not repeats:
                self._weigh(block, length_s)
        self._last = block
        before, self.signal = self.signal, self._judge()
        return self.signal if self.signal != before else None

    def _judge(self) -> Signal:
        if self._silent_s >= self._patience_s:
            return "silent"
        if self._stuck_s >= STUCK_S:
            return "stuck"
        if self._calm_s < CALM_S:
            return "clipping"
        return "faint" if self._faint_s >= FAINT_S else "good"

    def _end_silence(self) -> None:
        if self._silent_s >= self._patience_s:
            self._patience_s = min(2 * self._patience_s, MOST_SILENT_S)
        self._silent_s = 0.0

    def _repeats(self, block: bytes) -> bool:
        """Is it the end of the last one again, or one sample throughout?"""
        both = min(len(block), len(self._last))
        if both and block[-both:] == self._last[-both:]:
            return True
        return block[:2] == block[2:4] and block[2:] == block[:-2]

    def _weigh(self, block: bytes, length_s: float) -> None:
        samples = array("h", block)[::STRIDE]
        highest, lowest = max(samples), min(samples)
        peak = max(highest, -lowest)
        self._faint_s = self._faint_s + length_s if peak < FAINT else 0.0
        clipped = 0
        if peak >= TOP:
            clipped = sum(1 for sample in samples if sample >= TOP or sample <= -TOP)
        self._calm_s += length_s
        if clipped or self._recent:
            self._note_clipped(length_s, clipped / len(samples))

    def _note_clipped(self, length_s: float, part: float) -> None:
        """``part`` of a block was clipped; blocks before the first such are not kept."""
        self._recent.append((length_s, part))
        while sum(length for length, _ in self._recent) - self._recent[0][0] >= CLIPPING_S:
            self._recent.popleft()
        total = sum(length for length, _ in self._recent)
        clipped = sum(length * part for length, part in self._recent)
        if not clipped:
            self._recent.clear()
        elif total >= CLIPPING_S and clipped > CLIPPED * total:
            self._calm_s = 0.0
