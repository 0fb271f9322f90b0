"""What becomes of a block of sound: judged, gated, handed on. It lives in the capture thread.

A quiet room wakes no other thread: an event is posted only for what passes the gate, for a wake
word, and when the microphone turns out to deliver something else than a room.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from satellite.attention import Attention
from satellite.errors import SetupError
from satellite.inbox import Post
from satellite.logic.gate import Change, Gate
from satellite.logic.signal import SignalWatch
from satellite.logic.stuck import NoiseWatch
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, FRAME_MS, frames
from satellite.model.ports import Judge, Judged, Network, Waker
from satellite.own_voice import OwnVoice

NOT_HEARD: Final = Judged(speech=False, fired=False)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ears:
    """How to make what hears. ``judge``: of webrtcvad's aggressiveness; ``waker`` may raise
    SetupError, and is not made before somebody wants it. ``own_voice`` where the assistant may be
    interrupted through its own loudspeaker; ``network`` where one confirms what is speech.
    ``patience``: so many frames after a wake word speech may begin."""

    judge: Callable[[int], Judge]
    waker: Callable[[], Waker]
    own_voice: OwnVoice | None = None
    network: Network | None = None
    patience: int = frames(2000)


class Hearing:
    """Owns ``gate``. One thread calls everything. ``post`` gets GateOpened, Heard, GateClosed,
    Armed, Woke, WordAlone, MicSignal, RoomNoise and NetworkFailed."""

    def __init__(self, ears: Ears, wanted: cmd.SetEars, gate: Gate, post: Post) -> None:
        self._ears = ears
        self._gate = gate
        self._post = post
        self._signals = SignalWatch()
        self._noise = NoiseWatch()
        self._network = ears.network
        self._waker: Waker | None = None
        self._set_ears(wanted)
        self._said_armed = False

    @property
    def deaf(self) -> bool:
        """True while nothing is to be heard."""
        return self._gate.shut

    @property
    def open(self) -> bool:
        """True while somebody is heard."""
        return self._gate.is_open

    def begin(self) -> None:
        """The microphone delivers; nothing is held against it yet."""
        self._signals.begin()
        self._attention.begin()
        self._note_noise(changed=self._noise.begin())
        if self._ears.own_voice is not None:
            self._ears.own_voice.forget()

    def forget(self) -> None:
        """Sound was lost, or must not be heard. Whoever asked to be heard must ask again."""
        self._gate.forget()
        self._attention.forget()
        if self._ears.own_voice is not None:
            self._ears.own_voice.forget()

    def lose(self) -> None:
        """The microphone is given back: forget. MicLost or MicClosed says what that means."""
        self._gate.forget()
        self._attention.forget()
        self._said_armed = False

    def obey(self, order: cmd.HoldGate | cmd.ShutGate | cmd.OpenGate | cmd.SetEars) -> None:
        """Carry out one order about the gate."""
        match order:
            case cmd.HoldGate(on):
                self._gate.hold(on)
            case cmd.ShutGate(on):
                self._gate.shut_off(on)
                self._attention.forget()
            case cmd.OpenGate(False):
                self._gate.end()
            case cmd.OpenGate(True, for_s, held=held):
                self._gate.arm(frames(round(for_s * 1000)), held=held)
            case cmd.SetEars():
                try:
                    self._set_ears(order)
                except SetupError as exc:
                    log.warning("gate.activation stays %s: %s", self._gate.activation, exc)

    def hear(self, block: bytes, end_at: float, *, deaf: bool) -> None:
        """Gate a block of whole frames that was captured until ``end_at``.

        ``deaf``: it was captured while nothing but a wake word was to be heard.
        """
        self._note_armed()
        if self._signals.signal == "stuck":
            pass
        elif deaf:
            for frame, frame_at in _frames(block, end_at):
                self._without_own_voice(frame, frame_at)  # it must miss none
                self._wake(frame)
        else:
            self._gate_block(block, end_at)
        self._note_armed()

    def watch(self, block: bytes) -> None:
        """Notice what the microphone delivers. A stuck one is not heard: nobody speaks there."""
        changed = self._signals.feed(block)
        if changed is None:
            return
        if changed == "stuck":
            self._gate.forget()
            self._attention.forget()
        self._post(ev.MicSignal(changed))

    def _set_ears(self, wanted: cmd.SetEars) -> None:
        if wanted.activation == "wake_word" and self._waker is None:
            self._waker = self._ears.waker()
        judge = self._ears.judge(wanted.aggressiveness)
        self._attention = Attention(judge, self._network, wanted.aggressiveness)
        self._gate.activate(wanted.activation)

    def _gate_block(self, block: bytes, end_at: float) -> None:
        """Gate every frame of a block and hand on what it let through as one piece."""
        pieces: list[bytes] = []
        speech_ms, speech_at = 0, None
        for heard, frame_at in _frames(block, end_at):
            frame, somebody = self._without_own_voice(heard, frame_at)
            self._wake(frame)
            judged = NOT_HEARD if self._gate.shut else self._judged(frame)
            passed = self._gate.step(frame, self._is_speech(judged) and somebody, judged.before)
            if passed.change is Change.OPENED:
                self._post(self._opened(judged))
            elif passed.change is Change.ALONE:
                self._post(ev.WordAlone())
            if passed.pcm:
                pieces.append(passed.pcm)
                speech_ms += passed.speech_ms
                speech_at = frame_at if passed.speech_now else speech_at
            if passed.change in {Change.CLOSED, Change.CUT}:
                self._hand_on(pieces, speech_ms, speech_at)
                pieces, speech_ms = [], 0
                self._post(ev.GateClosed(too_long=passed.change is Change.CUT))
        self._hand_on(pieces, speech_ms, speech_at)

    def _judged(self, frame: bytes) -> Judged:
        """Judge a frame, and notice what keeps anybody from being heard."""
        judged = self._attention.hear(frame)
        noise = self._noise
        self._note_noise(changed=noise.begin() if self._gate.is_open else noise.hear(judged))
        failed = self._attention.failed
        if failed is not None and self._network is not None:
            self._network = None
            self._post(ev.NetworkFailed(failed))
        return judged

    def _note_noise(self, *, changed: bool) -> None:
        if changed:
            self._post(ev.RoomNoise(self._noise.dbfs))

    def _is_speech(self, judged: Judged) -> bool:
        """Whoever speaks against an answer must not wait for the network, and is known to be
        somebody already (docs/decisions/010, 011); so is whoever holds a button down."""
        own_voice = self._ears.own_voice
        known = self._gate.pressed or (own_voice is not None and own_voice.runs)
        return judged.fired if known else judged.speech

    def _opened(self, judged: Judged) -> ev.GateOpened:
        known = judged.level and judged.floor  # a card that loses sound gives zeros for it
        above_db = 20 * math.log10(judged.level / judged.floor) if known else None
        return ev.GateOpened(self._gate.cause, judged.certainty, above_db)

    def _without_own_voice(self, frame: bytes, end_at: float) -> tuple[bytes, bool]:
        own_voice = self._ears.own_voice
        if own_voice is None:
            return frame, True
        return own_voice.clean(frame, end_at, is_open=self._gate.is_open)

    def _wake(self, frame: bytes) -> None:
        if self._waker is None or not self._gate.waits or self._gate.activation != "wake_word":
            return
        word = self._waker.hear(frame)
        if word is not None:
            self._gate.arm(self._ears.patience, woken=True)
            self._post(ev.Woke(word))

    def _note_armed(self) -> None:
        if self._gate.armed != self._said_armed:
            self._said_armed = self._gate.armed
            self._post(ev.Armed(self._said_armed))

    def _hand_on(self, pieces: list[bytes], speech_ms: int, speech_at: float | None) -> None:
        if pieces:
            self._post(ev.Heard(b"".join(pieces), speech_ms, speech_at))


def _frames(block: bytes, end_at: float) -> Iterator[tuple[bytes, float]]:
    """Each frame of a block that was over at ``end_at``, and when it was itself."""
    for end in range(FRAME_BYTES, len(block) + 1, FRAME_BYTES):
        frame_at = end_at - (len(block) - end) / FRAME_BYTES * FRAME_MS / 1000
        yield block[end - FRAME_BYTES : end], frame_at
