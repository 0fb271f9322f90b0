"""What the speaker plays next, and what of it has been heard. Pure; in the playback thread.

Rule 1: a response begins when 100 ms of it are there, or all. The pieces of a server do not come
evenly, and a first syllable with a hole in it is worse than one that comes 100 ms later.
Rule 2: where the server is slower than the sound, silence keeps the device running, and rule 1
holds again. After a second of it nothing is written, until there is more.
Rule 3: what was written is kept until it has been heard: a device that is dropped in the middle is
given it again, from the first sample that did not sound.
Rule 4: silence and chimes are no part of any response.

Sizes are bytes of model.audio.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from satellite.model import commands as cmd
from satellite.model.audio import RATE, SAMPLE_BYTES, ms_of, silence

SLICE: Final = RATE * SAMPLE_BYTES * 40 // 1000
ENOUGH: Final = RATE * SAMPLE_BYTES * 100 // 1000  # rule 1
# With less than this in it a device may run dry before we look again, or has not begun: it begins
# with 40 ms, and a resampler holds 20 ms back.
LOW: Final = RATE * SAMPLE_BYTES * 60 // 1000
PATIENCE: Final = RATE * SAMPLE_BYTES  # rule 2


@dataclass(frozen=True, slots=True)
class Slice:
    """To be written now, at most 40 ms. ``volume`` as of cmd.Play.

    ``response_id`` is empty for silence and chimes; ``begins``: it is the first of its response.
    """

    pcm: bytes = field(repr=False)
    response_id: str = ""
    volume: int | None = None
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Played:
    """How far a response got: ``played_ms`` of item ``item_id``, and all before it.

    ``underruns`` times it had to wait for the server; ``ended``: all of it had come.
    """

    response_id: str
    item_id: str
    content_index: int
    played_ms: int
    underruns: int
    ended: bool


@dataclass(slots=True, eq=False)
class _Response:
    """One response, or one chime, on its way."""

    response_id: str  # empty for a chime
    pieces: deque[cmd.Play] = field(default_factory=deque)  # to be written; at most a slice each
    waiting: int = 0  # in ``pieces``
    unheard: int = 0  # in the device
    ended: bool = False
    flowing: bool = False  # rule 1 is met
    started: bool = False
    dry: bool = False  # silence is played in its place
    underruns: int = 0
    item_id: str = ""
    content_index: int = 0
    heard: int = 0  # of that item

    @property
    def over(self) -> bool:
        """All of it was heard."""
        return self.ended and not self.pieces and not self.unheard

    def played(self) -> Played:
        """How far it got."""
        item_id, content_index = self.item_id, self.content_index
        if not item_id and self.pieces:  # nothing was heard yet: not of the first item either
            item_id, content_index = self.pieces[0].item_id, self.pieces[0].content_index
        return Played(
            self.response_id, item_id, content_index, ms_of(self.heard), self.underruns, self.ended
        )

    def hear(self, play: cmd.Play, size: int) -> None:
        if play.item_id != self.item_id:
            self.item_id, self.content_index, self.heard = play.item_id, play.content_index, 0
        self.heard += size
        self.unheard -= size


class Playout:
    """The queue of the speaker. Its owner tells how much of what was written has not sounded."""

    def __init__(self, lead_ms: int = 0) -> None:
        self.paused = False
        self._lead = lead_ms  # of silence after each open, to wake the speaker up
        self._leading = 0  # of it, not written yet
        self._responses: deque[_Response] = deque()
        # What was written and has not sounded; None for silence.
        self._sent: deque[tuple[_Response | None, cmd.Play]] = deque()
        self._filled = 0  # silence since the last sound

    @property
    def expects(self) -> bool:
        """Whether more is to come of what is playing, and soon."""
        waiting = any(each.started and not each.ended for each in self._responses)
        return waiting and self._filled < PATIENCE

    def add(self, play: cmd.Play) -> None:
        """Queue a piece behind what is queued."""
        response = self._response(play.response_id)
        response.waiting += len(play.pcm)
        response.pieces += _slices(play)

    def end(self, response_id: str) -> None:
        """Nothing more of this response comes."""
        self._response(response_id).ended = True

    def chime(self, pcm: bytes) -> None:
        """Queue a chime before the next response that begins."""
        chime = _Response("", ended=True, waiting=len(pcm))
        chime.pieces += _slices(cmd.Play("", "", 0, pcm))
        place = 1 if self._responses and self._responses[0].started else 0
        while place < len(self._responses) and not self._responses[place].response_id:
            place += 1
        self._responses.insert(place, chime)

    def sounded(self, unheard: int) -> list[Played]:
        """All but ``unheard`` of what was written has sounded. Returns what is over.

        A chime has no ``response_id``.
        """
        heard = sum(len(play.pcm) for _, play in self._sent) - unheard
        while heard > 0 and self._sent:
            response, play = self._sent.popleft()
            size = min(heard, len(play.pcm))
            if response is not None:
                response.hear(play, size)
            if size < len(play.pcm):
                self._sent.appendleft((response, replace(play, pcm=play.pcm[size:])))
            heard -= size
        over = [each for each in self._responses if each.over]
        self._responses = deque(each for each in self._responses if not each.over)
        return [each.played() for each in over]

    def next(self, unheard: int | None) -> Slice | None:
        """What to write now, None: nothing for now. ``unheard``: None where the device is closed.

        It counts as written from now on.
        """
        response = next((r for r in self._responses if r.pieces or not r.ended), None)
        if self.paused or response is None:
            return None
        if unheard is None:
            self._leading = self._lead
        response.flowing |= response.ended or response.waiting >= ENOUGH
        if response.flowing and response.pieces:
            return self._quiet() if self._leading > 0 else self._take(response)
        if not response.started or unheard is None or unheard > LOW:
            return None
        return self._fill(response)

    def holds(self, response_id: str) -> bool:
        """Say whether some of a response is in the device."""
        return any(r is not None and r.response_id == response_id for r, _ in self._sent)

    def rewind(self) -> None:
        """The device was dropped: what has not sounded is to be written again."""
        while self._sent:
            response, play = self._sent.pop()
            if response is not None:
                response.pieces.appendleft(play)
                response.waiting += len(play.pcm)
                response.unheard -= len(play.pcm)

    def flush(self, response_id: str) -> Played | None:
        """Forget a response of which nothing is in the device; None if there is none."""
        for response in self._responses:
            if response.response_id == response_id:
                self._responses.remove(response)
                return response.played()
        return None

    def give_up(self) -> list[Played]:
        """Forget everything. Returns how far each got."""
        gone = [each.played() for each in self._responses]
        self._responses.clear()
        self._sent.clear()
        return gone

    def _response(self, response_id: str) -> _Response:
        for response in self._responses:
            if response.response_id == response_id:
                return response
        response = _Response(response_id)
        self._responses.append(response)
        return response

    def _take(self, response: _Response) -> Slice:
        play = response.pieces.popleft()
        response.waiting -= len(play.pcm)
        response.unheard += len(play.pcm)
        self._sent.append((response, play))
        self._filled = 0
        response.underruns += response.dry
        response.dry = False
        begins, response.started = not response.started, True
        return Slice(
            play.pcm, response.response_id, play.volume, begins and bool(response.response_id)
        )

    def _fill(self, response: _Response) -> Slice | None:
        """Silence until there is more; rule 2."""
        response.flowing, response.dry = False, True
        if self._filled >= PATIENCE:
            return None
        self._filled += SLICE
        return self._quiet()

    def _quiet(self) -> Slice:
        pcm = silence(ms_of(SLICE))
        self._leading = max(0, self._leading - ms_of(SLICE))
        self._sent.append((None, cmd.Play("", "", 0, pcm)))
        return Slice(pcm)


def _slices(play: cmd.Play) -> Iterator[cmd.Play]:
    for start in range(0, len(play.pcm), SLICE):
        yield replace(play, pcm=play.pcm[start : start + SLICE])
