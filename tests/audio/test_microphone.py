"""The microphone reads only what is there: how often it looks, when it gives up, which channel."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from audio_types import Clock
from made_up_audio import MadeUpAudio, ramp
from made_up_cards import MadeUpCards

from satellite.adapters.portaudio import MicSource, SpeakerSink, cards, library
from satellite.adapters.portaudio.cadence import RETRY_S
from satellite.adapters.portaudio.stream import spread
from satellite.adapters.resampler import Resampler
from satellite.errors import DeviceError

Plug = Callable[..., MadeUpAudio]


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Plug:
    """Make up a device; it is the only one."""

    def make(**options: object) -> MadeUpAudio:
        audio = MadeUpAudio(clock, **options)  # type: ignore[arg-type]
        monkeypatch.setattr("pyaudio.PyAudio", lambda: audio)
        return audio

    return make


def microphone(clock: Clock, channel: int | None = None) -> MicSource:
    source = MicSource("default", Resampler, channel, clock=clock, sleep=clock.sleep)
    source.open()
    return source


def hear_for(source: MicSource, seconds: int) -> None:
    for _ in range(seconds * 25 // 2):
        source.read(1920)


# --- looking -----------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [1, 24, 100, 240, 512, 952, 960])
@pytest.mark.parametrize("block", [960, 1920])
def test_one_look_a_block_and_every_sample_once(
    plug: Plug, clock: Clock, piece: int, block: int
) -> None:
    audio = plug(piece=piece)
    source = microphone(clock)
    heard = b"".join(source.read(block) for _ in range(20))  # finds the moment
    looks, blocks = audio.looks, 400
    heard += b"".join(source.read(block) for _ in range(blocks))
    skipped = array("h", heard)[0] // 10  # before the first block, to end where a piece ends
    assert skipped < piece
    assert heard == ramp(skipped, block * (blocks + 20))
    # a look before each sleep and one after it; RETRY_S / EARLIER blocks in between cost one more
    assert audio.looks - looks <= 2.2 * blocks
    samples = skipped + (blocks + 20) * block
    assert clock.now - 1000.0 <= samples / 24_000 + 0.040 + RETRY_S


@pytest.mark.parametrize("piece", [480, 960])
@pytest.mark.parametrize("late_s", [0.001, 0.011, 0.019, 0.039])
def test_whenever_it_began_a_second_later_nothing_waits_for_long(
    plug: Plug, clock: Clock, piece: int, late_s: float
) -> None:
    """A first frame that waits for its block and for us as well would come too late."""
    plug(piece=piece)
    source = microphone(clock)
    clock.sleep(late_s)
    skipped_s = array("h", source.read(1920))[0] / 10 / 24_000
    for n in range(2, 100):
        source.read(1920)
        if n > 12:
            assert clock.now - 1000.0 - skipped_s - n * 0.08 < 1.2 * RETRY_S


@pytest.mark.parametrize("wrong", [0.9995, 1.0005])
def test_a_clock_that_is_not_ours_makes_nothing_late(
    plug: Plug, clock: Clock, wrong: float
) -> None:
    audio = plug(hz=24_000 * wrong)
    audio.refuse = lambda rate, channels: None if rate == 24_000 else -9997
    source = microphone(clock)
    for n in range(1, 3000):
        source.read(960)
        assert clock.now - 1000.0 - n * 960 / audio.hz < 2 * RETRY_S
    assert audio.looks < 2.5 * 3000


def test_a_reader_that_comes_late_gets_what_waits_and_is_in_step_again(
    plug: Plug, clock: Clock
) -> None:
    audio = plug()
    source = microphone(clock)
    for _ in range(20):
        source.read(1920)
    clock.sleep(0.5)
    slept = clock.now
    heard = [source.read(1920) for _ in range(6)]
    assert clock.now - slept == 0.0
    assert b"".join(heard) == ramp(20 * 1920, 6 * 1920)
    for n in range(26, 200):
        source.read(1920)
        assert clock.now - 1000.0 - (n + 1) * 0.08 < 2 * RETRY_S
    assert audio.looks < 2.5 * 200


def test_a_device_that_keeps_little_is_read_before_it_runs_over(plug: Plug, clock: Clock) -> None:
    audio = plug(latency_s=0.010)
    source = microphone(clock)
    heard, last = b"", clock.now
    for _ in range(50):
        heard += source.read(1920)
    assert heard == ramp(0, 50 * 1920)
    assert max(audio.reads) == 240
    assert audio.looks > 50 * 8
    assert clock.now - last == pytest.approx(4.0, abs=0.02)


class BusyClock:
    """A clock whose sleepers wake up late, and sometimes much too late."""

    def __init__(self, hiccups: float) -> None:
        self.now, self.wakes = 1000.0, 0
        self._hiccups, self._rng = hiccups, random.Random(1)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.wakes += 1
        self.now += max(0.0, seconds) + 0.00015 + self._rng.expovariate(5000)
        if self._rng.random() < self._hiccups:
            self.now += self._rng.uniform(0.005, 0.03)


@pytest.mark.parametrize("hiccups", [0.0, 0.1])
@pytest.mark.parametrize(("piece", "waits_ms"), [(24, 2), (480, 2), (960, 2), (512, 21), (952, 40)])
def test_no_block_waits_for_us_on_a_machine_that_wakes_us_late(
    monkeypatch: pytest.MonkeyPatch, piece: int, waits_ms: int, hiccups: float
) -> None:
    """Of pieces that do not divide a block the rest of one waits; else 2 ms and our own wake-up."""
    clock = BusyClock(hiccups)
    audio = MadeUpAudio(clock, piece=piece)
    monkeypatch.setattr("pyaudio.PyAudio", lambda: audio)
    source = MicSource("default", Resampler, clock=clock, sleep=clock.sleep)
    source.open()
    waited, blocks = [], 400
    for _ in range(blocks):
        source.read(960)
        complete = 1000.0 + -(-audio.taken // piece) * piece / 24_000
        waited.append((clock.now - complete) * 1000)
    waited = sorted(waited[20:])
    assert waited[int(len(waited) * (0.99 - 1.3 * hiccups))] < waits_ms + 1
    assert clock.wakes < 1.25 * blocks


def test_a_device_that_runs_over_again_and_again_is_heard_when_it_does_not(
    plug: Plug, clock: Clock
) -> None:
    """As PipeWire's plugin does on a busy machine: that is no lost device."""
    audio = plug()
    source = microphone(clock)
    audio.fault = -9981
    assert source.read(960) == b""
    audio.fault = None
    assert len(source.read(960)) == 2 * 960


