"""Settings over MQTT: what is chosen holds, until the file or the server knows better."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage import Stage, only, settings

from satellite.logic.chosen import ChosenSettings
from satellite.logic.link import Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.requests import AUTO, Request, Set, Setting
from satellite.model.session import Session

CANARY = "canary"


def choose(
    stage: Stage, setting: Setting, value: str | int | None, *, keep: bool = True
) -> list[cmd.Command]:
    return stage.tell(ev.Asked(Request(setting, Set(setting, value, keep))))


def statuses(orders: list[cmd.Command]) -> list[str]:
    return [each.result.status for each in only(orders, cmd.Answer)]


def why(orders: list[cmd.Command]) -> str:
    (answer,) = only(orders, cmd.Answer)
    return answer.result.error or ""


def shown(stage: Stage) -> rec.Settings:
    return stage.published(rec.Settings)[-1]


def kept(orders: list[cmd.Command]) -> dict[str, object]:
    return {each.name: each.value for each in only(orders, cmd.Keep)}


def again(before: Stage, given: Stage | None = None) -> Stage:
    """A restart, with what was kept."""
    values: dict[str, object] = {}
    for order in only(before.orders, cmd.Keep):
        values[order.name] = order.value
    stage = given or Stage(before.settings)
    stage.start({name: value for name, value in values.items() if value is not None})
    return stage


def test_a_volume_holds_at_once_and_after_a_restart() -> None:
    stage = Stage().ready()
    orders = choose(stage, "volume", 40)
    assert only(orders, cmd.SetVolume) == [cmd.SetVolume(40)]
    assert statuses(orders) == ["done"]
    assert kept(orders) == {"set.volume": {"value": 40, "configured": 60}}
    assert shown(stage).volume == 40
    after = again(stage)
    assert only(after.orders, cmd.SetVolume) == [cmd.SetVolume(40)]
    after.tell(ev.MicReady())
    assert shown(after).volume == 40


def test_the_same_value_again_changes_nothing() -> None:
    stage = Stage().ready()
    choose(stage, "volume", 40)
    orders = choose(stage, "volume", 40)
    assert statuses(orders) == ["done"]
    assert not only(orders, cmd.SetVolume)
    assert not only(orders, cmd.Publish)


def test_what_is_not_to_persist_is_not_kept() -> None:
    stage = Stage().ready()
    choose(stage, "volume", 40)
    orders = choose(stage, "volume", 20, keep=False)
    assert kept(orders) == {"set.volume": None}
    assert not only(again(stage).orders, cmd.SetVolume)


@pytest.mark.parametrize("value", [None, 60])
def test_the_configured_value_is_no_choice(value: int | None) -> None:
    stage = Stage().ready()
    choose(stage, "volume", 40)
    orders = choose(stage, "volume", value)
    assert only(orders, cmd.SetVolume) == [cmd.SetVolume(60)]
    assert kept(orders) == {"set.volume": None}
    assert stage.state.chosen.choices == {}


def test_a_configuration_that_changed_meanwhile_wins() -> None:
    stage = Stage().ready()
    choose(stage, "volume", 40)
    choose(stage, "sensitivity", 3)
    after = again(stage, Stage(replace(settings(), chosen=ChosenSettings(volume=80))))
    assert not only(after.orders, cmd.SetVolume)
    assert kept(after.orders) == {"set.volume": None}
    assert only(after.orders, cmd.SetEars) == [cmd.SetEars(3, "open_mic")]


def test_what_was_kept_wrong_is_dropped() -> None:
    values = {
        "set.volume": {"value": "loud", "configured": 60},
        "set.voice": {"value": 5, "configured": "marin"},
        "set.sensitivity": {"value": True, "configured": 2},
        "set.language": "de",
        "set.activation": {"value": "wake_word", "configured": "open_mic"},
    }
    stage = Stage()
    stage.start(values)
    assert stage.state.chosen.choices == {}
    dropped = {"set.volume", "set.voice", "set.sensitivity", "set.activation"}
    assert kept(stage.orders) == dict.fromkeys(dropped)


def test_ears_are_set_by_sensitivity_and_activation() -> None:
    stage = Stage().ready()
    assert only(choose(stage, "sensitivity", 0), cmd.SetEars) == [cmd.SetEars(0, "open_mic")]
    orders = choose(stage, "activation", "push_to_talk")
    assert only(orders, cmd.SetEars) == [cmd.SetEars(0, "push_to_talk")]
    assert (shown(stage).sensitivity, shown(stage).activation) == (0, "push_to_talk")


def test_without_a_wake_word_there_is_no_such_activation() -> None:
    stage = Stage().ready()
    orders = choose(stage, "activation", "wake_word")
    assert statuses(orders) == ["rejected"]
    assert "realtime-satellite[wake]" in why(orders)
    assert not only(orders, cmd.SetEars)


# --- of the session ------------------------------------------------------------------------------

OF_SESSION: list[tuple[Setting, str, str]] = [
    ("voice", "cedar", "cedar"),
    ("language", "de", "de"),
    ("language", AUTO, ""),
    ("transcription_prompt", "Kitchen, hall.", "Kitchen, hall."),
    ("instructions", "Be brief.", "Be brief."),
]


@pytest.mark.parametrize(("setting", "value", "has"), OF_SESSION)
def test_the_session_is_changed_by_the_smallest_update_and_confirms_it(
    setting: Setting, value: str, has: str
) -> None:
    stage = Stage(settings(session=Session(language="en"))).ready()
    before = stage.session
    orders = choose(stage, setting, value)
    assert statuses(orders) == ["accepted"]
    wanted = replace(before, **{setting: has or None})  # type: ignore[arg-type]
    assert only(orders, cmd.Configure) == [cmd.Configure("configure-1-1", wanted, before)]
    assert statuses(stage.server(ev.SessionUpdated())) == ["done"]
    assert kept(stage.orders)[f"set.{setting}"]
    after = again(stage)
    after.open()
    (order,) = only(after.orders, cmd.Configure)
    assert order.session == wanted
    orders = choose(after, setting, None)
    assert only(orders, cmd.Configure)[0].session == before
    assert kept(orders) == {f"set.{setting}": None}


def refusal(stage: Stage, message: str = "Not that one.") -> list[cmd.Command]:
    name = stage.state.link.settled.name
    return stage.server(ev.ServerError("invalid_request_error", "invalid", message, "", name))


def test_what_the_server_refuses_has_failed_and_is_dropped() -> None:
    stage = Stage().ready()
    choose(stage, "voice", "cedar")
    stage.server(ev.SessionUpdated())
    choose(stage, "voice", "nonsense")
    orders = refusal(stage)
    assert statuses(orders) == ["failed"]
    assert why(orders) == "the server refused a change of voice: Not that one."
    assert kept(orders) == {"set.voice": {"value": "cedar", "configured": "marin"}}
    assert shown(stage).voice == "cedar"
    assert "setting_refused" in {problem.code for problem in stage.shown.problems}
    choose(stage, "language", "de")
    (update,) = only(stage.orders, cmd.Configure)[-1:]
    assert update.session.voice == "cedar"


def test_a_refusal_does_not_tell_the_owners_words() -> None:
    stage = Stage().ready()
    choose(stage, "instructions", f"{CANARY} is the word of this house")
    orders = refusal(stage, f"'{CANARY} is the word of this house' is too kind")
    assert CANARY not in why(orders)
    assert CANARY not in repr(stage.state)
    assert CANARY not in repr(orders)


def test_a_second_value_takes_the_place_of_the_first() -> None:
    stage = Stage().ready()
    choose(stage, "voice", "cedar")
    orders = choose(stage, "voice", "ash")
    assert statuses(orders) == ["cancelled", "accepted"]
    assert not only(stage.server(ev.SessionUpdated()), cmd.Answer)
    assert statuses(stage.server(ev.SessionUpdated())) == ["done"]
    assert stage.state.link.settled.has.voice == "ash"


def test_a_voice_that_was_heard_stays_for_this_session() -> None:
    stage = Stage().ready()
    stage.turn()
    orders = choose(stage, "voice", "cedar")
    assert not only(orders, cmd.Configure)
    assert statuses(orders) == ["done"]
    assert why(orders).startswith("it is for the next session")
    stage.lose()
    (order,) = only(stage.reconnect(), cmd.Configure)
    assert order.session.voice == "cedar"


def test_without_a_session_it_is_for_the_next() -> None:
    stage = Stage(settings(idle_close_s=5)).ready()
    stage.wait(6)
    assert stage.state.link.phase is Phase.DOWN
    assert statuses(choose(stage, "voice", "cedar")) == ["done"]


def test_while_a_session_begins_it_waits_for_that() -> None:
    stage = Stage().start()
    assert statuses(choose(stage, "voice", "cedar")) == ["accepted"]
    orders = stage.open()
    assert only(orders, cmd.Configure)[0].session.voice == "cedar"
    assert statuses(orders) == ["done"]


def test_with_no_session_in_time_it_says_so_and_is_kept() -> None:
    stage = Stage().start()
    choose(stage, "voice", "cedar")
    orders = stage.wait(25)
    assert statuses(orders) == ["failed"]
    assert "it is kept" in why(orders)
    assert stage.state.chosen.value("voice") == "cedar"


def test_a_kept_choice_that_the_server_refuses_gives_way_to_the_configuration() -> None:
    before = Stage().ready()
    choose(before, "voice", "nonsense")
    stage = again(before)
    stage.server(ev.SessionCreated("realtime", None))
    orders = refusal(stage)
    assert kept(orders) == {"set.voice": None}
    (order,) = only(stage.reconnect(), cmd.Configure)
    assert order.session == stage.session
    assert stage.state.link.phase is Phase.READY


REFUSED: list[tuple[Session, Setting, str]] = [
    (Session(kind="transcription"), "voice", "a session that only writes down has no voice"),
    (Session(kind="transcription"), "instructions", "has no instructions"),
    (Session(left_alone=frozenset({"voice"})), "voice", "voice is left to the server"),
    (
        Session(left_alone=frozenset({"transcription_model"})),
        "transcription_prompt",
        "transcription prompt is left to the server",
    ),
    (Session(transcription_model="gpt-realtime-whisper"), "transcription_prompt", "no prompt"),
]


@pytest.mark.parametrize(("session", "setting", "reason"), REFUSED)
def test_what_the_session_cannot_have_is_rejected(
    session: Session, setting: Setting, reason: str
) -> None:
    stage = Stage(settings(session=session)).ready()
    orders = choose(stage, setting, "ash")
    assert statuses(orders) == ["rejected"]
    assert reason in why(orders)
    assert not only(orders, cmd.Configure)
    assert not only(orders, cmd.Keep)


# --- the configuration is read again -------------------------------------------------------------


def test_a_reload_leaves_what_it_does_not_touch() -> None:
    stage = Stage().ready()
    choose(stage, "voice", "cedar")
    stage.server(ev.SessionUpdated())
    orders = stage.tell(ev.ChangeRequested(replace(stage.session, instructions="Be kind.")))
    (order,) = only(orders, cmd.Configure)
    assert (order.session.voice, order.session.instructions) == ("cedar", "Be kind.")
    stage.server(ev.SessionUpdated())
    assert shown(stage).voice == "cedar"


def test_a_reload_wins_where_it_changes_the_key() -> None:
    stage = Stage().ready()
    choose(stage, "voice", "cedar")
    stage.server(ev.SessionUpdated())
    orders = stage.tell(ev.ChangeRequested(replace(stage.session, voice="ash")))
    assert only(orders, cmd.Configure)[0].session.voice == "ash"
    assert kept(orders) == {"set.voice": None}
    assert shown(stage).voice == "ash"
    orders = choose(stage, "voice", None)
    assert statuses(orders) in (["done"], ["accepted"])
    assert stage.state.chosen.value("voice") == "ash"


def test_a_reload_of_what_is_ours_wins_too_and_leaves_the_session_alone() -> None:
    stage = Stage().ready()
    choose(stage, "volume", 40)
    choose(stage, "sensitivity", 3)
    before = {"volume": 60, "sensitivity": 2, "activation": "open_mic"}
    assert not stage.tell(ev.ChangeRequested(stage.session, before))  # it has not changed
    after = {"volume": 50, "sensitivity": 2, "activation": "push_to_talk"}
    orders = stage.tell(ev.ChangeRequested(stage.session, after))
    assert kept(orders) == {"set.volume": None}
    assert only(orders, cmd.SetVolume) == [cmd.SetVolume(50)]
    assert only(orders, cmd.SetEars) == [cmd.SetEars(3, "push_to_talk")]
    assert not only(orders, cmd.Configure)
    assert (shown(stage).volume, shown(stage).activation) == (50, "push_to_talk")


def test_a_reload_that_the_server_refuses_is_not_asked_for_again_with_a_choice() -> None:
    stage = Stage().ready()
    stage.tell(ev.ChangeRequested(replace(stage.session, instructions="No.")))
    refusal(stage)
    orders = choose(stage, "language", "de")
    (order,) = only(orders, cmd.Configure)
    assert order.session.instructions == stage.session.instructions
    stage.server(ev.SessionUpdated())
    assert kept(stage.orders).get("set.instructions") is None


# --- what is shown -------------------------------------------------------------------------------


def test_the_settings_are_published_once_for_each_change() -> None:
    stage = Stage().ready()
    assert len(stage.published(rec.Settings)) == 1
    stage.wait(60)
    stage.turn()
    assert len(stage.published(rec.Settings)) == 1
    choose(stage, "volume", 10)
    assert len(stage.published(rec.Settings)) == 2


def test_words_are_in_no_repr() -> None:
    stage = Stage(settings(session=Session(instructions=CANARY))).ready()
    orders = choose(stage, "transcription_prompt", CANARY)
    assert CANARY not in repr(orders)
    assert CANARY not in repr(stage.state.chosen)
    assert CANARY not in repr(stage.state.asked)
