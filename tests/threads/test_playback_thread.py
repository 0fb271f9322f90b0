"""The playback thread: plays in order, flushes at once, tells what was heard, goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from fakes import ScriptedSink
from posted import Events

from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import silence
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


def test_responses_are_played_whole_and_in_order(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    playback.put(cmd.Play("r1", "a1", 0, tone(100, 1)))
    playback.put(cmd.Play("r1", "a1", 0, tone(50, 2)))
    playback.put(cmd.EndPlay("r1"))
    playback.put(cmd.Play("r2", "a2", 0, tone(30, 3)))
    playback.put(cmd.EndPlay("r2"))
    assert events.until(ev.PlayoutStarted).response_id == "r1"
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r1")
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r2")
    assert sink.played == tone(100, 1) + tone(50, 2) + tone(30, 3)
    assert sink.log == ["open", "close"]


def test_the_speaker_is_open_only_while_it_is_used(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    for n in range(3):
        playback.put(cmd.Play(f"r{n}", "a", 0, tone(20)))
        playback.put(cmd.EndPlay(f"r{n}"))
        events.until(ev.PlayoutDrained)
    assert sink.log == ["open", "close"] * 3


def test_a_pause_of_the_server_does_not_end_the_answer(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    playback.put(cmd.Play("r1", "a1", 0, tone(20)))
    events.until(ev.PlayoutStarted)
    time.sleep(0.1)
    assert events.rest() == []
    playback.put(cmd.Play("r1", "a1", 0, tone(20)))
    playback.put(cmd.EndPlay("r1"))
    events.until(ev.PlayoutDrained)
    assert len(sink.played) == len(tone(40))


def test_a_flush_stops_at_once_and_tells_what_was_heard() -> None:
    step, events = threading.Semaphore(0), Events()
    sink = ScriptedSink(gate=step.acquire, delay_s=0.05)
    playback = Playback(sink, events.post, time.monotonic, volume=100)
    playback.start()
    playback.put(cmd.Play("r1", "a1", 3, tone(1000)))
    for _ in range(4):
        step.release()
    events.until(ev.PlayoutStarted)
    while len(sink.played) < len(tone(160)):
        time.sleep(0.005)
    playback.put(cmd.FlushPlayout("r1"))
    step.release()  # the slice that was already on its way
    flushed = events.until(ev.PlayoutFlushed)
    assert flushed == ev.PlayoutFlushed("r1", "a1", 3, 150)  # 5 slices written, 50 ms not yet heard
    assert playback.stop(2)
    assert len(sink.played) == len(tone(200))


def test_a_flush_counts_the_item_that_is_playing(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    playback.put(cmd.Play("r1", "a1", 0, tone(100)))
    playback.put(cmd.Play("r1", "a2", 0, tone(60)))
    while len(sink.played) < len(tone(160)):
        time.sleep(0.005)
    playback.put(cmd.FlushPlayout("r1"))
    assert events.until(ev.PlayoutFlushed) == ev.PlayoutFlushed("r1", "a2", 0, 60)


def test_a_flush_of_what_has_drained_is_no_event(playback: Playback, events: Events) -> None:
    playback.put(cmd.Play("r1", "a1", 0, tone(20)))
    playback.put(cmd.EndPlay("r1"))
    events.until(ev.PlayoutDrained)
    playback.put(cmd.FlushPlayout("r1"))
    time.sleep(0.05)
    assert events.rest() == []


def test_a_lost_speaker_is_said_once_and_nothing_hangs(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.failing = True
    for n in range(3):
        for _ in range(5):
            playback.put(cmd.Play(f"r{n}", "a", 0, tone(20)))
        playback.put(cmd.EndPlay(f"r{n}"))
        while not _drained(events, f"r{n}"):
            events.until(ev.PlayoutDrained)
    assert sum(isinstance(e, ev.SpeakerLost) for e in events.all) == 1
    assert not any(isinstance(e, ev.PlayoutDrained) and e.heard for e in events.all)
    sink.failing = False
    playback.put(cmd.Play("r9", "a", 0, tone(20)))
    events.until(ev.SpeakerReady)
    playback.put(cmd.EndPlay("r9"))
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r9")


def _drained(events: Events, response_id: str) -> bool:
    """The last event about a response says that it is over."""
    about = [e for e in events.all if isinstance(e, ev.PlayoutDrained)]
    return bool(about) and about[-1].response_id == response_id


def test_the_end_of_the_program_does_not_wait_for_the_answer(sink: ScriptedSink) -> None:
    events = Events()
    slow = ScriptedSink(gate=lambda: time.sleep(0.04))
    playback = Playback(slow, events.post, time.monotonic, volume=100)
    playback.start()
    playback.put(cmd.Play("r1", "a1", 0, silence(20_000)))
    events.until(ev.PlayoutStarted)
    assert playback.stop(1)


def test_volume_scales_the_amplitude() -> None:
    loud = (1000).to_bytes(2, "little", signed=True) + (-1000).to_bytes(2, "little", signed=True)
    half = scaled(loud, 50)
    assert [int.from_bytes(half[i : i + 2], "little", signed=True) for i in (0, 2)] == [500, -500]
    assert scaled(loud, 100) is loud
    assert set(scaled(loud, 0)) == {0}


def test_a_flush_of_what_a_broken_speaker_swallowed_is_answered(
    playback: Playback, sink: ScriptedSink, events: Events
) -> None:
    sink.failing = True
    playback.put(cmd.Play("r1", "a1", 0, tone(100)))
    events.until(ev.PlayoutDrained)
    playback.put(cmd.FlushPlayout("r1"))
    assert events.until(ev.PlayoutDrained) == ev.PlayoutDrained("r1", heard=False)


def test_another_volume_holds_from_the_next_slice_on() -> None:
    step, events = threading.Semaphore(0), Events()
    sink = ScriptedSink(gate=step.acquire)
    playback = Playback(sink, events.post, time.monotonic, volume=100)
    playback.start()
    playback.put(cmd.Play("r1", "a1", 0, tone(80, 100)))
    step.release()
    while len(sink.played) < len(tone(40)):
        time.sleep(0.005)
    playback.put(cmd.SetVolume(50))
    playback.put(cmd.Play("r1", "a1", 0, tone(40, 100)))
    playback.put(cmd.Play("r1", "a1", 0, tone(40, 100), volume=10))
    playback.put(cmd.EndPlay("r1"))
    for _ in range(3):
        step.release()
    events.until(ev.PlayoutDrained)
    first, slice_that_waited, rest = sink.played[:1920], sink.played[1920:3840], sink.played[3840:]
    assert first == tone(40, 100)
    assert slice_that_waited in {tone(40, 100), tone(40, 50)}  # it may have been on its way
    assert rest == tone(40, 50) + tone(40, 10)
    assert playback.stop(2)