# --- giving up ---------------------------------------------------------------------------------


def test_f41_a_device_that_gives_nothing_new_is_stalled_within_3_s(
    plug: Plug, clock: Clock
) -> None:
    audio = plug(stop_at=24_100)
    source = microphone(clock)
    with pytest.raises(DeviceError, match="'USB Mic' gives no sound any more") as caught:
        hear_for(source, 10)
    assert caught.value.why == "stalled"
    assert clock.now - 1001.0 < 3.0
    assert audio.looks < 12 * 2 + 80, "no busy loop"
    source.close()
    source.close()
    assert audio.terminated == 1
    source.open()
    audio.stop_at = None
    assert source.read(1920) == ramp(0, 1920)


def test_a_reader_who_waits_in_vain_can_look_at_its_orders(plug: Plug, clock: Clock) -> None:
    plug(stop_at=1920)
    source = microphone(clock)
    assert len(source.read(1920)) == 3840
    for _ in range(10):
        before = clock.now
        assert source.read(1920) == b""
        assert clock.now - before < 0.15


def test_a_process_that_was_stopped_does_not_blame_the_device(plug: Plug, clock: Clock) -> None:
    audio = plug()
    source = microphone(clock)
    source.read(1920)
    clock.sleep(60)
    audio.taken += 24_000 * 60  # it ran over, and PortAudio began again with none
    assert source.read(1920)


@pytest.mark.parametrize("fault", [-9999, -9988])
def test_an_error_number_in_place_of_a_count_is_an_error(
    plug: Plug, clock: Clock, fault: int
) -> None:
    audio = plug()
    source = microphone(clock)
    source.read(960)
    audio.fault = fault
    with pytest.raises(DeviceError, match=f"stopped working .*{fault}"):
        source.read(960)


