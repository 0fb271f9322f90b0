"""The whole daemon is muted over MQTT: no sound is sent after it, until a person unmutes it."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import paho.mqtt.publish
from program import Daemon, recorded
from scripted_server import Script, running, wait_until

from satellite.cli import demo

LONG = "vm-nobodyavail"  # 3.2 s of speech


def ask(daemon: Daemon, verb: str, **body: Any) -> None:
    """Publish one command, as an automation does."""
    topic, payload = f"{demo.BASE}/cmd/{verb}", json.dumps(body)
    paho.mqtt.publish.single(topic, payload, 1, hostname="127.0.0.1", port=daemon.port)


def stays(script: Script, seconds: float = 2.0) -> bool:
    """True where the server hears nothing more."""
    before = script.heard_ms
    time.sleep(seconds)
    return script.heard_ms == before


def test_p7_a_sentence_that_is_muted_is_not_answered_and_nothing_is_sent(daemon: Daemon) -> None:
    script = Script()
    microphone = {"input": {"file": [recorded(LONG)], "loop": True}}
    with running(script) as url:
        daemon.start(url, audio=microphone)
        wait_until(lambda: script.heard_ms > 1500)  # in the middle of the sentence
        ask(daemon, "mute", muted=True)
        assert daemon.until("result", cmd="mute", status="done")
        assert stays(script)
        turn = daemon.told("turn")
        assert (turn["event_type"], turn["reason"]) == ("failed", "muted")
        assert daemon.stop()[0] == 0
        while daemon.until("status") != "offline":
            pass

        daemon.start(url, audio=microphone)
        assert daemon.until("state", state="muted")["muted"]
        assert stays(script)
        ask(daemon, "mute", muted=False)
        assert daemon.until("result", cmd="mute", status="rejected")
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGUSR2)
        assert daemon.until("turn")["event_type"] == "answered"
        assert daemon.stop()[0] == 0


def test_push_to_talk_hears_who_asked_and_nobody_else(daemon: Daemon) -> None:
    script = Script(answers=["All right."])
    microphone = {"input": {"file": [recorded("please-try-again")], "loop": True}}
    with running(script) as url:
        daemon.start(url, audio=microphone, gate={"activation": "push_to_talk"})
        daemon.until("state", state="idle")
        assert stays(script, 3.0)
        assert script.heard_ms == 0
        ask(daemon, "listen", timeout_s=20)
        assert daemon.until("state", state="listening")
        assert daemon.until("result", cmd="listen", status="done")
        assert daemon.until("turn")["response"] == "All right."
        assert stays(script, 3.0), "one order, one turn"
        assert daemon.stop()[0] == 0
