"""A scene through the real Hearing, and what came out of its gate."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from scenes import Scene
from sounds import CELL

from satellite import hearing_setup
from satellite.adapters import silero, voice
from satellite.config.schema import Config
from satellite.hearing import Ears, Hearing
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, FRAME_SAMPLES, RATE
from satellite.model.ports import Judge, Judged, Network

Way = Literal["cascade", "no network", "webrtcvad"]
WAYS: Final[tuple[Way, ...]] = ("cascade", "no network", "webrtcvad")
QUIET_BLOCK: Final = 4 * FRAME_BYTES  # what the daemon reads at once while nobody speaks
AFTER: Final = RATE // 5  # an opening so soon after the last word belongs to it
SHORT: Final = RATE * 30 // 1000


@dataclass(slots=True)
class Sent:
    """One opening: samples of the scene. ``opened`` is the end of the frame that opened it."""

    opened: int
    first: int
    end: int


@dataclass(slots=True)
class Counted:
    """A network, and how many frames it was given."""

    network: Network
    frames: int = 0

    def hear(self, frame: bytes) -> float | None:
        self.frames += 1
        return self.network.hear(frame)

    def forget(self) -> None:
        self.network.forget()

    def renew(self) -> None:
        self.network.renew()


@dataclass(slots=True)
class Alone:
    """As it was before the cascade: the cheap detector is believed."""

    judge: Judge
    failed: str | None = None

    def hear(self, frame: bytes) -> Judged:
        fired = self.judge(frame)
        return Judged(fired, fired)

    def begin(self) -> None:
        pass

    forget = begin


@dataclass(slots=True)
class Result:
    """What became of one scene; sums over scenes with ``+``. ``clipped`` and ``delays`` in ms."""

    seconds: float = 0.0
    said: int = 0
    found: int = 0
    clipped: list[float] = field(default_factory=list)
    delays: dict[tuple[int, int], float] = field(default_factory=dict)  # by scene and utterance
    false: list[float] = field(default_factory=list)  # seconds into the scene
    speech_s: float = 0.0
    unsent_s: float = 0.0  # of speech
    sent_s: float = 0.0
    network: float = 0.0  # seconds that it was awake
    cpu_s: float = 0.0
    missed: list[str] = field(default_factory=list)

    def __add__(self, other: Result) -> Result:
        names = self.__dataclass_fields__
        parts = {name: (getattr(self, name), getattr(other, name)) for name in names}
        return Result(**{k: a | b if isinstance(a, dict) else a + b for k, (a, b) in parts.items()})


def hear(scene: Scene, way: Way, number: int) -> Result:
    """``number`` tells scenes of one place apart."""
    config = Config()
    network = Counted(silero.Silero())
    sent: list[Sent] = []
    at = 0

    def post(event: ev.Event) -> None:
        match event:
            case ev.GateOpened():
                sent.append(Sent(at, -1, at))
            case ev.Heard(pcm):
                sent[-1].first = at - len(pcm) // 2 if sent[-1].first < 0 else sent[-1].first
                sent[-1].end = at

    ears = Ears(voice.make_judge, _no_waker, network=network if way == "cascade" else None)
    hearing = Hearing(ears, hearing_setup.wanted(config), hearing_setup.gate(config), post)
    if way == "webrtcvad":
        hearing._attention = Alone(voice.make_judge(config.gate.aggressiveness))  # type: ignore[assignment]
    hearing.begin()
    pcm = scene.pcm.tobytes()
    size = FRAME_BYTES if scene.said else QUIET_BLOCK
    began = time.process_time()
    for start in range(0, len(pcm) - size + 1, size):
        at = (start + size) // 2
        hearing.hear(pcm[start : start + size], at / RATE, deaf=False)
    cpu_s = time.process_time() - began
    result = judge(scene, [each for each in sent if each.end > scene.begins], number)
    result.cpu_s, result.seconds = cpu_s, len(scene.pcm) / RATE
    result.network = network.frames * FRAME_SAMPLES / RATE
    return result


def judge(scene: Scene, sent: list[Sent], number: int) -> Result:
    """Hold what was sent against what was said."""
    result = Result(said=len(scene.said))
    mask = np.zeros(len(scene.sounds), np.bool_)
    for each in sent:
        mask[each.first // CELL : each.end // CELL] = True
        if not any(first <= each.opened <= last + AFTER for first, last in scene.said):
            result.false.append(each.opened / RATE)
    for n, (first, last) in enumerate(scene.said):
        mine = [each for each in sent if each.first < last and each.end > first]
        if not mine:
            result.missed.append(scene.names[n])
            continue
        result.found += 1
        result.clipped.append(max(0, mine[0].first - first) * 1000 / RATE)
        if mine[0].opened >= first:
            result.delays[number, n] = (mine[0].opened - first) * 1000 / RATE
    result.speech_s = sum(last - first for first, last in scene.said) / RATE
    result.unsent_s = float(np.sum(scene.sounds & ~mask)) * CELL / RATE
    result.sent_s = sum(each.end - max(each.first, scene.begins) for each in sent) / RATE
    return result


def _no_waker() -> None:
    raise AssertionError("nobody waits for a word")