def test_f44_a_device_of_somebody_else_is_busy(plug: Plug, clock: Clock) -> None:
    audio = plug(refuse=lambda rate, channels: -9985)
    with pytest.raises(DeviceError, match="in use by another program") as caught:
        microphone(clock)
    assert caught.value.why == "busy"
    assert audio.terminated == 1


# --- others ------------------------------------------------------------------------------------


def test_what_portaudio_never_sees_interrupts_the_others_once(
    plug: Plug, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = MadeUpCards(tmp_path)
    monkeypatch.setattr(cards, "ROOT", tmp_path)
    monkeypatch.setattr(library, "ANEW_S", 0.02)
    plug()
    source, sink = microphone(clock), SpeakerSink("Device", Resampler)
    asked = library.asked()
    for number, times in ((2, 1), (2, 1), (2, 1), (3, 2), (3, 2)):
        if not (tmp_path / f"proc/asound/card{number}").exists():
            machine.plug(
                number, f"Device{'' if number == 2 else '_1'}", "USB-Audio", "USB", ("0p",)
            )
        with pytest.raises(DeviceError, match="'Device' is plugged in but cannot be opened"):
            sink.open()
        assert library.asked() - asked == times
    source.read(960)
    source.close()


# --- channels and rates ------------------------------------------------------------------------


@pytest.mark.parametrize(("channel", "opened"), [(1, 1), (2, 2), (5, 5), (6, 6), (None, 1)])
def test_one_channel_of_an_array_is_heard(
    plug: Plug, clock: Clock, channel: int | None, opened: int
) -> None:
    audio = plug(channels=6)
    source = microphone(clock, channel)
    assert source.read(960) == ramp(0, 960, (channel or 1) - 1)
    assert audio.opened["channels"] == opened


def only_stereo_of_48_khz(rate: int, channels: int) -> object:
    return -9998 if channels < 2 else -9997 if rate != 48_000 else None


def test_bare_hardware_of_two_channels_and_one_rate_is_heard(plug: Plug, clock: Clock) -> None:
    audio = plug(channels=2, hz=48_000.0, refuse=only_stereo_of_48_khz)
    source = microphone(clock, 2)
    heard = source.read(1920) + source.read(1920)
    assert (audio.opened["channels"], audio.opened["rate"]) == (2, 48_000)
    given = ramp(0, sum(audio.reads), 1)
    assert heard == Resampler(48_000, 24_000)(given)[: len(heard)]


def test_an_array_that_gives_all_channels_or_none_is_heard(plug: Plug, clock: Clock) -> None:
    audio = plug(channels=6, refuse=lambda rate, channels: -9998 if channels != 6 else None)
    assert microphone(clock, 3).read(960) == ramp(0, 960, 2)
    assert audio.opened["channels"] == 6


def test_two_channels_at_24_khz_are_better_than_a_resampler(plug: Plug, clock: Clock) -> None:
    audio = plug(channels=2, hz=48_000.0, refuse=lambda rate, n: -9998 if n < 2 else None)
    audio.hz = 24_000.0
    assert microphone(clock).read(960) == ramp(0, 960)
    assert audio.opened["rate"] == 24_000


@pytest.mark.parametrize(("has", "told"), [(1, "has 1 channel"), (2, "has 2 channels")])
def test_a_channel_that_is_not_there_is_told(plug: Plug, clock: Clock, has: int, told: str) -> None:
    plug(channels=has)
    with pytest.raises(DeviceError, match=rf"{told}, so none is number 3; write .*{has} or less"):
        microphone(clock, 3)


def test_what_is_played_goes_to_all_channels_of_bare_hardware(plug: Plug) -> None:
    audio = plug(channels=0, outputs=2, refuse=only_stereo_of_48_khz, hz=48_000.0)
    sink = SpeakerSink("default", lambda from_hz, to_hz: lambda pcm: pcm)
    sink.open()
    sink.write(ramp(0, 1920))
    sink.drop()
    assert audio.written[0] == spread(ramp(0, 1920), 2)
    assert audio.written[0][:8] == b"\0\0\0\0\x0a\0\x0a\0"
