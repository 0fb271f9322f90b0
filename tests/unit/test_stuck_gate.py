"""A gate that is open nearly always, one that nobody can open, a network that says nothing."""

from __future__ import annotations

import math
import random
from array import array
from dataclasses import dataclass, field
from typing import Any

import pytest
from stage import Stage, settings

from satellite.attention import Attention
from satellite.hearing import Ears, Hearing
from satellite.logic.gate import Gate, GateSettings
from satellite.logic.stuck import LOUD, SAME, AnswerWatch, NoiseWatch
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import FRAME_SAMPLES, frames
from satellite.model.ports import Judged
from satellite.model.session import Session


def codes(stage: Stage) -> set[str]:
    return {problem.code for problem in stage.shown.problems}


def television(stage: Stage, minutes: float, *, open_s: float = 28, shut_s: float = 2) -> None:
    """The gate opens and closes, and the server says nothing of it."""
    end = stage.now + minutes * 60
    while stage.now < end:
        stage.tell(ev.GateOpened())
        stage.wait(open_s, step=1)
        stage.tell(ev.GateClosed(too_long=False))
        stage.wait(shut_s, step=1)


def test_a_gate_that_is_open_nearly_always_is_told_until_it_is_seldom() -> None:
    stage = Stage().ready()
    television(stage, 10)
    assert "vad_stuck_open" not in codes(stage)
    television(stage, 2)
    assert "vad_stuck_open" in codes(stage)
    (fault,) = stage.published(rec.Fault)
    assert "wake_word" in fault.fix
    stage.wait(5 * 60)
    assert "vad_stuck_open" in codes(stage)
    stage.wait(6 * 60)
    assert "vad_stuck_open" not in codes(stage)


def test_people_who_talk_a_lot_are_no_television() -> None:
    stage = Stage().ready()
    television(stage, 60, open_s=6, shut_s=5)
    assert "vad_stuck_open" not in codes(stage)


def test_who_dictates_for_an_hour_is_no_television() -> None:
    stage = Stage(settings(session=Session(kind="transcription"))).ready()
    for number in range(40):
        stage.tell(ev.GateOpened())
        stage.server(ev.SpeechStarted(f"u{number}"))
        stage.wait(25, step=1)
        stage.server(ev.SpeechStopped(f"u{number}"), ev.InputCommitted(f"u{number}"))
        stage.server(ev.UserTranscript(f"u{number}", "Hi."))
        stage.tell(ev.GateClosed(too_long=False))
    assert "vad_stuck_open" not in codes(stage)


def test_what_the_capture_thread_finds_is_told_and_taken_back() -> None:
    stage = Stage().ready()
    stage.tell(ev.RoomNoise(-24), ev.NetworkFailed("it failed with ValueError"))
    assert codes(stage) == {"vad_stuck_shut", "vad_network_failed"}
    assert "-24 dBFS" in stage.shown.problems[0].detail
    stage.tell(ev.RoomNoise(None))
    assert codes(stage) == {"vad_network_failed"}


# --- a loud room ---------------------------------------------------------------------------------


def told(watch: NoiseWatch, judged: list[Judged]) -> list[int | None]:
    return [watch.dbfs for each in judged if watch.hear(each)]


