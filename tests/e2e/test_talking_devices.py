"""The whole daemon at real devices: mute, interruptions, and its own voice in the room."""

from __future__ import annotations

import time

import pytest
from asker import Asker, asking
from priority import before_all_else
from program import Daemon, recorded
from pulse_card import PERIOD_MS, PulseCard
from room import Diary, Room, runs
from scripted_server import Script, running, wait_until

from satellite.adapters import recording
from satellite.model.audio import silence

DEVICES = {"input": {"device": "default"}, "output": {"device": "default"}}


def spoken(name: str) -> bytes:
    return recording.load(recorded(name)) + silence(200)


def muted(asker: Asker, on: bool) -> str:
    return str(asker.ask("mute", {"muted": on})["status"])


def silenced(pulse: PulseCard, script: Script, asker: Asker) -> float:
    """Mute in the middle of a sentence; seconds until the answer."""
    wait_until(lambda: pulse.hearers() == ["mic"])
    before = script.heard_ms
    pulse.feed(spoken("vm-nobodyavail"))
    wait_until(lambda: script.heard_ms > before + 500)
    asked = time.monotonic()
    assert muted(asker, True) == "done"
    took = time.monotonic() - asked
    heard_ms = script.heard_ms
    assert pulse.hearers() == [], "closed when it is said"
    assert is_deaf(pulse)
    assert script.heard_ms == heard_ms, "sent after it was said"
    return took


def is_deaf(pulse: PulseCard) -> bool:
    """True where nobody takes what is said."""
    time.sleep(0.2)  # the pipe fills
    waiting = pulse.unheard()
    time.sleep(0.3)
    return pulse.hearers() == [] and pulse.unheard() == waiting > 0


def test_p7_muted_the_sound_server_does_not_know_us_and_no_byte_is_sent(
    daemon: Daemon, pulse: PulseCard
) -> None:
    pulse.room = Room(gain=0.0)
    script = Script(answers=["Yes."] * 9)
    unmutable = {"privacy": {"remote_unmute": True}}
    with running(script) as url, asking(daemon.port) as asker:
        daemon.start(url, env=pulse.env, audio=DEVICES, **unmutable)
        took = [silenced(pulse, script, asker)]
        for _ in range(2):
            assert muted(asker, False) == "done"
            took.append(silenced(pulse, script, asker))
        assert min(took) < 0.2
        assert daemon.stop()[0] == 0
        while daemon.until("status") != "offline":
            pass

        daemon.start(url, env=pulse.env, audio=DEVICES, **unmutable)
        daemon.until("state", state="muted")
        heard_ms = script.heard_ms
        pulse.feed(spoken("conf-kicked"))
        assert is_deaf(pulse)
        assert script.heard_ms == heard_ms
        assert daemon.stop()[0] == 0


def test_who_speaks_into_an_answer_stops_the_speaker(daemon: Daemon, pulse: PulseCard) -> None:
    diary = Diary(Room(gain=0.0))
    pulse.room = diary
    script = Script(answers=["One two three four five six seven.", "Yes."], voice_ms=6000)
    with running(script) as url:
        daemon.start(url, env=pulse.env, audio={**DEVICES, "duplex": "full"})
        wait_until(lambda: pulse.hearers() == ["mic"])
        pulse.feed(spoken("conf-kicked"))
        wait_until(lambda: sum(diary.played) > 25)
        pulse.feed(spoken("conf-kicked"))
        interrupted = daemon.until("response")
        assert interrupted["event_type"] == "cancelled"
        assert interrupted["interrupted"]
        wait_until(lambda: len(runs(diary.played)) == 2)  # and now the second answer
        assert daemon.stop()[0] == 0
    (cut,) = [f for f in script.frames if f["type"] == "conversation.item.truncate"]
    (began, stopped), _ = runs(diary.played)
    _, (spoke, _) = runs(diary.said)
    assert (stopped - began) * PERIOD_MS == pytest.approx(cut["audio_end_ms"], abs=200)
    print(f"the speaker was silent {(stopped - spoke) * PERIOD_MS} ms after the first word")
    assert (stopped - spoke) * PERIOD_MS < 1000


def hears_itself(daemon: Daemon, pulse: PulseCard, duplex: str) -> bool:
    """A question, and an answer that comes back out of the room at 0 dB, 120 ms late."""
    pulse.room = Room(delay_ms=120, gain=1.0, walls_ms=100)
    script = Script(answers=["Yes."] * 9, voice=spoken("vm-nobodyavail"))
    with running(script) as url:
        daemon.start(url, env=pulse.env, audio={**DEVICES, "duplex": duplex})
        wait_until(lambda: pulse.hearers() == ["mic"])
        pulse.feed(spoken("conf-kicked"))
        wait_until(lambda: len(script.answers) == 8)
        if duplex == "full":
            wait_until(lambda: len(script.answers) <= 7)
            return True
        daemon.until("turn")
        heard_ms = script.heard_ms
        time.sleep(1.5)  # what is left of it in the room, and a gate that would open
        assert daemon.stop()[0] == 0
    return len(script.answers) < 8 or script.heard_ms > heard_ms


def test_in_half_duplex_it_never_hears_itself(daemon: Daemon, pulse: PulseCard) -> None:
    assert not hears_itself(daemon, pulse, "half")


def test_in_full_duplex_it_does_so_there_is_something_to_hear(
    daemon: Daemon, pulse: PulseCard
) -> None:
    assert hears_itself(daemon, pulse, "full")


def test_with_cancel_it_never_does_and_a_person_interrupts_it(
    daemon: Daemon, pulse: PulseCard
) -> None:
    """At 0 dB, 120 ms late, with walls. One answer to learn, one to keep still, one to stop.

    Sound that breaks off because a machine is busy is no echo of what was to be played.
    """
    diary = Diary(Room(delay_ms=120, gain=1.0, walls_ms=200))
    pulse.room = diary
    voice = spoken("vm-nobodyavail") + spoken("all-circuits-busy-now")
    script = Script(answers=["One.", "Two.", "Three.", "Yes."], voice=voice)
    try:
        with before_all_else(pulse.pid), running(script) as url:
            daemon.start(url, env=pulse.env, audio={**DEVICES, "duplex": "cancel"})
            wait_until(lambda: pulse.hearers() == ["mic"])
            for _ in range(2):
                pulse.feed(spoken("conf-kicked"))
                answer = daemon.until("response")
                assert (answer["event_type"], answer["interrupted"]) == ("completed", False)
            before = sum(diary.played)
            pulse.feed(spoken("conf-kicked"))
            wait_until(lambda: sum(diary.played) > before + 2000 // PERIOD_MS)
            pulse.feed(spoken("conf-kicked"))
            answer = daemon.until("response")
            assert (answer["event_type"], answer["interrupted"]) == ("cancelled", True)
            wait_until(lambda: not script.answers)
            assert daemon.stop()[0] == 0
    except PermissionError:
        pytest.skip("root must put the sound before what else the machine does")
    spoke = runs(diary.said)[3][0]
    stopped = next(n for n in range(spoke, len(diary.played)) if not diary.played[n])
    print(f"the speaker was silent {(stopped - spoke) * PERIOD_MS} ms after the first word")
    assert (stopped - spoke) * PERIOD_MS < 1000
