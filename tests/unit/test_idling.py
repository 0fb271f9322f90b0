"""What keeps a session: people, and not what only sounds like them."""

from __future__ import annotations

import pytest
from stage import VOICE, Stage, only, settings

from satellite.logic.link import Phase
from satellite.logic.openings import FEW
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import silence

IDLE_S = 60.0


def noise(stage: Stage, open_s: float, shut_s: float, speech_ms: int = 100) -> list[cmd.Command]:
    """The gate opens, sound is heard twice a second, and it closes; the server says nothing."""
    fresh = stage.tell(ev.GateOpened(), ev.Heard(VOICE, speech_ms, stage.now))
    end = stage.now + open_s
    while stage.now < end:
        fresh += stage.wait(0.5)
        fresh += stage.tell(ev.Heard(silence(500), 0, None))
    fresh += stage.tell(ev.GateClosed(too_long=False))
    return fresh + stage.wait(shut_s)


def connected(stage: Stage) -> Stage:
    """The server takes every session at once from now on."""
    if stage.state.link.phase is Phase.CONNECTING:
        stage.open()
    return stage


@pytest.mark.parametrize(("open_s", "shut_s"), [(2, 1), (0.5, 0.5), (28, 0.5), (5, 10)])
def test_noise_keeps_no_session(open_s: float, shut_s: float) -> None:
    stage = Stage(settings(idle_close_s=IDLE_S)).ready()
    begun = stage.now
    while stage.state.link.phase is Phase.READY:
        noise(stage, open_s, shut_s)
        assert stage.now - begun < IDLE_S + 60
    assert only(stage.orders, cmd.Disconnect)


def test_after_a_few_mere_openings_short_ones_open_no_session() -> None:
    stage = Stage(settings(idle_close_s=IDLE_S)).ready()
    for _ in range(1200 // 5):
        noise(connected(stage), 2, 3)
    sessions = only(stage.orders, cmd.Connect)
    assert len(sessions) == 1
    assert not stage.state.link.backlog
    assert not stage.published(rec.TurnRecord), "and nobody is told of them"


def test_a_person_is_heard_at_once_all_the_same_and_ends_the_doubt() -> None:
    stage = Stage(settings(idle_close_s=IDLE_S)).ready()
    while stage.state.link.phase is Phase.READY:
        noise(stage, 2, 1)
    assert stage.state.talk.counted.openings.in_a_row >= FEW
    stage.wait(2)
    pieces = [ev.Heard(VOICE, 200, stage.now) for _ in range(4)]
    orders = stage.tell(ev.GateOpened(), *pieces)
    assert len(only(orders, cmd.Connect)) == 1, "while they still speak"
    sent = only(stage.open(), cmd.AppendAudio)
    assert len(sent) == 4, "and from the first word on"
    stage.server(ev.SpeechStarted("u1"), ev.SpeechStopped("u1"), ev.InputCommitted("u1"))
    assert stage.state.talk.counted.openings.in_a_row == 0


@pytest.mark.parametrize("cause", ["wake_word", "asked"])
def test_who_asked_to_be_heard_never_waits(cause: ev.Cause) -> None:
    stage = Stage(settings(idle_close_s=IDLE_S)).ready()
    while stage.state.link.phase is Phase.READY:
        noise(stage, 2, 1)
    stage.wait(2)
    orders = stage.tell(ev.GateOpened(cause), ev.Heard(VOICE, 60, stage.now))
    assert only(orders, cmd.Connect)


def test_who_begins_to_speak_when_the_session_is_about_to_close_keeps_it() -> None:
    stage = Stage(settings(idle_close_s=IDLE_S)).ready()
    stage.wait(IDLE_S - 0.5)
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.wait(1)
    stage.server(ev.SpeechStarted("u1"))
    stage.wait(10)
    assert stage.state.link.phase is Phase.READY
    assert stage.state.link.number == 1
