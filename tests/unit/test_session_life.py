"""The life of the session: handshake, backlog, refusals, retries, idleness."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.link import PATIENCE_S, SLOW_RETRY_S, Phase
from satellite.logic.satellite import deadline
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import silence
from satellite.model.session import Session


def test_a_session_is_opened_at_the_start() -> None:
    assert Stage().start().orders[0] == cmd.Connect(1)


@pytest.mark.checklist("C4")
def test_c4_nothing_is_sent_before_session_created() -> None:
    stage = Stage().start()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert not only(stage.orders, cmd.AppendAudio)
    assert not only(stage.orders, cmd.Configure)
    assert only(stage.server(ev.SessionCreated("realtime", None)), cmd.Configure)


@pytest.mark.checklist("C20")
def test_c20_sound_waits_for_session_updated_and_then_goes_whole_and_in_order() -> None:
    stage = Stage().start()
    stage.tell(ev.GateOpened())
    pieces = [bytes([n, 0]) * 480 for n in range(5)]
    stage.tell(*(ev.Heard(piece, 20, stage.now) for piece in pieces))
    assert not only(stage.server(ev.SessionCreated("realtime", None)), cmd.AppendAudio)
    sent = only(stage.server(ev.SessionUpdated()), cmd.AppendAudio)
    assert [order.pcm for order in sent] == pieces


@pytest.mark.checklist("C15")
def test_c15_a_session_of_another_type_gets_no_settings() -> None:
    stage = Stage().start()
    orders = stage.server(ev.SessionCreated("transcription", None))
    assert not only(orders, cmd.Configure)
    assert only(orders, cmd.Disconnect)
    (problem,) = stage.shown.problems
    assert problem.code == "realtime_refused"
    assert '"transcription"' in problem.detail
    assert "intent=transcription" in problem.fix


@pytest.mark.checklist("C21")
def test_c21_settings_that_the_server_did_not_take_are_shown() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated(("voice differs",)))
    assert [(p.code, "voice differs" in p.detail) for p in stage.shown.problems] == [
        ("session_differs", True)
    ]
    assert stage.shown.state == "idle"


@pytest.mark.checklist("C22")
def test_c22_refused_settings_stop_everything_and_say_the_servers_words() -> None:
    stage = Stage().start()
    stage.server(ev.SessionCreated("realtime", None))
    refusal = ev.ServerError(
        "invalid_request_error", "invalid_value", "No such voice.", "session.voice", "configure-1"
    )
    orders = stage.server(refusal)
    assert only(orders, cmd.Disconnect)
    (problem,) = stage.shown.problems
    assert problem.code == "session_refused"
    assert "No such voice." in problem.detail
    assert "session.voice" in problem.detail
    assert not only(stage.wait(SLOW_RETRY_S - 1), cmd.Connect)
    assert only(stage.wait(2), cmd.Connect)


@pytest.mark.parametrize("shown", [slice(None), slice(60), slice(30, 60)])
@pytest.mark.parametrize("when", ["named", "unnamed", "at the close", "later"])
def test_a_server_that_quotes_our_settings_is_not_repeated(when: str, shown: slice) -> None:
    own = Session(instructions="You are Canary, the butler.\nNever\tsing.", keywords=("canaries",))
    quoted = repr({"instructions": own.instructions, "keywords": list(own.keywords)})[shown]
    stage = Stage(settings(session=own)).start()
    stage.tell(ev.MicReady())
    stage.server(ev.SessionCreated("realtime", None))
    name = {"named": "configure-1", "later": "configure-1-1"}.get(when)
    if when == "later":
        stage.server(ev.SessionUpdated())
        stage.change(threshold=0.7)
    says = f"Invalid value: {quoted}"
    stage.server(ev.ServerError("invalid_request_error", "invalid_value", says, "session", name))
    if when == "at the close":
        stage.tell(ev.LinkDown(1, "closed", code=4000))
    stage.wait(11)
    (problem,) = stage.shown.problems
    assert "Invalid value: " in problem.detail
    assert "(the rest quotes your settings)" in problem.detail
    assert "anar" not in problem.detail


def test_an_error_that_is_not_about_our_settings_does_not_stop_the_handshake() -> None:
    stage = Stage().start()
    stage.server(ev.SessionCreated("realtime", None))
    stage.server(ev.ServerError("server_error", None, "hiccup"), ev.SessionUpdated())
    assert stage.state.link.phase is Phase.READY


REFUSALS = [
    ("invalid_api_key", 3000, "invalid_request_error.invalid_api_key", "realtime_auth"),
    (None, 3000, "invalid_request_error", "realtime_auth"),
    ("invalid_model", 4000, "invalid_request_error.invalid_model", "realtime_refused"),
    ("model_not_found", 4004, "invalid_request_error.model_not_found", "realtime_refused"),
    ("insufficient_quota", 1013, "insufficient_quota.insufficient_quota", "realtime_quota"),
    ("beta_api_shape_disabled", 4000, "invalid_request_error.beta_api_shape_disabled",
     "realtime_refused"),
]  # fmt: skip


@pytest.mark.checklist("C5", "C6", "C7")
@pytest.mark.parametrize(("code", "close", "reason", "problem"), REFUSALS)
def test_c5_c6_c7_a_refusal_is_named_and_retried_slowly(
    code: str | None, close: int, reason: str, problem: str
) -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    stage.server(ev.ServerError(reason.partition(".")[0], code, "The server's words."))
    stage.tell(ev.LinkDown(1, "server closed", code=close, reason=reason))
    assert [p.code for p in stage.shown.problems] == [problem]
    assert "The server's words." in stage.shown.problems[0].detail
    assert stage.shown.state == "offline"
    assert not only(stage.wait(SLOW_RETRY_S - 5), cmd.Connect)
    assert only(stage.wait(10), cmd.Connect) == [cmd.Connect(2)]


@pytest.mark.checklist("C5")
@pytest.mark.parametrize(
    ("status", "problem", "slow"),
    [
        (401, "realtime_auth", True),
        (404, "realtime_refused", True),
        (400, "realtime_refused", True),
        (429, "realtime_unreachable", False),
        (503, "realtime_unreachable", False),
        (302, "realtime_unreachable", False),
    ],
)
def test_c5_a_refusal_by_http_status(status: int, problem: str, slow: bool) -> None:
    stage = Stage().start()
    stage.tell(ev.LinkDown(1, f"HTTP {status}", status=status))
    assert [p.code for p in stage.shown.problems] == [problem]
    assert bool(only(stage.wait(60), cmd.Connect)) is not slow


@pytest.mark.checklist("C6")
def test_c6_1013_without_quota_is_tried_again_soon() -> None:
    stage = Stage().start()
    stage.tell(ev.LinkDown(1, "busy", code=1013, reason="server_error.overloaded"))
    assert only(stage.wait(2), cmd.Connect)


@pytest.mark.checklist("C8")
def test_c8_the_end_of_a_session_is_no_failure() -> None:
    stage = Stage().ready()
    stage.wait(100)
    over = "Your session hit the maximum duration of 60 minutes."
    stage.tell(ev.LinkDown(1, "closed", code=1001, reason=over))
    assert not stage.shown.problems
    assert stage.state.link.failures == 0
    orders = stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert only(orders, cmd.Connect) == [cmd.Connect(2)]


@pytest.mark.checklist("C9")
def test_c9_backoff_grows_until_a_session_is_ready() -> None:
    stage = Stage().start()
    waits = []
    for _ in range(5):
        number = stage.state.link.number
        stage.server(ev.SessionCreated("realtime", None))
        stage.tell(ev.LinkDown(number, "gone", code=1006))
        assert stage.state.link.deadline is not None
        waits.append(stage.state.link.deadline - stage.now)
        stage.wait(waits[-1] + 0.1)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0]
    stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated())
    stage.tell(ev.LinkDown(stage.state.link.number, "gone at once", code=1006))
    assert stage.state.link.failures == 6
    stage.wait(20)
    stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated())
    stage.wait(61)
    stage.tell(ev.LinkDown(stage.state.link.number, "gone", code=1006))
    assert stage.state.link.failures == 1


def test_a_server_that_closes_in_good_order_before_it_is_ready_is_not_hammered() -> None:
    stage = Stage().start()
    for _ in range(50):
        stage.tell(ev.LinkDown(stage.state.link.number, "closed", code=1000))
        stage.wait(1)
    assert stage.state.link.number < 15


def test_a_server_that_opens_no_session_is_left_at_the_deadline() -> None:
    stage = Stage().start()
    orders = stage.wait(13)
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(1)]
    assert only(orders, cmd.Connect) == [cmd.Connect(2)]


def test_idleness_closes_the_session_and_the_next_word_opens_it() -> None:
    stage = Stage().ready()
    assert only(stage.wait(301), cmd.Disconnect) == [cmd.Disconnect(1)]
    assert stage.shown.state == "idle"
    assert not only(stage.wait(1000), cmd.Connect)
    orders = stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert only(orders, cmd.Connect) == [cmd.Connect(2)]
    sent = stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated())
    assert only(sent, cmd.AppendAudio) == [cmd.AppendAudio(VOICE)]


def test_a_session_in_use_is_not_idle() -> None:
    stage = Stage().ready()
    for n in range(10):
        stage.speak(f"u{n}")
        stage.server(ev.UserTranscript(f"u{n}", "Hi."))
        stage.answer(f"r{n}")
        stage.tell(ev.PlayoutDrained(f"r{n}"))
        assert not only(stage.wait(100), cmd.Disconnect)


def test_sound_without_a_session_is_given_up_and_published() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady(), ev.LinkDown(1, "no route"))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    for _ in range(40):
        number = stage.state.link.number
        if stage.state.link.phase is Phase.CONNECTING:
            stage.tell(ev.LinkDown(number, "no route"))
        stage.wait(0.5)
    (turn,) = stage.published(rec.TurnRecord)
    assert (turn.event_type, turn.reason) == ("failed", "realtime_unreachable")
    assert stage.state.link.backlog == ()
    assert not only(stage.tell(ev.Heard(VOICE, 200, stage.now)), cmd.AppendAudio)
    assert stage.state.link.backlog == ()


def test_five_seconds_of_connecting_lose_no_word() -> None:
    stage = Stage().ready()
    stage.wait(301)
    stage.tell(ev.GateOpened())
    for _ in range(25):
        stage.tell(ev.Heard(VOICE, 200, stage.now))
        stage.wait(0.2, 0.2)
    assert stage.now < 1000 + 301 + PATIENCE_S
    sent = stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated())
    assert len(only(sent, cmd.AppendAudio)) == 25


def test_with_a_wrong_key_what_is_said_is_given_up_at_once() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady(), ev.LinkDown(1, "closed", code=3000, reason="invalid_request_error"))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert stage.published(rec.TurnRecord)[0].reason == "realtime_auth"
    stage.tell(ev.Heard(VOICE, 200, stage.now))
    assert len(stage.published(rec.TurnRecord)) == 1


def test_the_silence_after_words_that_were_given_up_is_no_turn_of_its_own() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    stage.tell(ev.LinkDown(1, "refused", status=401))
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    for _ in range(17):  # the gate hangs over for longer than the server's silence
        stage.now += 0.04
        stage.tell(ev.Heard(silence(40), 0, None))
    stage.tell(ev.GateClosed(too_long=False))
    assert [turn.reason for turn in stage.published(rec.TurnRecord)] == ["realtime_auth"]
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert len(stage.published(rec.TurnRecord)) == 2


def test_words_of_an_old_connection_are_ignored() -> None:
    stage = Stage().ready()
    stage.tell(ev.LinkDown(1, "gone", code=1006))
    before = len(stage.orders)
    stage.tell(ev.FromServer(1, ev.SpeechStarted("u1")), ev.LinkDown(1, "gone", code=1006))
    assert len(stage.orders) == before


@pytest.mark.checklist("C37")
def test_c37_benign_errors_after_the_handshake_change_nothing() -> None:
    stage = Stage().ready()
    before = len(stage.orders)
    for code in ("input_audio_buffer_commit_empty", "conversation_already_has_active_response"):
        stage.server(ev.ServerError("invalid_request_error", code, "fine"))
    assert len(stage.orders) == before
    assert stage.state.link.phase is Phase.READY


def test_the_next_deadline_is_never_in_the_past_for_long() -> None:
    """A deadline that a Tick does not move would make the core spin."""
    stage = Stage().ready()
    stage.speak()
    stage.answer()
    for _ in range(2000):
        due = deadline(stage.state)
        stage.now = max(stage.now + 0.01, stage.now if due is None else min(due, stage.now + 1))
        stage.tell(ev.Tick(stage.now))
        due = deadline(stage.state)
        assert due is None or due > stage.now


def test_two_utterances_without_a_session_are_given_up_one_by_one() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    for _ in range(2):
        stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
        stage.tell(ev.GateClosed(too_long=False))
        stage.now += 5.5
        stage.tell(ev.Tick(stage.now))
    assert len(stage.published(rec.TurnRecord)) == 1
    sent = stage.server(ev.SessionCreated("realtime", None), ev.SessionUpdated())
    assert only(sent, cmd.AppendAudio) == [cmd.AppendAudio(VOICE)]  # the second is young enough


@pytest.mark.checklist("C4")
def test_c4_a_server_that_opens_no_session_is_named_with_the_time_it_had() -> None:
    stage = Stage()
    place = replace(stage.settings.link, place="server.example:443", connect_timeout_s=7)
    stage.settings = replace(stage.settings, link=place)
    stage.start()
    stage.tell(ev.MicReady())
    stage.server(ev.ServerError("server_error", None, "Warming up."))
    assert not only(stage.wait(8.9), cmd.Disconnect)
    orders = stage.wait(0.2)
    assert not [o for o in stage.orders if isinstance(o, cmd.LinkCommand)]
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(1)]
    detail = stage.shown.problems[0].detail
    assert detail == "server.example:443 opened no session within 7 s: Warming up."


@pytest.mark.checklist("C20")
def test_c20_settings_that_are_never_confirmed_are_an_error_and_no_sound_goes_out() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady(), ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SessionCreated("realtime", None))
    orders = stage.wait(10.1)
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(1)]
    assert not only(stage.orders, cmd.AppendAudio)
    detail = "the server did not confirm the session's settings within 10 s"
    assert [p.detail for p in stage.shown.problems] == [detail]


@pytest.mark.checklist("C8")
def test_c8_a_session_at_its_age_is_followed_by_another_at_once() -> None:
    stage = Stage().start()
    stage.lose()
    stage.reconnect()
    stage.wait(61)
    before = stage.state.link.failures
    over = "Your session hit the maximum duration of 60 minutes."
    stage.server(ev.ServerError("invalid_request_error", "session_expired", over))
    stage.tell(ev.LinkDown(2, "closed", code=1001, reason=over))
    assert deadline(stage.state) == stage.now
    assert only(stage.tell(ev.Tick(stage.now)), cmd.Connect) == [cmd.Connect(3)]
    assert stage.state.link.failures <= before
    assert not stage.shown.problems


@pytest.mark.checklist("C9")
def test_c9_a_connection_without_a_session_resets_nothing() -> None:
    stage = Stage().start()
    for attempt in range(1, 7):
        stage.tell(ev.LinkDown(stage.state.link.number, "closed after the upgrade", code=1006))
        assert stage.state.link.failures == attempt
        assert stage.state.link.deadline is not None
        stage.now = stage.state.link.deadline
        assert only(stage.tell(ev.Tick(stage.now)), cmd.Connect)
