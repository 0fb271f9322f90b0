"""What the server reports: answers asked again, errors borne, and those that are too many."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.link import Phase
from satellite.logic.refusal import HARMLESS, classify
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec

KIND = "invalid_request_error"


def failed(stage: Stage, reason: str, response_id: str = "r1") -> list[cmd.Command]:
    orders = stage.server(ev.ResponseCreated(response_id))
    return orders + stage.server(ev.ResponseDone(response_id, "failed", reason))


def asked(stage: Stage) -> None:
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."))


@pytest.mark.checklist("C51")
@pytest.mark.parametrize(("reset_s", "wait_s"), [(0.0, 1.0), (0.2, 1.0), (4.0, 4.0), (10.0, 10.0)])
def test_c51_a_rate_limit_is_waited_for_and_the_answer_asked_again_once(
    reset_s: float, wait_s: float
) -> None:
    stage = Stage().ready()
    asked(stage)
    stage.server(ev.RateLimits(reset_s))
    failed(stage, "rate_limit_exceeded")
    assert not stage.published(rec.Response)
    assert not only(stage.wait(wait_s - 0.1, 0.1), cmd.CreateResponse)
    assert only(stage.wait(0.3, 0.1), cmd.CreateResponse) == [cmd.CreateResponse()]
    failed(stage, "rate_limit_exceeded", "r2")
    assert not only(stage.wait(30), cmd.CreateResponse)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "rate_limit_exceeded")
    (response,) = stage.published(rec.Response)
    assert (response.event_type, response.reason) == ("failed", "rate_limit_exceeded")


@pytest.mark.checklist("C51")
def test_c51_nobody_waits_longer_than_ten_seconds() -> None:
    stage = Stage().ready()
    asked(stage)
    stage.server(ev.RateLimits(10.1))
    failed(stage, "rate_limit_exceeded")
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "rate_limit_exceeded")
    assert not only(stage.wait(30), cmd.CreateResponse)


@pytest.mark.checklist("C51")
def test_c51_an_error_of_the_server_is_asked_again_once_and_then_answered() -> None:
    stage = Stage().ready()
    asked(stage)
    failed(stage, "server_error")
    assert only(stage.wait(1.5), cmd.CreateResponse) == [cmd.CreateResponse()]
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutDrained("r2"))
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.response) == ("answered", "All done.")
    (response,) = stage.published(rec.Response)
    assert response.event_type == "completed"


@pytest.mark.checklist("C51")
@pytest.mark.parametrize(
    ("status", "reason", "event", "ending"),
    [
        ("failed", "content_filter", "failed", "failed"),
        ("failed", "insufficient_quota", "failed", "failed"),
        ("incomplete", "max_output_tokens", "incomplete", "answered"),
        ("incomplete", "content_filter", "incomplete", "answered"),
    ],
)
def test_c51_what_does_not_pass_is_published_with_its_code(
    status: str, reason: str, event: str, ending: str
) -> None:
    stage = Stage().ready()
    asked(stage)
    stage.server(ev.ResponseCreated("r1"), ev.ResponseDone("r1", status, reason))
    (response,) = stage.published(rec.Response)
    assert (response.event_type, response.reason) == (event, reason)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == (ending, reason)
    assert not only(stage.wait(20), cmd.CreateResponse)


def test_an_answer_that_was_heard_in_part_is_not_asked_again() -> None:
    stage = Stage().ready()
    asked(stage)
    stage.server(ev.ResponseCreated("r1"), ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.server(ev.ResponseDone("r1", "failed", "server_error"))
    stage.tell(ev.PlayoutDrained("r1"))
    assert not only(stage.wait(20), cmd.CreateResponse)
    assert stage.published(rec.TurnRecord)[0].reason == "server_error"


def test_a_user_who_goes_on_is_not_answered_twice() -> None:
    stage = Stage().ready()
    asked(stage)
    failed(stage, "server_error")
    stage.server(ev.SpeechStarted("u2"))
    assert not only(stage.wait(1.4), cmd.CreateResponse)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "server_error")


def test_an_answer_that_fails_after_a_tool_is_asked_again_too() -> None:
    stage = Stage().ready()
    asked(stage)
    stage.server(ev.ResponseCreated("r1"))
    call = ev.ToolCall("call1", "get_time", "{}")
    stage.server(ev.ResponseDone("r1", "completed", None, None, (call,)))
    stage.tell(ev.ToolDone("call1", "7"))
    failed(stage, "server_error", "r2")
    assert only(stage.wait(2), cmd.CreateResponse) == [cmd.CreateResponse()]
    failed(stage, "server_error", "r3")
    assert not only(stage.wait(5), cmd.CreateResponse)


@pytest.mark.checklist("C53")
def test_c53_an_answer_that_was_to_be_asked_again_is_not_asked_of_the_next_session() -> None:
    stage = Stage().ready()
    asked(stage)
    failed(stage, "server_error")
    stage.lose()
    orders = stage.reconnect() + stage.wait(20)
    assert not only(orders, cmd.CreateResponse)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "server_error")


# --- late and repeated words about answers --------------------------------------------------------


@pytest.mark.checklist("C45")
def test_c45_late_pieces_of_an_answer_that_is_over_are_no_turn_and_no_sound() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    asked(stage)
    stage.server(ev.ResponseCreated("r1"), ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.server(ev.SpeechStarted("u2"))
    stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 50))
    stage.server(ev.ResponseDone("r1", "cancelled", "turn_detected"))
    assert len(stage.published(rec.TurnRecord)) == 1
    stage.server(ev.SpeechStopped("u2"), ev.InputCommitted("u2"))
    late = ev.AudioDelta("r1", "a1", 0, 0, VOICE), ev.TextDelta("r1", 0, 0, "late")
    orders = stage.server(*late, ev.ResponseCreated("r1"), ev.ResponseDone("r1", "completed"))
    assert not [o for o in orders if isinstance(o, cmd.Play | cmd.EndPlay)]
    assert len(stage.state.talk.turns) == 1
    assert stage.state.talk.turns[0].answer is None
    stage.server(ev.UserTranscript("u2", "Go on."))
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutDrained("r2"))
    assert stage.published(rec.TurnRecord)[1].response == "All done."


def test_an_endless_answer_without_a_speaker_stays_cut() -> None:
    stage = Stage().ready()
    asked(stage)
    stage.server(ev.ResponseCreated("r1"))
    for _ in range(650):
        stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.tell(ev.PlayoutDrained("r1", heard=False))
    assert len(stage.published(rec.TurnRecord)) == 1
    assert not stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    assert stage.state.talk.turns == ()


@pytest.mark.checklist("C40")
def test_c40_an_item_that_is_over_is_not_begun_again_by_what_is_said_twice() -> None:
    stage = Stage().ready()
    stage.turn()
    stage.server(ev.InputCommitted("u1"), ev.SpeechStopped("u1"), ev.SpeechStarted("u1"))
    stage.server(ev.UserTranscript("u1", "Again?"))
    assert stage.state.talk.turns == ()
    stage.wait(20)
    assert len(stage.published(rec.TurnRecord)) == 1
    assert stage.state.link.number == 1


def test_a_server_that_counts_its_answers_anew_while_the_old_one_still_sounds() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    asked(stage)
    stage.answer("r1", "a1")
    stage.lose()
    stage.reconnect()
    stage.server(ev.InputCommitted("u1"), ev.UserTranscript("u1", "Hi?"), ev.ResponseCreated("r1"))
    stage.server(ev.TextDelta("r1", 0, 0, "Hello."), ev.ResponseDone("r1", "completed"))
    stage.tell(ev.PlayoutDrained("r1"))
    responses = [t.response for t in stage.published(rec.TurnRecord)]
    assert sorted(str(r) for r in responses) == ["All done.", "Hello."]


# --- errors of a session that lives ---------------------------------------------------------------


def unknown(stage: Stage, count: int, apart_s: float = 1.0) -> list[cmd.Command]:
    orders = []
    for n in range(count):
        orders += stage.server(ev.ServerError(KIND, f"new_code_{n}", "What?"))
        stage.now += apart_s
    return orders


def test_five_unknown_errors_in_a_minute_cost_the_session() -> None:
    stage = Stage().ready()
    assert not unknown(stage, 4)
    orders = unknown(stage, 1)
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(1)]
    assert [p.code for p in stage.shown.problems] == ["realtime_silent"]
    assert "5 errors in a minute, the last new_code_0" in stage.shown.problems[0].detail
    assert only(stage.wait(2), cmd.Connect) == [cmd.Connect(2)]
    stage.open()
    assert not unknown(stage, 4)  # counted anew


def test_unknown_errors_now_and_then_are_borne() -> None:
    stage = Stage().ready()
    assert not unknown(stage, 50, apart_s=15.1)


def test_turns_that_are_open_end_when_the_session_is_given_up_for_its_errors() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    orders = unknown(stage, 5)
    after = orders[orders.index(cmd.Disconnect(1)) + 1 :]
    assert not [o for o in after if isinstance(o, cmd.LinkCommand)]
    assert stage.published(rec.TurnRecord)[0].reason == "connection_lost"


@pytest.mark.checklist("C37")
@pytest.mark.parametrize("code", sorted(HARMLESS))
def test_c37_harmless_errors_are_never_too_many_and_never_shown(code: str) -> None:
    stage = Stage().ready()
    for _ in range(20):
        assert not only(stage.server(ev.ServerError(KIND, code, "fine")), cmd.Disconnect)
    assert stage.state.link.phase is Phase.READY
    assert not stage.shown.problems


@pytest.mark.checklist("C37")
def test_c37_a_watchdog_that_was_slower_than_the_server_shows_nothing() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    stage.tell(ev.GateClosed(too_long=False))
    assert only(stage.wait(4), cmd.CommitInput)
    stage.server(ev.SpeechStopped("u1"), ev.InputCommitted("u1"))  # crossed with our commit
    stage.server(ev.ServerError(KIND, "input_audio_buffer_commit_empty", "0.00ms"))
    assert only(stage.wait(1), cmd.CreateResponse)
    stage.server(ev.ServerError(KIND, "conversation_already_has_active_response", "r1"))
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"
    assert len(stage.published(rec.Response)) == 1
    assert not stage.shown.problems
    assert stage.state.link.number == 1


def test_two_things_overdue_at_once_say_nothing_to_a_session_that_was_just_left() -> None:
    """One turn ends the session; what another orders in the same moment goes nowhere."""
    stage = Stage().ready()
    stage.speak("u1")
    stage.server(ev.ResponseCreated("r1"))
    stage.wait(18)
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u2"))
    stage.tell(ev.GateClosed(too_long=False))
    stage.change(language="fr")  # never confirmed
    orders = stage.wait(40, step=10.5)
    left = False
    for order in orders:
        left = isinstance(order, cmd.Disconnect) or (left and not isinstance(order, cmd.Connect))
        assert not (left and isinstance(order, cmd.LinkCommand)), order


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error"])
def test_what_passes_by_itself_is_tried_again_soon_before_a_session_too(code: str) -> None:
    stage = Stage().start()
    stage.server(ev.ServerError(KIND, code, "Later."))
    stage.tell(ev.LinkDown(1, "closed", code=1011))
    assert only(stage.wait(5), cmd.Connect)


@pytest.mark.checklist("C5")
def test_c5_the_same_diagnosis_by_frame_and_by_status() -> None:
    words = "Incorrect API key provided."
    error = ev.ServerError(KIND, "invalid_api_key", words)
    frame = ev.LinkDown(1, "closed", code=3000, reason=f"{KIND}.invalid_api_key")
    by_frame = classify(frame, error)
    by_status = classify(ev.LinkDown(1, "HTTP 401", status=401), None)
    assert (by_frame.code, by_frame.fix) == (by_status.code, by_status.fix)
    assert by_frame.again is by_status.again


@pytest.mark.checklist("C6")
@pytest.mark.parametrize("error", [None, ev.ServerError("insufficient_quota", None, "No credit.")])
def test_c6_the_reason_is_read_before_the_code(error: ev.ServerError | None) -> None:
    reason = "insufficient_quota.insufficient_quota"
    spent = classify(ev.LinkDown(1, "closed", code=1013, reason=reason), error)
    busy = classify(ev.LinkDown(1, "closed", code=1013, reason="server_error.overloaded"), None)
    assert (spent.code, spent.again.name) == ("realtime_quota", "SLOWLY")
    assert (busy.code, busy.again.name) == ("realtime_unreachable", "BACKOFF")
