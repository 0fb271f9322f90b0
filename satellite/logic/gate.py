"""The gate: which frames are worth sending. It lives in the capture thread.

Pure: no clock, no device; one frame and one verdict in, sound out. Everything is counted in frames.

Rule 1: an utterance leaves whole and in order: pre-roll, onset, and every frame until the gate
closes; no frame leaves twice.
Rule 2: silence closes the gate after the hang-over, but never while the core holds it, because the
server still hears a turn (law 1: a closed gate never strands a turn).
Rule 3: nothing keeps the gate open for longer than the utterance limit.
Rule 4: a shut gate remembers nothing, so that the assistant's own voice is in no pre-roll.
Rule 5: unless the microphone is an open one, only speech opens the gate that somebody asked to be
heard: after a wake word or an order, once, and within the frames that come with it. Those of an
open or a shut gate do not count, nor those of rule 6.
Rule 6: the wake word opens nothing by itself: for WORD_TAIL after it was noticed its own end may
still be heard. Whoever goes on speaking is sent from before it, so the word may be a part of that;
of whoever falls silent is said once, by Change.ALONE, that the word was all so far. Of a word that
was said to a shut gate nothing is left to hear when that opens again, and nothing is said.
Rule 7: an utterance that is ended by order goes on as silence, which is what the server's
detection waits for; of the room nothing more is sent. Where we end the turns it closes at once.
Rule 8: people speak before they have pressed, and let go before they have spoken. Whoever asks to
be heard is sent from EARLY before that on, if it was speech; and whoever lets go of a button is
heard LAST_WORD longer. As long as it is held, any number of utterances may come; where we end the
turns, letting go ends them, and no silence does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from satellite.model.audio import FRAME_MS, frames
from satellite.model.events import Cause
from satellite.model.session import Activation

EARLY: Final = frames(400)  # 300 ms, and a block that is being read
LAST_WORD: Final = frames(200)
WORD_TAIL: Final = frames(300)  # 15 of 16 words that were noticed were over by then
PAUSE: Final = frames(100)  # rule 6: whoever is silent for so long has stopped speaking


@dataclass(frozen=True, slots=True)
class GateSettings:
    """All lengths in frames of model.audio. ``ends_turns``: each closing is the end of a turn."""

    onset: int  # speech frames in a row that open the gate, >= 1
    pre_roll: int  # frames sent from before the onset, >= 0
    hangover: int  # frames without speech that close it, >= 1
    limit: int  # most frames of one utterance, pre-roll included
    ends_turns: bool = False

    @classmethod
    def from_ms(
        cls,
        *,
        onset_ms: int,
        pre_roll_ms: int,
        hangover_ms: int,
        limit_ms: int,
        ends_turns: bool = False,
    ) -> GateSettings:
        """Round every length up to whole frames."""
        return cls(
            frames(onset_ms), frames(pre_roll_ms), frames(hangover_ms), frames(limit_ms), ends_turns
        )


class Change(Enum):
    """What one frame did to the gate."""

    NONE = auto()
    OPENED = auto()
    CLOSED = auto()  # by silence, or by order
    CUT = auto()  # at the utterance limit
    ALONE = auto()  # rule 6


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
    activation: Activation = "open_mic"
    is_open: bool = False
    held: bool = False
    shut: bool = False
    _recent: deque[bytes] = field(init=False)
    _speech_run: int = 0
    _silence_run: int = 0
    _length: int = 0
    _armed: int = 0  # frames in which speech may open
    _deaf: int = 0  # frames in which it may not yet
    _woken: bool = False  # a wake word asked
    _untold: bool = False  # ALONE is still to be said of it
    pressed: bool = False  # somebody holds a button down
    _going: int = 0  # frames until one that was let go ends what it began
    _was_held: bool = False  # in this utterance: the server has heard a turn
    _ended: bool = False  # this utterance, by order

    def __post_init__(self) -> None:
        reach = max(self.settings.pre_roll, WORD_TAIL)
        self._recent = deque(maxlen=reach + self.settings.onset + EARLY)

    @property
    def armed(self) -> bool:
        """True while somebody has asked to be heard, and was not heard to the end."""
        return self._armed > 0

    @property
    def cause(self) -> Cause:
        """What lets speech open it, or has let it."""
        if self.activation == "open_mic":
            return "speech"
        return "wake_word" if self._woken else "asked"

    @property
    def waits(self) -> bool:
        """True while a wake word changes something: nobody is heard, or the assistant speaks."""
        return self.activation != "open_mic" and (self.shut or not (self._armed or self.is_open))

    def hold(self, on: bool) -> None:
        """Keep an open gate open, or let silence close it again. Opens nothing."""
        self.held = on
        self._was_held = self._was_held or (on and self.is_open)

    def shut_off(self, on: bool) -> None:
        """Hear nothing from now on, or hear again with an empty memory."""
        self.shut = on
        self._close()
        self._drop()

    def forget(self) -> None:
        """Close without a word, drop the pre-roll: sound was lost, or must not be heard.

        Who asked to be heard must ask again.
        """
        self._armed = self._going = 0
        self.pressed = False
        self._close()
        self._drop()

    def activate(self, activation: Activation) -> None:
        """Another thing opens the gate from now on; an utterance under way ends as it would."""
        self.activation = activation
        if activation == "open_mic":
            self._armed = self._going = 0
            self._woken = self.pressed = False

    def arm(self, count: int, *, woken: bool = False, held: bool = False) -> None:
        """Somebody asked to be heard: for ``count`` frames of quiet, speech opens the gate.

        ``held``: by a button, and until it is let go (``end``) at the latest.
        """
        if self.activation == "open_mic" or (woken and self.pressed):
            return
        self._armed, self._ended = count, False
        self._woken, self._untold = woken, woken and not self.shut
        self._deaf = WORD_TAIL if self._untold else 0
        self.pressed, self._going = held, 0

    def end(self) -> None:
        """Nobody is to be heard any more; what was said until now is an utterance."""
        if self.pressed:
            self.pressed, self._going = False, LAST_WORD
            return
        self._armed = self._going = 0
        self._ended = self.is_open

    def step(self, frame: bytes, is_speech: bool, before: int = 0) -> Passed:
        """Judge one frame and say what it let through.

        ``before``: where speech begins with it, so many frames before it were speech too.
        """
        if self.shut:
            return NOTHING
        if self._going:
            self._going -= 1
            if not self._going:
                self.end()
        if self._ended:
            frame, is_speech = bytes(len(frame)), False
        self._speech_run = (self._speech_run or before) + 1 if is_speech else 0
        self._silence_run = 0 if is_speech else self._silence_run + 1
        return self._while_open(frame, is_speech) if self.is_open else self._while_closed(frame)

    def _while_closed(self, frame: bytes) -> Passed:
        self._recent.append(frame)
        if not self._may_open():
            return NOTHING
        if self._speech_run < self.settings.onset:
            return self._alone()
        sent = self._pre_roll()
        self._recent.clear()
        self.is_open, self._was_held, self._untold = True, self.held, False
        self._length = len(sent)
        speech = min(self._speech_run, len(sent))
        return Passed(Change.OPENED, b"".join(sent), speech * FRAME_MS, True)

    def _may_open(self) -> bool:
        if self.activation == "open_mic":
            return True
        if self._deaf:
            self._deaf -= 1
            return False
        wakes = self._armed > 0
        self._armed = max(0, self._armed - 1)
        return wakes

    def _alone(self) -> Passed:
        """Rule 6: the word was all so far."""
        if not self._untold or self._silence_run < PAUSE:
            return NOTHING
        self._untold = False
        return Passed(Change.ALONE)

    def _pre_roll(self) -> list[bytes]:
        """What is sent at the opening; behind a wake word at least what came since the notice."""
        pre_roll, onset = self.settings.pre_roll, self.settings.onset
        match self.cause:
            case "speech":
                count = pre_roll + onset
            case "wake_word":
                count = max(pre_roll, WORD_TAIL) + onset
            case "asked":
                count = pre_roll + min(self._speech_run, onset + EARLY)
        return list(self._recent)[-count:]

    def _while_open(self, frame: bytes, is_speech: bool) -> Passed:
        self._length += 1
        change = Change.NONE
        held = self.held or (self.pressed and self.settings.ends_turns)
        quiet = self._silence_run >= self.settings.hangover and not held
        if self._length >= self.settings.limit:
            change = Change.CUT
        elif quiet or (self._ended and self.settings.ends_turns):
            change = Change.CLOSED
        if change is not Change.NONE:
            self._was_held = self._was_held or change is Change.CUT
            self._close()
        return Passed(change, frame, FRAME_MS if is_speech else 0, is_speech)

    def _close(self) -> None:
        """Where it was a turn, somebody has been heard who asked for it."""
        was_turn = self._was_held or self.settings.ends_turns
        if self.is_open and was_turn and not self.pressed:
            self._armed = 0
        self.is_open = self._ended = False
        self._speech_run = 0

    def _drop(self) -> None:
        self._recent.clear()
        self._untold = False
        self._silence_run = self._length = 0
