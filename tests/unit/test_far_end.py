"""What was played, handed to the ear in step: no delay that changes, nothing that grows."""

from __future__ import annotations

import pytest

from satellite import far_end
from satellite.far_end import FarEnd
from satellite.model.audio import FRAME_BYTES, RATE, SAMPLE_BYTES, seconds_of

FRAME_S = 0.02
SLICE = 2 * FRAME_BYTES


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def far(clock: Clock) -> FarEnd:
    return FarEnd(clock)


def sound(size: int, first: int = 1) -> bytes:
    """Samples that count up, none of them zero."""
    numbers = range(first, first + size // SAMPLE_BYTES)
    return b"".join((number % 30_000 + 1).to_bytes(2, "little") for number in numbers)


def taken(far: FarEnd, at: float, count: int) -> bytes:
    """So many frames from ``at`` on; nothing is silence."""
    frames = (far.take(FRAME_BYTES, at + n * FRAME_S) for n in range(count))
    return b"".join(frame or bytes(FRAME_BYTES) for frame in frames)


def samples(seconds: float) -> int:
    return round(seconds * RATE) * SAMPLE_BYTES


def test_sound_comes_where_it_was_written_to_the_sample(far: FarEnd, clock: Clock) -> None:
    pcm = sound(5 * SLICE)
    clock.now = 100.0131
    far.played(pcm[: 3 * SLICE])  # the device's buffer, filled at once
    clock.now += 0.04
    far.played(pcm[3 * SLICE :])
    heard = taken(far, 100.0, 20)
    start = samples(0.0131)
    assert heard[start : start + len(pcm)] == pcm
    assert not heard[:start].strip(b"\0")
    assert not heard[start + len(pcm) :].strip(b"\0")


def test_nothing_is_nothing_not_silence(far: FarEnd, clock: Clock) -> None:
    assert far.take(FRAME_BYTES, 100.0) == b""
    clock.now = 100.5
    far.played(sound(FRAME_BYTES))
    assert far.take(FRAME_BYTES, 100.02) == b"", "its moment has not come"


@pytest.mark.parametrize("speed", [1.0005, 1.005, 0.995])
def test_an_ear_that_comes_late_each_time_stays_in_step(
    far: FarEnd, clock: Clock, speed: float
) -> None:
    """Clocks drift apart: the delay follows the devices, sample for sample, without a jump."""
    pcm = sound(50 * SLICE)
    far.played(pcm)
    frames = [far.take(FRAME_BYTES, 100.0 + n * FRAME_S * speed) for n in range(100)]
    assert b"".join(frames) == pcm


def test_each_answer_has_the_same_delay(far: FarEnd, clock: Clock) -> None:
    for begun in (100.0, 101.0031, 102.017):
        clock.now = begun
        far.played(sound(2 * SLICE))
        heard = taken(far, begun // 1, 10)
        first = next(n for n, byte in enumerate(heard) if byte)
        assert first == pytest.approx(samples(begun % 1), abs=2 * SAMPLE_BYTES)


def test_a_writer_who_is_a_little_late_goes_on(far: FarEnd, clock: Clock) -> None:
    """The device still had sound, or else it would have been later."""
    pcm = sound(2 * SLICE)
    far.played(pcm[:SLICE])
    clock.now += seconds_of(SLICE) + 0.03
    far.played(pcm[SLICE:])
    assert taken(far, 100.0, 5).startswith(pcm)


def test_what_is_dropped_is_not_heard_and_what_follows_begins_anew(
    far: FarEnd, clock: Clock
) -> None:
    pcm = sound(3 * SLICE)
    far.played(pcm)
    clock.now = 100.04
    far.dropped(2 * SLICE)
    clock.now = 100.09  # within what was dropped
    far.played(pcm[:SLICE])
    heard = taken(far, 100.0, 10)
    assert heard[:SLICE] == pcm[:SLICE]
    assert heard[samples(0.09) :][:SLICE] == pcm[:SLICE]
    assert not heard[SLICE : samples(0.09)].strip(b"\0")


def test_more_is_dropped_than_is_left(far: FarEnd, clock: Clock) -> None:
    far.played(sound(SLICE))
    assert far.take(FRAME_BYTES, 100.0)
    far.dropped(3 * SLICE)
    assert far.take(FRAME_BYTES, 100.02) == b""


def test_sound_of_a_time_that_nobody_heard_is_left_out(far: FarEnd, clock: Clock) -> None:
    """The microphone stood still for half a second in the middle of an answer."""
    pcm = sound(50 * SLICE)
    for n in range(50):
        far.played(pcm[n * SLICE : (n + 1) * SLICE])
        clock.now += 0.02  # the device takes it
    assert far.take(FRAME_BYTES, 100.0) == pcm[:FRAME_BYTES]
    skipped = samples(0.52)
    heard = taken(far, 100.52, 5)
    assert heard == pcm[skipped : skipped + len(heard)]


def test_nobody_takes_for_an_hour(far: FarEnd, clock: Clock) -> None:
    """The microphone is muted, and the satellite reads a book aloud."""
    pcm = sound(SLICE)
    for _ in range(90_000):
        far.played(pcm)
        clock.now += 0.04
    assert len(far._pieces) == far_end.MOST_PIECES
    begin = clock.now - 0.2
    heard = taken(far, begin, 10)
    assert len(heard.strip(b"\0")) > len(heard) - 2 * FRAME_BYTES, "the last of it is in its place"
    assert far.take(FRAME_BYTES, clock.now + 9) == b""


def test_silence_before_the_first_sample_and_after_the_last(far: FarEnd, clock: Clock) -> None:
    clock.now = 100.01
    far.played(sound(FRAME_BYTES))
    first, second = far.take(FRAME_BYTES, 100.0), far.take(FRAME_BYTES, 100.02)
    half = FRAME_BYTES // 2
    assert (first[:half], second[half:]) == (bytes(half), bytes(half))
    assert first[half:] + second[:half] == sound(FRAME_BYTES)
    assert far.take(FRAME_BYTES, 100.04) == b""
