"""The gate: which frames are worth sending. It lives in the capture thread.

Pure: no clock, no device; one frame and one verdict in, sound out. Everything is counted in frames.

Rule 1: an utterance leaves whole and in order: pre-roll, onset, and every frame until the gate
closes; no frame leaves twice.
Rule 2: silence closes the gate after the hang-over, but never while the core holds it, because the
server still hears a turn (law 1: a closed gate never strands a turn).
Rule 3: nothing keeps the gate open for longer than the utterance limit.
Rule 4: a shut gate remembers nothing, so that the assistant's own voice is in no pre-roll.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from satellite.model.audio import FRAME_MS, frames


@dataclass(frozen=True, slots=True)
class GateSettings:
    """All lengths in frames of model.audio."""

    onset: int  # speech frames in a row that open the gate, >= 1
    pre_roll: int  # frames sent from before the onset, >= 0
    hangover: int  # frames without speech that close it, >= 1
    limit: int  # most frames of one utterance, pre-roll included

    @classmethod
    def from_ms(
        cls, *, onset_ms: int, pre_roll_ms: int, hangover_ms: int, limit_ms: int
    ) -> GateSettings:
        """Round every length up to whole frames."""
        return cls(frames(onset_ms), frames(pre_roll_ms), frames(hangover_ms), frames(limit_ms))


class Change(Enum):
    """What one frame did to the gate."""

    NONE = auto()
    OPENED = auto()
    CLOSED = auto()  # by silence
    CUT = auto()  # at the utterance limit


@dataclass(frozen=True, slots=True)
class Passed:
    """What one frame let through: sound, oldest first, and how much of it was judged speech."""

    change: Change = Change.NONE
    pcm: bytes = field(default=b"", repr=False)
    speech_ms: int = 0
    speech_now: bool = False  # the newest frame is speech


NOTHING = Passed()


@dataclass(slots=True)
class Gate:
    """The gate's state. One thread owns it."""

    settings: GateSettings
    is_open: bool = False
    held: bool = False
    shut: bool = False
    _recent: deque[bytes] = field(init=False)
    _speech_run: int = 0
    _silence_run: int = 0
    _length: int = 0

    def __post_init__(self) -> None:
        self._recent = deque(maxlen=self.settings.pre_roll + self.settings.onset)

    def hold(self, on: bool) -> None:
        """Keep an open gate open, or let silence close it again. Opens nothing."""
        self.held = on

    def shut_off(self, on: bool) -> None:
        """Hear nothing from now on, or hear again with an empty memory."""
        self.shut = on
        self.forget()

    def forget(self) -> None:
        """Close without a word and drop the pre-roll: sound was lost, or must not be heard."""
        self.is_open = False
        self._recent.clear()
        self._speech_run = self._silence_run = self._length = 0

    def step(self, frame: bytes, is_speech: bool) -> Passed:
        """Judge one frame and say what it let through."""
        if self.shut:
            return NOTHING
        self._speech_run = self._speech_run + 1 if is_speech else 0
        self._silence_run = 0 if is_speech else self._silence_run + 1
        return self._while_open(frame, is_speech) if self.is_open else self._while_closed(frame)

    def _while_closed(self, frame: bytes) -> Passed:
        self._recent.append(frame)
        if self._speech_run < self.settings.onset:
            return NOTHING
        pcm = b"".join(self._recent)
        self._length = len(self._recent)
        self._recent.clear()
        self.is_open = True
        return Passed(Change.OPENED, pcm, self._speech_run * FRAME_MS, True)

    def _while_open(self, frame: bytes, is_speech: bool) -> Passed:
        self._length += 1
        change = Change.NONE
        if self._length >= self.settings.limit:
            change = Change.CUT
        elif self._silence_run >= self.settings.hangover and not self.held:
            change = Change.CLOSED
        if change is not Change.NONE:
            self.is_open = False
            self._speech_run = 0
        return Passed(change, frame, FRAME_MS if is_speech else 0, is_speech)
