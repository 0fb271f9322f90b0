"""What becomes of a block of sound, with detectors that are told what to say. No thread."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import pytest

from satellite.far_end import FarEnd
from satellite.hearing import Ears, Hearing
from satellite.logic.gate import Gate, GateSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import FRAME_SAMPLES
from satellite.model.ports import Discerned
from satellite.own_voice import OwnVoice

ROOM = array("h", [-20, 20] * (FRAME_SAMPLES // 2))
ROOM[::24] = array("h", [20] * (FRAME_SAMPLES // 24))
ROOM[12::24] = array("h", [-20] * (FRAME_SAMPLES // 24))
QUIET = ROOM.tobytes()
LOUD = array("h", [each * 40 for each in ROOM]).tobytes()
A_WHILE = 240  # frames after which the room is known


class Told:
    """A Network that is as sure as it is told to be."""

    def __init__(self, sure: float) -> None:
        self.sure = sure
        self.heard: list[bytes] = []
        self.forgot = 0

    def hear(self, frame: bytes) -> float | None:
        self.heard.append(frame)
        return self.sure

    def forget(self) -> None:
        self.forgot += 1

    def renew(self) -> None:
        self.heard.clear()


def fires(aggressiveness: int) -> Callable[[bytes], bool]:
    return lambda frame: frame == LOUD


def hearing(
    network: Told | None, own_voice: OwnVoice | None = None
) -> tuple[Hearing, list[object]]:
    posted: list[object] = []
    ears = Ears(fires, lambda: None, own_voice, network)  # type: ignore[arg-type, return-value]
    gate = Gate(GateSettings(onset=3, pre_roll=5, hangover=4, limit=100))
    made = Hearing(ears, cmd.SetEars(2, "open_mic"), gate, posted.append)
    made.begin()
    made.hear(QUIET * A_WHILE, 100.0, deaf=False)
    assert posted == []
    return made, posted


def test_in_a_quiet_room_the_network_sleeps() -> None:
    network = Told(0.9)
    hearing(network)
    assert network.heard == []


def test_what_the_network_refuses_wakes_nobody() -> None:
    network = Told(0.2)
    made, posted = hearing(network)
    made.hear(LOUD * 50, 101.0, deaf=False)
    assert posted == []
    assert len(network.heard) > 50


def test_what_it_confirms_is_told_with_the_reason() -> None:
    made, posted = hearing(Told(0.9))
    made.hear(LOUD * 5, 101.0, deaf=False)
    opened = posted[0]
    assert isinstance(opened, ev.GateOpened)
    assert (opened.cause, opened.certainty) == ("speech", 0.9)
    assert opened.above_db == pytest.approx(32.0, abs=0.1)
    assert isinstance(posted[1], ev.Heard)
    assert posted[1].pcm == QUIET * 5 + LOUD * 5


def test_without_a_network_no_certainty_is_claimed() -> None:
    made, posted = hearing(None)
    made.hear(LOUD * 3, 101.0, deaf=False)
    assert isinstance(posted[0], ev.GateOpened)
    assert posted[0].certainty is None


def test_a_room_that_is_not_known_is_not_claimed_to_be() -> None:
    made, posted = hearing(Told(0.9))
    made.begin()
    made.hear(LOUD * 3, 101.0, deaf=False)
    assert isinstance(posted[0], ev.GateOpened)
    assert posted[0].above_db is None


def test_a_frame_that_was_lost_as_zeros_stands_out_from_nothing() -> None:
    made, posted = hearing(Told(0.9))
    made.hear(LOUD * 2 + bytes(len(LOUD)), 101.0, deaf=False)
    assert isinstance(posted[0], ev.GateOpened)
    assert posted[0].above_db is None


@pytest.mark.parametrize(
    "order",
    [
        lambda made: made.forget(),
        lambda made: made.lose(),
        lambda made: [made.obey(cmd.ShutGate(on)) for on in (True, False)],
    ],
    ids=["forget", "lose", "shut"],
)
def test_the_network_does_not_hear_what_must_be_forgotten(
    order: Callable[[Hearing], object],
) -> None:
    network = Told(0.9)
    made, _ = hearing(network)
    order(made)
    made.hear(LOUD, 101.0, deaf=False)
    assert network.heard == [LOUD]


def test_a_shut_gate_asks_nobody() -> None:
    network = Told(0.9)
    made, posted = hearing(network)
    made.obey(cmd.ShutGate(True))
    made.hear(LOUD * 50, 101.0, deaf=False)
    assert network.heard == posted == []


class Nothing:
    """A Canceller that finds nothing to take away."""

    def clean(self, near: bytes, far: bytes) -> bytes:
        return near


class Somebody:
    """A Discerner to whom all is a surprise."""

    def hear(self, near: bytes, far: bytes, cleaned: bytes) -> Discerned:
        return Discerned(surprise=60.0, audible=True, echo=False)

    def pause(self) -> None:
        pass


def test_who_speaks_against_an_answer_does_not_wait_for_the_network() -> None:
    now = 100.0
    far = FarEnd(lambda: now)
    made, posted = hearing(Told(0.0), OwnVoice(far, Nothing(), Somebody()))
    for _ in range(60):
        far.played(LOUD)
        now += 0.02
        made.hear(LOUD, now, deaf=False)
    assert any(isinstance(each, ev.GateOpened) for each in posted)
    now += 10.0
    made.hear(QUIET * 600, now, deaf=False)
    posted.clear()
    made.hear(LOUD * 10, now + 0.2, deaf=False)
    assert posted == []
