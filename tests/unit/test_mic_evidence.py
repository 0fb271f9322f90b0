"""What is said of the microphone: only what its thread has shown lately (law 2, P1, F41 to F51)."""

from __future__ import annotations

from typing import get_args

import pytest
from stage import VOICE, Stage, only, settings

from satellite.errors import Why
from satellite.logic import microphone
from satellite.logic import satellite as logic
from satellite.logic.link import Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.session import Session


def codes(stage: Stage) -> list[str]:
    return [problem.code for problem in stage.shown.problems]


def begun(stage: Stage) -> Stage:
    """Somebody has begun to speak, and the server has not said anything about it."""
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    return stage


def ticks(stage: Stage, until: float, **evidence: float | None) -> list[tuple[float, str]]:
    """As the core does: a Tick each second and at each deadline. What the state was, and when."""
    shown, end = [], stage.now + until
    while stage.now < end:
        due = logic.deadline(stage.state)
        stage.now = min(end, stage.now + 1.0, due if due is not None else end)
        stage.tell(ev.Tick(**evidence))  # type: ignore[arg-type]
        shown.append((stage.now, stage.shown.state))
    return shown


# --- age -----------------------------------------------------------------------------------------


def test_p1_listening_is_never_said_with_a_frame_older_than_two_seconds() -> None:
    stage = begun(Stage().ready())
    last = stage.now
    assert stage.shown.state == "listening"
    shown = ticks(stage, 5, frame_at=last)
    assert all(state == "error" for at, state in shown if at >= last + 2.0)
    assert min(at for at, state in shown if state == "error") == last + 2.0, "and not later"
    assert codes(stage) == ["mic_stalled"]
    assert len(shown) < 9, "no busy loop"


def test_f51_a_call_that_does_not_return_is_told_within_three_seconds() -> None:
    stage = Stage().start()
    called = stage.now
    shown = ticks(stage, 4, in_mic_since=called)
    assert min(at for at, state in shown if state == "error") <= called + 3
    assert codes(stage) == ["mic_stalled"]
    assert "starts again" in stage.shown.problems[0].fix, "nobody has to unplug anything yet"
    ticks(stage, 1)
    assert not codes(stage)


def test_fresh_frames_cost_no_ticks() -> None:
    stage = Stage().ready()
    for _ in range(30):
        stage.tell(ev.Tick(stage.now - 0.08, 0, stage.now - 0.02))
        due = logic.deadline(stage.state)
        assert due is None or due >= stage.now + 1.0
        stage.now += 1.0


@pytest.mark.parametrize("stood_still", [3.0, 60.0])
def test_f49_a_process_that_stood_still_does_not_blame_the_microphone(stood_still: float) -> None:
    stage = Stage().ready()
    stage.wait(70)
    last = stage.now
    stage.now += stood_still
    assert not only(stage.tell(ev.Tick(last, 0, last)), cmd.Exit)
    assert stage.shown.state == "idle"
    due = logic.deadline(stage.state)
    assert due is not None
    assert due <= stage.now + 0.3, "but looks again soon"
    stage.now = due
    stage.tell(ev.Tick(last))
    assert stage.shown.state == "error"


# --- the end of the process ----------------------------------------------------------------------


def exits(stage: Stage, seconds: float, **evidence: float) -> float | None:
    """When the process ended, counted from now."""
    begun_at, end = stage.now, stage.now + seconds
    while stage.now < end:
        stage.now += 0.5
        orders = stage.tell(ev.Tick(**evidence))  # type: ignore[arg-type]
        if only(orders, cmd.Exit):
            assert orders[-1] == cmd.Exit(cmd.START_AGAIN)
            return stage.now - begun_at
    return None


def test_f51_a_stuck_microphone_ends_the_process_after_ten_seconds() -> None:
    stage = Stage().ready()
    stage.wait(100)
    assert exits(stage, 30, in_mic_since=stage.now) == pytest.approx(10, abs=0.5)
    assert stage.shown.state == "offline"
    assert codes(stage) == ["mic_stalled"]


def test_but_not_in_its_first_minute() -> None:
    stage = Stage().start()
    assert exits(stage, 90, in_mic_since=stage.now) == pytest.approx(60, abs=0.5)


def test_an_answer_is_heard_to_its_end_first() -> None:
    stage = Stage().ready()
    stage.wait(100)
    stage.speak("u1")
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stuck_since = stage.now
    assert exits(stage, 9.5, in_mic_since=stuck_since - 10) is None
    stage.tell(ev.PlayoutDrained("r1"))
    assert exits(stage, 5, in_mic_since=stuck_since - 10) == 0.5


def test_f50_three_failures_that_nobody_foresaw_in_a_minute_do_so_too() -> None:
    stage = Stage().ready()
    stage.wait(100)
    for n in range(3):
        assert exits(stage, 5) is None
        stage.tell(ev.MicLost(f"KeyError in the capture thread; see the log, {n}", "failed"))
        assert codes(stage) == ["mic_failed"]
        if n < 2:
            stage.tell(ev.MicReady())
    assert exits(stage, 5) == 0.5


def test_rare_ones_do_not() -> None:
    stage = Stage().ready()
    for _ in range(20):
        stage.tell(ev.MicLost("KeyError in the capture thread; see the log", "failed"))
        stage.tell(ev.MicReady())
        assert exits(stage, 31) is None


# --- why it is lost, and what it delivers --------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "code"),
    [("missing", "mic_missing"), ("stalled", "mic_stalled"), ("busy", "mic_busy")],
)
def test_why_it_is_lost_is_a_problem_of_that_name(why: str, code: str) -> None:
    stage = Stage().ready()
    stage.tell(ev.MicLost("a sentence", why))  # type: ignore[arg-type]
    (problem,) = stage.shown.problems
    assert (problem.code, problem.detail, stage.shown.state) == (code, "a sentence", "error")
    assert "the satellite goes on trying" in problem.fix
    stage.tell(ev.MicReady())
    assert (stage.shown.state, codes(stage)) == ("idle", [])


