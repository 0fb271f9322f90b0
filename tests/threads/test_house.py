"""What comes over MQTT: not too fast for the core, but always quiet when somebody wants quiet."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from test_core_thread import Owners, a_core

from satellite.house import BURST, RATE, House
from satellite.inbox import Inbox
from satellite.logic.asked import AskedSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import Instant
from satellite.model.ports import Incoming
from satellite.model.requests import Reply

B = "satellite/kitchen"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_house(clock: Callable[[], float]) -> tuple[House, list[ev.Event]]:
    posted: list[ev.Event] = []
    return House(B, ("homeassistant",), posted.append, posted.append, clock), posted


def command(verb: str, payload: bytes = b"", **more: object) -> Incoming:
    return Incoming(f"{B}/cmd/{verb}", payload, **more)  # type: ignore[arg-type]


def test_a_command_is_read_and_handed_on_with_where_its_answer_goes() -> None:
    house, posted = a_house(Clock())
    house.on_message(command("volume", b"40", reply=Reply("me", b"7")))
    house.on_message(command("volume", b"400"))
    house.on_message(command("say", b"Old news", retain=True))
    house.on_message(command("get", reply=Reply("homeassistant/switch/x/config")))
    house.on_message(Incoming(f"{B}/tool/result", b'{"call_id": "c", "output": "on"}'))
    asked, misasked, retained, quiet, told = posted
    assert isinstance(asked, ev.Asked)
    assert asked.request.reply == Reply("me", b"7")
    assert isinstance(misasked, ev.Misasked)
    assert isinstance(retained, ev.Misasked)
    assert isinstance(quiet, ev.Asked)
    assert quiet.request.reply is None
    assert told == ev.ToolDone("c", "on")


def test_other_topics_are_nobodys_command() -> None:
    house, posted = a_house(Clock())
    for topic in (f"{B}/state", "satellite/bedroom/cmd/say", f"{B}/tool/call", ""):
        house.on_message(Incoming(topic, b"x"))
    assert posted == []


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    clock = Clock()
    house, posted = a_house(clock)
    for _ in range(1000):
        house.on_message(command("get"))
    assert len(posted) == BURST
    assert house.limited == 1000 - BURST
    clock.now += 1
    for _ in range(1000):
        house.on_message(command("nonsense"))
    assert len(posted) == BURST + RATE


def test_results_of_tools_have_a_limit_of_their_own() -> None:
    house, posted = a_house(Clock())
    for _ in range(100):
        house.on_message(command("get"))
        house.on_message(Incoming(f"{B}/tool/result", b'{"call_id": "c"}'))
    assert Counter(type(event) for event in posted) == {ev.Asked: BURST, ev.ToolDone: BURST}


def test_quiet_is_never_limited_though_nonsense_in_its_name_is() -> None:
    house, posted = a_house(Clock())
    for _ in range(1000):
        house.on_message(command("mute", b"perhaps"))
    assert len(posted) == BURST
    for verb, payload in (("mute", b"ON"), ("mute", b"OFF"), ("cancel", b""), ("listen", b"stop")):
        for _ in range(10):
            house.on_message(command(verb, payload))
    assert len(posted) == BURST + 40
    house.on_message(command("listen", b"start"))
    assert len(posted) == BURST + 40


def test_nothing_raises_into_the_mqtt_thread(caplog: pytest.LogCaptureFixture) -> None:
    def burst(_event: ev.Event) -> None:
        raise RuntimeError

    house = House(B, (), burst, burst, Clock())
    house.on_message(command("mute", b"ON"))
    assert "a message over MQTT was not read" in caplog.text


@pytest.mark.parametrize("last", [b"ON", b"OFF"])
def test_ten_thousand_at_once_hold_nobody_up_and_the_last_mute_wins(last: bytes) -> None:
    """Reliability F24: 1,000 of them are mutes, which all count."""
    owners = Owners()
    core, inbox = a_core(owners)
    house = House(B, (), inbox.post, inbox.post_patiently, time.monotonic)
    core._settings = replace(core._settings, asked=AskedSettings(remote_unmute=True))
    core._outside = replace(
        core._outside,
        clock=lambda: Instant(time.monotonic(), time.time()),
        limited=lambda: house.limited,
    )
    longest = [0.0]
    decide = core._decide

    def timed(event: ev.Event) -> None:
        begun = time.thread_time()  # others may have the machine
        decide(event)
        longest[0] = max(longest[0], time.thread_time() - begun)

    core._decide = timed  # type: ignore[method-assign]
    flood = threading.Thread(target=flooded, args=(house, inbox, last))
    flood.start()
    assert core.run() == 0
    flood.join()
    assert longest[0] < 0.25
    muted = [order.on for order in owners.orders if isinstance(order, cmd.MuteMic)]
    assert muted[-1] is core.state.privacy.muted is (last == b"ON")
    results = Counter((each["cmd"], each["status"]) for each in owners.topic("result"))  # type: ignore[index]
    mutes = [n for (verb, status), n in results.items() if verb == "mute" and status != "accepted"]
    assert sum(mutes) == 1001
    assert results["any", "rejected"] >= 1
    assert results["volume", "done"] + house.limited == 9000


def flooded(house: House, inbox: Inbox, last: bytes) -> None:
    for n in range(10_000):
        if n % 10 == 0:
            house.on_message(command("mute", b"OFF" if n % 20 else b"ON"))
        else:
            house.on_message(command("volume", b"%d" % (n % 100)))
    house.on_message(command("mute", last))
    time.sleep(1.1)  # the core says how many were dropped once a second
    inbox.post(ev.StopRequested(15))
