"""Requests over MQTT: each answered, each carried out once, and only what may be."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from stage import VOICE, WALL, Stage, only, settings

from satellite.logic.asked import BUILT, LIMITED, MEMORY_S, MOST_KNOWN, MOST_WAITING, AskedSettings
from satellite.logic.doing import LISTEN_S, RESTART_S
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model import requests as req
from satellite.model.requests import Order, Reply, Request
from satellite.model.session import Session
from satellite.wire.verbs import VERBS

ORDERS: dict[str, Order] = {
    "activation": req.Set("activation", "push_to_talk"),
    "ask": req.Ask("Is it warm?"),
    "cancel": req.Cancel(),
    "get": req.Get(),
    "instructions": req.Set("instructions", "Be brief."),
    "language": req.Set("language", "de"),
    "listen": req.Listen(True),
    "mute": req.Mute(True),
    "new_session": req.NewSession(),
    "replay": req.Replay(5),
    "restart": req.Restart(),
    "say": req.Say("Dinner is ready."),
    "sensitivity": req.Set("sensitivity", 3),
    "transcription_prompt": req.Set("transcription_prompt", "Kitchen."),
    "voice": req.Set("voice", "cedar"),
    "volume": req.Set("volume", 40),
}


def asks(
    stage: Stage,
    verb: str,
    order: Order | None = None,
    name: str | None = None,
    sent_at: float | None = None,
    reply: Reply | None = None,
) -> list[cmd.Command]:
    order = order or ORDERS[verb]
    return stage.tell(ev.Asked(Request(verb, order, name, sent_at, reply)))


def answers(orders: list[cmd.Command]) -> list[tuple[str, str]]:
    return [(each.result.cmd, each.result.status) for each in only(orders, cmd.Answer)]


def why(orders: list[cmd.Command]) -> str:
    (answer,) = only(orders, cmd.Answer)
    return answer.result.error or ""


def test_every_verb_is_here() -> None:
    assert set(ORDERS) == set(VERBS)


@pytest.mark.parametrize("verb", ORDERS)
def test_a_request_has_one_last_answer(verb: str) -> None:
    stage = Stage().ready()
    stage.now += 100
    asks(stage, verb, name="a1", reply=Reply("me", b"7"))
    stage.tell(ev.MicClosed())  # as a mute has it
    stage.wait(30)
    if stage.state.link.number and not stage.state.link.settled.asked:
        stage.wait(1)
    stage.tell(ev.StopRequested(15))
    found = only(stage.orders, cmd.Answer)
    assert all(each.reply == Reply("me", b"7") for each in found)
    assert all((each.result.cmd, each.result.id) == (verb, "a1") for each in found)
    statuses = [each.result.status for each in found]
    assert statuses[:-1] in ([], ["accepted"])
    assert statuses[-1] != "accepted" or verb == "replay"  # its last one is the outbox's


@pytest.mark.parametrize("verb", ORDERS)
def test_a_second_delivery_gets_the_same_answer_and_is_not_carried_out(verb: str) -> None:
    stage = Stage().ready()
    stage.now += 100
    asks(stage, verb, name="a1")
    if only(stage.orders, cmd.Exit):
        return
    first = only(stage.orders, cmd.Answer)[-1].result
    orders = asks(stage, verb, name="a1", reply=Reply("me"))
    assert orders == [cmd.Answer(first, Reply("me"))]
    asks(stage, verb, name="a2")
    assert len(only(stage.orders, cmd.Answer)) > 2 or verb == "say"


def test_the_answer_of_the_second_delivery_is_the_last_one_when_there_is() -> None:
    stage = Stage().ready()
    assert answers(asks(stage, "mute", name="a1")) == [("mute", "accepted")]
    assert answers(asks(stage, "mute", name="a1")) == [("mute", "accepted")]
    assert answers(stage.tell(ev.MicClosed())) == [("mute", "done")]
    assert answers(asks(stage, "mute", name="a1")) == [("mute", "done")]


def test_the_same_id_for_another_verb_is_another_request() -> None:
    stage = Stage().ready()
    asks(stage, "volume", name="a1")
    assert answers(asks(stage, "get", name="a1")) == [("get", "done")]


def test_an_id_is_forgotten_after_a_while_and_after_many() -> None:
    stage = Stage().ready()
    asks(stage, "volume", name="a1")
    stage.now += MEMORY_S - 1
    assert len(asks(stage, "volume", req.Set("volume", 7), "a1")) == 1
    stage.now += 2
    assert only(asks(stage, "volume", req.Set("volume", 7), "a1"), cmd.SetVolume)
    for n in range(MOST_KNOWN):
        asks(stage, "volume", name=f"b{n}")
    assert len(stage.state.asked.known) == MOST_KNOWN
    assert only(asks(stage, "volume", req.Set("volume", 8), "a1"), cmd.SetVolume)


def test_what_was_sent_long_ago_is_not_carried_out() -> None:
    stage = Stage().ready()
    wall = stage.instant.wall
    assert answers(asks(stage, "volume", sent_at=wall - 29)) == [("volume", "done")]
    orders = asks(stage, "volume", req.Set("volume", 7), sent_at=wall - 31)
    assert answers(orders) == [("volume", "expired")]
    assert why(orders).startswith("was sent 31 s ago, more than 30;")
    assert not only(orders, cmd.SetVolume)
    assert answers(asks(stage, "get", sent_at=wall + 3600)) == [("get", "done")]


def test_a_clock_that_was_never_set_makes_nothing_stale() -> None:
    stage = Stage().ready()
    stage.now += BUILT - 1 - WALL
    assert answers(asks(stage, "volume", sent_at=BUILT - 1000)) == [("volume", "done")]


def test_what_the_owner_switched_off_is_rejected() -> None:
    given = replace(settings(), asked=AskedSettings(frozenset({"say", "restart"})))
    stage = Stage(given).ready()
    orders = asks(stage, "say")
    assert answers(orders) == [("say", "rejected")]
    assert why(orders) == "say is switched off here (commands.refuse in the configuration)"
    assert not only(orders, cmd.SpeakText)
    assert answers(asks(stage, "volume")) == [("volume", "done")]


def test_what_was_not_understood_is_answered() -> None:
    stage = Stage().ready()
    refused = req.Refused("say", "say: has no text; send one", "a1", Reply("me"))
    (answer,) = only(stage.tell(ev.Misasked(refused)), cmd.Answer)
    assert (answer.result.cmd, answer.result.id, answer.reply) == ("say", "a1", Reply("me"))
    assert (answer.result.status, answer.result.error) == ("rejected", refused.error)


def test_what_came_too_fast_is_answered_once_a_second_by_its_number() -> None:
    stage = Stage().ready()
    found: list[rec.Result] = []
    for n in range(1, 41):
        stage.now += 0.1
        found += [a.result for a in only(stage.tell(ev.Tick(stage.now, n * 100)), cmd.Answer)]
    stage.now += 1
    found += [a.result for a in only(stage.tell(ev.Tick(stage.now, 4000)), cmd.Answer)]
    assert 4 <= len(found) <= 5
    assert {(each.cmd, each.status) for each in found} == {(LIMITED, "rejected")}
    assert sum(int((each.error or "").split()[1]) for each in found) == 4000
    assert all((each.error or "").startswith("rate_limited: ") for each in found)


def test_too_many_that_wait_give_way_to_those_that_come() -> None:
    stage = Stage().ready()
    for n in range(MOST_WAITING + 50):
        asks(stage, "mute", name=f"m{n}")
    assert len(stage.state.asked.waiting) == MOST_WAITING
    stage.tell(ev.MicClosed())
    last = [a.result for a in only(stage.orders, cmd.Answer) if a.result.status != "accepted"]
    assert Counter(each.status for each in last) == {"failed": 50, "done": MOST_WAITING}
    assert len({each.id for each in last}) == MOST_WAITING + 50


def test_the_end_of_the_satellite_answers_all_that_wait() -> None:
    stage = Stage().ready()
    asks(stage, "mute", name="m")
    asks(stage, "listen", req.Listen(True), name="l")
    asks(stage, "say", name="s")
    asks(stage, "say", req.Say("And dessert."), name="t")
    asks(stage, "voice", name="v")
    stage.orders.clear()
    orders = stage.tell(ev.StopRequested(15))
    last = Counter(each.result.id for each in only(orders, cmd.Answer))
    assert last == {"m": 1, "s": 1, "t": 1, "v": 1}  # listen was rejected: muted
    assert isinstance(orders[-1], cmd.Exit)


def test_get_tells_everything_again() -> None:
    stage = Stage().ready()
    stage.tell(ev.BusUp())
    orders = asks(stage, "get")
    assert answers(orders) == [("get", "done")]
    told = {type(each.record) for each in only(orders, cmd.Publish)}
    assert {rec.State, rec.Settings} <= told
    assert only(orders, cmd.AnnounceOnline)


def test_replay_goes_to_the_journal() -> None:
    stage = Stage().ready()
    (order,) = only(asks(stage, "replay", reply=Reply("me")), cmd.Replay)
    assert (order.since, order.most, order.reply) == (5, 2000, Reply("me"))


def test_a_restart_ends_in_order_with_the_code_that_begins_again() -> None:
    stage = Stage().ready()
    stage.now += RESTART_S
    stage.speak("u1")
    orders = asks(stage, "restart")
    assert answers(orders) == [("restart", "done")]
    assert orders[-1] == cmd.Exit(cmd.START_AGAIN)
    assert stage.shown.state == "offline"
    (turn,) = stage.published(rec.TurnRecord)
    assert turn.reason == "stopped"


def test_restarts_come_no_faster_than_systemd_allows() -> None:
    stage = Stage().ready()
    stage.now += 12
    orders = asks(stage, "restart")
    assert answers(orders) == [("restart", "rejected")]
    assert why(orders) == "it started 12 s ago; ask again 90 s after a start"
    assert not only(orders, cmd.Exit)


# --- listen --------------------------------------------------------------------------------------


def test_listen_is_done_when_somebody_speaks() -> None:
    stage = Stage().ready()
    orders = asks(stage, "listen", req.Listen(True, 7))
    assert only(orders, cmd.OpenGate) == [cmd.OpenGate(True, 7)]
    assert answers(orders) == [("listen", "accepted")]
    assert answers(stage.tell(ev.GateOpened())) == [("listen", "done")]


def test_listen_expires_when_nobody_speaks() -> None:
    stage = Stage().ready()
    asks(stage, "listen")
    assert answers(stage.wait(LISTEN_S - 1)) == []
    assert answers(stage.wait(1)) == [("listen", "expired")]


def test_listen_is_ended_by_another_and_by_stop() -> None:
    stage = Stage().ready()
    asks(stage, "listen")
    again = [("listen", "cancelled"), ("listen", "accepted")]
    assert answers(asks(stage, "listen")) == again
    orders = asks(stage, "listen", req.Listen(False))
    assert answers(orders) == [("listen", "cancelled"), ("listen", "done")]
    assert only(orders, cmd.OpenGate) == [cmd.OpenGate(False, LISTEN_S)]


# --- another conversation ------------------------------------------------------------------------


def test_a_new_session_knows_nothing_of_the_conversation() -> None:
    stage = Stage().ready()
    stage.turn()
    number = stage.state.link.number
    orders = asks(stage, "new_session")
    assert answers(orders) == [("new_session", "done")]
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(number)]
    assert only(orders, cmd.Connect) == [cmd.Connect(number + 1)]
    assert not only(stage.open(), cmd.AddText)
    stage.turn(2)
    stage.lose()
    assert only(stage.reconnect(), cmd.AddText)


def test_a_new_session_ends_what_is_under_way_with_a_reason() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    asks(stage, "say", name="s")
    orders = asks(stage, "new_session")
    assert ("say", "cancelled") in answers(orders)
    turns = [each for each in stage.published(rec.TurnRecord) if each.reason == "new_session"]
    assert [turn.item_id for turn in turns] == ["u1"]
    assert stage.state.talk.said == ()


def test_an_answer_that_is_still_heard_is_not_told_to_the_new_session() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.server(ev.UserTranscript("u1", "Who am I?"))
    stage.answer("r1", "a1")
    asks(stage, "new_session")
    stage.open()
    stage.tell(ev.PlayoutDrained("r1"))
    assert len(stage.published(rec.TurnRecord)) == 1
    stage.lose()
    assert not only(stage.reconnect(), cmd.AddText)


def test_a_new_session_is_tried_at_once_where_there_is_none() -> None:
    stage = Stage().ready()
    stage.turn()
    stage.lose()
    orders = asks(stage, "new_session")
    assert only(orders, cmd.Connect)
    assert not only(stage.open(), cmd.AddText)


def test_a_session_that_only_writes_down_is_not_asked() -> None:
    stage = Stage(settings(session=Session(kind="transcription"))).ready()
    assert answers(asks(stage, "ask")) == [("ask", "rejected")]
    assert VOICE not in {getattr(order, "pcm", None) for order in stage.orders}
