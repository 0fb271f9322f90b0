"""What the speaker plays next, without a speaker: every sample once, whatever comes when."""

from __future__ import annotations

import random

import pytest

from satellite.logic.playout import ENOUGH, LOW, PATIENCE, SLICE, Played, Playout
from satellite.model import commands as cmd
from satellite.model.audio import ms_of, silence

BUFFER = 3 * SLICE
SEEDS = range(80)


class Device:
    """A device of 120 ms that a test lets sound, and the owner of a Playout as the thread is."""

    def __init__(self, lead_ms: int = 0) -> None:
        self.playout = Playout(lead_ms)
        self.sounded = b""
        self.over: list[Played] = []
        self.open = False
        self._buffer = b""

    def fill(self) -> None:
        """Do what the thread does until it would wait."""
        while len(self._buffer) + SLICE <= BUFFER:
            self._settle()
            piece = self.playout.next(len(self._buffer) if self.open else None)
            if piece is None:
                self.open = self.open and bool(self._buffer)
                return
            self.open = True
            self._buffer += piece.pcm

    def sound(self, size: int) -> None:
        """Let so many bytes sound, looking as often as the thread does."""
        while size > 0:
            step = min(size, 240)
            size -= step
            self.sounded, self._buffer = (
                self.sounded + self._buffer[:step],
                self._buffer[step:],
            )
            self._settle()
            self.fill()

    def pause(self, on: bool) -> None:
        if on:
            self.drop()
        self.playout.paused = on

    def drop(self) -> None:
        self._settle()
        self.playout.rewind()
        self._buffer = b""
        self.open = False

    def flush(self, response_id: str) -> Played | None:
        self._settle()
        if self.playout.holds(response_id):
            self.drop()
        return self.playout.flush(response_id)

    def _settle(self) -> None:
        self.over += self.playout.sounded(len(self._buffer))


def sound(ms: int, seed: int = 0) -> bytes:
    """Sound without a zero in it, so that silence shows."""
    return bytes(random.Random(seed).choices(range(1, 256), k=48 * ms))


def without_silence(pcm: bytes) -> bytes:
    return b"".join(pcm[n : n + 2] for n in range(0, len(pcm), 2) if pcm[n : n + 2] != b"\0\0")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_sample_sounds_once_whatever_comes_when(seed: int) -> None:
    """Pieces of any size, at any pace, with pauses: sound in order, silence where it starved."""
    rng = random.Random(seed)
    device, expected, ends = Device(rng.choice((0, 0, 40, 100))), b"", []
    for number in range(rng.randint(1, 3)):
        response_id, length = f"r{number}", 0
        for part in range(rng.randint(1, 12)):
            pcm = sound(rng.choice((1, 7, 20, 33, 100, 250)), seed * 100 + part)
            device.playout.add(cmd.Play(response_id, "a", 0, pcm))
            expected, length = expected + pcm, length + len(pcm)
            device.fill()
            device.sound(2 * rng.choice((0, 100, 960, 2400, 5000)))
            if rng.random() < 0.2:
                device.pause(True)
                device.sound(2 * rng.randint(0, 2400))
                device.pause(False)
                device.fill()
        device.playout.end(response_id)
        ends.append((response_id, ms_of(length)))
    device.fill()
    device.sound(len(expected) + 10 * SLICE)
    assert without_silence(device.sounded) == expected
    assert [(each.response_id, each.played_ms) for each in device.over] == ends


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flush_anywhere_tells_the_sample_that_was_heard_last(seed: int) -> None:
    rng = random.Random(seed)
    device, items = Device(), [(f"a{n}", rng.choice((10, 40, 95, 300))) for n in range(4)]
    for n, (item, length) in enumerate(items):
        device.playout.add(cmd.Play("r", item, n, sound(length, n)))
    device.playout.end("r")  # or 90 ms would not begin
    device.fill()
    heard = 2 * rng.randint(0, 24 * sum(length for _, length in items) - 1)
    device.sound(heard)
    if rng.random() < 0.5:
        device.pause(True)
    at = device.flush("r")
    assert at is not None
    assert without_silence(device.sounded)[: heard + 1] == device.sounded[:heard]
    before, place = 0, 0
    while heard > (before + items[place][1]) * 48:
        before, place = before + items[place][1], place + 1
    assert (at.item_id, at.content_index) == (items[place][0], place)
    assert at.played_ms == heard // 48 - before
    device.fill()
    device.sound(SLICE)
    assert len(device.sounded) == heard


def test_it_begins_with_100_ms_and_again_after_it_starved() -> None:
    device = Device()
    device.playout.add(cmd.Play("r", "a", 0, sound(99)))
    device.fill()
    assert not device.open
    device.playout.add(cmd.Play("r", "a", 0, sound(1)))
    device.fill()
    assert device.open
    device.sound(ENOUGH + 2 * SLICE)
    device.playout.add(cmd.Play("r", "a", 0, sound(99)))
    device.sound(SLICE)
    assert without_silence(device.sounded) == sound(99) + sound(1)
    device.playout.add(cmd.Play("r", "a", 0, sound(1)))
    device.playout.end("r")
    device.sound(10 * SLICE)
    assert without_silence(device.sounded) == (sound(99) + sound(1)) * 2
    assert device.over == [Played("r", "a", 0, 200, 1, True)]


def test_no_silence_is_played_while_the_device_has_sound() -> None:
    device = Device()
    device.playout.add(cmd.Play("r", "a", 0, sound(120)))
    device.fill()
    device.sound(BUFFER - LOW - 240)
    device.playout.add(cmd.Play("r", "a", 0, sound(5, 1)))
    device.fill()
    device.sound(240)
    device.playout.end("r")
    device.sound(BUFFER)
    assert device.sounded == sound(120) + sound(5, 1)
    assert device.over[0].underruns == 0


def test_silence_at_the_end_is_no_underrun() -> None:
    """Whoever sends as fast as it sounds says a little late that this was all."""
    device = Device()
    device.playout.add(cmd.Play("r", "a", 0, sound(120)))
    device.fill()
    device.sound(2 * BUFFER)
    device.playout.end("r")
    device.fill()
    assert device.over == [Played("r", "a", 0, 120, 0, True)]


def test_after_a_second_of_silence_the_device_is_let_go() -> None:
    device = Device()
    device.playout.add(cmd.Play("r", "a", 0, sound(120)))
    device.fill()
    device.sound(10 * PATIENCE)
    assert not device.open
    assert device.sounded == sound(120) + silence(1000)


def test_a_response_of_which_nothing_came_is_over_when_it_ends() -> None:
    device = Device()
    device.playout.end("r")
    device.fill()
    assert device.over == [Played("r", "", 0, 0, 0, True)]


def test_a_pause_in_a_chime_goes_on_in_it() -> None:
    device = Device()
    device.playout.chime(sound(240))
    device.fill()
    device.sound(1000)
    device.pause(True)
    device.pause(False)
    device.fill()
    device.sound(len(sound(300)))
    assert device.sounded == sound(240)
    assert [over.response_id for over in device.over] == [""]
