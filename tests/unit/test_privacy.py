"""Muted means that nothing is heard, and that only the right person ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic import privacy
from satellite.logic.asked import AskedSettings
from satellite.logic.doing import CLOSE_S
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant
from satellite.model.requests import Ask, Mute, Request


def allowing() -> Stage:
    return Stage(replace(settings(), asked=AskedSettings(remote_unmute=True)))


def mute(
    stage: Stage, on: bool | None = True, for_s: float | None = None, *, closed: bool = True
) -> list[cmd.Command]:
    fresh = stage.tell(ev.Asked(Request("mute", Mute(on, for_s))))
    if closed and stage.state.privacy.muted:
        fresh += stage.tell(ev.MicClosed())
    return fresh


def statuses(orders: list[cmd.Command]) -> list[str]:
    return [each.result.status for each in only(orders, cmd.Answer)]


def kept(orders: list[cmd.Command]) -> list[object]:
    return [each.value for each in only(orders, cmd.Keep) if each.name == "muted"]


def test_muted_is_done_when_the_microphone_is_closed() -> None:
    stage = Stage().ready()
    orders = mute(stage, closed=False)
    assert only(orders, cmd.MuteMic) == [cmd.MuteMic(True)]
    assert statuses(orders) == ["accepted"]
    assert kept(orders) == [True]
    assert stage.published(rec.Settings)[-1].muted
    assert not stage.shown.muted  # not before there is evidence
    assert statuses(stage.tell(ev.MicClosed())) == ["done"]
    assert stage.shown.muted
    assert stage.shown.state == "muted"


def test_a_device_that_does_not_close_is_said_and_not_listened_to() -> None:
    stage = Stage().ready()
    mute(stage, closed=False)
    orders = stage.wait(CLOSE_S)
    assert statuses(orders) == ["failed"]
    heard = stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert not only(heard, cmd.AppendAudio)
    assert not stage.state.talk.gate_open


def test_from_the_decision_on_no_sound_is_taken() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    mute(stage, closed=False)
    assert not only(stage.tell(ev.Heard(VOICE, 200, stage.now)), cmd.AppendAudio)
    orders = stage.tell(ev.MicClosed())
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "muted")
    assert not only(orders, cmd.AppendAudio)
    assert not only(stage.wait(60), cmd.AppendAudio)


def test_muted_the_house_may_still_ask() -> None:
    stage = Stage().ready()
    mute(stage)
    orders = stage.tell(ev.Asked(Request("ask", Ask("Is it warm?"))))
    assert cmd.AddText("user", "Is it warm?") in orders


@pytest.mark.parametrize("on", [False, None])
def test_over_mqtt_it_stays_muted_unless_the_owner_allows_it(on: bool | None) -> None:
    stage = Stage().ready()
    mute(stage)
    orders = mute(stage, on, closed=False)
    assert statuses(orders) == ["rejected"]
    (answer,) = only(orders, cmd.Answer)
    assert answer.result.error == privacy.NOT_FROM_HERE
    assert not only(orders, cmd.MuteMic)
    stage = allowing().ready()
    mute(stage)
    orders = mute(stage, on, closed=False)
    assert statuses(orders) == ["done"]
    assert only(orders, cmd.MuteMic) == [cmd.MuteMic(False)]
    assert kept(orders) == [None]
    assert not stage.published(rec.Settings)[-1].muted


def test_to_open_what_is_open_is_done() -> None:
    stage = Stage().ready()
    assert statuses(mute(stage, False)) == ["done"]


def test_toggle_mutes_what_is_open() -> None:
    stage = Stage().ready()
    assert statuses(mute(stage, None)) == ["accepted", "done"]


def test_a_person_at_the_machine_opens_it() -> None:
    stage = Stage().ready()
    mute(stage)
    orders = stage.tell(ev.UnmuteRequested())
    assert only(orders, cmd.MuteMic) == [cmd.MuteMic(False)]
    assert kept(orders) == [None]
    stage.tell(ev.MicReady())
    assert stage.shown.state == "idle"
    assert only(stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now)), cmd.AppendAudio)
    assert not only(stage.tell(ev.UnmuteRequested()), cmd.MuteMic)


def test_for_a_while_ends_by_itself() -> None:
    stage = Stage().ready()
    orders = mute(stage, True, 60)
    assert kept(orders) == [{"until": stage.instant.wall + 60}]
    assert not only(stage.wait(59.5), cmd.MuteMic)
    orders = stage.wait(0.5)
    assert only(orders, cmd.MuteMic) == [cmd.MuteMic(False)]
    assert kept(orders) == [None]
    assert not stage.published(rec.Settings)[-1].muted


def test_a_while_does_not_shorten_what_is_longer() -> None:
    """Else "for one second" would open what may not be opened."""
    stage = Stage().ready()
    mute(stage)
    orders = mute(stage, True, 1)
    assert kept(orders) == [True]
    assert not only(stage.wait(10), cmd.MuteMic)
    stage = Stage().ready()
    mute(stage, True, 100)
    mute(stage, True, 1)
    assert not only(stage.wait(99), cmd.MuteMic)
    assert only(stage.wait(1), cmd.MuteMic) == [cmd.MuteMic(False)]
    stage = allowing().ready()
    mute(stage)
    mute(stage, True, 1)
    assert only(stage.wait(1), cmd.MuteMic) == [cmd.MuteMic(False)]


def test_an_unmute_while_it_is_closing_cancels_that() -> None:
    stage = allowing().ready()
    mute(stage, closed=False)
    orders = mute(stage, False, closed=False)
    assert statuses(orders) == ["done", "cancelled"]
    assert not only(stage.tell(ev.MicClosed()), cmd.Answer)


NOW = Instant(50.0, 1_795_248_000.0)


@pytest.mark.parametrize(
    ("value", "muted", "until"),
    [
        (None, False, None),
        (False, False, None),
        (True, True, None),
        ({"until": NOW.wall + 60}, True, 110.0),
        ({"until": NOW.wall - 1}, False, None),
        ({"until": NOW.wall + 1e9}, True, 50.0 + privacy.LONGEST_S),
        ({"until": "soon"}, True, None),
        ("yes", False, None),
    ],
)
def test_it_is_as_it_was_before_a_restart(value: object, muted: bool, until: float | None) -> None:
    state, orders = privacy.begin(value, NOW)
    assert state == privacy.Privacy(muted, until)
    assert (cmd.MuteMic(True) in orders) is muted
