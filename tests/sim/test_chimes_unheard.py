"""A chime in a room with an echo, before the real ears, gate and step: nothing of it is sent.

And what is sent begins with the whole pre-roll, whatever opens the gate.
"""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest
from speech_stage import say, spoken
from stage import Stage, only, settings

from satellite.hearing import Ears, Hearing
from satellite.logic import satellite as logic
from satellite.logic.chosen import ChosenSettings
from satellite.logic.gate import Gate, GateSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, FRAME_SAMPLES, frames
from satellite.model.session import Activation

OPENS_S = 0.04  # the loudspeaker
CHIME_S = 0.24
LATE_S = 0.12  # the echo
RINGS_S = 0.06
PRE_ROLL = frames(500)
ROOM = array("h", [-20, 20] * (FRAME_SAMPLES // 2))
CHIME = array("h", [700, -900] * (FRAME_SAMPLES // 2)).tobytes()


def numbered(number: int, loud: int) -> bytes:
    """A frame that can be told from every other."""
    samples = array("h", [each * loud for each in ROOM])
    samples[:2] = array("h", [number // 1000 - 20, number % 1000])
    return samples.tobytes()


class Place:
    """A room, 20 ms at a time. The detector takes everything that is loud for speech."""

    def __init__(self, stage: Stage, activation: Activation) -> None:
        self.stage = stage
        self.heard: list[bytes] = []
        self.frames: list[bytes] = []
        self.rings = (0.0, 0.0)
        self.posted: list[ev.Event] = []
        ears = Ears(lambda _: is_loud, Deaf)
        gate = Gate(GateSettings.from_ms(**LENGTHS), activation)
        self.ears = Hearing(ears, cmd.SetEars(2, activation), gate, self.posted.append)
        self.ears.begin()
        self.over_at: float | None = None
        self.run(6.0)  # until the room is known

    def obey(self, orders: list[cmd.Command]) -> None:
        for order in orders:
            match order:
                case cmd.ShutGate() | cmd.HoldGate() | cmd.OpenGate():
                    self.ears.obey(order)
                case cmd.PlayChime():
                    begins = self.stage.now + OPENS_S
                    self.over_at = begins + CHIME_S
                    self.rings = begins + LATE_S, self.over_at + LATE_S + RINGS_S

    def run(self, seconds: float, *, speech: bool = False) -> None:
        for _ in range(round(seconds * 50)):
            self.frame(speech=speech)

    def frame(self, *, speech: bool) -> None:
        stage = self.stage
        deaf = self.ears.deaf
        stage.now += 0.02
        begins, ends = self.rings
        frame = numbered(len(self.frames), 40 if speech else 1)
        frame = CHIME if begins <= stage.now < ends else frame
        self.frames.append(frame)
        self.ears.hear(frame, stage.now, deaf=deaf)
        while self.posted:
            event = self.posted.pop(0)
            if isinstance(event, ev.Heard):
                self.heard += [
                    event.pcm[n : n + FRAME_BYTES] for n in range(0, len(event.pcm), FRAME_BYTES)
                ]
            self.obey(stage.tell(event))
        if self.over_at is not None and stage.now >= self.over_at:
            self.over_at = None
            self.obey(stage.tell(ev.ChimeOver()))
        due = logic.deadline(stage.state)
        if due is not None and due <= stage.now:
            self.obey(stage.tell(ev.Tick(stage.now)))


LENGTHS = {"onset_ms": 60, "pre_roll_ms": 500, "hangover_ms": 700, "limit_ms": 30_000}


def is_loud(frame: bytes) -> bool:
    return max(memoryview(frame).cast("h")[2:]) > 100


class Deaf:
    def hear(self, _frame: bytes) -> str | None:
        return None


ALL: frozenset[cmd.Chime] = frozenset({"woke", "message", "failed"})


def place(
    activation: Activation, *, half_duplex: bool = True, chimes: frozenset[cmd.Chime] = ALL
) -> Place:
    made = settings(half_duplex=half_duplex)
    talk = replace(made.talk, chimes=chimes)
    made = replace(made, talk=talk, chosen=ChosenSettings(activation=activation))
    return Place(Stage(made).ready(), activation)


def chime(there: Place, name: str) -> list[cmd.Command]:
    """Have it played."""
    stage = there.stage
    if name == "woke":
        there.ears._gate.arm(frames(2000), woken=True)
        return stage.tell(ev.Woke("okay_nabu"), ev.Armed(True), ev.WordAlone())
    if name == "message":
        orders = say(stage) + spoken(stage, 1)
        return orders + stage.tell(ev.PlayoutFlushed("s1", "i1", 0, 0))
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."), ev.ResponseCreated("r1"))
    return stage.server(ev.ResponseDone("r1", "failed", "content_filter"))


@pytest.mark.parametrize("half_duplex", [True, False])
@pytest.mark.parametrize("name", ["woke", "message", "failed"])
@pytest.mark.parametrize("pause_s", [0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0])
def test_nothing_of_a_chime_is_sent_whenever_somebody_speaks(
    name: str, half_duplex: bool, pause_s: float
) -> None:
    there = place("wake_word" if name == "woke" else "open_mic", half_duplex=half_duplex)
    orders = chime(there, name)
    assert [order.chime for order in only(orders, cmd.PlayChime)] == [name]
    there.obey(orders)
    there.run(pause_s)
    begun = len(there.frames)
    there.run(1.5, speech=True)
    there.run(0.2)
    assert CHIME in there.frames
    assert there.heard, "somebody spoke"
    assert CHIME not in there.heard
    first = there.frames.index(there.heard[0])
    assert there.heard == there.frames[first:], "without a gap"
    if pause_s >= 0.6:
        assert first <= begun, "from its first word on"


# --- the pre-roll --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["open_mic", "wake_word", "order", "tap", "hold"])
@pytest.mark.parametrize("early", range(0, 16, 5))
def test_what_is_sent_begins_with_the_pre_roll_whatever_opens_the_gate(
    how: str, early: int
) -> None:
    """``early``: frames of speech before somebody asked to be heard."""
    activation: Activation = "push_to_talk"
    if how in {"open_mic", "wake_word"}:
        activation, early = ("open_mic" if how == "open_mic" else "wake_word"), 0
    there = place(activation, chimes=frozenset())
    stage = there.stage
    if how == "wake_word":
        there.ears._gate.arm(frames(2000), woken=True)
        there.run(0.4)
    begun = len(there.frames)
    there.run(early / 50, speech=True)
    if how == "order":
        there.ears.obey(cmd.OpenGate(True))
    elif how in {"tap", "hold"}:
        talk = replace(stage.settings.talk, hold=how == "hold")
        stage.settings = replace(stage.settings, talk=talk)
        there.obey(stage.tell(ev.Pressed()))
    there.run(1.0, speech=True)
    first = there.frames.index(there.heard[0])
    assert first == begun - PRE_ROLL
    assert there.heard == there.frames[first:]
