"""Sessions in which we end the turns: commit, ask for the answer, interrupt."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.link import PATIENCE_S, Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import silence
from satellite.model.session import Session

MANUAL = Session(manual=True)


def manual(*, half_duplex: bool = True) -> Stage:
    return Stage(settings(session=MANUAL, half_duplex=half_duplex))


def to_server(orders: list[cmd.Command]) -> list[cmd.Command]:
    return [
        o for o in orders if isinstance(o, cmd.LinkCommand) and not isinstance(o, cmd.AppendAudio)
    ]


def answered(stage: Stage, number: int = 1) -> None:
    stage.server(ev.InputCommitted(f"u{number}"), ev.UserTranscript(f"u{number}", "Hi."))
    stage.answer(f"r{number}", f"a{number}")
    stage.tell(ev.PlayoutDrained(f"r{number}"))


@pytest.mark.checklist("C30")
def test_c30_an_utterance_ends_with_a_commit_and_then_one_answer_is_asked_for() -> None:
    stage = manual().ready()
    assert to_server(stage.hold_to_speak()) == [cmd.CommitInput()]
    assert to_server(stage.server(ev.InputCommitted("u1"))) == [cmd.CreateResponse()]
    stage.server(ev.UserTranscript("u1", "Hi."))
    assert not to_server(stage.answer())
    stage.tell(ev.PlayoutDrained("r1"))
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.item_id, turn.transcript) == ("answered", "u1", "Hi.")
    assert not to_server(stage.wait(30))


@pytest.mark.checklist("C34")
@pytest.mark.parametrize(
    ("ms", "order"),
    [(60, cmd.ClearInput()), (99, cmd.ClearInput()), (100, cmd.CommitInput())],
)
def test_c34_less_than_a_tenth_of_a_second_is_forgotten(ms: int, order: cmd.Command) -> None:
    stage = manual().ready()
    assert to_server(stage.hold_to_speak(ms)) == [order]
    assert len(stage.state.talk.turns) == (ms >= 100)


@pytest.mark.checklist("C34")
def test_c34_what_was_committed_before_does_not_count() -> None:
    stage = manual().ready()
    stage.hold_to_speak(5000)
    answered(stage)
    stage.wait(1)
    assert to_server(stage.hold_to_speak(60)) == [cmd.ClearInput()]


@pytest.mark.checklist("C34")
@pytest.mark.parametrize(("ms", "commits"), [(60, 0), (1000, 1)])
def test_c34_the_same_holds_for_what_waits_for_a_session(ms: int, commits: int) -> None:
    stage = manual().start()
    stage.tell(ev.MicReady())
    stage.hold_to_speak(ms)
    orders = stage.open()
    assert len(only(orders, cmd.CommitInput)) == commits
    assert len(only(orders, cmd.AppendAudio)) == commits
    assert not only(orders, cmd.ClearInput)


@pytest.mark.checklist("C37")
def test_c37_a_commit_that_is_refused_is_no_error_for_anybody() -> None:
    stage = manual().ready()
    stage.hold_to_speak()
    empty = "input_audio_buffer_commit_empty"
    stage.server(ev.ServerError("invalid_request_error", empty, "0.00ms"))
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("unanswered", "nothing_heard")
    assert not stage.shown.problems
    assert not to_server(stage.wait(20))
    assert stage.state.link.phase is Phase.READY


def test_the_first_word_interrupts_the_answer() -> None:
    stage = manual(half_duplex=False).ready()
    stage.hold_to_speak()
    stage.server(ev.InputCommitted("u1"), ev.UserTranscript("u1", "Tell me."))
    stage.server(ev.ResponseCreated("r1"), ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    orders = stage.tell(ev.GateOpened())
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("r1")]
    assert only(orders, cmd.FlushPlayout) == [cmd.FlushPlayout("r1")]
    orders = stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 120))
    assert only(orders, cmd.TruncateItem) == [cmd.TruncateItem("a1", 0, 120)]


@pytest.mark.parametrize("half_duplex", [True, False])
def test_an_answer_that_begins_while_the_user_speaks_is_stopped_at_once(half_duplex: bool) -> None:
    stage = manual(half_duplex=half_duplex).ready()
    stage.hold_to_speak()
    stage.server(ev.InputCommitted("u1"), ev.UserTranscript("u1", "One"))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    orders = stage.server(ev.ResponseCreated("r1"), ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    assert to_server(orders) == [cmd.CancelResponse("r1")]
    assert not only(orders, cmd.Play)
    assert not only(orders, cmd.ShutGate)
    assert to_server(stage.tell(ev.GateClosed(too_long=False))) == [cmd.CommitInput()]
    stage.server(ev.InputCommitted("u2"), ev.UserTranscript("u2", "two."))
    orders = stage.server(ev.ResponseDone("r1", "cancelled", "client_cancelled"))
    assert to_server(orders) == [cmd.CreateResponse()]
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutDrained("r2"))
    endings = [(t.transcript, t.event_type) for t in stage.published(rec.TurnRecord)]
    assert endings == [("One", "interrupted"), ("two.", "answered")]


def test_an_answer_belongs_to_the_turn_that_it_was_asked_for() -> None:
    """The user has finished another sentence before the answer to the first begins."""
    stage = manual(half_duplex=False).ready()
    stage.hold_to_speak()
    stage.server(ev.InputCommitted("u1"), ev.UserTranscript("u1", "One?"))
    stage.hold_to_speak()
    stage.server(ev.InputCommitted("u2"), ev.UserTranscript("u2", "Two?"))
    assert to_server(stage.server(ev.ResponseCreated("r1"))) == [cmd.CancelResponse("r1")]
    orders = stage.server(ev.ResponseDone("r1", "cancelled", "client_cancelled"))
    assert to_server(orders) == [cmd.CreateResponse()]
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutDrained("r2"))
    turns = {t.transcript: t.event_type for t in stage.published(rec.TurnRecord)}
    assert turns == {"One?": "interrupted", "Two?": "answered"}


@pytest.mark.checklist("C49")
def test_c49_two_sentences_before_an_answer_get_one() -> None:
    stage = manual().ready()
    stage.hold_to_speak()
    stage.hold_to_speak()
    assert not to_server(stage.server(ev.InputCommitted("u1")))  # the second is not in yet
    assert to_server(stage.server(ev.InputCommitted("u2"))) == [cmd.CreateResponse()]
    stage.server(ev.UserTranscript("u1", "One,"), ev.UserTranscript("u2", "two."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    first, second = stage.published(rec.TurnRecord)
    assert (first.event_type, first.reason) == ("unanswered", "superseded")
    assert second.event_type == "answered"


@pytest.mark.checklist("C49")
def test_c49_no_answer_is_asked_for_while_one_is_made() -> None:
    stage = manual(half_duplex=False).ready()
    stage.hold_to_speak()
    stage.server(ev.InputCommitted("u1"), ev.ResponseCreated("r1"))
    stage.hold_to_speak()  # interrupts the first
    assert not to_server(stage.server(ev.InputCommitted("u2")))
    assert not to_server(stage.wait(3))
    orders = stage.server(ev.ResponseDone("r1", "cancelled", "client_cancelled"))
    assert to_server(orders) == [cmd.CreateResponse()]


def test_a_long_sentence_does_not_cost_the_turn_before_its_session() -> None:
    stage = manual().ready()
    stage.hold_to_speak()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.InputCommitted("u1"), ev.UserTranscript("u1", "One,"))
    for _ in range(100):  # 20 seconds
        stage.tell(ev.Heard(VOICE, 200, stage.now))
        assert not to_server(stage.wait(0.2, 0.2))
    assert to_server(stage.tell(ev.GateClosed(too_long=True))) == [cmd.CommitInput()]
    assert to_server(stage.server(ev.InputCommitted("u2"))) == [cmd.CreateResponse()]
    assert stage.state.link.number == 1


@pytest.mark.checklist("C36")
def test_c36_the_turn_is_closed_before_the_microphone_is_muted() -> None:
    stage = manual().ready()
    stage.hold_to_speak()
    answered(stage)
    kinds = [type(o) for o in stage.orders if isinstance(o, cmd.CommitInput | cmd.ShutGate)]
    assert kinds[:2] == [cmd.CommitInput, cmd.ShutGate]


@pytest.mark.checklist("C43")
def test_c43_commits_are_named_in_their_order_and_transcripts_in_any() -> None:
    stage = manual().ready()
    stage.hold_to_speak()
    stage.hold_to_speak()
    stage.server(ev.InputCommitted("u1"), ev.InputCommitted("u2"))
    stage.server(ev.UserTranscript("u2", "two"), ev.UserTranscript("u1", "one"))
    texts = {t.item_id: (t.turn_id, t.text) for t in stage.published(rec.Transcript)}
    assert texts == {"u1": ("boot-t1", "one"), "u2": ("boot-t2", "two")}


def test_what_waited_long_for_its_session_has_its_full_time_after_it() -> None:
    stage = manual().start()
    stage.tell(ev.MicReady())
    stage.hold_to_speak()
    stage.wait(PATIENCE_S - 2)
    assert stage.state.link.number == 1
    assert len(only(stage.open(), cmd.CommitInput)) == 1
    stage.server(ev.InputCommitted("u1"))
    stage.wait(5)
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.transcript) == ("answered", "Hi.")
    assert stage.state.link.number == 1


@pytest.mark.parametrize("kind", ["realtime", "transcription"])
def test_what_never_got_a_session_is_one_failed_turn(kind: str) -> None:
    stage = Stage(settings(session=Session(kind=kind, manual=True))).start()  # type: ignore[arg-type]
    stage.tell(ev.MicReady(), ev.LinkDown(1, "no route"))
    stage.hold_to_speak()
    for _ in range(60):
        if stage.state.link.phase is Phase.CONNECTING:
            stage.tell(ev.LinkDown(stage.state.link.number, "no route"))
        stage.wait(0.5)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "realtime_unreachable")


def test_a_microphone_lost_in_mid_sentence_forgets_it() -> None:
    stage = manual().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert to_server(stage.tell(ev.MicLost("gone"))) == [cmd.ClearInput()]
    stage.tell(ev.MicReady())
    assert to_server(stage.hold_to_speak(60)) == [cmd.ClearInput()]


@pytest.mark.checklist("C53")
def test_c53_a_sentence_whose_session_dies_is_a_failed_turn_and_its_rest_is_not_sent() -> None:
    stage = manual().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.lose()
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "connection_lost")
    stage.tell(ev.Heard(silence(1000), 1000, stage.now), ev.GateClosed(too_long=False))
    assert not [o for o in stage.reconnect() if isinstance(o, cmd.AppendAudio | cmd.CommitInput)]
    assert len(stage.published(rec.TurnRecord)) == 1


@pytest.mark.checklist("C31")
def test_c31_a_server_that_never_takes_a_commit_is_left() -> None:
    stage = manual().ready()
    stage.hold_to_speak()
    stage.wait(25)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "timeout")
    assert cmd.Connect(2) in stage.orders


def test_speech_that_a_server_refuses_for_good_is_one_failed_turn_and_its_silence_none() -> None:
    stage = manual().start()
    stage.tell(ev.MicReady(), ev.LinkDown(1, "HTTP 401", status=401))
    stage.tell(ev.GateOpened(), ev.Heard(silence(600), 300, stage.now))
    for _ in range(16):  # the sentence is over; the gate stays open for its hangover
        stage.now += 0.04
        stage.tell(ev.Heard(silence(40), 0, None))
    stage.tell(ev.GateClosed(too_long=False))
    stage.wait(5)
    assert stage.state.talk.turns == ()
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "realtime_auth")
