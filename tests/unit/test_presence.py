"""The house is told everything at each connect, then what changes, and that we live."""

from __future__ import annotations

import pytest
from stage import Stage, only

from satellite.logic.presence import ENTITIES_S, HOUSE_S, PULSE_S, SETTLE_S
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.requests import Get, Request, Set, Setting


def choose(stage: Stage, setting: Setting, value: str | int) -> list[cmd.Command]:
    """A person sends a value for a setting."""
    return stage.tell(ev.Asked(Request(setting, Set(setting, value))))


def told(orders: list[cmd.Command]) -> list[rec.Settings]:
    records = [order.record for order in only(orders, cmd.Publish)]
    return [record for record in records if isinstance(record, rec.Settings)]


def pulses(orders: list[cmd.Command]) -> list[rec.Diagnostics]:
    records = [order.record for order in only(orders, cmd.Publish)]
    return [record for record in records if isinstance(record, rec.Diagnostics)]


def test_entities_follow_a_connect_within_a_second_and_diagnostics_when_they_are_known() -> None:
    stage = Stage().ready()
    orders = stage.tell(ev.BusUp())
    assert not only(orders, cmd.AnnounceEntities)
    orders = stage.wait(ENTITIES_S[1], step=0.1)
    assert only(orders, cmd.AnnounceEntities) == [
        cmd.AnnounceEntities(stage.published(rec.Settings)[-1])
    ]
    assert only(orders, cmd.Keep) == [cmd.Keep("announced", ["t/state"])]
    assert not pulses(orders)
    (pulse,) = pulses(stage.wait(SETTLE_S + 0.2, step=0.1))
    assert pulse.session_connected
    assert pulse.mqtt_reconnects == 0


def test_the_deadline_of_the_entities_is_known_to_the_core() -> None:
    from satellite.logic import satellite as logic

    stage = Stage().ready()
    stage.tell(ev.BusUp())
    due = logic.deadline(stage.state)
    assert due is not None
    assert stage.now < due <= stage.now + ENTITIES_S[1]


def test_an_idle_satellite_says_one_thing_a_minute() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusUp())
    stage.wait(ENTITIES_S[1] + SETTLE_S + 5, step=0.1)
    before = len(stage.orders)
    stage.wait(10 * PULSE_S)
    sent = stage.orders[before:]
    assert len(pulses(sent)) == 10
    rest = [o for o in sent if isinstance(o, cmd.HouseCommand) and o not in only(sent, cmd.Publish)]
    assert not rest
    assert len(only(sent, cmd.Publish)) == 10


def test_home_assistants_birth_has_everything_told_again() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusUp())
    stage.wait(30)
    before = len(stage.orders)
    stage.tell(ev.HouseUp(), ev.HouseUp())
    assert not [o for o in stage.orders[before:] if isinstance(o, cmd.HouseCommand)]
    orders = stage.wait(HOUSE_S + 1, step=0.1)
    assert len(only(orders, cmd.AnnounceOnline)) == 1
    assert len(only(orders, cmd.AnnounceEntities)) == 1
    kinds = [type(order.record) for order in only(orders, cmd.Publish)]
    assert kinds == [rec.State, rec.Settings, rec.Usage]
    assert len(pulses(stage.wait(SETTLE_S + 0.2, step=0.1))) == 1


def test_who_asks_for_everything_gets_it_at_once() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusUp())
    stage.wait(30)
    orders = stage.tell(ev.Asked(Request("get", Get())))
    assert len(only(orders, cmd.AnnounceOnline)) == 1
    assert len(only(orders, cmd.AnnounceEntities)) == 1
    kinds = [type(order.record) for order in only(orders, cmd.Publish)]
    assert kinds == [rec.State, rec.Settings, rec.Usage]


def test_a_changed_setting_is_told_once() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusUp())
    stage.wait(5)
    (published,) = told(choose(stage, "volume", 30) + stage.wait(5))
    assert published.volume == 30


def test_a_value_that_cannot_be_chosen_yet_is_announced_before_it_is_told() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusUp())
    stage.wait(5)
    orders = choose(stage, "voice", "my own") + stage.wait(5, step=0.1)
    (announced,) = only(orders, cmd.AnnounceEntities)
    (published,) = told(orders)
    assert announced.settings == published
    assert published.voice == "my own"
    assert orders.index(announced) < orders.index(cmd.Publish(published))


def test_nothing_is_told_while_the_broker_is_away() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusUp())
    stage.tell(ev.BusDown("gone", "wait"))
    orders = stage.wait(120)
    assert not [o for o in orders if isinstance(o, cmd.HouseCommand)]
    stage.tell(ev.BusUp())
    (pulse,) = pulses(stage.wait(5))
    assert pulse.mqtt_reconnects == 1


def test_the_pulse_tells_what_waits_and_what_was_lost() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusUp())
    stage.lose()
    stage.reconnect()
    stage.tell(ev.OutboxNoted(waiting=3, oldest_s=1.25, expired=2))
    (pulse,) = pulses(stage.wait(5))
    found = (pulse.outbox_depth, pulse.outbox_oldest_s, pulse.outbox_expired)
    assert found == (3, 1.2, 2)
    assert pulse.session_reconnects == 1
    assert pulse.uptime_s == pytest.approx(stage.now - 1000, abs=6)