@pytest.mark.parametrize(
    ("signal", "code", "state"),
    [
        ("silent", "mic_silent", "error"),
        ("stuck", "mic_stuck", "error"),
        ("clipping", "mic_clipping", "idle"),
        ("faint", "mic_suspect", "idle"),
    ],
)
def test_what_it_delivers_is_a_problem_until_it_is_good(
    signal: ev.Signal, code: str, state: str
) -> None:
    stage = Stage().ready()
    for end in (ev.MicSignal("good"), ev.MicReady(), ev.MicClosed(), ev.MicLost("gone")):
        stage.tell(ev.MicReady())
        stage.tell(ev.MicSignal(signal))
        assert (stage.shown.state, codes(stage)) == (state, [code])
        stage.tell(end)
        assert code not in codes(stage)
    assert {code} < {fault.code for fault in stage.published(rec.Fault)}


def test_a_microphone_that_sends_zeros_is_never_listening() -> None:
    stage = begun(Stage().ready())
    stage.tell(ev.MicSignal("silent"))
    assert stage.shown.state == "error"


def test_every_problem_of_a_microphone_says_what_to_do() -> None:
    rows = [*microphone.SIGNALS.values()]
    for why in get_args(Why):
        code, fix = microphone.lost("mic", why, "or name another", "it is tried again")
        rows.append((code, fix, fix))
    assert len({code for code, _, _ in rows}) == 8
    for _, detail, fix in rows:
        assert len(fix) > 30
        assert detail[0].islower()
        assert not fix.endswith(".")


# --- what is being said when it goes -------------------------------------------------------------

GONE = [
    ev.MicLost("gone", "stalled"),
    ev.MicLost("gone"),
    ev.MicGap(2.0),
    ev.MicSignal("stuck"),
]


@pytest.mark.parametrize("event", GONE)
def test_f41_a_turn_that_the_server_hears_ends_and_is_not_answered(event: ev.Event) -> None:
    stage = begun(Stage().ready())
    stage.server(ev.SpeechStarted("u1"))
    orders = stage.tell(event)
    assert cmd.Disconnect(1) in orders
    assert cmd.HoldGate(False) in orders
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason, turn.item_id) == ("failed", "microphone_lost", "u1")
    assert not only(stage.wait(60), cmd.AppendAudio)
    assert not stage.state.talk.turns


@pytest.mark.parametrize("event", GONE)
@pytest.mark.parametrize("notices", [True, False])
def test_one_that_it_has_not_noticed_is_cleared_and_told(event: ev.Event, notices: bool) -> None:
    stage = begun(Stage().ready())
    orders = stage.tell(event)
    assert only(orders, cmd.ClearInput)
    assert [turn.reason for turn in stage.published(rec.TurnRecord)] == ["microphone_lost"]
    assert stage.state.link.phase is Phase.READY
    if notices:  # its word crossed ours
        assert cmd.Disconnect(1) in stage.server(ev.SpeechStarted("u1"))
    stage.tell(ev.MicReady())
    stage.wait(1)
    fresh = stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    fresh += stage.open() if notices else []
    assert only(fresh, cmd.AppendAudio), "and the next one is heard"


def test_what_was_said_to_its_end_is_answered_all_the_same() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    orders = stage.tell(ev.MicLost("gone"))
    assert not [order for order in orders if isinstance(order, cmd.LinkCommand | cmd.Disconnect)]
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert [turn.event_type for turn in stage.published(rec.TurnRecord)] == ["answered"]


def test_so_is_what_waits_for_a_session_but_not_its_half_sentence() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    begun(stage)
    stage.tell(ev.GateClosed(too_long=False))
    begun(stage)
    stage.tell(ev.MicLost("gone"))
    assert [turn.reason for turn in stage.published(rec.TurnRecord)] == ["microphone_lost"]
    assert len(only(stage.open(), cmd.AppendAudio)) == 1
    assert not only(stage.server(ev.SpeechStarted("u1")), cmd.Disconnect)
    stage.server(ev.SpeechStopped("u1"), ev.InputCommitted("u1"), ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert stage.published(rec.TurnRecord)[-1].event_type == "answered"


def test_where_we_end_the_turns_it_is_forgotten_and_told() -> None:
    stage = begun(Stage(settings(session=Session(manual=True))).ready())
    orders = stage.tell(ev.MicLost("gone"))
    assert [o for o in orders if isinstance(o, cmd.LinkCommand)] == [cmd.ClearInput()]
    assert [turn.reason for turn in stage.published(rec.TurnRecord)] == ["microphone_lost"]


def test_a_gap_while_nobody_speaks_is_nothing() -> None:
    stage = Stage().ready()
    assert not stage.tell(ev.MicGap(2.0))
    assert stage.shown.state == "idle"
    stage.tell(ev.BusUp())
    stage.wait(120)
    assert stage.published(rec.Diagnostics)[-1].mic_gaps == 1


# --- pace ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("half_duplex", [True, False])
def test_d9_it_is_attentive_while_an_answer_can_be_interrupted(half_duplex: bool) -> None:
    stage = Stage(settings(half_duplex=half_duplex)).ready()
    stage.speak("u1")
    stage.server(ev.UserTranscript("u1", "Hi."))
    wanted = [] if half_duplex else [cmd.Attend(True)]
    assert only(stage.answer(), cmd.Attend) == wanted
    assert only(stage.tell(ev.PlayoutDrained("r1")), cmd.Attend) == [
        cmd.Attend(False) for _ in wanted
    ]
