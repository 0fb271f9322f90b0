"""What is speech, frame by frame: the cheap detector, and the network behind it.

It lives in the capture thread.
"""

from __future__ import annotations

import logging

from satellite.logic.cascade import SURE, Cascade
from satellite.logic.stuck import AnswerWatch
from satellite.model.ports import Judge, Judged, Network

log = logging.getLogger(__name__)


class Attention:
    """Owns ``judge`` and ``network``. One thread calls everything.

    A network that fails, or answers what no network does, is put aside for good, and the rest goes
    on as without one: ``failed`` says why.
    """

    def __init__(self, judge: Judge, network: Network | None, aggressiveness: int) -> None:
        self._judge = judge
        self._network = network
        self._answers = AnswerWatch()
        self.failed: str | None = None
        self._cascade = Cascade(None if network is None else SURE[aggressiveness])

    def begin(self) -> None:
        """Another microphone, or the same one after a while: what the room was like is no more."""
        self._cascade.begin()

    def hear(self, frame: bytes) -> Judged:
        """One frame of model.audio, in order."""
        cascade = self._cascade
        to_hear = cascade.take(frame, self._judge(frame))
        if to_hear and self._network is not None:
            try:
                self._ask(self._network, to_hear)
            except Exception as exc:  # not the microphone's fault: that hears on
                log.exception("the network that confirms speech failed")
                self._put_aside(f"it failed with {type(exc).__name__}")
        return cascade.judged

    def _ask(self, network: Network, to_hear: tuple[bytes, ...]) -> None:
        if self._cascade.woke:
            network.forget()
        if self._cascade.renews:
            network.renew()
        for each in to_hear:
            certainty = network.hear(each)
            if certainty is None:
                continue
            why = self._answers.doubt(certainty, each)
            if why is not None:
                self._put_aside(why)
                return
            self._cascade.weigh(certainty)

    def _put_aside(self, why: str) -> None:
        self.failed, self._network = why, None
        self._cascade.do_without()

    def forget(self) -> None:
        """What follows does not go on where the last frame ended."""
        self._cascade.forget()
