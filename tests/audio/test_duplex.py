"""Both devices at once: no sample is dropped, none comes twice, nothing is put in between."""

from __future__ import annotations

import pytest
from duplex import Duplex
from known_sound import LENGTH, Follower, Tally, known_sound
from pulse_card import PulseCard

SECONDS = 8


def test_both_directions_at_once_to_the_last_sample(pulse: PulseCard) -> None:
    run = Duplex(pulse, SECONDS)
    said = run.run()
    heard, played = run.heard.tally, run.played.tally
    assert heard == Tally(right=heard.right), said
    # the server puts silence where a busy machine writes late; nothing may be missing all the same
    assert played == Tally(right=played.right, foreign=played.foreign, jumps=played.jumps), said
    assert min(heard.right, played.right) > (SECONDS - 0.5) * 24_000, said


@pytest.mark.parametrize(
    ("cut", "put", "expected"),
    [
        (slice(4000, 4000), b"", Tally()),
        (slice(4000, 6000), b"", Tally(dropped=1000, jumps=1)),
        (slice(4000, 4000), bytes(200), Tally(foreign=100)),
        (slice(4000, 5000), bytes(1000), Tally(dropped=500, foreign=500, jumps=1)),
    ],
)
def test_whoever_follows_sees_each_fault(cut: slice, put: bytes, expected: Tally) -> None:
    sound = known_sound()
    faulty = bytearray(bytes(960) + sound + sound[:1000] + bytes(960))
    faulty[cut] = put
    follower = Follower()
    for at in range(0, len(faulty), 700):
        follower.hear(bytes(faulty[at : at + 700]))
    follower.tally.right = 0
    assert follower.tally == expected


def test_whoever_follows_sees_what_comes_twice() -> None:
    sound, follower = known_sound(), Follower()
    follower.hear(sound[:4800] + sound[3800:])
    assert follower.tally == Tally(right=LENGTH + 500, repeated=500, jumps=1)
