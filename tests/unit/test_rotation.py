"""A session gives way to a new one before the server ends it (C12)."""

from __future__ import annotations

import pytest
from stage import VOICE, WALL, Stage, only, settings

from satellite.logic.link import Phase
from satellite.logic.rotation import ASSUMED_S, lifetime
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant
from satellite.model.session import Session, Tool

pytestmark = pytest.mark.checklist("C12")
HOUR = 3600.0
TOOL = Tool("get_time", "Tell the time", {"type": "object", "properties": {}})


def in_use(stage: Stage) -> Stage:
    """A session of an hour that somebody has spoken in, kept open for that long."""
    stage.ready(expires_at=WALL + HOUR)
    stage.turn()
    return stage


def quiet(stage: Stage, seconds: float) -> list[cmd.Command]:
    return stage.wait(seconds, step=1)


def lasting(**changes: object) -> Stage:
    return Stage(settings(idle_close_s=1e6, **changes))  # type: ignore[arg-type]


def test_a_quiet_session_is_changed_five_minutes_before_its_end() -> None:
    stage = in_use(lasting())
    assert not only(quiet(stage, HOUR - 300 - 10 - (stage.now - 1000)), cmd.Connect)
    orders = quiet(stage, 12)
    changed = [o for o in orders if isinstance(o, cmd.Connect | cmd.Disconnect)]
    assert changed == [cmd.Disconnect(1), cmd.Connect(2)]
    assert stage.state.link.failures == 0
    assert not stage.shown.problems
    assert len(stage.published(rec.TurnRecord)) == 1


def test_a_busy_session_is_changed_when_it_is_quiet_again() -> None:
    stage = in_use(lasting())
    quiet(stage, HOUR - 320 - (stage.now - 1000))
    stage.speak("u2")
    stage.server(ev.UserTranscript("u2", "Go on."), ev.ResponseCreated("r2"))
    for _ in range(20):  # a long answer
        stage.server(ev.TextDelta("r2", 0, 0, "and "))
        assert not only(quiet(stage, 5), cmd.Connect)
    stage.server(ev.ResponseDone("r2", "completed"))
    assert stage.state.link.number == 2
    assert stage.published(rec.TurnRecord)[-1].event_type == "answered"


def test_half_a_minute_before_its_end_a_session_is_changed_in_any_case() -> None:
    stage = in_use(lasting())
    quiet(stage, HOUR - 330 - (stage.now - 1000))
    stage.speak("u2")
    stage.server(ev.UserTranscript("u2", "Go on."), ev.ResponseCreated("r2"))
    while stage.now < 1000 + HOUR - 35:
        stage.server(ev.TextDelta("r2", 0, 0, "and "))
        assert not only(quiet(stage, 5), cmd.Connect)
    orders = quiet(stage, 10)
    assert only(orders, cmd.Connect) == [cmd.Connect(2)]
    turn = stage.published(rec.TurnRecord)[-1]
    assert (turn.event_type, turn.reason) == ("failed", "session_rotated")
    assert turn.transcript == "Go on."


def test_a_sentence_that_is_cut_by_the_end_is_a_failed_turn_and_not_sent_in_half() -> None:
    stage = in_use(lasting())
    quiet(stage, HOUR - 32 - (stage.now - 1000) - 300)
    stage.tell(ev.GateOpened())
    while stage.now < 1000 + HOUR - 25:
        stage.tell(ev.Heard(VOICE, 200, stage.now))
        stage.wait(0.2, 0.2)
    assert stage.state.link.number == 2
    turn = stage.published(rec.TurnRecord)[-1]
    assert (turn.event_type, turn.reason) == ("failed", "session_rotated")
    stage.open()
    assert not only(stage.tell(ev.Heard(VOICE, 200, stage.now)), cmd.AppendAudio)


def test_a_cough_before_a_quiet_change_is_no_turn() -> None:
    stage = in_use(lasting())
    quiet(stage, HOUR - 310 - (stage.now - 1000))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now), ev.GateClosed(too_long=False))
    quiet(stage, 20)
    assert stage.state.link.number == 2
    assert len(stage.published(rec.TurnRecord)) == 1


def test_a_session_that_nobody_used_rests() -> None:
    stage = lasting().ready(expires_at=WALL + HOUR)
    orders = quiet(stage, HOUR)
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(1)]
    assert not only(orders, cmd.Connect)
    assert stage.shown.state == "idle"
    orders = stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert only(orders, cmd.Connect) == [cmd.Connect(2)]


def test_a_session_that_was_only_used_by_what_waited_for_it_was_used() -> None:
    stage = lasting().start()
    stage.tell(ev.MicReady(), ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.tell(ev.GateClosed(too_long=False))
    stage.now += 3
    stage.open(WALL + HOUR)
    stage.server(ev.SpeechStarted("u1"), ev.SpeechStopped("u1"), ev.InputCommitted("u1"))
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert only(quiet(stage, HOUR), cmd.Connect)


def test_a_new_session_is_told_settings_then_history_then_sound() -> None:
    session = Session(instructions="Be brief.", tools=(TOOL,))
    stage = in_use(lasting(session=session))
    quiet(stage, HOUR - 310 - (stage.now - 1000))
    stage.turn(2, "And now?")
    quiet(stage, 15)
    assert stage.state.link.phase is Phase.CONNECTING
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    orders = stage.open(WALL + 2 * HOUR)
    sent = [o for o in orders if isinstance(o, cmd.LinkCommand)]
    assert [type(o) for o in sent] == [cmd.Configure, cmd.AddText, cmd.AddText, cmd.AppendAudio]
    assert only(orders, cmd.Configure) == [cmd.Configure("configure-2", session)]
    assert [o.text for o in only(orders, cmd.AddText)] == ["And now?", "All done."]


@pytest.mark.parametrize("year", [0.0, 1.0, 2.0**31 * 2, WALL - 86400, WALL + 86400 * 365 * 74])
def test_a_clock_that_is_wrong_by_years_assumes_half_an_hour(year: float) -> None:
    now = Instant(50.0, WALL)
    if not year:
        assert lifetime(year, now) is None
        return
    assert lifetime(year, now) == (50 + ASSUMED_S - 300, 50 + ASSUMED_S - 30)
    stage = lasting().ready(expires_at=year)
    stage.turn()
    assert not only(quiet(stage, ASSUMED_S - 320), cmd.Connect)
    assert only(quiet(stage, 30), cmd.Connect) == [cmd.Connect(2)]


@pytest.mark.parametrize("expires_at", [None, 0.0])
def test_a_server_without_an_end_is_never_left(expires_at: float | None) -> None:
    stage = lasting().ready(expires_at)
    stage.turn()
    assert not only(stage.wait(10 * HOUR, step=60), cmd.Disconnect)


def test_a_short_session_is_used_for_half_of_its_time_at_least() -> None:
    assert lifetime(WALL + 60, Instant(0, WALL)) == (30, 45)
    stage = lasting().ready(expires_at=WALL + 60)
    stage.turn()
    assert not only(quiet(stage, 1000 + 29 - stage.now), cmd.Connect)
    assert only(quiet(stage, 2), cmd.Connect) == [cmd.Connect(2)]
