"""Recordings in place of devices: real time without drift, gaps, pauses, and whole files."""

from __future__ import annotations

import wave
from array import array
from pathlib import Path

import pytest
from audio_types import Clock

from satellite.adapters.recording import NullSink, RecordingSink, RecordingSource, load
from satellite.adapters.recording.sink import BUFFER_S
from satellite.errors import DeviceError, RecordingError
from satellite.model.audio import FRAME_SAMPLES, RATE, silence
from satellite.model.ports import Sink, Source

LOUD = array("h", [8000, -8000] * (RATE // 2)).tobytes()  # one second
SOFT = array("h", [300, -300] * (RATE // 2)).tobytes()


def write(path: Path, pcm: bytes) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


@pytest.fixture
def source(tmp_path: Path, clock: Clock) -> RecordingSource:
    """Two words of a second each, half a second around them; open."""
    paths = [write(tmp_path / "1.wav", LOUD), write(tmp_path / "2.wav", LOUD)]
    source = RecordingSource(paths, gap_s=0.5, clock=clock, sleep=clock.sleep)
    source.open()
    return source


def hear(source: Source, seconds: float) -> bytes:
    return b"".join(source.read(FRAME_SAMPLES) for _ in range(round(seconds * 50)))


# --- the source --------------------------------------------------------------------------------


def test_recordings_follow_each_other_with_gaps(source: RecordingSource) -> None:
    gap = silence(500)
    assert hear(source, 3.5) == gap + LOUD + gap + LOUD + gap
    assert not source.ended
    assert hear(source, 2.0) == silence(2000)
    assert source.ended


def test_a_loop_has_no_end(tmp_path: Path, clock: Clock) -> None:
    path = write(tmp_path / "1.wav", LOUD)
    source = RecordingSource([path], loop=True, gap_s=0.5, clock=clock, sleep=clock.sleep)
    source.open()
    assert hear(source, 15.0) == (silence(500) + LOUD) * 10
    assert not source.ended
    source.close()


def test_the_last_frame_is_filled_up(tmp_path: Path, clock: Clock) -> None:
    path = write(tmp_path / "1.wav", LOUD[: 2 * 700])
    source = RecordingSource([path], gap_s=0.0, clock=clock, sleep=clock.sleep)
    source.open()
    assert hear(source, 0.1) == silence(20) + LOUD[:1400] + bytes(2 * 260) + silence(40)


@pytest.mark.parametrize("samples", [1, 479, 480, 1920, 5000])
def test_a_read_lasts_as_long_as_its_sound(
    source: RecordingSource, clock: Clock, samples: int
) -> None:
    began = clock.now
    for count in range(1, 60):
        assert len(source.read(samples)) == 2 * samples
        assert clock.now == pytest.approx(began + count * samples / RATE, abs=1e-9)


def test_a_late_reader_catches_up(source: RecordingSource, clock: Clock) -> None:
    began = clock.now
    source.read(480)
    clock.now += 0.5
    for _ in range(50):
        source.read(480)
    assert clock.now == pytest.approx(began + 51 * 0.02)


def test_a_process_that_stood_still_goes_on_where_it_was(
    source: RecordingSource, clock: Clock
) -> None:
    source.read(480)
    clock.now += 3600
    source.read(480)
    resumed = clock.now
    for _ in range(10):
        source.read(480)
    assert clock.now == pytest.approx(resumed + 0.2)


def test_open_begins_anew(source: RecordingSource) -> None:
    first = hear(source, 4.0)
    source.open()
    assert not source.ended
    assert hear(source, 4.0) == first
    source.close()
    source.close()


def test_a_wrong_file_is_told_at_open(tmp_path: Path, clock: Clock) -> None:
    paths = [write(tmp_path / "1.wav", LOUD), tmp_path / "none.wav"]
    source = RecordingSource(paths, clock=clock, sleep=clock.sleep)
    with pytest.raises(RecordingError, match=r"none\.wav: there is no such file"):
        source.open()
    source.close()


def test_a_file_that_vanishes_is_told_when_its_time_comes(
    source: RecordingSource, tmp_path: Path
) -> None:
    hear(source, 1.9)
    (tmp_path / "2.wav").unlink()
    with pytest.raises(RecordingError, match=r"2\.wav: there is no such file"):
        hear(source, 0.2)


# --- its pause ---------------------------------------------------------------------------------


def test_a_pause_in_a_gap_is_at_once(source: RecordingSource) -> None:
    hear(source, 0.2)
    source.pause(True)
    assert hear(source, 5.0) == silence(5000)
    source.pause(False)
    assert hear(source, 1.3) == silence(300) + LOUD


def test_a_pause_never_cuts_a_word(source: RecordingSource) -> None:
    hear(source, 0.7)
    source.pause(True)
    assert hear(source, 3.0) == LOUD[: len(LOUD) * 8 // 10] + silence(2200)
    source.pause(False)
    assert hear(source, 1.5) == silence(480) + LOUD + silence(20)


def test_a_pause_waits_for_200_ms_of_quiet_within_a_recording(tmp_path: Path, clock: Clock) -> None:
    breath, rest = SOFT[: 2 * 480 * 9], SOFT[: 2 * 480 * 20]
    path = write(tmp_path / "1.wav", LOUD + breath + LOUD + rest + LOUD)
    source = RecordingSource([path], gap_s=0.1, clock=clock, sleep=clock.sleep)
    source.open()
    hear(source, 0.3)
    source.pause(True)
    heard = hear(source, 10.0)
    spoken = heard.rstrip(b"\0")
    assert spoken == (LOUD + breath + LOUD + rest)[2 * 480 * 10 : -len(rest) // 2]
    source.pause(False)
    assert hear(source, 1.2) == rest[: len(rest) // 2] + LOUD


def test_a_paused_source_has_not_ended(source: RecordingSource) -> None:
    source.pause(True)
    hear(source, 10.0)
    assert not source.ended


# --- the sinks ---------------------------------------------------------------------------------


def read(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert file.getparams()[:3] == (1, 2, RATE)
        return bytes(file.readframes(file.getnframes()))


@pytest.mark.parametrize("kind", ["file", "null"])
def test_a_sink_takes_as_long_as_a_loudspeaker(tmp_path: Path, clock: Clock, kind: str) -> None:
    sink: Sink = sink_at(tmp_path / "a.wav", clock)
    if kind == "null":
        sink = NullSink(clock=clock, sleep=clock.sleep)
    sink.open()
    began = clock.now
    for count in range(1, 26):
        sink.write(LOUD[:1920])
        assert clock.now - began == pytest.approx(max(0.0, count * 0.04 - BUFFER_S))
        assert sink.delay_s() == pytest.approx(min(count * 0.04, BUFFER_S))
    sink.close()
    assert clock.now - began == pytest.approx(1.0)
    assert sink.delay_s() == 0.0
    clock.now += 10
    sink.open()
    sink.write(LOUD[:1920])
    assert sink.delay_s() == pytest.approx(0.04)  # what was silent meanwhile is not owed
    sink.close()


def sink_at(path: Path, clock: Clock) -> RecordingSink:
    return RecordingSink(path, clock=clock, sleep=clock.sleep)


def play(sink: RecordingSink, pcm: bytes) -> None:
    sink.open()
    sink.write(pcm)
    sink.close()
    sink.close()


def test_one_file_grows_and_is_whole_after_every_close(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "reply.wav"
    path.write_bytes(b"of an earlier run" * 100)
    sink = sink_at(path, clock)
    for count in range(4):
        play(sink, LOUD[: 960 * count])
        assert read(path) == LOUD[:960] * (count * (count + 1) // 2)
        assert path.stat().st_size - 8 == int.from_bytes(path.read_bytes()[4:8], "little")


def test_what_was_dropped_is_not_in_the_file(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "reply.wav"
    sink = sink_at(path, clock)
    sink.open()
    for start in range(0, 9600, 1920):
        sink.write(LOUD[start : start + 1920])
    clock.now += 0.03
    heard = 9600 - round(BUFFER_S * 48_000) + 30 * 48
    sink.drop()
    sink.drop()
    sink.close()
    assert read(path) == LOUD[:heard]
    play(sink, LOUD[:960])
    assert read(path) == LOUD[:heard] + LOUD[:960]


def test_a_file_tells_how_much_its_buffer_takes(tmp_path: Path, clock: Clock) -> None:
    sink = sink_at(tmp_path / "a.wav", clock)
    sink.open()
    assert sink.room_s() == pytest.approx(BUFFER_S)
    sink.write(LOUD[:1920])
    assert sink.room_s() == pytest.approx(BUFFER_S - 0.04)
    clock.now += 0.01
    assert sink.room_s() == pytest.approx(BUFFER_S - 0.03)
    sink.close()


def test_a_numbered_file_for_each_answer(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "reply-2.wav").write_bytes(b"of an earlier run")
    sink = sink_at(tmp_path / "reply-{n}.wav", clock)
    for count in (1, 2, 3):
        play(sink, LOUD[: 960 * count])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"reply-{n}.wav" for n in (1, 2, 3, 4)
    ]
    assert (tmp_path / "reply-2.wav").read_bytes() == b"of an earlier run"
    assert [len(read(tmp_path / f"reply-{n}.wav")) for n in (1, 3, 4)] == [960, 1920, 2880]


def test_a_file_that_was_never_closed_can_be_heard(tmp_path: Path, clock: Clock) -> None:
    sink = sink_at(tmp_path / "reply.wav", clock)
    sink.open()
    sink.write(LOUD)
    assert load(tmp_path / "reply.wav") == read(tmp_path / "reply.wav") == LOUD
    sink.close()


def test_a_place_that_is_none_is_told(tmp_path: Path, clock: Clock) -> None:
    sink = sink_at(tmp_path / "no" / "reply.wav", clock)
    with pytest.raises(DeviceError, match="cannot be written there: No such file or directory"):
        sink.open()
    sink.close()


def test_a_full_disk_is_told(clock: Clock) -> None:
    sink = sink_at(Path("/dev/full"), clock)
    with pytest.raises(DeviceError, match="No space left on device"):
        play(sink, LOUD)
    sink.close()
