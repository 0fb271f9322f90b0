"""What is speech, frame by frame: the cheap detector, and the network behind it.

It lives in the capture thread.
"""

from __future__ import annotations

from satellite.logic.cascade import SURE, Cascade
from satellite.model.ports import Judge, Judged, Network


class Attention:
    """Owns ``judge`` and ``network``. One thread calls everything."""

    def __init__(self, judge: Judge, network: Network | None, aggressiveness: int) -> None:
        self._judge = judge
        self._network = network
        self._cascade = Cascade(None if network is None else SURE[aggressiveness])

    def begin(self) -> None:
        """Another microphone, or the same one after a while: what the room was like is no more."""
        self._cascade.begin()

    def hear(self, frame: bytes) -> Judged:
        """One frame of model.audio, in order."""
        cascade = self._cascade
        to_hear = cascade.take(frame, self._judge(frame))
        if to_hear and self._network is not None:
            if cascade.woke:
                self._network.forget()
            for each in to_hear:
                certainty = self._network.hear(each)
                if certainty is not None:
                    cascade.weigh(certainty)
        return cascade.judged

    def forget(self) -> None:
        """What follows does not go on where the last frame ended."""
        self._cascade.forget()
