"""The microphone is closed on order: what was being said is not for anybody (P7, F56)."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.link import Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import silence
from satellite.model.session import Session

SOUND = (cmd.AppendAudio, cmd.CommitInput)


def begun(stage: Stage) -> Stage:
    """Somebody has begun to speak, and the server has not said anything about it."""
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    return stage


def reasons(stage: Stage) -> list[str | None]:
    return [turn.reason for turn in stage.published(rec.TurnRecord)]


def test_a_sentence_that_the_server_hears_goes_with_its_session() -> None:
    stage = begun(Stage().ready())
    stage.server(ev.SpeechStarted("u1"))
    orders = stage.tell(ev.MicClosed())
    assert cmd.Disconnect(1) in orders
    assert not any(isinstance(order, SOUND) for order in orders)
    assert cmd.HoldGate(False) in orders
    assert stage.state.link.phase is Phase.DOWN
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason, turn.item_id) == ("failed", "muted", "u1")
    assert stage.published(rec.Transcript)[0].event_type == "missing"
    assert stage.shown.state == "muted"


def test_one_that_the_server_has_not_noticed_is_cleared_and_told() -> None:
    stage = begun(Stage().ready())
    orders = stage.tell(ev.MicClosed())
    assert only(orders, cmd.ClearInput)
    assert not only(orders, cmd.Disconnect)
    assert reasons(stage) == ["muted"]


def test_when_the_notice_crosses_the_clear_the_session_ends_all_the_same() -> None:
    stage = begun(Stage().ready())
    stage.tell(ev.MicClosed())
    orders = stage.server(ev.SpeechStarted("u1"))
    assert cmd.Disconnect(1) in orders
    assert not any(isinstance(order, SOUND) for order in [*orders, *stage.wait(60)])
    assert stage.state.talk.turns == ()


def test_what_waits_for_a_session_is_never_sent() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    begun(stage)
    stage.tell(ev.GateClosed(too_long=False))
    begun(stage)
    stage.tell(ev.MicClosed())
    assert reasons(stage) == ["muted", "muted"]
    orders = stage.open()
    assert not any(isinstance(order, SOUND) for order in orders)
    assert stage.shown.state == "muted"


def test_a_question_that_was_asked_to_its_end_is_answered() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    orders = stage.tell(ev.MicClosed())
    assert not [order for order in orders if isinstance(order, cmd.LinkCommand | cmd.Disconnect)]
    assert stage.shown.state == "thinking"
    assert stage.shown.muted
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    assert (stage.shown.state, stage.shown.muted) == ("speaking", True)
    stage.tell(ev.PlayoutDrained("r1"))
    stage.wait(1)
    assert (stage.shown.state, stage.shown.muted) == ("muted", True)
    assert [turn.event_type for turn in stage.published(rec.TurnRecord)] == ["answered"]


@pytest.mark.parametrize("ms", [60, 2000])
def test_where_we_end_the_turns_the_sentence_is_forgotten(ms: int) -> None:
    stage = Stage(settings(session=Session(manual=True))).ready()
    stage.tell(ev.GateOpened(), ev.Heard(silence(ms), ms, stage.now))
    orders = stage.tell(ev.MicClosed())
    assert [o for o in orders if isinstance(o, cmd.LinkCommand)] == [cmd.ClearInput()]
    assert reasons(stage) == ["muted"]
    assert not any(isinstance(order, SOUND) for order in stage.wait(60))


def test_muted_is_no_fault_however_long_it_lasts() -> None:
    stage = Stage().ready()
    stage.tell(ev.MicLost("no microphone found"))
    stage.tell(ev.MicClosed())
    for _ in range(10):
        stage.now += 1
        stage.tell(ev.Tick(None))
    assert (stage.shown.state, stage.shown.muted, stage.shown.problems) == ("muted", True, ())


def test_it_is_muted_until_something_is_heard_again() -> None:
    stage = Stage().ready()
    stage.tell(ev.MicClosed())
    stage.tell(ev.MicLost("no microphone found"))  # it was to be opened, and is not there
    assert (stage.shown.state, stage.shown.muted) == ("error", False)
    stage.tell(ev.MicReady())
    assert (stage.shown.state, stage.shown.muted) == ("idle", False)


def test_the_next_sentence_is_a_conversation_that_goes_on() -> None:
    stage = Stage().ready()
    stage.turn()
    begun(stage)
    stage.server(ev.SpeechStarted("u2"))
    stage.tell(ev.MicClosed())
    stage.tell(ev.MicReady())
    begun(stage)
    assert cmd.AddText("user", "Hi.") in stage.open()
