"""The deciding thread: every order reaches its owner, nothing private is logged."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from stage import house

from satellite.core import Core, Outside, Wire
from satellite.inbox import MOST_WAITING, Inbox
from satellite.logic import satellite as logic
from satellite.logic.link import LinkSettings
from satellite.logic.report import ReportSettings
from satellite.logic.talk import TalkSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant, silence
from satellite.model.ports import Message
from satellite.model.session import Session
from satellite.wire import mqtt

CANARY = "canary"
VOICE = silence(200)


@dataclass
class Owners:
    """Every owner of the outside world at once: remembers what it was told."""

    now: float = 1000.0
    accepts: bool = True
    connected: list[int] = field(default_factory=list)
    sent: list[dict[str, object]] = field(default_factory=list)
    published: list[tuple[str, object, bool]] = field(default_factory=list)
    orders: list[object] = field(default_factory=list)
    alive: list[rec.State | None] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    def connect(self, link: int) -> None:
        self.connected.append(link)

    def send(self, message: bytes) -> bool:
        self.sent.append(json.loads(message))
        return self.accepts

    def disconnect(self) -> None:
        self.connected.append(0)

    def publish(self, message: Message) -> None:
        assert message.qos == 1
        text = message.payload.decode()
        payload = json.loads(text) if text[0] == "{" else text
        self.published.append((message.topic, payload, message.retain))

    def keep(self, name: str, value: object) -> None:
        self.kept[name] = value

    def put(self, item: object) -> None:
        self.orders.append(item)

    def topic(self, name: str) -> list[object]:
        return [payload for topic, payload, _ in self.published if topic.endswith(f"/{name}")]


def a_core(owners: Owners) -> tuple[Core, Inbox]:
    session = Session(instructions=CANARY, transcription_prompt=CANARY)
    settings = logic.Settings(
        LinkSettings(10, 300, lambda low, high: high, session),
        TalkSettings(ReportSettings("boot", "kitchen", None), True, False),
        **house(),
    )
    inbox = Inbox()
    outside = Outside(
        link=owners,
        bus=owners,
        capture=owners,
        playback=owners,
        alive=owners.alive.append,
        last_frame_at=lambda: owners.now,
        run_tool=lambda call, wall: f"{call.name} at {wall:.0f}",
        clock=lambda: Instant(owners.now, 1_795_248_000.0),
    )
    return Core(settings, Wire("satellite/kitchen", False), outside, inbox), inbox


def conversation() -> list[ev.Event]:
    said: list[ev.ServerEvent] = [
        ev.SessionCreated("realtime", None),
        ev.SessionUpdated(),
        ev.SpeechStarted("u1"),
        ev.SpeechStopped("u1"),
        ev.InputCommitted("u1"),
        ev.UserTranscript("u1", CANARY),
        ev.ResponseCreated("r1"),
        ev.TextDelta("r1", 0, 0, CANARY),
        ev.AudioDelta("r1", "a1", 0, 0, VOICE),
        ev.ResponseDone("r1", "completed"),
    ]
    events: list[ev.Event] = [ev.FromServer(1, event) for event in said]
    events[2:2] = [ev.MicReady(), ev.BusUp(), ev.GateOpened(), ev.Heard(VOICE, 200, 1.0)]
    events[-4:-4] = [ev.GateClosed(too_long=False)]
    return [*events, ev.PlayoutStarted("r1", 1000.0), ev.PlayoutDrained("r1")]


def test_every_order_reaches_its_owner_and_nothing_said_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    owners = Owners()
    core, inbox = a_core(owners)
    for event in conversation():
        inbox.post(event)
    inbox.post(ev.StopRequested(15))
    assert core.run() == 0
    kinds = [message["type"] for message in owners.sent]
    assert kinds == ["session.update", "input_audio_buffer.append"]
    assert owners.connected == [1]
    assert cmd.Play("r1", "a1", 0, VOICE) in owners.orders
    assert cmd.ShutGate(True) in owners.orders
    assert owners.topic("status") == ["online"]
    assert owners.topic("transcript")[0]["text"] == CANARY  # type: ignore[index]
    assert owners.topic("turn")[0]["response"] == CANARY  # type: ignore[index]
    assert {topic for topic, _, retain in owners.published if retain} == {
        "satellite/kitchen/status",
        "satellite/kitchen/state",
        "satellite/kitchen/settings",
        "satellite/kitchen/usage",
    }
    assert owners.kept["usage"]["turns"] == 1
    last = owners.alive[-1]
    assert last is not None
    assert last.state in {"idle", "speaking"}
    assert "turn 3 answered" in caplog.text
    assert CANARY not in caplog.text


def test_what_an_earlier_configuration_retained_is_taken_back_once() -> None:
    owners = Owners()
    core, _ = a_core(owners)
    left, entity = mqtt.empty("old/config"), Message("new/config", b"{}", 1, True, None)
    wire = replace(core._wire, stale=(left,), entities=lambda settings: (entity,))
    core = Core(core._settings, wire, core._outside, core._inbox)
    core.state, _ = logic.start(Instant(owners.now, 0), core._settings)
    topics: list[str] = []
    core._outside = replace(core._outside, bus=Topics(topics))
    for _ in range(2):
        core._decide(ev.BusUp())
        owners.now += 2
        core._decide(ev.Tick())
    assert topics.count("old/config") == 1
    assert topics.count("new/config") == 2
    assert topics.index("old/config") < topics.index("new/config")


@dataclass
class Topics:
    """A bus that notes the topics alone."""

    topics: list[str]

    def publish(self, message: Message) -> None:
        self.topics.append(message.topic)

    def keep(self, name: str, value: object) -> None:
        pass

    def replay(self, *rest: object) -> None:
        pass


def test_problems_are_said_once_and_their_end_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    owners = Owners()
    core, inbox = a_core(owners)
    for event in (ev.MicLost("none found"), ev.MicLost("none found"), ev.MicReady()):
        inbox.post(event)
    inbox.post(ev.StopRequested(2))
    core.run()
    lines = [record.message for record in caplog.records if "mic_missing" in record.message]
    assert len(lines) == 2
    assert lines[0].startswith("mic_missing: none found; ")
    assert lines[1] == "mic_missing: over"


def test_a_deadline_is_noticed_without_an_event() -> None:
    owners = Owners()
    core, inbox = a_core(owners)
    threading.Timer(0.2, lambda: setattr(owners, "now", 1013.0)).start()
    threading.Timer(1.6, lambda: inbox.post(ev.StopRequested(15))).start()
    assert core.run() == 0
    assert owners.connected[:3] == [1, 0]  # the handshake's deadline passed


def test_a_flood_does_not_starve_a_deadline() -> None:
    owners = Owners()
    core, inbox = a_core(owners)
    for _ in range(1500):
        inbox.post(ev.FromServer(1, ev.Ignored("rate_limits.updated")))
    inbox.post(ev.StopRequested(15))
    owners.now = 1000.0
    core.state, _ = logic.start(Instant(1000.0, 0), core._settings)
    owners.now = 1013.0
    core.run_once()
    assert owners.connected == [0]


def test_a_steady_stream_of_events_does_not_hide_the_time() -> None:
    """Sound every 40 ms, for example: the evidence is looked at all the same."""
    owners = Owners()
    core, inbox = a_core(owners)
    core.state, _ = logic.start(Instant(owners.now, 0), core._settings)
    inbox.post(ev.MicReady())
    core.run_once()
    last_frame = owners.now
    core._outside = replace(core._outside, last_frame_at=lambda: last_frame)
    for _ in range(100):
        owners.now += 0.04
        inbox.post(ev.FromServer(1, ev.Ignored("response.output_audio.delta")))
        core.run_once()
    assert owners.topic("state")[-1]["problems"][0]["code"] == "mic_stalled"  # type: ignore[index]


def test_too_many_waiting_events_are_a_bug_and_said_as_one() -> None:
    inbox = Inbox()
    for _ in range(MOST_WAITING + 1):
        inbox.post(ev.MicReady())
    with pytest.raises(OverflowError, match="events wait"):
        inbox.take(0)


def test_a_link_that_takes_nothing_more_is_not_fed() -> None:
    owners = Owners(accepts=False)
    core, inbox = a_core(owners)
    for event in conversation()[:2]:
        inbox.post(event)
    inbox.post(ev.Heard(silence(1000), 1000, 1.0))
    inbox.post(ev.StopRequested(15))
    core.run()
    appends = [m for m in owners.sent if m["type"] == "input_audio_buffer.append"]
    assert len(appends) == 1
