"""What it costs, by day and month, and that no more is spent than the budget allows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from stage import WALL, Stage, only, settings

from satellite.logic import satellite as logic
from satellite.logic import usage as usage_
from satellite.logic.usage import DAY_S, JUMP_S, KEEP_S, Ledger, Period, Usage
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant, silence
from satellite.model.models import SPEAKERS, TRANSCRIBERS
from satellite.model.requests import Ask, NewSession, Request

PRICE = SPEAKERS["gpt-realtime-2.1"].price
BY_MINUTE = TRANSCRIBERS["gpt-transcribe"].price
assert PRICE is not None
CENT = ev.Usage(0, 160, output_audio_tokens=160)  # one US cent of voice


def a_stage(**caps: float) -> Stage:
    stage = Stage(settings(price=PRICE, **caps)).ready()
    stage.tell(ev.BusUp())
    return stage


def answer(stage: Stage, number: int, usage: ev.Usage | None = CENT) -> list[cmd.Command]:
    """A whole turn whose answer costs a cent."""
    fresh = stage.speak(f"u{number}")
    fresh += stage.server(ev.UserTranscript(f"u{number}", "Hi."))
    fresh += stage.server(
        ev.ResponseCreated(f"r{number}"),
        ev.TextDelta(f"r{number}", 0, 0, "Hello."),
        ev.AudioDelta(f"r{number}", f"a{number}", 0, 0, silence(1000)),
        ev.ResponseDone(f"r{number}", "completed", None, usage),
    )
    fresh += stage.tell(ev.PlayoutDrained(f"r{number}"))
    return fresh + stage.wait(1)


def told(orders: list[cmd.Command]) -> list[rec.Usage]:
    records = [order.record for order in only(orders, cmd.Publish)]
    return [record for record in records if isinstance(record, rec.Usage)]


def kept(stage: Stage) -> object:
    """What was remembered last, through JSON as a store would."""
    values = [o.value for o in only(stage.orders, cmd.Keep) if o.name == "usage"]
    return json.loads(json.dumps(values[-1]))


def test_each_turn_is_counted_told_and_kept() -> None:
    stage = a_stage(cap_day=1.0, cap_month=20.0)
    orders = answer(stage, 1)
    (record,) = told(orders)
    assert record.turns_today == 1
    assert record.tokens_today == 160
    assert record.cost_today_usd == pytest.approx(0.01, abs=1e-3)
    assert record.cost_month_usd == record.cost_today_usd
    assert record.cost_exact
    assert (record.day, record.month) == ("2026-11-21", "2026-11")
    assert (record.cap_day_usd, record.cap_month_usd) == (1.0, 20.0)
    assert record.sent_today_s > 0
    assert len([o for o in only(orders, cmd.Keep) if o.name == "usage"]) == 1
    assert not told(stage.wait(300)), "nothing changes, nothing is told"


def test_a_restart_goes_on_counting() -> None:
    stage = a_stage()
    answer(stage, 1)
    state, _ = logic.start(stage.instant, stage.settings, {"usage": kept(stage)})
    shown = state.usage.shown
    assert shown is not None
    assert shown.turns_today == 1
    assert shown.cost_today_usd == pytest.approx(0.01, abs=1e-3)


@pytest.mark.parametrize("kept", [None, 5, [], {"day": 3}, {"day": {"usd": "much"}}])
def test_what_was_kept_and_makes_no_sense_is_forgotten(kept: object) -> None:
    assert usage_.start(kept) == Usage()


def test_a_new_day_begins_with_nothing_and_says_so_a_new_month_too() -> None:
    stage = a_stage()
    answer(stage, 1)
    stage.now += 16 * 3600 - 60
    (record,) = told(stage.wait(120))
    assert (record.day, record.turns_today, record.cost_today_usd) == ("2026-11-22", 0, 0)
    assert record.cost_month_usd > 0
    stage.now += 9 * DAY_S
    (record,) = told(stage.wait(2))
    assert (record.month, record.cost_month_usd) == ("2026-12", 0)


def look(usage: Usage, mono: float, wall: float, **caps: float) -> Usage:
    stage = settings(**caps)
    now = Instant(mono, WALL + wall)
    return usage_.note(usage, (), usage_.Counted(), (), now, stage.usage, stage.talk.report)[0]


def spent_a_dollar() -> Usage:
    ledger = Ledger(Period("2026-11-21", 1.0), Period("2026-11", 1.0), turns=3)
    return Usage(ledger, looked=Instant(0.0, WALL), earned=True)


def test_a_clock_that_is_moved_back_gives_nothing_back() -> None:
    usage = look(spent_a_dollar(), 1.0, -40 * DAY_S)
    assert usage.ledger.day == Period("2026-10-12", 1.0)
    assert usage.ledger.month.usd == 1.0
    assert usage_.spent(usage, settings(cap_day=1.0).usage) is not None


def test_a_clock_that_jumps_forward_gives_nothing_back_for_a_day_of_its_own() -> None:
    limits = settings(cap_day=1.0).usage
    usage = look(spent_a_dollar(), 1.0, DAY_S)
    assert usage.ledger.day.usd == 0.0
    assert usage.shown is not None
    assert usage.shown.cost_today_usd == 0.0
    assert usage_.spent(usage, limits) == (
        "day",
        (
            "1.00 US dollars were spent this day, of 1.00,"
            " with what was spent before the clock was changed"
        ),
    )
    usage = look(usage, 2.0, 1.0)  # and back again
    assert usage_.spent(usage, limits) is not None
    usage = look(usage, 2.0 + DAY_S, 1.0 + DAY_S)
    assert usage_.spent(usage, limits) is None, "it ends by itself"


def test_a_clock_that_is_set_before_anything_was_spent_is_believed() -> None:
    usage = look(replace(spent_a_dollar(), earned=False), 30.0, 3 * DAY_S)
    assert usage.ledger.day == Period("2026-11-24")
    steady = look(spent_a_dollar(), DAY_S, DAY_S + JUMP_S / 2)
    assert steady.ledger.day == Period("2026-11-22")


def test_counts_that_are_missing_or_too_small_give_way_to_the_sound() -> None:
    """A second of voice is 20 tokens of 64 dollars a million."""
    for usage in (None, ev.Usage(0, 1, output_audio_tokens=1)):
        (record,) = told(answer(a_stage(), 1, usage))
        assert record.cost_today_usd >= 20 * 64 / 1e6
        assert not record.cost_exact


def test_an_answer_is_counted_although_its_transcript_has_no_price() -> None:
    stage = a_stage()
    orders = stage.speak("u1")
    written = ev.TranscriptUsage(input_tokens=17, output_tokens=9)
    orders += stage.server(ev.UserTranscript("u1", "Hi.", usage=written))
    orders += stage.server(
        ev.ResponseCreated("r1"),
        ev.TextDelta("r1", 0, 0, "Hello."),
        ev.ResponseDone("r1", "completed", None, CENT),
    )
    assert stage.published(rec.TurnRecord)[-1].cost_usd is None
    assert told(orders)[-1].cost_today_usd == pytest.approx(0.01, abs=1e-3)
    assert not told(orders)[-1].cost_exact


def test_sound_without_a_turn_counts_and_is_kept_every_five_minutes_of_it() -> None:
    stage = Stage(settings(transcript_price=BY_MINUTE)).ready()
    before = len(stage.orders)
    stage.tell(ev.GateOpened())
    for _ in range(int(2 * KEEP_S) + 5):
        stage.now += 1
        stage.tell(ev.Heard(silence(1000), 0, None))
    orders = stage.orders[before:]
    assert len([o for o in only(orders, cmd.Keep) if o.name == "usage"]) == 2
    assert told(orders)[-1].sent_today_s == pytest.approx(2 * KEEP_S, abs=2)
    assert told(orders)[-1].cost_today_usd == pytest.approx(10 * 0.0045, rel=0.01)


def test_most_of_a_budget_is_a_warning_once() -> None:
    stage = a_stage(cap_day=0.05)
    for number in range(1, 5):
        answer(stage, number)
    (warning,) = stage.published(rec.Fault)
    assert (warning.event_type, warning.code) == ("warning", "budget_near")
    assert warning.message == "0.04 of 0.05 US dollars of this day are spent"
    state, orders = logic.start(stage.instant, stage.settings, {"usage": kept(stage)})
    assert state.usage.ledger.day.warned
    assert not [o for o in orders if isinstance(o, cmd.Publish) and o.record == warning]


def test_a_spent_budget_ends_the_session_and_opens_no_other_until_the_next_day() -> None:
    stage = a_stage(cap_day=0.02)
    answer(stage, 1)
    assert stage.state.link.phase.name == "READY"
    orders = answer(stage, 2)
    assert only(orders, cmd.Disconnect)
    assert stage.published(rec.Response)[-1].event_type == "completed", "the last is heard out"
    (problem,) = stage.shown.problems
    assert problem.code == "budget"
    assert problem.detail == "0.02 US dollars were spent this day, of 0.02"
    assert "budget.per_day" in problem.fix
    assert stage.shown.state == "offline"
    (fault,) = [f for f in stage.published(rec.Fault) if f.event_type == "error"]
    assert fault.code == "budget"
    orders = stage.tell(ev.GateOpened(), ev.Heard(silence(500), 500, stage.now))
    orders += stage.tell(ev.GateClosed(too_long=False)) + stage.wait(1800)
    assert not only(orders, cmd.Connect)
    turn = stage.published(rec.TurnRecord)[-1]
    assert (turn.event_type, turn.reason) == ("failed", "budget")
    stage.change(instructions="Be brief.")
    assert not only(stage.wait(10), cmd.Connect), "a person who acts does not lift it"
    stage.now += 16 * 3600
    stage.wait(2)
    assert not stage.shown.problems
    assert only(stage.tell(ev.GateOpened(), ev.Heard(silence(500), 500, stage.now)), cmd.Connect)


def test_a_cap_that_is_raised_while_it_is_reached_opens_a_session_again() -> None:
    stage = a_stage(cap_day=0.02)
    answer(stage, 1)
    answer(stage, 2)
    assert [problem.code for problem in stage.shown.problems] == ["budget"]
    orders = stage.tune(cap_day=5.0)
    assert not stage.shown.problems
    assert told(orders)[-1].cap_day_usd == 5.0
    assert not told(stage.tune()), "it is told once"
    assert only(stage.tell(ev.GateOpened(), ev.Heard(silence(500), 500, stage.now)), cmd.Connect)


def test_neither_a_restart_nor_another_conversation_opens_a_session_without_money() -> None:
    stage = a_stage(cap_day=0.01)
    answer(stage, 1)
    orders = stage.tell(ev.Asked(Request("new_session", NewSession(), id="8")))
    assert only(orders, cmd.Answer)[-1].result.status == "done"
    assert not only(orders, cmd.Connect)
    state, begun = logic.start(stage.instant, stage.settings, {"usage": kept(stage)})
    assert not only(list(begun), cmd.Connect)
    assert state.link.refusal is not None
    assert state.link.refusal.code == "budget"


def test_what_is_asked_over_mqtt_is_told_why_there_is_no_answer() -> None:
    stage = a_stage(cap_day=0.01)
    answer(stage, 1)
    request = Request("ask", Ask("Is a window open?"), id="7")
    orders = stage.tell(ev.Asked(request)) + stage.wait(5)
    last = only(orders, cmd.Answer)[-1].result
    assert last.status == "failed"
    assert last.error is not None
    assert "US dollars were spent" in last.error


def test_an_answer_under_way_is_finished_but_nothing_more_is_sent() -> None:
    stage = Stage(settings(price=PRICE, half_duplex=False, cap_month=0.01)).ready()
    answer(stage, 1, None)
    stage.speak("u2")
    stage.server(ev.ResponseCreated("r2"), ev.TextDelta("r2", 0, 0, "Hello."))
    for n in range(8):  # 8 s of voice are more than a cent
        stage.server(ev.AudioDelta("r2", "a2", 0, 0, silence(1000)))
        assert stage.state.link.phase.name == "READY", n
    orders = stage.hold_to_speak()
    assert not only(orders, cmd.AppendAudio)
    (turn,) = [o.record for o in only(orders, cmd.Publish) if isinstance(o.record, rec.TurnRecord)]
    assert (turn.event_type, turn.reason) == ("failed", "budget")
    orders = stage.server(ev.ResponseDone("r2", "completed", None, CENT))
    assert only(orders, cmd.Disconnect)
    assert "this month" in stage.shown.problems[0].detail


def test_without_a_price_nothing_is_counted_and_no_cap_holds() -> None:
    stage = Stage(settings(cap_day=0.01)).ready()
    stage.tell(ev.BusUp())
    for number in range(1, 6):
        orders = answer(stage, number)
    (record,) = told(orders)
    assert (record.cost_today_usd, record.cost_exact) == (0, False)
    assert stage.state.link.phase.name == "READY"