def quiet(level: int, floor: int, seconds: float) -> list[Judged]:
    """As the cascade tells it: each fourth frame is measured."""
    unmeasured = Judged(speech=False, fired=False)
    one = [*[unmeasured] * 3, Judged(False, False, None, level, floor)]
    return one * (frames(round(seconds * 1000)) // 4)


def test_a_loud_fan_is_told_within_a_minute_and_until_it_is_clearly_less_loud() -> None:
    watch = NoiseWatch()
    assert told(watch, quiet(2600, 2400, 49)) == []
    assert told(watch, quiet(2600, 2400, 7)) == [-29]
    assert told(watch, quiet(1900, 1800, 60)) == [], "not clearly"
    assert told(watch, quiet(1300, 1200, 1)) == [None]


@pytest.mark.parametrize(("level", "floor"), [(LOUD - 200, LOUD - 300), (200, 150), (0, 0)])
def test_a_room_in_which_one_can_be_heard_is_not_told(level: int, floor: int) -> None:
    assert told(NoiseWatch(), quiet(level, floor, 180)) == []


def test_music_is_no_steady_sound() -> None:
    """It is loud throughout, and stands out from itself."""
    chance = random.Random(1)
    played = [Judged(False, True, 0.1, chance.randint(3000, 20_000), 3000) for _ in range(9000)]
    assert told(NoiseWatch(), played) == []


def test_a_pause_begins_the_minute_anew() -> None:
    watch = NoiseWatch()
    for _ in range(10):
        assert told(watch, quiet(2600, 2400, 40)) == []
        assert told(watch, quiet(150, 100, 1)) == []


# --- a network that says nothing -----------------------------------------------------------------


@dataclass
class Broken:
    """A network that answers what it is told to."""

    answers: list[float | Exception] = field(default_factory=list)
    asked: int = 0

    def hear(self, frame: bytes) -> float | None:
        self.asked += 1
        answer = self.answers[min(self.asked, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def forget(self) -> None:
        pass


def noise(count: int) -> list[bytes]:
    chance = random.Random(2)
    return [
        array("h", [chance.randint(-9000, 9000) for _ in range(FRAME_SAMPLES)]).tobytes()
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    "answers",
    [[math.nan], [1.01], [-0.1], [math.inf], [RuntimeError("torn")], [0.7]],
    ids=["nan", "above", "below", "infinite", "raises", "always the same"],
)
def test_a_network_that_makes_no_sense_is_put_aside(answers: list[float | Exception]) -> None:
    network = Broken(answers)
    attention = Attention(lambda _frame: True, network, 2)
    for frame in noise(SAME + 60):
        attention.hear(frame)
    assert attention.failed
    assert "torn" not in attention.failed
    asked = network.asked
    judged = [attention.hear(frame) for frame in noise(40)]
    assert network.asked == asked
    assert any(each.speech for each in judged), "the simple detector is believed"
    assert judged[-1].certainty is None


def test_a_network_may_be_of_the_same_mind_on_the_same_sound() -> None:
    watch = AnswerWatch()
    assert not any(watch.doubt(0.01, bytes(960)) for _ in range(1000))
    assert not any(watch.doubt(n % 2 / 2, bytes([n % 251])) for n in range(1000))


def steady(seconds: float, peak: int) -> bytes:
    chance = random.Random(3)
    count = frames(round(seconds * 1000)) * FRAME_SAMPLES
    return array("h", [chance.randint(-peak, peak) for _ in range(count)]).tobytes()


def deaf_to_words() -> Any:
    raise AssertionError("nobody wants a word")


def test_the_capture_thread_says_each_of_it_once() -> None:
    posted: list[ev.Event] = []
    ears = Ears(lambda _: lambda _frame: True, deaf_to_words, network=Broken([math.nan]))
    gate = Gate(GateSettings.from_ms(onset_ms=60, pre_roll_ms=0, hangover_ms=100, limit_ms=9000))
    hearing = Hearing(ears, cmd.SetEars(2, "open_mic"), gate, posted.append)
    hearing.begin()
    piece = steady(0.4, 9000)
    for _ in range(155):
        hearing.hear(piece, 0.0, deaf=False)
    kept = [each for each in posted if isinstance(each, ev.RoomNoise | ev.NetworkFailed)]
    assert [type(each) for each in kept] == [ev.NetworkFailed, ev.RoomNoise]
    hearing.obey(cmd.SetEars(3, "open_mic"))
    for _ in range(20):
        hearing.hear(steady(0.4, 40), 0.0, deaf=False)
    fresh = posted[posted.index(kept[-1]) + 1 :]
    assert [each for each in fresh if isinstance(each, ev.NetworkFailed | ev.RoomNoise)] == [
        ev.RoomNoise(None)
    ]
