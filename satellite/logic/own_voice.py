"""When the assistant's own voice is looked for, and who is believed to be somebody else.

Pure; frames of model.audio, in order. It lives in the capture thread.

Rule 1: nothing is looked for before something was played, nor later than 2 s after it, unless
somebody is being heard: sound changes its sound in the middle of no utterance.
Rule 2: sound that stops and goes on within a second was interrupted by a device or a thread, and
comes by another way now: nobody is believed until that can be heard. So it is where the microphone
was opened again.
Rule 3: one surprise is an accident of echoes. Surprises add up, and what is usual in this room, of
this loudspeaker, is taken off: a cheap one that rattles has to be spoken against longer. Whoever
speaks while it is silent is not what is usual of it.
Rule 4: who has just spoken may go on; after that the gate is open for nobody, and what is left of
an echo by then must not be taken for a word by the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from satellite.model.audio import frames

AFTER: Final = frames(2000)  # and a tenth of it is an echo
BREAK: Final = frames(1000)
DOUBT: Final = frames(560)
LEAST: Final = 15.0  # dB that a frame may surprise by without anything: 2 or 3 of 16 bands
ENOUGH: Final = 5.0  # dB beyond that: somebody
MOST: Final = 60.0  # so that somebody who is silent is believed no longer than 80 ms
RARE: Final = 0.95  # what is usual surprises less in so many frames
SLOWLY: Final = 0.1
SHARE: Final = 0.85  # of it that is taken off
GOES_ON: Final = frames(300)  # longer than between two words


@dataclass(slots=True)
class Looking:
    """Whether the canceller runs."""

    _left: int = 0  # frames
    _doubt: int = 0  # frames
    _lost: bool = False  # sound of the microphone, since something was played

    @property
    def in_doubt(self) -> bool:
        """Rule 2."""
        return self._doubt > 0

    def lose(self) -> None:
        """Sound of the microphone was lost."""
        self._lost = True

    def step(self, far: bool, is_open: bool) -> bool:
        """``far``: something is played in this frame; ``is_open``: somebody is being heard."""
        self._doubt = max(0, self._doubt - 1)
        if far:
            goes_on = 0 < AFTER - self._left <= BREAK
            self._doubt = DOUBT if goes_on or self._lost else self._doubt
            self._left, self._lost = AFTER, False
        elif not (is_open and self._left == 1):
            self._left = max(0, self._left - 1)
        return self._left > 0


@dataclass(slots=True)
class Evidence:
    """Whether somebody speaks against the loudspeaker."""

    _sum: float = 0.0
    _usual: float = 0.0
    _nobody: int = GOES_ON  # frames since somebody was believed

    @property
    def may_go_on(self) -> bool:
        """Rule 4."""
        return self._nobody < GOES_ON

    def step(self, surprise: float, played: bool) -> bool:
        """``surprise`` in dB, as of ports.Discerned; ``played`` as ``far`` of Looking."""
        allowed = max(LEAST, SHARE * self._usual)
        rate = SLOWLY if self._sum >= ENOUGH else 1.0  # somebody is not what is usual
        self._sum = min(MOST, max(0.0, self._sum + surprise - allowed))
        if played:
            step = RARE if surprise > self._usual else RARE - 1
            self._usual = max(0.0, self._usual + rate * step)
        believed = self._sum >= ENOUGH
        self._nobody = 0 if believed else self._nobody + 1
        return believed

    def forget(self) -> None:
        """Nobody has been heard; what is usual stays so."""
        self._sum, self._nobody = 0.0, GOES_ON
