"""Why the gate opened, what that cost, and what the server made of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage import VOICE, Stage, settings

from satellite.logic.chosen import ChosenSettings
from satellite.logic.openings import UNDECIDED_S, Openings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import silence
from satellite.model.requests import Ask, Listen, Request
from satellite.model.session import Session

SURE = ev.GateOpened("speech", 0.8712, 17.26)


def openings(stage: Stage) -> Openings:
    return stage.state.talk.counted.openings


def cough(stage: Stage, seconds: float = 1.0) -> None:
    """The gate opens and closes, and the server says nothing."""
    stage.tell(ev.GateOpened(), ev.Heard(silence(round(seconds * 1000)), 100, stage.now))
    stage.now += seconds
    stage.tell(ev.GateClosed(too_long=False))


def answered(stage: Stage, opened: ev.GateOpened, number: int = 1) -> rec.TurnRecord:
    """A whole turn after ``opened``; the server says after 300 ms that it hears speech."""
    stage.tell(opened, ev.Heard(VOICE, 140, stage.now))
    stage.now += 0.3
    start_ms = round(stage.state.talk.clock.sent_ms) - 140
    stage.server(ev.SpeechStarted(f"u{number}", start_ms))
    stage.now += 0.5
    stage.tell(ev.Heard(silence(500), 0, None), ev.GateClosed(too_long=False))
    stage.server(ev.SpeechStopped(f"u{number}"), ev.InputCommitted(f"u{number}"))
    stage.server(ev.UserTranscript(f"u{number}", "Hi."))
    stage.answer(f"r{number}", f"a{number}")
    stage.tell(ev.PlayoutDrained(f"r{number}"))
    stage.wait(1)
    return stage.published(rec.TurnRecord)[-1]


def test_a_turn_says_why_the_gate_opened_and_that_the_server_agreed() -> None:
    turn = answered(Stage().ready(), SURE)
    assert turn.opened == rec.Opened(
        cause="speech",
        certainty=0.87,
        above_db=17.3,
        agreed=True,
        agreed_ms=300,
        starts_ms=-140,  # 200 ms were heard until the opening; the server's item begins after 60
        sent_s=0.7,
        silence_s=0.56,
    )
    assert (turn.sent_s, turn.sent_in_vain_s) == (0.7, 0)


def test_a_wake_word_is_named() -> None:
    stage = Stage().ready()
    stage.tell(ev.Woke("alexa"))
    opened = answered(stage, ev.GateOpened("wake_word")).opened
    assert opened is not None
    assert (opened.cause, opened.wake_word) == ("wake_word", "alexa")
    opened = answered(stage, ev.GateOpened("speech"), 2).opened
    assert opened is not None
    assert (opened.cause, opened.wake_word) == ("speech", None)


def test_who_goes_on_after_an_answer_is_told_from_who_pressed_a_button() -> None:
    made = settings()
    made = replace(made, talk=replace(made.talk, follow_up_s=8.0))
    stage = Stage(replace(made, chosen=ChosenSettings(activation="wake_word"))).ready()
    assert answered(stage, ev.GateOpened("wake_word")).opened
    follow_up = answered(stage, ev.GateOpened("asked"), 2).opened
    assert follow_up is not None
    assert follow_up.cause == "follow_up"
    stage.tell(ev.Asked(Request("listen", Listen(True), "1")))
    asked = answered(stage, ev.GateOpened("asked"), 3).opened
    assert asked is not None
    assert asked.cause == "asked"


def test_what_is_asked_over_mqtt_opened_nothing() -> None:
    stage = Stage().ready()
    stage.tell(ev.Asked(Request("ask", Ask("How late is it?"), "1")))
    stage.wait(1)
    stage.answer("r1", "a1")
    stage.tell(ev.PlayoutDrained("r1"))
    stage.wait(1)
    (turn,) = stage.published(rec.TurnRecord)
    assert turn.opened is None


def test_a_cough_is_counted_and_no_turn() -> None:
    stage = Stage().ready()
    cough(stage)
    assert openings(stage).refused == 0, "the server may still say something"
    stage.wait(UNDECIDED_S + 1)
    known = openings(stage)
    assert (known.opened, known.refused, known.untold_s) == (1, 1, 1.0)
    assert not stage.published(rec.TurnRecord)
    stage.tell(ev.BusUp())
    stage.wait(62)
    told = stage.published(rec.Diagnostics)[-1]
    assert (told.gate_opened, told.gate_refused, told.sent_in_vain_s) == (1, 1, 1.0)


def test_the_next_turn_says_how_much_of_what_was_sent_before_it_was_in_vain() -> None:
    stage = Stage().ready()
    cough(stage)
    turn = answered(stage, SURE)  # at once: that the server hears this one decides it
    assert turn.sent_s == pytest.approx(1.7)
    assert turn.sent_in_vain_s == 1.0
    assert turn.opened is not None
    assert turn.opened.sent_s == pytest.approx(0.7)
    again = answered(stage, SURE, 2)
    assert again.sent_in_vain_s == 0
    assert openings(stage).refused == 1


def test_an_open_gate_is_not_given_up() -> None:
    stage = Stage().ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.wait(20)
    assert openings(stage).refused == 0
    stage.tell(ev.GateClosed(too_long=False))
    stage.wait(1)
    assert openings(stage).refused == 1


def test_what_waited_for_the_session_belongs_to_the_opening_it_was_said_in() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    stage.tell(ev.GateOpened("speech", 0.9), ev.Heard(VOICE, 200, stage.now))
    stage.now += 1
    stage.tell(ev.GateClosed(too_long=False))
    stage.now += 1
    stage.tell(ev.GateOpened("speech", 0.5), ev.Heard(VOICE, 200, stage.now))
    stage.open()
    stage.server(ev.SpeechStarted("u1"), ev.SpeechStopped("u1"), ev.InputCommitted("u1"))
    stage.server(ev.SpeechStarted("u2"))
    first, second = stage.state.talk.turns
    assert (first.opening, second.opening) == (1, 2)
    assert openings(stage).refused == 0


def test_where_we_end_the_turns_the_server_has_no_say() -> None:
    stage = Stage(settings(session=Session(manual=True))).ready()
    stage.hold_to_speak()
    stage.server(ev.InputCommitted("u1"), ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.PlayoutDrained("r1"))
    stage.wait(8)
    (turn,) = stage.published(rec.TurnRecord)
    assert turn.opened is not None
    assert not turn.opened.agreed
    assert turn.opened.agreed_ms is None
    assert openings(stage).refused == 0


def test_what_a_lost_session_had_heard_has_its_opening() -> None:
    stage = Stage().ready()
    stage.tell(SURE, ev.Heard(VOICE, 200, stage.now))
    stage.lose()
    (turn,) = stage.published(rec.TurnRecord)
    assert turn.reason == "connection_lost"
    assert turn.opened is not None
    assert not turn.opened.agreed
    stage.wait(10)
    assert openings(stage).refused == 0


def test_every_second_sent_is_told_once() -> None:
    stage = Stage().ready()
    for number in range(1, 6):
        cough(stage, 0.5)
        answered(stage, SURE, number)
        cough(stage, 0.3)
        stage.wait(6)
    answered(stage, SURE, 9)
    turns = stage.published(rec.TurnRecord)
    sent = sum(len(o.pcm) for o in stage.orders if isinstance(o, cmd.AppendAudio)) / 48_000
    assert sum(turn.sent_s for turn in turns) == pytest.approx(sent)
    assert sum(turn.sent_in_vain_s for turn in turns) == pytest.approx(4.0)
    own = sum(turn.opened.sent_s for turn in turns if turn.opened)
    assert own + 4.0 == pytest.approx(sent)


def test_a_second_sentence_behind_a_short_pause_is_told_by_itself() -> None:
    """The hang-over is longer than the server's silence: the gate was open all the time."""
    stage = Stage(settings(half_duplex=False)).ready()
    stage.tell(SURE, ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1", 60))
    stage.now += 2
    stage.tell(ev.Heard(silence(500), 0, None))
    stage.server(ev.SpeechStopped("u1", 700), ev.InputCommitted("u1"))
    stage.tell(ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u2", 700))
    stage.now += 1
    stage.tell(ev.Heard(silence(700), 0, None), ev.GateClosed(too_long=False))
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.server(ev.SpeechStopped("u2", 1400), ev.InputCommitted("u2"))
    stage.server(ev.UserTranscript("u2", "Hi."))
    stage.lose()
    first, second = stage.published(rec.TurnRecord)
    assert first.opened is not None
    assert first.opened.agreed_ms is not None
    assert second.opened is not None
    assert second.opened.agreed
    assert (second.opened.agreed_ms, second.opened.starts_ms) == (None, None)
    assert first.opened.sent_s + second.opened.sent_s == first.sent_s + second.sent_s == 1.6


def test_a_cough_that_waited_for_the_session_is_not_what_the_next_sentence_is_told_of() -> None:
    stage = Stage().start()
    stage.tell(ev.MicReady())
    cough(stage, 0.5)  # to no session
    stage.open()
    stage.wait(10)
    stage.tell(SURE, ev.Heard(silence(400) + VOICE, 140, stage.now))
    stage.now += 0.3
    stage.server(ev.SpeechStarted("u1", 660))  # 500 ms of the cough, 600 of this; 300 of padding
    (turn,) = stage.state.talk.turns
    assert (turn.opening, turn.agreed_ms) == (2, 300)
    assert turn.starts_ms == 660 - 1100
    known = openings(stage)
    assert [each.fate for each in known.recent] == ["refused", "taken"]
    assert known.refused == 1


def test_a_server_that_always_says_0_does_not_tell_where_its_items_begin() -> None:
    stage = Stage().ready()
    answered(stage, SURE)
    stage.wait(10)
    stage.tell(SURE, ev.Heard(silence(400) + VOICE, 140, stage.now))
    stage.server(ev.SpeechStarted("u2", 0))
    (turn,) = stage.state.talk.turns
    assert (turn.opening, turn.agreed_ms, turn.starts_ms) == (2, 0, None)
