"""The capture thread and a device that fails, hangs, comes late or back (F41, F44, F49 to F51)."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import QUIET, SPEECH, ScriptedSource
from posted import Events

from satellite.app import App
from satellite.capture import REOPEN, Capture, Ears
from satellite.errors import DeviceError, SetupError, Why
from satellite.logic.gate import Gate, GateSettings
from satellite.model import commands as cmd
from satellite.model import events as ev

pytestmark = pytest.mark.usefixtures("no_thread_left")

Make = Callable[..., Capture]


@dataclass
class Steady:
    """Waits the same each time, however often it failed; notes how often."""

    seconds: float
    failures: list[int] = field(default_factory=list)

    def delay_s(self, failures: int, _uniform: object) -> float:
        self.failures.append(failures)
        return self.seconds


@dataclass
class Device(ScriptedSource):
    """A microphone that a test holds, makes late, or lets fail."""

    errors: list[Exception] = field(default_factory=list)  # of the next opens
    read_errors: list[Exception] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)  # set: calls return
    silent: bool = False  # nothing comes, and nothing fails
    asked: list[int] = field(default_factory=list)  # how much was read at a time
    before_read: Callable[[], None] = lambda: None
    live: bool = True

    def __post_init__(self) -> None:
        self.held.set()

    def open(self) -> None:
        self.held.wait()
        if self.errors:
            self.opens += 1
            raise self.errors.pop(0)
        super().open()

    def read(self, samples: int) -> bytes:
        self.before_read()
        self.held.wait()
        self.asked.append(samples)
        if self.read_errors:
            raise self.read_errors.pop(0)
        if self.silent:
            time.sleep(0.02)
            return b""
        return super().read(samples)


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def make(device: Device, events: Events, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make the thread; it is ended after the test."""
    made: list[Capture] = []

    def capture(clock: Callable[[], float] = time.monotonic, reopen: float = 0.02) -> Capture:
        monkeypatch.setattr("satellite.capture.REOPEN", Steady(reopen))
        gate = Gate(GateSettings(onset=2, pre_roll=3, hangover=4, limit=400))
        ears = Ears(lambda _: lambda frame: frame == SPEECH, lambda: None)  # type: ignore[arg-type]
        wanted = cmd.SetEars(2, "open_mic")
        made.append(Capture(device, ears, wanted, gate, events.post, clock))
        return made[-1]

    yield capture
    device.held.set()
    for each in made:
        assert each.stop(5)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


# --- lost ----------------------------------------------------------------------------------------


def test_it_is_tried_again_after_1_2_4_and_then_every_8_seconds() -> None:
    delays = [REOPEN.delay_s(n, lambda _, most: most) for n in range(1, 7)]
    assert delays == [1, 2, 4, 8, 8, 8]


@pytest.mark.parametrize("why", ["missing", "stalled", "busy"])
def test_why_it_is_lost_is_said_once_and_again_when_it_is_another(
    make: Make, device: Device, events: Events, why: Why
) -> None:
    device.errors = [DeviceError("one", why)] * 3 + [DeviceError("two", "missing")] * 3
    make().start()
    events.until(ev.MicReady)
    lost = [event for event in events.all if isinstance(event, ev.MicLost)]
    assert lost == [ev.MicLost("one", why), ev.MicLost("two", "missing")]


def test_a_missing_extra_is_a_lost_microphone_too(
    make: Make, device: Device, events: Events
) -> None:
    device.errors = [SetupError("install it")]
    make().start()
    assert events.until(ev.MicLost) == ev.MicLost("install it", "missing")


