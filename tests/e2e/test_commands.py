"""The whole daemon, a real broker: what is asked over MQTT is done once, answered, or refused."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from asker import Asker, asking
from program import Daemon, recorded
from scripted_server import Script, running, wait_until

CANARY = "canary words"
QUIET = {"input": {"file": [recorded("vm-goodbye")]}}


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(script: Script) -> Iterator[str]:
    with running(script) as address:
        yield address


@pytest.fixture
def asker(daemon: Daemon) -> Iterator[Asker]:
    with asking(daemon.port) as made:
        yield made


def started(daemon: Daemon, url: str, **config: object) -> None:
    daemon.start(url, audio=QUIET, **config)
    daemon.until("settings")


def test_it_is_answered_on_both_topics_and_known_by_what_was_given(
    daemon: Daemon, url: str, asker: Asker
) -> None:
    started(daemon, url)
    result = asker.ask("volume", {"volume": 40, "id": "v1", "ts": time.time()})
    assert (result["cmd"], result["id"], result["status"]) == ("volume", "v1", "done")
    assert daemon.until("result", id="v1") == result
    assert daemon.until("settings")["volume"] == 40
    for verb, payload, why in (
        ("volume", "400", "volume: is not 0 to 100; send 0 to 100"),
        ("say", '{"text": "x", "voice": "y"}', "say: has a key voice that means nothing here"),
        ("say", "x" * 20_000, "say: is 20000 bytes long"),
        ("reboot", "", "reboot: there is no such command"),
        ("mute", "{" * 10_000, "mute: begins like JSON and is none"),
    ):
        refused = asker.ask(verb, payload)
        assert refused["status"] == "rejected"
        assert refused["error"].startswith(why)
    assert asker.ask("get")["status"] == "done"
    assert daemon.stop()[0] == 0


def test_what_the_broker_kept_is_refused_and_what_is_to_be_kept_too(
    daemon: Daemon, url: str, asker: Asker
) -> None:
    asker.send("volume", {"volume": 1, "id": "kept"}, retain=True)
    started(daemon, url)
    refused = daemon.until("result", id="kept")
    assert refused["status"] == "rejected"
    assert "was retained" in refused["error"]
    assert asker.ask("volume", "2", retain=True)["status"] == "rejected"
    assert asker.ask("restart", "", retain=True)["status"] == "rejected"  # clears the topic
    told = asker.ask("get")
    daemon.until("result", ts=told["ts"], cmd="get")
    assert daemon.until("settings")["volume"] == 60


def test_the_second_delivery_and_the_late_one_do_nothing(
    daemon: Daemon, url: str, asker: Asker
) -> None:
    started(daemon, url)
    assert asker.ask("volume", {"volume": 40, "id": "v1"})["status"] == "done"
    assert asker.ask("volume", "50")["status"] == "done"
    assert asker.ask("volume", {"volume": 40, "id": "v1"})["status"] == "done"
    late = asker.ask("volume", {"volume": 30, "ts": time.time() - 60})
    assert late["status"] == "expired"
    told = asker.ask("get")
    daemon.until("result", ts=told["ts"], cmd="get")
    assert daemon.until("settings")["volume"] == 50


def test_muted_holds_over_a_restart_until_somebody_at_the_machine_ends_it(
    daemon: Daemon, url: str, asker: Asker
) -> None:
    started(daemon, url)
    assert asker.ask("mute", "ON")["status"] == "done"
    assert daemon.until("state", muted=True)["state"] == "muted"
    refused = asker.ask("mute", "OFF")
    assert refused["status"] == "rejected"
    assert "kill -s USR2" in refused["error"]
    assert asker.ask("listen")["status"] == "rejected"
    assert daemon.stop()[0] == 0
    daemon.until("status")
    daemon.start(url, audio=QUIET)
    daemon.until("state", muted=True, state="muted")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGUSR2)
    daemon.until("state", muted=False, state="idle")
    assert asker.ask("restart")["error"].startswith("it started ")
    assert daemon.stop()[0] == 0


def test_what_is_chosen_reaches_the_server_holds_and_is_in_no_log(
    daemon: Daemon, script: Script, url: str, asker: Asker
) -> None:
    started(daemon, url)
    daemon.until("state", state="idle")  # a session that begins later has them in its first update
    assert asker.ask("instructions", CANARY)["status"] == "done"
    assert asker.ask("voice", {"text": "cedar"})["status"] == "done"
    updates = [f["session"] for f in script.frames if f["type"] == "session.update"]
    assert updates[1] == {"type": "realtime", "instructions": CANARY}
    assert updates[2] == {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
    assert daemon.stop()[0] == 0
    script.frames.clear()
    started(daemon, url)
    wait_until(lambda: script.frames)
    first = script.frames[0]["session"]
    assert (first["instructions"], first["audio"]["output"]["voice"]) == (CANARY, "cedar")
    assert daemon.stop()[0] == 0
    assert CANARY not in daemon.log
    assert CANARY not in repr([each for each in daemon.all if each[0].endswith("/result")])


def test_ten_thousand_commands_leave_it_well_and_the_last_mute_wins(
    daemon: Daemon, url: str, asker: Asker
) -> None:
    """Reliability F24, over the wire: a tenth of them are mutes."""
    started(daemon, url, privacy={"remote_unmute": True})
    for n in range(10_000):
        if n % 10 == 0:
            asker.send("mute", "OFF" if n % 20 else "ON", qos=0)
        else:
            asker.send("volume", str(n % 100), qos=0)
    before = time.monotonic()
    assert asker.ask("mute", "ON")["status"] == "done"
    assert time.monotonic() - before < 10
    limited = daemon.until("result", cmd="any", timeout_s=30)
    assert limited["error"].startswith("rate_limited: ")
    assert asker.ask("cancel")["status"] == "done"
    assert daemon.process is not None
    assert daemon.process.poll() is None
    assert asker.ask("get")["status"] == "done"
    assert daemon.until("state", muted=True)
    assert daemon.stop()[0] == 0
    assert "Traceback" not in daemon.log
