"""When the network is asked whether it hears speech, and what is made of its answers. Pure.

The cheap detector judges every frame; it takes music, steady noise and knocks for speech, and after
loud music it is hard of hearing for minutes. So it only wakes the network, which costs 30 times as
much. It lives in the capture thread; everything is counted in frames of model.audio.

Rule 1: the network is woken by a frame that the cheap detector takes for speech and that stands out
from the room, or by one that stands out so far that nobody needs to be asked.
Rule 2: woken, it first hears what came before, so that no first word is judged without its start.
Rule 3: it goes to sleep when nothing has woken it for GOES_ON, but never while it hears speech.
Rule 4: who has begun to speak is believed a little longer than somebody new.
Rule 5: without a network the cheap detector is believed where the frame stands out from the room:
else steady noise behind a word keeps the gate open.
Rule 6: the network is as late as its window is long: where it hears speech, the frames just before
that the cheap detector took for it were speech too.
Rule 7: after minutes of music the network is hard of hearing too. One that has heard no speech for
RENEWS begins anew, with the last AGAIN: with less it would take music for speech.
Rule 8: of a frame in a quiet room no more is known than that it is quiet; each LOOK_th is measured.
"""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from satellite.model.audio import frames
from satellite.model.ports import Judged

BEFORE: Final = frames(480)  # what the network hears of the time before it was woken
AGAIN: Final = frames(3000)
RENEWS: Final = frames(15_000)
GOES_ON: Final = frames(500)
STANDS_OUT: Final = 2  # times the floor: 6 dB
STARTLES: Final = 4  # times the floor: 12 dB
LATE: Final = frames(40)
LOOK: Final = 4
LEAST: Final = 24  # a room that is quieter than this is taken for one that is not: -69 dBFS
HALF: Final = frames(500)
HALVES: Final = 8  # 4 s: people breathe in less
RELEASE: Final = 0.15  # so much less sure it may be of somebody who speaks: the network's own
SURE: Final = (0.3, 0.4, 0.5, 0.7)  # by gate.aggressiveness
EVERY: Final = 12  # 40 samples of a frame tell how loud it is
QUIET: Final = Judged(speech=False, fired=False)


def loudness(frame: bytes) -> int:
    """From the lowest to the highest of its samples."""
    samples = array("h", frame)[::EVERY]
    return max(samples) - min(samples)


@dataclass(slots=True)
class Floor:
    """How loud the room is when nobody speaks: the quietest frame of the last seconds.

    ``level`` is 0 before it is known.
    """

    level: int = 0
    _least: deque[int] = field(default_factory=lambda: deque(maxlen=HALVES))
    _now: int | None = None
    _count: int = 0

    def hear(self, level: int, count: int) -> None:
        """Note a frame that stands for ``count``."""
        self._now = level if self._now is None else min(self._now, level)
        self._count += count
        if self._count < HALF:
            return
        self._least.append(self._now)
        self._now, self._count = None, 0
        if len(self._least) == HALVES:
            self.level = max(LEAST, min(self._least))


@dataclass(slots=True)
class Cascade:
    """One detector behind the other. ``sure``: what the network must be to be believed."""

    sure: float | None  # None: there is no network
    judged: Judged = QUIET  # of the frame that was taken last
    woke: bool = False  # it has woken the network
    renews: bool = False  # the network is to begin anew
    _floor: Floor = field(default_factory=Floor)
    _before: deque[bytes] = field(default_factory=lambda: deque(maxlen=AGAIN))
    _skipped: int = 0  # frames that were not measured
    _fired: int = 0  # frames in a row before this one
    _awake: int = 0  # frames that the network goes on to hear
    _heard: int = 0  # frames that it heard since it began anew
    _speaks: bool = False
    _certainty: float | None = None

    def begin(self) -> None:
        """Another microphone."""
        self.forget()
        self._floor = Floor()

    def take(self, frame: bytes, fired: bool) -> tuple[bytes, ...]:
        """Judge a frame of which the cheap verdict is known.

        Returns the frames that the network is to hear first, oldest first; ``weigh`` follows then.
        """
        self._before.append(frame)
        self._skipped += 1
        if self._skipped < LOOK and not (fired or self._awake):
            self.judged = QUIET
            return ()
        self._fired = self._fired + 1 if self.judged.fired else 0
        level = loudness(frame)
        self._floor.hear(level, self._skipped)
        self._skipped = 0
        self._wake(level, fired)
        speech = self._speaks if self.sure is not None else fired and self._awake == GOES_ON
        shown = self._certainty if self._awake else None
        self.judged = Judged(speech, fired, shown, level, self._floor.level)
        if self.sure is None or not self._awake:
            return ()
        return self._to_hear()

    def _to_hear(self) -> tuple[bytes, ...]:
        self._heard += 1
        self.renews = self._heard >= RENEWS and not self._speaks
        if self.renews:
            self._heard = 0
            return tuple(self._before)
        return tuple(self._before)[-BEFORE:] if self.woke else (self._before[-1],)

    def weigh(self, certainty: float) -> None:
        """The network has heard what it was to hear, and is so sure of its newest window."""
        assert self.sure is not None
        self._certainty = certainty
        self._speaks = certainty >= self.sure - (RELEASE if self._speaks else 0.0)
        self.judged = self.judged._replace(
            speech=self._speaks, certainty=certainty, before=min(self._fired, LATE)
        )

    def do_without(self) -> None:
        """There is no network any more."""
        self.sure, self._certainty, self._speaks = None, None, False
        self.judged = self.judged._replace(speech=False, certainty=None)

    def forget(self) -> None:
        """Sound was lost, or must not be heard. What is known of the room stays."""
        self._before.clear()
        self._awake, self._speaks = 0, False
        self.judged = QUIET

    def _wake(self, level: int, fired: bool) -> None:
        slept = self._awake == 0
        if self._stands_out(level, STANDS_OUT if fired else STARTLES):
            self._awake = GOES_ON
        elif not self._speaks:
            self._awake = max(0, self._awake - 1)
        self.woke = slept and self._awake > 0
        if self.woke:
            self._certainty = None

    def _stands_out(self, level: int, times: int) -> bool:
        known = self._floor.level
        return level >= times * known if known else times == STANDS_OUT
