"""Other settings while the daemon runs: the smallest update, confirmed, refused or not at all."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.link import SLOW_RETRY_S, Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.session import Session

NAME = "configure-1-1"


def refusal(event_id: str | None, code: str = "invalid_value", param: str = "") -> ev.ServerError:
    return ev.ServerError("invalid_request_error", code, "Not that one.", param, event_id)


def problems(stage: Stage) -> dict[str, str]:
    return {problem.code: problem.detail for problem in stage.shown.problems}


CHANGES = [
    ("transcription_prompt", "Expect room names."),
    ("language", "fr"),
    ("instructions", "Be brief."),
    ("voice", "cedar"),
    ("threshold", 0.7),
    ("prefix_padding_ms", 200),
    ("silence_duration_ms", 800),
]


@pytest.mark.parametrize(("field", "value"), CHANGES)
def test_a_change_is_asked_for_as_what_differs_from_what_the_server_has(
    field: str, value: object
) -> None:
    stage = Stage().ready()
    before = stage.session
    (order,) = only(stage.change(**{field: value}), cmd.Configure)
    assert order == cmd.Configure(NAME, replace(before, **{field: value}), before)  # type: ignore[arg-type]
    differing = [f.name for f in fields(Session) if getattr(order.session, f.name) != getattr(
        order.since, f.name)]  # fmt: skip
    assert differing == [field]
    stage.server(ev.SessionUpdated())
    assert stage.state.link.settled.has == order.session
    assert stage.state.link.settled.proven == order.session
    assert not stage.shown.problems
    assert stage.state.link.number == 1


def test_a_wish_for_what_is_there_asks_for_nothing() -> None:
    stage = Stage().ready()
    assert not only(stage.change(), cmd.Configure)


def test_what_a_server_makes_of_a_change_is_compared() -> None:
    stage = Stage().ready()
    stage.change(language="fr")
    stage.server(ev.SessionUpdated(("language asked 'fr', got 'en'",)))
    assert "got 'en'" in problems(stage)["session_differs"]
    stage.change(language="de")
    stage.server(ev.SessionUpdated())
    assert not stage.shown.problems


@pytest.mark.checklist("C22")
@pytest.mark.parametrize("event_id", [NAME, None])
def test_c22_a_refused_change_is_shown_with_the_servers_words_and_given_up(
    event_id: str | None,
) -> None:
    stage = Stage().ready()
    before = stage.session
    stage.change(threshold=0.99, language="fr")
    stage.server(refusal(event_id, param="session.audio.input.turn_detection.threshold"))
    shown = problems(stage)["setting_refused"]
    assert "Not that one." in shown
    assert "threshold" in shown
    assert "language" in shown
    assert stage.state.link.settled.wanted == before
    assert stage.state.link.phase is Phase.READY
    stage.turn()
    assert stage.published(rec.TurnRecord)[0].event_type == "answered"
    stage.change(language="fr")
    assert "setting_refused" not in problems(stage)


def test_an_error_about_something_else_does_not_refuse_a_change() -> None:
    stage = Stage().ready()
    stage.change(language="fr")
    stage.server(ev.ServerError("invalid_request_error", "invalid_value", "no", "item.id", "m7"))
    stage.server(ev.ServerError("invalid_request_error", "invalid_value", "no", "item.id"))
    assert "setting_refused" not in problems(stage)
    stage.server(ev.SessionUpdated())
    assert stage.state.link.settled.has.language == "fr"


@pytest.mark.checklist("C24")
def test_c24_a_voice_waits_for_the_next_session_once_the_assistant_was_heard() -> None:
    stage = Stage().ready()
    stage.turn()
    orders = stage.change(voice="cedar", language="fr")
    (order,) = only(orders, cmd.Configure)
    assert (order.session.voice, order.session.language) == ("marin", "fr")
    assert order.since is not None
    assert order.since.voice == order.session.voice
    stage.server(ev.SessionUpdated())
    assert not only(stage.wait(30), cmd.Configure)
    stage.lose()
    (order,) = only(stage.reconnect(), cmd.Configure)
    assert (order.session.voice, order.since) == ("cedar", None)


@pytest.mark.checklist("C24")
@pytest.mark.parametrize("event_id", [NAME, None])
def test_c24_a_server_that_knows_better_keeps_its_voice_and_takes_the_rest(
    event_id: str | None,
) -> None:
    """Its answer may have been on the way when the change was asked for."""
    stage = Stage().ready()
    stage.change(voice="cedar", language="fr")
    orders = stage.server(refusal(event_id, "cannot_update_voice"))
    (order,) = only(orders, cmd.Configure)
    assert (order.session.voice, order.session.language) == ("marin", "fr")
    assert "setting_refused" not in problems(stage)
    stage.server(ev.SessionUpdated())
    stage.lose()
    (order,) = only(stage.reconnect(), cmd.Configure)
    assert order.session.voice == "cedar"


def test_two_changes_in_a_row_go_one_after_the_other() -> None:
    stage = Stage().ready()
    stage.change(language="fr")
    assert not only(stage.change(threshold=0.7), cmd.Configure)
    (second,) = only(stage.server(ev.SessionUpdated()), cmd.Configure)
    assert second.event_id == "configure-1-2"
    assert second.since is not None
    assert (second.since.language, second.session.language) == ("fr", "fr")
    assert (second.since.threshold, second.session.threshold) == (0.5, 0.7)
    assert not only(stage.server(ev.SessionUpdated()), cmd.Configure)
    assert stage.state.link.settled.has == second.session


def test_a_second_change_outlives_the_refusal_of_the_first() -> None:
    stage = Stage().ready()
    stage.change(language="fr")
    stage.change(threshold=0.7)
    (second,) = only(stage.server(refusal(NAME)), cmd.Configure)
    assert (second.session.language, second.session.threshold) == (None, 0.7)
    assert "language" in problems(stage)["setting_refused"]
    stage.server(ev.SessionUpdated())
    assert stage.state.link.settled.has.threshold == 0.7


def test_a_change_taken_back_while_it_is_under_way_is_asked_back() -> None:
    stage = Stage().ready()
    stage.change(language="fr")
    stage.change(language=None)
    (back,) = only(stage.server(ev.SessionUpdated()), cmd.Configure)
    assert back.session.language is None


def test_a_change_while_connecting_is_in_the_first_settings() -> None:
    stage = Stage().start()
    assert not only(stage.change(language="fr"), cmd.Configure)
    orders = stage.server(ev.SessionCreated("realtime", None))
    assert [(o.session.language, o.since) for o in only(orders, cmd.Configure)] == [("fr", None)]


def test_a_change_while_configuring_follows_before_any_sound() -> None:
    stage = Stage().start()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SessionCreated("realtime", None))
    assert not only(stage.change(language="fr"), cmd.Configure)
    orders = stage.server(ev.SessionUpdated())
    kinds = [type(o) for o in orders if isinstance(o, cmd.Configure | cmd.AppendAudio)]
    assert kinds == [cmd.Configure, cmd.AppendAudio]
    assert only(orders, cmd.Configure)[0].session.language == "fr"


def test_a_change_while_down_is_in_the_next_session() -> None:
    stage = Stage().ready()
    stage.lose()
    assert not only(stage.change(voice="cedar"), cmd.Configure)
    (order,) = only(stage.reconnect(), cmd.Configure)
    assert (order.session.voice, order.since) == ("cedar", None)


def test_a_change_that_is_never_confirmed_costs_the_session_and_is_asked_again() -> None:
    stage = Stage().ready()
    stage.change(language="fr")
    assert not only(stage.wait(9), cmd.Disconnect)
    orders = stage.wait(3)
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(1)]
    (order,) = only(stage.reconnect(), cmd.Configure)
    assert (order.session.language, order.since) == ("fr", None)


def test_a_connection_lost_in_mid_change_is_opened_again() -> None:
    """The change that was under way must not hide that it is time to connect."""
    stage = Stage().ready()
    stage.change(language="fr")
    for _ in range(6):  # a network that is away for a minute or two
        stage.lose()
        stage.wait(31)
    assert stage.state.link.number > 5
    assert stage.state.link.phase is Phase.CONNECTING
    orders = stage.open()
    assert only(orders, cmd.Configure)[0].session.language == "fr"
    assert stage.state.link.phase is Phase.READY


@pytest.mark.checklist("C22")
def test_c22_a_change_that_the_next_session_refuses_falls_back_to_what_was_proven() -> None:
    stage = Stage().ready()
    proven = stage.session
    stage.lose()
    stage.change(voice="nobody")
    stage.wait(1)
    stage.server(ev.SessionCreated("realtime", None))
    orders = stage.server(refusal("configure-2", param="session.audio.output.voice"))
    assert only(orders, cmd.Disconnect) == [cmd.Disconnect(2)]
    assert stage.state.link.settled.wanted == proven
    (order,) = only(stage.reconnect(), cmd.Configure)
    assert order.session == proven
    assert "Not that one." in problems(stage)["setting_refused"]
    assert stage.shown.state == "idle"


def test_a_better_wish_while_the_first_is_refused_is_tried_soon() -> None:
    stage = Stage(settings(session=Session(voice="nobody"))).start()
    stage.server(ev.SessionCreated("realtime", None))
    stage.change(voice="marin")
    stage.server(refusal("configure-1"))
    (order,) = only(stage.reconnect(), cmd.Configure)
    assert order.session.voice == "marin"


@pytest.mark.checklist("C7")
def test_c7_a_person_who_acts_need_not_wait_for_the_slow_retry() -> None:
    stage = Stage(settings(session=Session(voice="nobody"))).start()
    stage.server(ev.SessionCreated("realtime", None), refusal("configure-1"))
    assert not only(stage.wait(SLOW_RETRY_S / 2), cmd.Connect)
    stage.change(voice="marin")
    assert only(stage.wait(1), cmd.Connect) == [cmd.Connect(2)]


@pytest.mark.checklist("C22")
def test_c22_a_refusal_without_an_id_is_that_of_the_only_thing_we_have_said() -> None:
    stage = Stage().start()
    stage.server(ev.SessionCreated("realtime", None))
    orders = stage.server(refusal(None, "missing_required_parameter", "session.type"))
    assert only(orders, cmd.Disconnect)
    assert "Not that one." in problems(stage)["session_refused"]


def test_a_server_that_stumbles_over_our_settings_is_tried_again_soon() -> None:
    stage = Stage().start()
    stage.server(ev.SessionCreated("realtime", None))
    stage.server(ev.ServerError("server_error", None, "Oops.", None, "configure-1"))
    assert only(stage.wait(2), cmd.Connect) == [cmd.Connect(2)]


def test_the_kind_of_session_is_that_of_its_address() -> None:
    stage = Stage().ready()
    stage.change(kind="transcription", language="fr")
    stage.server(ev.SessionUpdated())
    stage.lose()
    stage.reconnect()
    assert stage.state.link.phase is Phase.READY
    assert stage.state.link.settled.has.kind == "realtime"


def test_a_transcript_names_the_language_that_was_asked_for_last() -> None:
    stage = Stage().ready()
    stage.change(language="fr")
    stage.server(ev.SessionUpdated())
    stage.turn()
    assert stage.published(rec.Transcript)[0].language == "fr"
