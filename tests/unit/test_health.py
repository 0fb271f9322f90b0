"""What the satellite says of itself is computed from evidence (law 2)."""

from __future__ import annotations

from stage import Stage, only

from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec


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


def test_a_configuration_that_is_not_taken_over_is_a_problem_until_one_is() -> None:
    stage = Stage().ready()
    stage.tell(ev.ConfigRead(("config.yaml:2:1: nam: is not a known key", "another")))
    (problem,) = stage.shown.problems
    assert (problem.code, problem.detail) == (
        "config_rejected",
        (
            "the file that was read again is wrong and not in use:"
            " config.yaml:2:1: nam: is not a known key; and 1 more"
        ),
    )
    assert stage.shown.state == "idle", "it goes on as before"
    stage.tell(ev.ConfigRead(("the other",)))
    assert stage.shown.problems[0].detail.endswith("not in use: the other")
    stage.tell(ev.ConfigRead())
    assert not stage.shown.problems


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


def test_a_problem_that_begins_is_told_once_and_one_that_flaps_once_a_minute() -> None:
    stage = Stage().ready()
    for _ in range(5):
        stage.tell(ev.MicLost("none found"))
        stage.wait(2)
        stage.tell(ev.MicReady())
        stage.wait(2)
    (fault,) = stage.published(rec.Fault)
    assert (fault.event_type, fault.code, fault.message) == ("error", "mic_missing", "none found")
    assert fault.fix
    assert fault.device_id == "kitchen"
    stage.wait(60)
    stage.tell(ev.MicLost("none found"))
    assert len(stage.published(rec.Fault)) == 2


def test_that_the_broker_is_away_is_told_to_nobody_who_could_hear_it() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusDown("another client uses our id", "rename it", "client_id_in_use"))
    assert [p.code for p in stage.shown.problems] == ["client_id_in_use"]
    assert not stage.published(rec.Fault)


def test_topics_that_may_not_be_written_and_a_broken_disk_are_problems() -> None:
    stage = Stage().ready()
    topics = tuple(f"satellite/kitchen/{n}" for n in ("turn", "response", "state", "usage"))
    stage.tell(ev.OutboxNoted(denied=topics, fault="the disk is full"))
    denied, disk = stage.shown.problems
    assert denied.code == "mqtt_denied"
    assert denied.detail == (
        "the broker does not let us write satellite/kitchen/turn, satellite/kitchen/response,"
        " satellite/kitchen/state and 1 more"
    )
    assert (disk.code, disk.detail) == ("disk", "the disk is full")
    assert {fault.code for fault in stage.published(rec.Fault)} == {"mqtt_denied", "disk"}
    stage.tell(ev.OutboxNoted())
    assert not stage.shown.problems
