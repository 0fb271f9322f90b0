"""A gate that is open nearly always, one that no voice can open, a network that says nothing.

Pure. reliability F52, with one difference: there a peak above -20 dBFS for a minute is enough,
which each record that is played has. Music is shut out on purpose; what is told here is a sound
without a pause that is as loud as a voice.

Rule 1: what is told goes on until it is clearly over: between the two limits nothing changes.
Rule 2: a quiet room wakes nobody: time is counted in frames in the capture thread, and by the Tick
that comes anyway in the core.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

from satellite.logic.microphone import LISTEN, Problem
from satellite.model import events as ev
from satellite.model.audio import frames
from satellite.model.ports import Judged

MINUTE_S: Final = 60.0
MINUTES: Final = 15
OPEN_S: Final = 600.0  # of these
WELL_S: Final = 300.0

RANGE: Final = 65_535.0  # from the lowest to the highest sample: 0 dBFS
LOUD: Final = round(RANGE * 10 ** (-30 / 20))
STEADY: Final = frames(50_000)  # with the 4 s until the floor is known it is told within a minute
OUT: Final = 0.1  # so much of a steady sound may stand out from its floor
STANDS_OUT: Final = 2  # times the floor: 6 dB
EASES: Final = 1.4  # so much less loud than LOUD, 3 dB, and it is over

SAME: Final = 100  # answers in a row, on windows that differ: no network does that


@dataclass(frozen=True, slots=True)
class OpenWatch:
    """How long the gate was open, by minutes, the present one last."""

    minutes: tuple[float, ...] = (0.0,)
    since: float | None = None  # when the present minute began
    looked_at: float = 0.0
    stuck: bool = False

    @property
    def open_s(self) -> float:
        """Of the last 15 minutes."""
        return sum(self.minutes)


def look(watch: OpenWatch, now: float, *, is_open: bool) -> OpenWatch:
    """Note that the gate was open, or not, since the last look."""
    if watch.since is None:
        return replace(watch, since=now, looked_at=now)
    *before, present = watch.minutes
    present += max(0.0, now - watch.looked_at) if is_open else 0.0
    minutes, since = (*before, present), watch.since
    while now - since >= MINUTE_S:
        minutes, since = (*minutes[-MINUTES + 1 :], 0.0), since + MINUTE_S
        if now - since >= MINUTES * MINUTE_S:  # we were not there
            since = now
    after = OpenWatch(minutes, since, now, watch.stuck)
    limit_s = WELL_S if watch.stuck else OPEN_S
    return replace(after, stuck=after.open_s > limit_s)


@dataclass(frozen=True, slots=True)
class Room:
    """What the core knows of it. ``noise_dbfs`` and ``network_failed`` as of their events."""

    gate: OpenWatch = field(default_factory=OpenWatch)
    noise_dbfs: int | None = None
    network_failed: str | None = None


def note(room: Room, event: ev.RoomNoise | ev.NetworkFailed) -> Room:
    """Remember what the capture thread found."""
    if isinstance(event, ev.RoomNoise):
        return replace(room, noise_dbfs=event.dbfs)
    return replace(room, network_failed=event.why)


def problems(room: Room) -> list[Problem]:
    """Why people are not told from the rest of the room."""
    found: list[Problem] = []
    if room.gate.stuck:
        detail = "speech, or what sounds like it, was heard for most of the last 15 minutes"
        fix = (
            "where that is a television or a radio, set gate.activation to wake_word or"
            " gate.aggressiveness to 3, or move the microphone away from it"
        )
        found.append(("vad_stuck_open", detail, fix))
    if room.noise_dbfs is not None:
        detail = f"a steady sound of {room.noise_dbfs} dBFS is so loud that nobody can be heard"
        fix = f"move the microphone away from what makes it, or turn its gain down; {LISTEN}"
        found.append(("vad_stuck_shut", detail, fix))
    if room.network_failed is not None:
        detail = f"the network that confirms speech is not asked any more: {room.network_failed}"
        fix = "restart; until then music opens the gate more often. If it comes back: gate.confirm"
        found.append(("vad_network_failed", detail, fix))
    return found


@dataclass(slots=True)
class NoiseWatch:
    """A steady sound that nobody can be heard over. One thread calls everything."""

    dbfs: int | None = None  # what was told; None while there is none
    _steady: int = 0  # frames
    _seen: int = 0  # of these, those that were measured
    _out: int = 0  # of the measured ones, those that stood out

    def begin(self) -> bool:
        """Another microphone, or somebody is heard. True where that ends what was told."""
        was = self.dbfs is not None
        self.dbfs, self._steady, self._seen, self._out = None, 0, 0, 0
        return was

    def hear(self, judged: Judged) -> bool:
        """Note a frame that opened nothing. True where there is something new to tell."""
        floor = judged.floor
        if floor == 0:  # it was not measured
            self._steady += self._seen > 0
            return False
        if self.dbfs is not None:
            return self.begin() if floor * EASES < LOUD else False
        if floor < LOUD:
            self._steady = self._seen = self._out = 0
            return False
        self._steady, self._seen = self._steady + 1, self._seen + 1
        self._out += judged.level >= STANDS_OUT * floor
        if self._steady < STEADY:
            return False
        steady = self._out <= OUT * self._seen
        self._steady = self._seen = self._out = 0
        self.dbfs = round(20 * math.log10(floor / RANGE)) if steady else None
        return steady


@dataclass(slots=True)
class AnswerWatch:
    """What a network answers. One thread calls everything."""

    _last: float | None = None
    _frame: bytes = b""
    _count: int = 0

    def doubt(self, certainty: float, frame: bytes) -> str | None:
        """Why this answer, to a window that ends with ``frame``, cannot be one; None where it
        can."""
        if not 0.0 <= certainty <= 1.0:  # which NaN is not either
            return f"it answered {certainty}, which is not between 0 and 1"
        if certainty != self._last:
            self._last, self._count = certainty, 0
        elif frame != self._frame:
            self._count += 1
        self._frame = frame
        if self._count < SAME:
            return None
        return f"it answered {certainty:.4f} to {SAME} different sounds in a row"
