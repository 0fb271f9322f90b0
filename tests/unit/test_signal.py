"""What a microphone delivers is judged by what no room can do, and no live room is accused."""

from __future__ import annotations

import functools
import itertools
import math
import random
from array import array
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satellite.logic.signal import CALM_S, FAINT_S, MOST_SILENT_S, SILENT_S, SignalWatch
from satellite.model.audio import RATE, silence
from satellite.model.events import Signal

BLOCK_MS = 80
BLOCK = RATE * BLOCK_MS // 1000


def noise(peak: int) -> Iterator[bytes]:
    """Blocks of room noise; a second of it in another order each time."""
    rng = random.Random(peak)
    room = array("h", [rng.randint(-peak, peak) for _ in range(RATE)])
    room[::BLOCK] = array("h", [peak]) * len(room[::BLOCK])
    while True:
        at = rng.randrange(RATE - BLOCK)
        yield room[at : at + BLOCK].tobytes()


@functools.cache
def loud_blocks() -> list[bytes]:
    """A voice whose waves are cut off at the end of the range."""
    blocks = []
    for n in range(10):
        wave = (4 * 32767 * math.sin((0.02 + n / 1000) * i + n) for i in range(BLOCK))
        blocks.append(array("h", [round(max(-32768, min(32767, v))) for v in wave]).tobytes())
    return blocks


def too_loud() -> Iterator[bytes]:
    return itertools.cycle(loud_blocks())


def feed(watch: SignalWatch, blocks: Iterable[bytes], seconds: float) -> list[tuple[float, Signal]]:
    """What changed, and after how many seconds of this."""
    found = []
    for n, block in zip(range(round(seconds * 1000 / BLOCK_MS)), blocks, strict=False):
        changed = watch.feed(block)
        if changed is not None:
            found.append((round((n + 1) * BLOCK_MS / 1000, 2), changed))
    return found


def zeros() -> Iterator[bytes]:
    while True:
        yield silence(BLOCK_MS)


def again(block: bytes) -> Iterator[bytes]:
    while True:
        yield block


def test_f45_five_seconds_of_exact_zeros_are_no_room() -> None:
    watch = SignalWatch()
    assert feed(watch, zeros(), 60) == [(5.04, "silent")]
    assert feed(watch, noise(300), 1) == [(0.08, "good")]


def test_zeros_for_less_than_that_are_nothing() -> None:
    watch = SignalWatch()
    for _ in range(20):
        assert not feed(watch, zeros(), SILENT_S - 0.1)
        assert not feed(watch, noise(300), 0.1)


def test_a_speakerphone_that_sends_zeros_by_design_is_soon_left_in_peace() -> None:
    watch = SignalWatch()
    patience = []
    for _ in range(9):
        ((after, signal),) = feed(watch, zeros(), 1200)
        assert signal == "silent"
        patience.append(round(after))
        assert feed(watch, noise(300), 1) == [(0.08, "good")]
    assert patience == [5, 10, 20, 40, 80, 160, 320, MOST_SILENT_S, MOST_SILENT_S]


def test_a_stream_that_ends_silent_teaches_no_patience() -> None:
    watch = SignalWatch()
    for _ in range(3):
        feed(watch, zeros(), 8)
        watch.begin()
        assert watch.signal == "good"
    assert feed(watch, zeros(), 8) == [(5.04, "silent")]


@pytest.mark.parametrize(
    "blocks",
    [
        again(next(noise(3000))),
        again(b"\x05\x00" * BLOCK),
        again(b"\x00\x80" * BLOCK),  # an input that has failed at one end of its range
        again(next(noise(3000))[:1920] * 2),  # and a buffer of 40 ms
    ],
)
def test_the_same_again_and_again_is_stuck(blocks: Iterator[bytes]) -> None:
    watch = SignalWatch()
    ((after, signal),) = feed(watch, blocks, 30)
    assert signal == "stuck"
    assert 5 <= after <= 5.2
    assert feed(watch, noise(300), 1) == [(0.08, "good")]


def test_blocks_of_other_lengths_do_not_hide_that() -> None:
    watch, piece = SignalWatch(), next(noise(3000))[:1920]
    changes = [watch.feed(piece * (1 + n % 2)) for n in range(100)]
    assert [change for change in changes if change] == ["stuck"]


def test_f46_next_to_nothing_for_a_minute_is_suspect() -> None:
    watch = SignalWatch()
    ((after, signal),) = feed(watch, noise(23), 200)  # 0.0007 of full scale
    assert signal == "faint"
    assert FAINT_S <= after < FAINT_S + 0.1
    assert feed(watch, noise(131), 1) == [(0.08, "good")]  # 0.004


def test_exact_zeros_by_design_are_not_faint() -> None:
    watch = SignalWatch()
    for _ in range(8):
        feed(watch, zeros(), 700)
        feed(watch, noise(300), 1)
    assert not feed(watch, zeros(), 500)


def test_f47_clipping_is_told_within_four_seconds_and_over_when_it_is() -> None:
    watch = SignalWatch()
    assert not feed(watch, noise(3000), 30)
    ((after, signal),) = feed(watch, too_loud(), 30)
    assert signal == "clipping"
    assert after <= 4.0
    ((after, signal),) = feed(watch, noise(3000), 30)
    assert signal == "good"
    assert CALM_S - 0.1 <= after <= CALM_S + 4


def test_a_shout_is_no_clipping() -> None:
    watch, loud, quiet = SignalWatch(), too_loud(), noise(3000)
    for _ in range(20):
        assert not feed(watch, loud, 0.08)
        assert not feed(watch, quiet, 3)


def test_a_voice_between_pauses_clips_all_the_same() -> None:
    watch, loud, quiet = SignalWatch(), too_loud(), noise(300)
    found = []
    for _ in range(10):
        found += feed(watch, loud, 0.4)
        found += feed(watch, quiet, 0.4)
    assert [signal for _, signal in found] == ["clipping"]


@settings(deadline=None, max_examples=25)
@given(
    peak=st.integers(34, 32_000),
    seed=st.integers(0, 1000),
    lengths=st.lists(st.sampled_from([960, 1920, 480]), min_size=1, max_size=5),
)
def test_no_live_room_is_ever_accused(peak: int, seed: int, lengths: list[int]) -> None:
    """Whatever its loudness, and however the sound is cut into blocks."""
    rng, watch = random.Random(seed), SignalWatch()
    room = array("h", rng.choices(range(-peak, peak + 1), k=RATE))
    room[0], room[-1] = peak, -peak
    for n in range(150):
        size, at = lengths[n % len(lengths)], rng.randrange(RATE // 2)
        assert watch.feed(room[at : at + size].tobytes()) is None


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from(["zero", "room", "same", "loud", "faint"]), st.integers(1, 100)),
        max_size=12,
    )
)
def test_it_says_only_what_is_new_and_is_what_it_said(story: list[tuple[str, int]]) -> None:
    kinds = {
        "zero": zeros(),
        "room": noise(300),
        "same": again(next(noise(500))),
        "loud": too_loud(),
        "faint": noise(20),
    }
    watch, said = SignalWatch(), "good"
    for kind, count in story:
        for _ in range(count):
            changed = watch.feed(next(kinds[kind]))
            assert changed is None or changed != said
            said = changed or said
            assert watch.signal == said
        if kind == "room" and count > (CALM_S + 4) * 1000 / BLOCK_MS:
            assert said == "good"
