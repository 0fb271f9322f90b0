"""The playback thread: plays in order, stops at once, tells what was heard, goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from fakes import ScriptedSink
from posted import Events

from satellite.errors import DeviceError
from satellite.far_end import FarEnd
from satellite.logic import chime
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, silence
from satellite.playback import Playback, scaled

pytestmark = pytest.mark.usefixtures("no_thread_left")


@pytest.fixture
def sink() -> ScriptedSink:
    return ScriptedSink()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def playback(sink: ScriptedSink, events: Events) -> Iterator[Playback]:
    made = Playback(sink, events.post, time.monotonic, volume=100)
    made.start()
    yield made
    assert made.stop(2)


def tone(ms: int, value: int = 7) -> bytes:
    return bytes([value, 0]) * (24 * ms)


def counted(ms: int, first: int = 1) -> bytes:
    """Samples that are all different, so that each can be told from its neighbours."""
    return b"".join(n.to_bytes(2, "little") for n in range(first, first + 24 * ms))


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)


def whole(playback: Playback, response_id: str, pcm: bytes) -> None:
    playback.put(cmd.Play(response_id, f"item of {response_id}", 0, pcm))
    playback.put(cmd.EndPlay(response_id))


# --- in order ----------------------------------------------------------------------------------


def test_responses_are_played_whole_and_in_order(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(0)
    playback.put(cmd.Play("r1", "a1", 0, tone(100, 1)))
    playback.put(cmd.Play("r1", "a1", 0, tone(50, 2)))
    playback.put(cmd.EndPlay("r1"))
    playback.put(cmd.Play("r2", "a2", 0, tone(30, 3)))
    playback.put(cmd.EndPlay("r2"))
    assert events.until(ev.PlayoutStarted).response_id == "r1"
    sink.let(10_000)
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r1", True, "a1", 150)
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r2", True, "a2", 30)
    wait_until(lambda: sink.log == ["open", "close"])
    assert sink.sounded == tone(100, 1) + tone(50, 2) + tone(30, 3)


def test_a_response_has_drained_when_its_last_sample_sounded(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(99)
    whole(playback, "r1", tone(100))
    wait_until(lambda: len(sink.sounded) == len(tone(99)))
    time.sleep(0.1)
    assert not any(isinstance(each, ev.PlayoutDrained) for each in events.rest())
    sink.let(100)
    events.until(ev.PlayoutDrained)


def test_the_speaker_is_open_only_while_it_is_used(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    for n in range(3):
        whole(playback, f"r{n}", tone(20))
        events.until(ev.PlayoutDrained)
        wait_until(lambda n=n: sink.log == ["open", "close"] * (n + 1))


def test_an_answer_begins_when_100_ms_are_there_or_all(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    playback.put(cmd.Play("r1", "a1", 0, tone(99)))
    time.sleep(0.1)
    assert sink.log == []
    playback.put(cmd.Play("r1", "a1", 0, tone(1)))
    events.until(ev.PlayoutStarted)
    whole(playback, "r2", tone(50))
    playback.put(cmd.EndPlay("r1"))
    assert events.until(ev.PlayoutDrained).response_id == "r1"
    assert events.until(ev.PlayoutDrained).response_id == "r2"


def test_where_the_server_is_slower_silence_is_played_and_counted(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(90)
    playback.put(cmd.Play("r1", "a1", 0, tone(120)))
    events.until(ev.PlayoutStarted)
    sink.let(300)  # 40 ms before the end there is nothing more
    wait_until(lambda: len(sink.sounded) == len(tone(300)))
    whole(playback, "r1", tone(120))
    sink.let(10_000)
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r1", True, "item of r1", 120, 1)
    between = sink.sounded[len(tone(120)) : -len(tone(120))]
    assert sink.sounded == tone(120) + between + tone(120)
    assert set(between) == {0}
    assert "drop" not in sink.log
    assert sink.log.count("open") == 1


def test_a_server_that_says_nothing_for_long_lets_the_speaker_go(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    playback.put(cmd.Play("r1", "a1", 0, tone(120)))
    wait_until(lambda: sink.log == ["open", "close"])
    assert sink.sounded == tone(120) + silence(1000)
    whole(playback, "r1", tone(10))
    assert events.until(ev.PlayoutDrained).underruns == 1
    assert sink.sounded == tone(120) + silence(1000) + tone(10)


# --- stopped -----------------------------------------------------------------------------------


def test_a_flush_stops_at_once_and_tells_what_was_heard(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(150)
    playback.put(cmd.Play("r1", "a1", 3, tone(10_000)))
    wait_until(lambda: len(sink.sounded) == len(tone(150)))
    playback.put(cmd.FlushPlayout("r1"))
    assert events.until(ev.PlayoutFlushed) == ev.PlayoutFlushed("r1", "a1", 3, 150)
    assert sink.log == ["open", "drop"]
    assert sink.sounded == tone(150)


def test_a_flush_tells_of_the_item_that_sounded(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    """Not of the one that was written last: none of that may have been heard."""
    playback.put(cmd.Play("r1", "a1", 0, tone(100)))
    playback.put(cmd.Play("r1", "a2", 1, tone(100)))
    for heard, item in ((90, ("a1", 0, 90)), (130, ("a2", 1, 30))):
        sink.let(heard)
        wait_until(lambda heard=heard: len(sink.sounded) == len(tone(heard)))
        playback.put(cmd.PausePlayout(True))
        wait_until(lambda: sink.log[-1] == "drop")
        if item[0] == "a1":
            playback.put(cmd.PausePlayout(False))
    playback.put(cmd.FlushPlayout("r1"))
    assert events.until(ev.PlayoutFlushed) == ev.PlayoutFlushed("r1", *item)


def test_a_flush_before_the_first_sound_tells_of_the_first_item(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(0)
    playback.put(cmd.Play("r1", "a1", 2, tone(100)))
    playback.put(cmd.Play("r1", "a2", 0, tone(100)))
    events.until(ev.PlayoutStarted)
    playback.put(cmd.FlushPlayout("r1"))
    assert events.until(ev.PlayoutFlushed) == ev.PlayoutFlushed("r1", "a1", 2, 0)


def test_a_flush_of_the_next_response_takes_nothing_from_this_one(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(50)
    whole(playback, "r1", counted(100))
    whole(playback, "r2", tone(100))
    wait_until(lambda: len(sink.sounded) == len(tone(50)))
    playback.put(cmd.FlushPlayout("r2"))
    assert events.until(ev.PlayoutFlushed).played_ms == 0
    sink.let(1000)
    assert events.until(ev.PlayoutDrained).played_ms == 100
    assert sink.sounded == counted(100)


def test_a_flush_of_what_has_drained_is_no_event(playback: Playback, events: Events) -> None:
    whole(playback, "r1", tone(20))
    events.until(ev.PlayoutDrained)
    playback.put(cmd.FlushPlayout("r1"))
    time.sleep(0.05)
    assert events.rest() == []


# --- paused ------------------------------------------------------------------------------------


def test_a_pause_stops_at_once_and_goes_on_where_it_stopped(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sound = counted(500)
    sink.let(77)
    playback.put(cmd.Play("r1", "a1", 0, sound))
    for heard in (77, 78, 200, 333):
        sink.let(heard)
        wait_until(lambda heard=heard: len(sink.sounded) == len(tone(heard)))
        playback.put(cmd.PausePlayout(True))
        playback.put(cmd.PausePlayout(True))
        wait_until(lambda: sink.log[-1] == "drop")
        assert sink.sounded == sound[: len(tone(heard))]
        playback.put(cmd.PausePlayout(False))
        playback.put(cmd.PausePlayout(False))
    sink.let(10_000)
    playback.put(cmd.EndPlay("r1"))
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r1", True, "a1", 500)
    assert sink.sounded == sound
    assert sum(isinstance(each, ev.PlayoutStarted) for each in events.all) == 1


def test_a_pause_while_nothing_plays_holds_what_comes(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    playback.put(cmd.PausePlayout(True))
    whole(playback, "r1", tone(100))
    time.sleep(0.1)
    assert sink.log == []
    playback.put(cmd.PausePlayout(False))
    events.until(ev.PlayoutDrained)


def test_what_is_flushed_in_a_pause_and_ends_in_one(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(60)
    playback.put(cmd.Play("r1", "a1", 0, tone(100)))
    wait_until(lambda: len(sink.sounded) == len(tone(60)))
    playback.put(cmd.PausePlayout(True))
    playback.put(cmd.EndPlay("r1"))
    playback.put(cmd.FlushPlayout("r1"))
    assert events.until(ev.PlayoutFlushed) == ev.PlayoutFlushed("r1", "a1", 0, 60)
    whole(playback, "r2", tone(100))
    time.sleep(0.05)
    assert sink.log == ["open", "drop"]  # only an order ends a pause
    sink.let(10_000)
    playback.put(cmd.PausePlayout(False))
    assert events.until(ev.PlayoutDrained).response_id == "r2"


# --- chimes ------------------------------------------------------------------------------------


def test_a_chime_sounds_at_once_and_is_no_response(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    playback.put(cmd.SetVolume(50))
    playback.put(cmd.PlayChime("woke"))
    wait_until(lambda: sink.log == ["open", "close"])
    assert sink.sounded == scaled(chime.sound("woke"), 50)
    assert events.until(ev.ChimeOver) == ev.ChimeOver()
    assert events.rest() == []


def test_a_chime_that_no_speaker_can_play_is_over_too(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.failing = DeviceError("unplugged")
    playback.put(cmd.PlayChime("woke"))
    events.until(ev.SpeakerLost)
    events.until(ev.ChimeOver)


def test_a_chime_sounds_before_the_next_response(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(0)
    playback.put(cmd.Play("r1", "a1", 0, tone(200, 1)))
    events.until(ev.PlayoutStarted)
    playback.put(cmd.PlayChime("message"))
    playback.put(cmd.PlayChime("failed"))
    whole(playback, "r2", tone(30, 2))
    playback.put(cmd.EndPlay("r1"))
    sink.let(10_000)
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r1", True, "a1", 200)
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r2", True, "item of r2", 30)
    chimes = chime.sound("message") + chime.sound("failed")
    assert sink.sounded == tone(200, 1) + chimes + tone(30, 2)


# --- a speaker that fails ----------------------------------------------------------------------


def test_a_lost_speaker_is_said_once_and_nothing_hangs(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.failing = DeviceError("no speaker found", "busy")
    for n in range(3):
        for _ in range(5):
            playback.put(cmd.Play(f"r{n}", "a", 0, tone(20)))
        playback.put(cmd.EndPlay(f"r{n}"))
        while not _drained(events, f"r{n}"):
            events.until(ev.PlayoutDrained)
    lost = [each for each in events.all if isinstance(each, ev.SpeakerLost)]
    assert lost == [ev.SpeakerLost("no speaker found", "busy")]
    assert not any(isinstance(e, ev.PlayoutDrained) and e.heard for e in events.all)
    sink.failing = None
    playback.put(cmd.Play("r9", "a", 0, tone(100)))
    events.until(ev.SpeakerReady)
    playback.put(cmd.EndPlay("r9"))
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r9", True, "a", 100)


def _drained(events: Events, response_id: str) -> bool:
    """The last event about a response says that it is over."""
    about = [e for e in events.all if isinstance(e, ev.PlayoutDrained)]
    return bool(about) and about[-1].response_id == response_id


def test_a_speaker_lost_in_the_middle_tells_what_was_heard(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(130)
    playback.put(cmd.Play("r1", "a1", 0, tone(100)))
    playback.put(cmd.Play("r1", "a2", 0, tone(300)))
    wait_until(lambda: len(sink.sounded) == len(tone(130)))
    sink.failing = DeviceError("it takes nothing", "stalled")
    told = ev.PlayoutDrained("r1", False, "a2", 30)
    assert events.until(ev.SpeakerLost).why == "stalled"
    assert events.until(ev.PlayoutDrained) == told
    playback.put(cmd.Play("r1", "a2", 0, tone(300)))
    playback.put(cmd.EndPlay("r1"))
    assert events.until(ev.PlayoutDrained) == told


def test_a_speaker_that_cannot_even_be_closed_is_tried_again_at_the_next_answer(
    playback: Playback, sink: ScriptedSink, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("a fault that nobody foresaw")

    with monkeypatch.context() as broken:
        broken.setattr(sink, "drop", fail)
        broken.setattr(sink, "push", fail)
        whole(playback, "r1", tone(30))
        assert events.until(ev.SpeakerLost).why == "failed"
        assert not events.until(ev.PlayoutDrained).heard
    sink.drop()
    whole(playback, "r2", tone(100))
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r2", True, "item of r2", 100)


def test_two_answers_that_a_broken_speaker_swallowed_are_both_unheard(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.failing = DeviceError("no speaker found")
    for response_id in ("r1", "r2"):
        playback.put(cmd.Play(response_id, "a", 0, tone(100)))
        assert not events.until(ev.PlayoutDrained).heard
    for response_id in ("r1", "r2"):
        playback.put(cmd.EndPlay(response_id))
        assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained(response_id, False, "a", 0)


def test_a_slice_that_the_speaker_refused_was_not_heard(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.failing = DeviceError("no speaker found")
    whole(playback, "r1", tone(100))
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r1", False, "item of r1", 0)


def test_a_flush_of_what_a_broken_speaker_swallowed_is_answered(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.failing = DeviceError("no speaker found")
    playback.put(cmd.Play("r1", "a1", 0, tone(100)))
    events.until(ev.PlayoutDrained)
    playback.put(cmd.FlushPlayout("r1"))
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r1", False, "a1", 0)


def test_a_speaker_that_hangs_can_be_seen_from_outside(events: Events) -> None:
    hung = threading.Event()
    playback = Playback(
        ScriptedSink(gate=lambda: hung.wait(5) and None), events.post, time.monotonic, volume=100
    )
    playback.start()
    assert playback.in_device_since is None
    before = time.monotonic()
    whole(playback, "r1", tone(20))
    wait_until(lambda: playback.in_device_since is not None)
    time.sleep(0.05)
    since = playback.in_device_since
    assert since is not None
    assert before <= since < time.monotonic() - 0.04
    assert not playback.stop(0.05)
    hung.set()
    assert playback.stop(2)
    assert playback.in_device_since is None


def test_the_end_of_the_program_does_not_wait_for_the_answer(events: Events) -> None:
    sink = ScriptedSink()
    sink.let(0)
    playback = Playback(sink, events.post, time.monotonic, volume=100)
    playback.start()
    playback.put(cmd.Play("r1", "a1", 0, silence(20_000)))
    events.until(ev.PlayoutStarted)
    assert playback.stop(1)
    assert sink.log == ["open", "drop"]


# --- how loud, and who else is told --------------------------------------------------------------


def test_volume_scales_the_amplitude() -> None:
    loud = (1000).to_bytes(2, "little", signed=True) + (-1000).to_bytes(2, "little", signed=True)
    half = scaled(loud, 50)
    assert [int.from_bytes(half[i : i + 2], "little", signed=True) for i in (0, 2)] == [500, -500]
    assert scaled(loud, 100) is loud
    assert set(scaled(loud, 0)) == {0}


def test_another_volume_comes_little_by_little_within_a_slice(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.let(0)
    playback.put(cmd.Play("r1", "a1", 0, tone(240, 100)))
    wait_until(lambda: sink.is_full)
    playback.put(cmd.SetVolume(50))
    playback.put(cmd.EndPlay("r1"))
    whole(playback, "r2", tone(40, 100))
    playback.put(cmd.Play("r3", "a3", 0, tone(40, 100), volume=10))
    playback.put(cmd.EndPlay("r3"))
    sink.let(10_000)
    for _ in range(3):
        events.until(ev.PlayoutDrained)
    levels = list(memoryview(sink.sounded).cast("h")[::96])  # each 4 ms
    steady = [level for level in levels if level in {100, 50, 10}]
    assert steady == sorted(steady, reverse=True)
    down = [level for level in levels if level not in {100, 50, 10}]
    assert len(down) == 9
    assert down == sorted(down, reverse=True)
    assert levels[-20:] == [50] * 10 + [10] * 10  # another response begins as loud as it is to be


def loud(pcm: bytes) -> list[int]:
    """What is no silence of it."""
    return [sample for sample in memoryview(pcm).cast("h") if sample]


def test_the_far_end_is_told_all_that_sounds_and_nothing_that_does_not(
    sink: ScriptedSink, events: Events
) -> None:
    now = [0.0]
    far = FarEnd(lambda: now[0])
    playback = Playback(sink, events.post, time.monotonic, volume=50, far=far, lead_ms=80)
    playback.start()
    sink.let(200)
    playback.put(cmd.PlayChime("woke"))
    playback.put(cmd.Play("r1", "a1", 0, tone(300)))
    wait_until(lambda: len(sink.sounded) == len(tone(200)))
    playback.put(cmd.PausePlayout(True))
    wait_until(lambda: sink.log[-1] == "drop")
    now[0] = 5.0
    sink.let(500)
    playback.put(cmd.PausePlayout(False))
    wait_until(lambda: len(sink.sounded) == len(tone(500)))
    assert playback.stop(2)
    taken = b"".join(far.take(FRAME_BYTES, n * 0.02) for n in range(500))
    assert loud(taken) == loud(sink.sounded)
    assert sink.sounded[: len(silence(80))] == silence(80)
    assert sink.sounded[len(silence(200)) :][: len(silence(80))] == silence(80)


def test_a_speaker_that_wakes_up_late_is_given_silence_first(events: Events) -> None:
    sink = ScriptedSink()
    playback = Playback(sink, events.post, time.monotonic, volume=100, lead_ms=100)
    playback.start()
    whole(playback, "r1", tone(100))
    assert events.until(ev.PlayoutDrained).played_ms == 100
    assert playback.stop(2)
    assert sink.sounded == silence(120) + tone(100)


def test_it_shows_that_it_takes_orders(playback: Playback, sink: ScriptedSink) -> None:
    """While nothing plays, and while something does."""
    answered = threading.Event()
    playback.knock(answered.set)
    assert answered.wait(2)
    playback.put(cmd.Play("r1", "a1", 0, tone(5000)))
    wait_until(lambda: sink.sounded)
    again = threading.Event()
    playback.knock(again.set)
    assert again.wait(2)
    playback.put(cmd.FlushPlayout("r1"))
