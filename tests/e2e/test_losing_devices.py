"""The whole daemon and a microphone that goes away, hangs for ever, or never was there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import Daemon, recorded
from pulse_card import PulseCard
from room import Room
from scripted_server import Script, running
from virtual_card import VirtualCard

from satellite.adapters import recording
from satellite.model.audio import silence
from satellite.model.commands import START_AGAIN

DEVICES = {"input": {"device": "default"}, "output": {"device": "none"}}
IMPATIENT = """
from satellite.logic import microphone
microphone.LIFE_S, microphone.STUCK_S = 3.0, 4.0
from satellite.cli.main import main
raise SystemExit(main())
"""


@pytest.fixture
def card(tmp_path: Path) -> Iterator[VirtualCard]:
    folder = tmp_path / "card"
    folder.mkdir()
    made = VirtualCard(folder)
    made.start()
    yield made
    made.close()


def spoken(name: str) -> bytes:
    return recording.load(recorded(name)) + silence(200)


def idle(daemon: Daemon) -> None:
    daemon.until("state", state="idle", problems=[])


def test_f41_a_sentence_that_loses_its_end_is_not_answered_and_the_next_one_is(
    daemon: Daemon, pulse: PulseCard
) -> None:
    pulse.room = Room(gain=0.0)
    script = Script(answers=["Yes."])
    with running(script) as url:
        daemon.start(url, env=pulse.env, audio=DEVICES)
        idle(daemon)
        pulse.feed(spoken("vm-nobodyavail"))
        while daemon.until("state")["turn_id"] is None:
            pass  # until the server hears it
        gone = time.monotonic()
        pulse.unplug_mic()
        turn = daemon.until("turn")
        problem = daemon.problem("mic_missing")
        assert time.monotonic() - gone < 4.0, "3 s, and a busy machine"
        assert "speaker.monitor" in problem["detail"]
        assert (turn["event_type"], turn["reason"]) == ("failed", "microphone_lost")
        assert script.answers == ["Yes."]
        pulse.plug_mic()
        idle(daemon)
        pulse.feed(spoken("vm-goodbye"))
        assert daemon.until("turn")["event_type"] == "answered"
        assert daemon.stop()[0] == 0
    assert "Traceback" not in daemon.log


def test_f45_zeros_are_told_and_over_with_the_first_sound(daemon: Daemon, pulse: PulseCard) -> None:
    with running(Script()) as url:
        daemon.start(url, env=pulse.env, audio=DEVICES)
        idle(daemon)
        begun = time.monotonic()
        problem = daemon.problem("mic_silent")
        assert time.monotonic() - begun < 7.0, "6 s, and a busy machine"
        assert "mute switch" in problem["fix"]
        assert daemon.all[-1][1]["state"] == "error"
        pulse.room = Room(gain=0.0)
        idle(daemon)
        assert daemon.stop()[0] == 0


def test_f51_a_device_that_never_returns_is_told_and_the_process_ended(
    daemon: Daemon, card: VirtualCard
) -> None:
    daemon.program = ("-c", IMPATIENT)
    with running(Script()) as url:
        daemon.start(url, env=card.env, audio=DEVICES)
        idle(daemon)
        card.stall(True)
        stalled = time.monotonic()
        problem = daemon.problem("mic_stalled")
        assert time.monotonic() - stalled < 4.0, "3 s, and a busy machine"
        assert "the satellite soon starts again" in problem["fix"]
        assert daemon.process is not None
        assert daemon.process.wait(20) == START_AGAIN
        while daemon.until("status") != "offline":
            pass
        card.stall(False)
        daemon.start(url, env=card.env, audio=DEVICES)
        idle(daemon)
        card.stall(True)
        code, took = daemon.stop()
    assert code == 0
    assert took < 4.0, "2 s, and a busy machine"


def test_f43_no_microphone_costs_next_to_nothing(daemon: Daemon) -> None:
    with running(Script()) as url:
        daemon.start(url, audio={"output": {"device": "none"}})
        daemon.problem("mic_missing")
        time.sleep(3.5)  # the tries of the first seconds
        before = spent(daemon)
        time.sleep(5)
        assert spent(daemon) - before < 0.02 * 5
        assert daemon.stop()[0] == 0


def spent(daemon: Daemon) -> float:
    """Seconds of a processor."""
    assert daemon.process is not None
    stat = Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
