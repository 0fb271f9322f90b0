"""What the satellite says of itself is computed from evidence (law 2)."""

from __future__ import annotations

from stage import Stage, only

from satellite.model import commands as cmd
from satellite.model import events as ev


def test_p1_no_listening_without_fresh_frames() -> None:
    stage = Stage().ready()
    stage.wait(5)
    assert stage.shown.state == "idle"
    last_frame = stage.now
    stage.now += 2.5
    stage.tell(ev.Tick(last_frame))
    assert stage.shown.state == "error"
    assert [p.code for p in stage.shown.problems] == ["mic_stalled"]
    stage.wait(1)
    assert stage.shown.state == "idle"


def test_no_microphone_is_a_problem_shown_and_ends_when_it_is_there() -> None:
    stage = Stage().start()
    stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated())
    stage.tell(ev.MicLost("no microphone found"))
    assert stage.shown.state == "error"
    (problem,) = stage.shown.problems
    assert (problem.code, problem.detail) == ("mic_missing", "no microphone found")
    since = problem.since
    stage.wait(20)
    assert stage.shown.problems[0].since == since
    stage.tell(ev.MicReady())
    assert not stage.shown.problems


def test_the_end_of_a_recording_is_shown() -> None:
    stage = Stage().ready()
    stage.tell(ev.RecordingEnded())
    assert [p.code for p in stage.shown.problems] == ["recording_ended"]
    assert stage.shown.state == "idle"


def test_birth_and_every_state_are_sent_on_every_connect_to_the_broker() -> None:
    stage = Stage().ready()
    for _ in range(2):
        orders = stage.tell(ev.BusUp())
        assert orders == [
            cmd.AnnounceOnline(),
            cmd.Publish(stage.state.health.shown),  # type: ignore[arg-type]
            cmd.Publish(stage.state.chosen.shown),  # type: ignore[arg-type]
            cmd.Publish(stage.state.usage.shown),  # type: ignore[arg-type]
        ]


def test_a_broker_that_is_away_is_a_problem_until_it_is_back() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusDown("no MQTT broker listens at localhost:1883", "start it"))
    assert [p.code for p in stage.shown.problems] == ["mqtt_unreachable"]
    orders = stage.tell(ev.BusUp())
    assert isinstance(orders[0], cmd.AnnounceOnline)
    assert len(only(orders, cmd.Publish)) == 3
    assert not stage.shown.problems


def test_the_state_is_published_only_when_it_changes() -> None:
    stage = Stage().ready()
    before = len(stage.published(type(stage.shown)))
    stage.wait(120)
    assert len(stage.published(type(stage.shown))) == before
