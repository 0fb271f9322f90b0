"""Why the gate opened, what that cost, and whether the server heard speech there too. Pure.

Rule 1: an opening is the server's word's to judge: it agrees by making a user item of it. A turn
that ended without its word (we end the turns, the session is gone) has its opening all the same.
Rule 2: what was sent for an opening and became no turn was sent in vain. That is known when a later
one became a turn, or UNDECIDED_S after its last sound.
Rule 3: a server that agrees with nothing is believed, for as long as it does: FEW openings in a row
without a turn, and a mere noise is trusted less, until the next one that becomes one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from satellite.model import events as ev
from satellite.model.audio import seconds_of

UNDECIDED_S: Final = 5.0  # a server says that it hears speech within a second of it
OPENS_S: Final = 0.4  # speech begins at most so long before the gate opens for it
MOST: Final = 40  # openings remembered: more than one turn lasts over
FEW: Final = 5

Why = Literal["speech", "wake_word", "asked", "follow_up"]
Fate = Literal["undecided", "taken", "refused"]


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of the gate; ``number`` is that of its utterance, instants are monotonic."""

    number: int
    at: float
    why: Why = "speech"
    word: str | None = None  # the wake word that was heard
    certainty: float | None = None
    above_db: float | None = None
    sent_bytes: int = 0
    speech_ms: int = 0  # of what was sent
    sent_at: float = 0.0  # when its last sound was
    fate: Fate = "undecided"
    told_bytes: int = 0  # of what was sent, what a turn record has told
    told_ms: int = 0  # of the speech

    @property
    def sent_s(self) -> float:
        """Seconds of sound that went to the server."""
        return seconds_of(self.sent_bytes)


@dataclass(frozen=True, slots=True)
class Openings:
    """Those of late, newest last, and counts since the start."""

    recent: tuple[Opening, ...] = ()
    opened: int = 0
    refused: int = 0
    vain_bytes: int = 0
    told_bytes: int = 0  # of these, what turn records have told
    in_a_row: int = 0  # refused since the last that became a turn
    agreed_at: float = float("-inf")  # when one did
    word: str | None = None  # the last wake word
    follows_up: bool = False  # the last who may speak was not asked, but had an answer

    @property
    def newest(self) -> Opening | None:
        """The last one, open or closed."""
        return self.recent[-1] if self.recent else None

    @property
    def untold_s(self) -> float:
        """Seconds sent in vain that no turn record has told."""
        return seconds_of(self.vain_bytes - self.told_bytes)

    @property
    def distrusted(self) -> bool:
        """True while a mere noise is not believed to be a person before more of it is heard."""
        return self.in_a_row >= FEW


def opened(openings: Openings, number: int, event: ev.GateOpened, now: float) -> Openings:
    """The gate opened for utterance ``number``."""
    why: Why = event.cause
    if why == "asked" and openings.follows_up:
        why = "follow_up"
    word = openings.word if why == "wake_word" else None
    fresh = Opening(number, now, why, word, event.certainty, event.above_db)
    recent = (*openings.recent[-MOST + 1 :], fresh)
    return replace(openings, recent=recent, opened=openings.opened + 1)


def sent(
    openings: Openings, pcm_bytes: int, at: float | None, speech_ms: int, now: float
) -> Openings:
    """Note sound that goes to the server; ``at`` and ``speech_ms`` as in AppendAudio."""
    known = openings.newest if at is None else at_time(openings, at)
    if known is None:
        return openings
    if known.fate == "refused":
        openings = replace(openings, vain_bytes=openings.vain_bytes + pcm_bytes)
    return _put(
        openings,
        replace(
            known,
            sent_bytes=known.sent_bytes + pcm_bytes,
            speech_ms=known.speech_ms + speech_ms,
            sent_at=now,
        ),
    )


def at_time(openings: Openings, at: float) -> Opening | None:
    """The one whose sound was captured at ``at``."""
    return next((each for each in reversed(openings.recent) if each.at <= at), None)


def spoken_in(openings: Openings, at: float) -> Opening | None:
    """The one for which the gate opened where speech began at ``at``."""
    return at_time(openings, at + OPENS_S)


def of(openings: Openings, number: int | None) -> Opening | None:
    """The one of that utterance, where it is remembered."""
    return next((each for each in reversed(openings.recent) if each.number == number), None)


def take(openings: Openings, number: int, now: float, *, agreed: bool) -> Openings:
    """It became a turn; what was sent before it and did not, will not (rule 2).

    ``agreed``: by the server's word, or as much of it as there can be.
    """
    known = of(openings, number)
    if known is None:
        return openings
    openings = _put(openings, replace(known, fate="taken"))
    if not agreed:
        return openings
    for each in openings.recent:
        if each.number < number and each.fate == "undecided" and each.sent_bytes:
            openings = _refuse(openings, each)
    return replace(openings, in_a_row=0, agreed_at=now)


def settle(openings: Openings, now: float, *, gate_open: bool) -> Openings:
    """Give up what the server has said nothing of."""
    for each in openings.recent:
        over = not (gate_open and each is openings.newest)
        late = now - each.sent_at >= UNDECIDED_S
        if each.fate == "undecided" and each.sent_bytes and over and late:
            openings = _refuse(openings, each)
    return openings


def given_up(before: Openings, after: Openings) -> tuple[Opening, ...]:
    """Those that were refused between the two."""
    if before.refused == after.refused:
        return ()
    known = {each.number for each in before.recent if each.fate == "refused"}
    return tuple(o for o in after.recent if o.fate == "refused" and o.number not in known)


def told(openings: Openings, number: int | None) -> Openings:
    """A turn record has said what was sent until now in vain, and for that opening of its own."""
    openings = replace(openings, told_bytes=openings.vain_bytes)
    known = of(openings, number)
    if known is None:
        return openings
    return _put(openings, replace(known, told_bytes=known.sent_bytes, told_ms=known.speech_ms))


def _refuse(openings: Openings, opening: Opening) -> Openings:
    return replace(
        _put(openings, replace(opening, fate="refused")),
        refused=openings.refused + 1,
        vain_bytes=openings.vain_bytes + opening.sent_bytes,
        in_a_row=openings.in_a_row + 1,
    )


def _put(openings: Openings, opening: Opening) -> Openings:
    recent = tuple(opening if o.number == opening.number else o for o in openings.recent)
    return replace(openings, recent=recent)
