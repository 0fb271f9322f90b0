"""The whole daemon at real devices that are plugged in late, sleep, die or go, and come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from program import Daemon, recorded
from pulse_card import PulseCard
from room import Room
from scripted_server import Script, running, wait_until
from virtual_card import VirtualCard

from satellite.adapters import recording
from satellite.model.audio import silence

DEVICES = {"input": {"device": "default"}, "output": {"device": "default"}}
MOST_S = 8.0  # until a problem is told; 3 on a machine with nothing else to do
AGAIN_S = 30.0  # until it hears again; 10


def spoken(name: str) -> bytes:
    return recording.load(recorded(name)) + silence(200)


def has_a_turn(daemon: Daemon, card: PulseCard | VirtualCard) -> dict[str, Any]:
    """Somebody speaks, and is answered."""
    card.feed(spoken("conf-kicked"))
    turn = daemon.until("turn")
    assert isinstance(turn, dict)
    assert turn["event_type"] == "answered"
    return turn


def test_no_microphone_at_the_start_is_shown_and_one_that_is_plugged_in_is_heard(
    daemon: Daemon, tmp_path: Path
) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    card = VirtualCard(folder, room=Room(gain=0.0))
    card.unplug()
    card.start()
    try:
        with running(Script()) as url:
            daemon.start(url, env=card.env, audio=DEVICES)
            daemon.problem("mic_missing")
            card.plug()
            daemon.cured("mic_missing")
            has_a_turn(daemon, card)
            assert daemon.stop()[0] == 0
    finally:
        card.close()


def test_a_microphone_that_sleeps_or_whose_server_dies_is_told_and_heard_again(
    daemon: Daemon, pulse: PulseCard
) -> None:
    pulse.room = Room(gain=0.0)
    with running(Script()) as url:
        daemon.start(url, env=pulse.env, audio=DEVICES)
        wait_until(lambda: pulse.hearers() == ["mic"])
        pulse.suspend_mic(True)
        daemon.problem("mic_stalled", MOST_S)
        pulse.suspend_mic(False)
        daemon.cured("mic_stalled", AGAIN_S)
        has_a_turn(daemon, pulse)
        pulse.kill()
        daemon.problem("mic_missing", MOST_S)
        pulse.start()
        daemon.cured("mic_missing", AGAIN_S)
        has_a_turn(daemon, pulse)
        assert daemon.stop()[0] == 0


def test_without_a_speaker_the_text_comes_all_the_same_and_hearing_goes_on(
    daemon: Daemon, pulse: PulseCard
) -> None:
    pulse.room = Room(gain=0.0)
    script = Script(answers=["One two three.", "Four."], voice_ms=3000)
    with running(script) as url:
        daemon.start(url, env=pulse.env, audio=DEVICES)
        wait_until(lambda: pulse.hearers() == ["mic"])
        pulse.feed(spoken("conf-kicked"))
        wait_until(lambda: pulse.players() == ["speaker"])
        pulse.unplug_speaker()
        daemon.problem("speaker_missing", MOST_S)
        assert daemon.told("response", text="One two three.")
        assert daemon.told("turn", response="One two three.")
        turn = has_a_turn(daemon, pulse)
        assert turn["response"] == "Four."
        pulse.plug_speaker()
        has_a_turn(daemon, pulse)
        daemon.cured("speaker_missing")
        assert daemon.stop()[0] == 0
