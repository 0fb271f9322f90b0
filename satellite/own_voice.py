"""The assistant's own voice, taken out of what the microphone hears. In the capture thread.

Near and far go in step through one thread, frame by frame, so that neither a slow thread nor a late
block changes the delay between them (docs/decisions/010).
"""

from __future__ import annotations

import math
from typing import Final

from satellite.far_end import FarEnd
from satellite.logic.own_voice import Evidence, Looking
from satellite.model.audio import FRAME_BYTES, FRAME_MS, frames
from satellite.model.ports import Canceller, Discerner

FRAME_S: Final = FRAME_MS / 1000
WINDOW: Final = frames(2000)


class Pace:
    """When each frame began, by counting them: blocks come late, never early.

    Lost sound is noticed after two windows at most.
    """

    def __init__(self) -> None:
        self._count = 0
        self._least, self._before = math.inf, math.inf  # how late a frame came after its number

    def begins_at(self, end_at: float) -> float:
        """``end_at``: when this frame was over, as far as its reader knows."""
        self._count += 1
        if self._count % WINDOW == 0:
            self._least, self._before = math.inf, self._least
        self._least = min(self._least, end_at - self._count * FRAME_S)
        return (self._count - 1) * FRAME_S + min(self._least, self._before)


class OwnVoice:
    """Owns ``canceller`` and ``discerner``. One thread calls everything."""

    def __init__(self, far: FarEnd, canceller: Canceller, discerner: Discerner) -> None:
        self._far = far
        self._canceller = canceller
        self._discerner = discerner
        self._looking = Looking()
        self._evidence = Evidence()
        self._pace = Pace()
        self._ran = False

    @property
    def runs(self) -> bool:
        """True where the last frame went through the canceller."""
        return self._ran

    def forget(self) -> None:
        """Sound was lost. What was learnt of the room is not: mostly it is the same one."""
        self._pace = Pace()
        self._looking.lose()
        self._evidence.forget()

    def clean(self, frame: bytes, end_at: float, *, is_open: bool) -> tuple[bytes, bool]:
        """Returns the frame without what is played, and whether it may be somebody's speech.

        ``end_at``: when it was captured; ``is_open``: somebody is being heard, or was until now.
        """
        far = self._far.take(FRAME_BYTES, self._pace.begins_at(end_at))
        played = bool(far)
        if not self._looking.step(played, is_open):
            self._ran = False
            return frame, True
        if not self._ran:
            self._ran = True
            self._discerner.pause()
            self._evidence.forget()
        far = far or bytes(FRAME_BYTES)
        cleaned = self._canceller.clean(frame, far)
        found = self._discerner.hear(frame, far, cleaned)
        somebody = False
        if self._looking.in_doubt:
            self._evidence.forget()
        else:
            somebody = self._evidence.step(found.surprise, played)
        if is_open and found.echo and not self._evidence.may_go_on:
            cleaned = bytes(FRAME_BYTES)
        return cleaned, somebody and found.audible