def test_one_that_opens_but_never_delivers_is_tried_less_and_less(
    make: Make, device: Device, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = make()
    steady = Steady(0.01)
    monkeypatch.setattr("satellite.capture.REOPEN", steady)
    device.read_errors = [DeviceError("no sound", "stalled")] * 5
    capture.start()
    until(lambda: len(steady.failures) >= 5)
    assert steady.failures[:5] == [1, 2, 3, 4, 5]
    events.until(ev.MicReady)
    device.read_errors = [DeviceError("no sound", "stalled")]
    events.until(ev.MicLost)
    until(lambda: steady.failures[-1] == 1)


@pytest.mark.parametrize("where", ["open", "read", "order"])
def test_f50_what_nobody_foresaw_is_said_each_time_and_does_not_end_the_thread(
    make: Make, device: Device, events: Events, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    capture = make()
    capture.start()
    events.until(ev.MicReady)
    for _ in range(3):
        if where == "open":
            device.errors = [KeyError("x")]
            device.read_errors = [KeyError("y")]
        elif where == "read":
            device.read_errors = [KeyError("x")]
        else:
            capture.put("nonsense")
        lost = events.until(ev.MicLost)
        assert lost.why == "failed"
        assert "in the capture thread; see the log" in lost.detail
        events.until(ev.MicReady)
    assert caplog.text.count("the capture thread failed") >= 3


# --- stuck ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("opened", [False, True])
def test_f51_how_long_a_call_takes_is_its_evidence_and_the_end_is_quick(
    make: Make, device: Device, events: Events, opened: bool
) -> None:
    capture = make()
    if opened:
        capture.start()
        events.until(ev.MicReady)
        device.held.clear()
    else:
        device.held.clear()
        capture.start()
    before = time.monotonic()
    until(lambda: time.monotonic() - (capture.in_device_since or before + 60) > 0.2)
    assert capture.in_device_since is not None
    capture.put(cmd.MuteMic(True))
    events.rest()
    time.sleep(0.1)
    assert not any(isinstance(e, ev.MicClosed) for e in events.rest()), "it is not closed"
    before = time.monotonic()
    assert not capture.stop(0.2)
    assert time.monotonic() - before < 0.5
    device.held.set()


def test_the_app_ends_in_time_with_a_thread_that_hangs(
    make: Make, device: Device, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    capture = make()
    device.held.clear()
    capture.start()

    class Quiet:
        def __getattr__(self, name: str) -> Callable[..., bool]:
            return lambda *_: True

    quiet = Quiet()
    app = App(quiet, quiet, capture, quiet, quiet, quiet, quiet, "x")  # type: ignore[arg-type]
    before = time.monotonic()
    app._stop()
    assert time.monotonic() - before < 1.5
    assert "the microphone did not stop in time" in caplog.text


def test_outside_of_a_call_there_is_no_such_evidence(
    make: Make, device: Device, events: Events
) -> None:
    capture = make()
    capture.put(cmd.MuteMic(True))
    capture.start()
    events.until(ev.MicClosed)
    assert capture.in_device_since is None
    device.errors = [DeviceError("gone")]
    capture.put(cmd.MuteMic(False))
    events.until(ev.MicReady)


# --- mute ----------------------------------------------------------------------------------------


def closes_within_200_ms(capture: Capture, device: Device, events: Events) -> None:
    before = time.monotonic()
    capture.put(cmd.MuteMic(True))
    events.until(ev.MicClosed, 2)
    assert time.monotonic() - before < 0.2
    opens = device.opens
    device.feed(*[SPEECH] * 8)
    time.sleep(0.1)
    assert events.rest() == []
    assert device.opens == opens
    device.frames.clear()


def test_p7_mute_while_it_gives_nothing(make: Make, device: Device, events: Events) -> None:
    capture = make()
    capture.start()
    events.until(ev.MicReady)
    device.silent = True
    until(lambda: capture.last_frame_at is not None)
    closes_within_200_ms(capture, device, events)
    assert device.closes == 1


def test_p7_mute_while_it_is_lost(make: Make, device: Device, events: Events) -> None:
    device.errors = [DeviceError("gone")] * 1000
    capture = make(reopen=60.0)
    capture.start()
    events.until(ev.MicLost)
    closes_within_200_ms(capture, device, events)


def test_p7_mute_while_it_is_opened(make: Make, device: Device, events: Events) -> None:
    """Nothing is read of a device that opened in vain; it is closed before that is said."""
    device.held.clear()
    capture = make()
    capture.start()
    until(lambda: capture.in_device_since is not None)
    capture.put(cmd.MuteMic(True))
    time.sleep(0.05)
    assert events.rest() == []
    device.held.set()
    events.until(ev.MicClosed)
    assert (device.opens, device.closes, device.asked) == (1, 1, [])
    assert [type(event) for event in events.all] == [ev.MicClosed]


# --- late ----------------------------------------------------------------------------------------


@dataclass
class Late:
    """A clock that the device turns: each block takes its length, but for what was missed."""

    device: Device
    now: float = 1000.0
    backlog_s: float = 0.0
    missed_s: float = 0.0
    slow_s: float = 0.0

    def __call__(self) -> float:
        return self.now

    def read(self) -> None:
        """As A reader finds it: what waits is there at once."""
        length_s = 0.04
        if self.missed_s:
            self.now, self.missed_s = self.now + self.missed_s, 0.0
        elif self.slow_s:
            self.now, self.slow_s = self.now + self.slow_s, 0.0
        elif self.backlog_s >= length_s:
            self.backlog_s -= length_s
        else:
            self.now += length_s


def test_f49_late_sound_is_dropped_counted_and_it_hears_again_at_once(
    make: Make, device: Device, events: Events
) -> None:
    clock = Late(device)
    capture = make(clock)
    capture.put(cmd.Attend(True))  # 40 ms at a time
    device.before_read = clock.read
    device.frames = [QUIET] * 10 + [SPEECH] * 10
    capture.start()
    events.until(ev.GateOpened)
    until(lambda: not device.frames)
    with device._more:
        clock.missed_s, clock.backlog_s = 3.0, 2.9
        clock.slow_s = 0.034  # until the sound server hands on what it has kept
        device.frames = [SPEECH] * 150
    assert events.until(ev.MicGap).seconds == pytest.approx(2.96, abs=0.05)
    late_from = clock.now
    until(lambda: not device.frames)
    events.rest()
    device.feed(*[QUIET] * 2, *[SPEECH] * 6)
    events.until(ev.GateOpened)
    said = events.until(ev.Heard)
    assert said.speech_at is not None
    assert said.speech_at >= late_from
    assert not any(isinstance(e, ev.MicLost | ev.GateClosed) for e in events.all)
    assert sum(isinstance(e, ev.MicGap) for e in events.all) == 1


def test_f49_where_nothing_was_kept_the_third_block_is_heard(
    make: Make, device: Device, events: Events
) -> None:
    clock = Late(device)
    capture = make(clock)
    device.before_read = clock.read
    device.frames = [QUIET] * 8
    capture.start()
    events.until(ev.MicReady)
    until(lambda: not device.frames)
    with device._more:
        clock.missed_s = 3.0
        device.frames = [QUIET] * 2 + [SPEECH] * 40
    events.until(ev.MicGap)
    resumed = clock.now
    events.until(ev.GateOpened)
    assert clock.now - resumed <= 0.17


def test_a_recording_that_stood_still_has_no_gap(
    make: Make, device: Device, events: Events
) -> None:
    clock = Late(device)
    device.live = False
    capture = make(clock)
    device.before_read = clock.read
    device.frames = [SPEECH] * 20
    capture.start()
    events.until(ev.GateOpened)
    clock.missed_s = 5.0
    device.feed(*[SPEECH] * 20)
    until(lambda: not device.frames)
    assert not any(isinstance(e, ev.MicGap) for e in [*events.all, *events.rest()])


# --- what it delivers ----------------------------------------------------------------------------


def frame(n: int) -> bytes:
    """Frames of a room: no two alike."""
    return (n + 100).to_bytes(2, "little") * (len(QUIET) // 2)


def test_f45_zeros_are_said_of_a_microphone_and_again_after_it_was_opened_anew(
    make: Make, device: Device, events: Events
) -> None:
    make().start()
    for _ in range(2):
        device.feed(*[QUIET] * 252)
        assert events.until(ev.MicSignal).signal == "silent"
        device.fail_when_empty = True
        events.until(ev.MicLost)
        device.fail_when_empty = False
        events.until(ev.MicReady)
    device.feed(*[QUIET] * 252)
    events.until(ev.MicSignal)
    device.feed(*[frame(n) for n in range(8)])
    assert events.until(ev.MicSignal).signal == "good"


def test_of_a_recording_nothing_is_said(make: Make, device: Device, events: Events) -> None:
    device.live = False
    make().start()
    device.feed(*[QUIET] * 400)
    until(lambda: not device.frames)
    assert not any(isinstance(e, ev.MicSignal) for e in events.rest())


def test_a_stuck_microphone_is_nobody_who_speaks(
    make: Make, device: Device, events: Events
) -> None:
    make().start()
    device.feed(*[SPEECH] * 300)
    assert events.until(ev.MicSignal).signal == "stuck"
    events.rest()
    device.feed(*[SPEECH] * 100)
    until(lambda: len(device.frames) < 40)
    assert not any(isinstance(e, ev.Heard) for e in events.rest())


# --- pace ----------------------------------------------------------------------------------------


def test_d9_80_ms_in_quiet_and_40_ms_while_somebody_speaks_or_may(
    make: Make, device: Device, events: Events
) -> None:
    capture = make()
    capture.start()
    events.until(ev.MicReady)
    for attends, samples in ((False, 1920), (True, 960), (False, 1920)):
        capture.put(cmd.Attend(attends))
        until(lambda samples=samples: device.asked[-1] == samples)  # type: ignore[misc]
        count = len(device.asked)
        until(lambda count=count: len(device.asked) > count + 4)  # type: ignore[misc]
        assert set(device.asked[count + 1 :]) == {samples}
    device.feed(*[SPEECH] * 40)
    events.until(ev.GateOpened)
    until(lambda: device.asked[-1] == 960)


# --- two hundred times ---------------------------------------------------------------------------


def resources() -> tuple[int, int, int]:
    """Threads, descriptors, resident KiB."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), resident // 1024


def test_p2_lost_and_back_two_hundred_times_without_a_trace(
    make: Make, device: Device, events: Events
) -> None:
    capture = make(reopen=0.001)
    capture.start()
    before = resources()
    for n in range(200):
        device.feed(*[frame(i) for i in range(6)], *[SPEECH] * 6)
        events.until(ev.MicReady)
        events.until(ev.GateOpened)
        if n == 20:
            before = resources()
        device.errors = [DeviceError("gone")] * (n % 3)
        device.fail_when_empty = True
        events.until(ev.MicLost)
        device.fail_when_empty = False
        events.all.clear()
    after = resources()
    assert after[:2] == before[:2]
    assert after[2] - before[2] < 1024
    assert device.closes >= 200
