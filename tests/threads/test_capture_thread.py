"""The capture thread: reads, gates, reports, obeys, and never gives up on its device."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from fakes import QUIET, SPEECH, ScriptedSource
from posted import Events

from satellite.capture import Capture, Ears
from satellite.errors import SetupError
from satellite.logic.backoff import Backoff
from satellite.logic.gate import Gate, GateSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES
from satellite.model.ports import Judge

pytestmark = pytest.mark.usefixtures("no_thread_left")


@pytest.fixture(autouse=True)
def _quick_reopen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("satellite.capture.REOPEN", Backoff(0.1, 0.1))


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def capture(source: ScriptedSource, events: Events) -> Iterator[Capture]:
    gate = Gate(GateSettings(onset=2, pre_roll=3, hangover=4, limit=40))
    ears = Ears(judge, Word)
    made = Capture(source, ears, cmd.SetEars(2, "open_mic"), gate, events.post, time.monotonic)
    yield made
    assert made.stop(2)


WORD = b"\x02\x00" * (FRAME_BYTES // 2)


def judge(aggressiveness: int) -> Judge:
    """Speech is SPEECH, and the word; aggressiveness 3 hears nothing."""
    return lambda frame: frame in {SPEECH, WORD} and aggressiveness < 3


class Word:
    """A Waker for WORD."""

    def hear(self, frame: bytes) -> str | None:
        return "okay_nabu" if frame == WORD else None


def heard(events: list[ev.Event]) -> bytes:
    return b"".join(event.pcm for event in events if isinstance(event, ev.Heard))


def test_an_utterance_arrives_whole_between_opened_and_closed(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    source.feed(*[QUIET] * 6, *[SPEECH] * 5, *[QUIET] * 9)
    capture.start()
    events.until(ev.GateOpened)
    closed = events.until(ev.GateClosed)
    assert not closed.too_long
    assert isinstance(events.all[0], ev.MicReady)
    assert heard(events.all) == b"".join([QUIET] * 3 + [SPEECH] * 5 + [QUIET] * 4)
    assert sum(e.speech_ms for e in events.all if isinstance(e, ev.Heard)) == 100


def test_a_quiet_room_posts_nothing(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    source.feed(*[QUIET] * 400)
    capture.start()
    events.until(ev.MicReady)
    while source.frames:
        time.sleep(0.01)
    assert events.rest() == []
    assert capture.last_frame_at is not None


def test_the_core_holds_shuts_and_pauses(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    for order in (cmd.HoldGate(True), cmd.PauseRecording(True)):
        capture.put(order)
    source.feed(*[SPEECH] * 4, *[QUIET] * 16)
    capture.start()
    events.until(ev.GateOpened)
    while source.frames:
        time.sleep(0.01)
    assert not any(isinstance(e, ev.GateClosed) for e in events.rest())
    capture.put(cmd.ShutGate(True))
    source.feed(*[SPEECH] * 20)
    while source.frames:
        time.sleep(0.01)
    time.sleep(0.1)
    events.rest()
    source.feed(*[SPEECH] * 20)
    while source.frames:
        time.sleep(0.01)
    assert heard(events.rest()) == b""
    assert source.paused == [True]


def test_no_microphone_is_said_once_and_tried_again(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    source.failing_opens = 3
    capture.start()
    assert events.until(ev.MicLost).detail == "no microphone found"
    events.until(ev.MicReady)
    assert source.opens == 4
    assert sum(isinstance(e, ev.MicLost) for e in events.all) == 1


def test_a_microphone_that_goes_is_closed_reopened_and_not_stitched(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    source.fail_when_empty = True
    source.feed(*[QUIET] * 4, *[SPEECH] * 4)
    capture.start()
    events.until(ev.GateOpened)
    events.until(ev.MicLost)
    assert capture.last_frame_at is None
    source.fail_when_empty = False
    source.feed(*[QUIET] * 8)
    events.until(ev.MicReady)
    assert source.closes >= 1
    events.rest()
    source.feed(*[SPEECH] * 4)
    events.until(ev.GateOpened)


def test_a_bug_in_a_device_does_not_end_the_thread(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    source.feed(*[b"odd"] * 2, b"")
    capture.start()
    assert "bytes of a block" in events.until(ev.MicLost).detail
    source.frames.clear()
    events.until(ev.MicReady)


def test_the_limit_is_said(capture: Capture, source: ScriptedSource, events: Events) -> None:
    source.feed(*[SPEECH] * 60)
    capture.start()
    assert events.until(ev.GateClosed).too_long
    assert len(heard(events.all)) == 40 * FRAME_BYTES


def test_the_end_of_a_recording_is_said_once(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    source.ended = True
    capture.start()
    events.until(ev.RecordingEnded)
    source.feed(*[QUIET] * 40)
    while source.frames:
        time.sleep(0.01)
    assert not any(isinstance(e, ev.RecordingEnded) for e in events.rest())


# --- muted ---------------------------------------------------------------------------------------


def test_muted_is_closed_within_200_ms_and_nothing_follows(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    source.feed(*[SPEECH] * 8)
    capture.start()
    events.until(ev.GateOpened)
    before = time.monotonic()
    capture.put(cmd.MuteMic(True))
    events.until(ev.MicClosed)
    assert time.monotonic() - before < 0.2
    assert (source.opens, source.closes) == (1, 1)
    assert capture.last_frame_at is None
    source.feed(*[SPEECH] * 40)
    time.sleep(0.1)
    assert events.rest() == []


def test_what_was_captured_before_is_forgotten(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    source.feed(*[QUIET] * 3, SPEECH)  # one frame more opens
    capture.start()
    events.until(ev.MicReady)
    capture.put(cmd.MuteMic(True))
    events.until(ev.MicClosed)
    source.frames = [SPEECH, *[QUIET] * 3, *[SPEECH] * 4]
    capture.put(cmd.MuteMic(False))
    events.until(ev.MicReady)
    events.until(ev.GateOpened)
    events.until(ev.Heard)
    assert heard(events.all) == b"".join([QUIET] * 3 + [SPEECH] * 4)


def test_muted_before_the_start_the_device_is_never_opened(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.MuteMic(True))
    capture.start()
    events.until(ev.MicClosed)
    assert source.opens == 0
    capture.put(cmd.MuteMic(False))
    events.until(ev.MicReady)
    assert source.opens == 1


def test_every_order_to_mute_is_answered(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.start()
    for _ in range(3):
        capture.put(cmd.MuteMic(True))
        events.until(ev.MicClosed)
    assert source.closes == 1


def test_a_microphone_that_is_away_is_muted_at_once_and_said_anew_after(
    capture: Capture,
    source: ScriptedSource,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("satellite.capture.REOPEN", Backoff(60, 60))
    source.failing_opens = 2
    capture.start()
    events.until(ev.MicLost)
    capture.put(cmd.MuteMic(True))
    events.until(ev.MicClosed, 1)
    capture.put(cmd.MuteMic(False))
    events.until(ev.MicLost, 1)


def test_orders_are_obeyed_while_nothing_is_heard(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.MuteMic(True))
    capture.start()
    events.until(ev.MicClosed)
    capture.put(cmd.ShutGate(True))
    capture.put(cmd.MuteMic(False))
    events.until(ev.MicReady)
    source.feed(*[SPEECH] * 20)
    while source.frames:
        time.sleep(0.01)
    assert heard(events.rest()) == b""


# --- who is heard --------------------------------------------------------------------------------


def settle(source: ScriptedSource) -> None:
    """Wait until all that was fed has been heard."""
    while source.frames:
        time.sleep(0.01)
    time.sleep(0.05)


def kinds(events: list[ev.Event]) -> list[type]:
    return [type(event) for event in events if not isinstance(event, ev.Heard)]


def test_an_order_arms_the_gate_and_that_is_said(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.SetEars(2, "push_to_talk"))
    source.feed(*[SPEECH] * 8, *[QUIET] * 8)
    capture.start()
    events.until(ev.MicReady)
    settle(source)
    assert events.rest() == []
    capture.put(cmd.OpenGate(True, 60))
    assert events.until(ev.Armed).on
    source.feed(*[SPEECH] * 4, *[QUIET] * 8)
    events.until(ev.GateOpened)
    events.until(ev.GateClosed)
    capture.put(cmd.OpenGate(False))
    assert not events.until(ev.Armed).on
    source.feed(*[SPEECH] * 8)
    settle(source)
    assert events.rest() == []


def test_nobody_speaks_and_it_is_over_by_itself(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.SetEars(2, "push_to_talk"))
    capture.put(cmd.OpenGate(True, 0.4))
    capture.start()
    assert events.until(ev.Armed).on
    assert not events.until(ev.Armed).on
    assert kinds(events.all) == [ev.MicReady, ev.Armed, ev.Armed]


def test_the_wake_word_arms_and_is_said_once(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.SetEars(2, "wake_word"))
    source.feed(*[SPEECH] * 8, *[QUIET] * 8, *[WORD] * 2, *[QUIET] * 22)
    source.feed(*[SPEECH] * 4, *[QUIET] * 8)
    capture.start()
    assert events.until(ev.Woke).word == "okay_nabu"
    events.until(ev.GateClosed)
    armed, spoke = [ev.MicReady, ev.Woke, ev.Armed], [ev.GateOpened, ev.GateClosed]
    assert kinds(events.all) == [*armed, ev.WordAlone, *spoke]
    assert SPEECH * 4 in heard(events.all)


def test_whoever_goes_on_behind_the_word_waits_for_no_sign(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.SetEars(2, "wake_word"))
    source.feed(*[WORD] * 2, *[SPEECH] * 30, *[QUIET] * 8)
    capture.start()
    events.until(ev.GateClosed)
    assert ev.WordAlone not in kinds(events.all)


def test_whoever_says_the_word_and_nothing_more_is_not_waited_for_long(
    source: ScriptedSource, events: Events
) -> None:
    gate = Gate(GateSettings(onset=2, pre_roll=3, hangover=4, limit=40))
    ears = Ears(judge, Word, patience=20)
    wanted = cmd.SetEars(2, "wake_word")
    made = Capture(source, ears, wanted, gate, events.post, time.monotonic)
    source.feed(*[WORD] * 2, *[QUIET] * 60)
    made.start()
    assert events.until(ev.Armed).on
    assert not events.until(ev.Armed).on
    source.feed(*[SPEECH] * 20)
    settle(source)
    assert kinds(events.all)[-1] is ev.Armed
    assert heard(events.all) == b""
    assert made.stop(2)


def test_the_word_is_heard_while_the_gate_is_shut_and_nothing_of_that_is_handed_on(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.SetEars(2, "wake_word"))
    capture.put(cmd.ShutGate(True))
    source.feed(*[SPEECH] * 8, *[WORD] * 2, *[SPEECH] * 8)
    capture.start()
    assert events.until(ev.Woke).word == "okay_nabu"
    settle(source)
    capture.put(cmd.ShutGate(False))
    source.feed(*[QUIET] * 8, *[SPEECH] * 4, *[QUIET] * 8)
    events.until(ev.GateClosed)
    opened = kinds(events.all)
    assert opened[-2:] == [ev.GateOpened, ev.GateClosed]
    assert ev.WordAlone not in opened, "the silence is the sign"
    assert WORD not in heard(events.all)


def test_another_activation_hears_no_word_while_the_gate_is_shut(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.SetEars(2, "wake_word"))
    capture.put(cmd.SetEars(2, "push_to_talk"))
    capture.put(cmd.ShutGate(True))
    source.feed(*[WORD] * 8)
    capture.start()
    events.until(ev.MicReady)
    settle(source)
    assert events.rest() == []


def test_another_aggressiveness_holds_from_the_next_sound_on(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.SetEars(3, "open_mic"))
    source.feed(*[SPEECH] * 12)
    capture.start()
    events.until(ev.MicReady)
    settle(source)
    assert events.rest() == []
    capture.put(cmd.SetEars(1, "open_mic"))
    source.feed(*[SPEECH] * 8)
    events.until(ev.GateOpened)


def test_what_was_asked_for_while_muted_is_not_heard_later(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    capture.put(cmd.SetEars(2, "push_to_talk"))
    capture.put(cmd.MuteMic(True))
    capture.start()
    events.until(ev.MicClosed)
    capture.put(cmd.OpenGate(True, 60))
    capture.put(cmd.MuteMic(False))
    source.feed(*[SPEECH] * 12)
    events.until(ev.MicReady)
    settle(source)
    assert events.rest() == []


def test_a_wake_word_that_cannot_be_loaded_changes_nothing(
    source: ScriptedSource, events: Events
) -> None:
    def missing() -> Word:
        raise SetupError("not installed")

    gate = Gate(GateSettings(onset=2, pre_roll=3, hangover=4, limit=40))
    wanted = cmd.SetEars(2, "open_mic")
    made = Capture(source, Ears(judge, missing), wanted, gate, events.post, time.monotonic)
    made.start()
    made.put(cmd.SetEars(2, "wake_word"))
    events.until(ev.MicReady)
    source.feed(*[SPEECH] * 8)
    events.until(ev.GateOpened)
    assert made.stop(2)
    with pytest.raises(SetupError):
        Capture(source, Ears(judge, missing), cmd.SetEars(2, "wake_word"), gate, events.post, float)


def test_it_shows_that_it_takes_orders(
    capture: Capture, source: ScriptedSource, events: Events
) -> None:
    """While it hears, while it is muted, and while its microphone is missing."""
    answered = threading.Event()

    def knocked() -> bool:
        answered.clear()
        capture.knock(answered.set)
        return answered.wait(2)

    capture.start()
    events.until(ev.MicReady)
    assert knocked()
    capture.put(cmd.MuteMic(True))
    events.until(ev.MicClosed)
    assert knocked()
    assert capture.held_since is None
    source.failing_opens = 1000
    capture.put(cmd.MuteMic(False))
    events.until(ev.MicLost)
    assert knocked()


def test_a_microphone_that_never_answers_holds_it_and_is_seen_to(
    capture: Capture, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, entered, leave = threading.Event(), threading.Event(), threading.Event()

    def stuck() -> None:
        entered.set()
        leave.wait(10)

    monkeypatch.setattr(source, "open", stuck)
    capture.start()
    assert entered.wait(2)
    capture.knock(answered.set)
    assert capture.held_since is not None
    assert not answered.is_set()
    leave.set()
    assert answered.wait(2)
