"""A stage for the pure step: facts go in one by one, orders are collected, time is ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from satellite.logic import satellite as logic
from satellite.logic.link import LinkSettings
from satellite.logic.presence import PresenceSettings
from satellite.logic.report import ReportSettings
from satellite.logic.talk import TalkSettings
from satellite.logic.usage import UsageSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant, silence
from satellite.model.models import Price, TranscriptPrice
from satellite.model.session import Session
from satellite.model.tuning import Tuning

WALL = 1_795_248_000.0  # 2026-11-21T08:00:00Z
VOICE = silence(200)

T = TypeVar("T")


def house(
    uniform: Callable[[float, float], float] = lambda low, high: high,
    day_of: Callable[[float], str] | None = None,
    **caps: float,
) -> Any:
    """The settings that are about Home Assistant and money, by name."""
    return {
        "presence": PresenceSettings(uniform, ("t/state",), frozenset({"marin", "en", "open_mic"})),
        "usage": UsageSettings(day_of or utc_day, "kitchen", **caps),
    }


def utc_day(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).date().isoformat()


def settings(
    *,
    half_duplex: bool = True,
    recording: bool = False,
    session: Session | None = None,
    drop_phantoms: bool = False,
    price: Price | None = None,
    transcript_price: TranscriptPrice | None = None,
    idle_close_s: float = 300,
    partials: bool = False,
    **caps: float,
) -> logic.Settings:
    return logic.Settings(
        link=LinkSettings(
            connect_timeout_s=10,
            idle_close_s=idle_close_s,
            uniform=lambda low, high: high,
            session=session or Session(),
            compare=lambda session, effective: effective or (),  # a test says what differs
        ),
        talk=TalkSettings(
            report=ReportSettings(
                boot="boot",
                device_id="kitchen",
                language="en",
                partials=partials,
                price=price,
                transcript_price=transcript_price,
            ),
            half_duplex=half_duplex,
            recording=recording,
            drop_phantoms=drop_phantoms,
        ),
        **house(**caps),
    )


@dataclass
class Stage:
    settings: logic.Settings = field(default_factory=settings)
    now: float = 1000.0
    state: logic.State = field(default_factory=logic.State)
    orders: list[cmd.Command] = field(default_factory=list)

    def start(self, kept: Mapping[str, object] | None = None) -> Stage:
        self.state, orders = logic.start(self.instant, self.settings, kept)
        self.orders += orders
        return self

    @property
    def instant(self) -> Instant:
        return Instant(self.now, WALL + self.now - 1000.0)

    def tell(self, *events: ev.Event) -> list[cmd.Command]:
        """Decide on each event; return the orders of all of them."""
        fresh: list[cmd.Command] = []
        for event in events:
            self.state, orders = logic.step(self.state, event, self.instant, self.settings)
            fresh += orders
        self.orders += fresh
        return fresh

    def server(self, *events: ev.ServerEvent) -> list[cmd.Command]:
        """Let the server of the present connection say something."""
        return self.tell(*(ev.FromServer(self.state.link.number, event) for event in events))

    def wait(self, seconds: float, step: float = 0.5) -> list[cmd.Command]:
        """Let time pass, with a tick and a fresh frame as the evidence at each step."""
        fresh: list[cmd.Command] = []
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step)
            fresh += self.tell(ev.Tick(self.now))
        return fresh

    @property
    def session(self) -> Session:
        return self.settings.link.session

    def ready(self, expires_at: float | None = None) -> Stage:
        """A microphone that works and a session that is configured."""
        self.start()
        self.tell(ev.MicReady())
        self.open(expires_at)
        return self

    def open(self, expires_at: float | None = None) -> list[cmd.Command]:
        """The server opens a session and takes its settings."""
        created = ev.SessionCreated(self.session.kind, expires_at)
        return self.server(created, ev.SessionUpdated())

    def lose(self) -> list[cmd.Command]:
        """The connection breaks."""
        return self.tell(ev.LinkDown(self.state.link.number, "gone", code=1006))

    def reconnect(self) -> list[cmd.Command]:
        """After a loss: wait for the next connection and open its session."""
        fresh = self.wait(2)
        return fresh + self.open()

    def change(self, **fields: object) -> list[cmd.Command]:
        """A person wants other settings than those wanted until now."""
        wanted = replace(self.state.link.settled.wanted, **fields)  # type: ignore[arg-type]
        return self.tell(ev.ChangeRequested(wanted))

    def tune(self, **values: object) -> list[cmd.Command]:
        """The configuration was read again, as the core does it."""
        now = self.settings
        tuning = Tuning(
            idle_close_s=now.link.idle_close_s,
            follow_up_s=now.talk.follow_up_s,
            chimes=now.talk.chimes,
            drop_phantoms=now.talk.drop_phantoms,
            partials=now.talk.report.partials,
            remote_unmute=now.asked.remote_unmute,
            cap_day=now.usage.cap_day,
            cap_month=now.usage.cap_month,
        )
        tuning = replace(tuning, **values)  # type: ignore[arg-type]
        self.settings = logic.tuned(now, tuning)
        return self.tell(ev.ChangeRequested(self.session, {}, tuning))

    def hold_to_speak(self, ms: int = 1000) -> list[cmd.Command]:
        """The gate opens and closes around a sentence; nothing is heard of a server."""
        fresh = self.tell(ev.GateOpened(), ev.Heard(silence(ms), ms, self.now))
        self.now += ms / 1000
        return fresh + self.tell(ev.GateClosed(too_long=False))

    def turn(self, number: int = 1, text: str = "Hi.") -> list[cmd.Command]:
        """A whole turn: said, understood, answered, played."""
        fresh = self.speak(f"u{number}")
        fresh += self.server(ev.UserTranscript(f"u{number}", text))
        fresh += self.answer(f"r{number}", f"a{number}")
        fresh += self.tell(ev.PlayoutDrained(f"r{number}"))
        return fresh + self.wait(1)  # the room is quiet again

    def speak(self, item_id: str = "u1", seconds: float = 1.0) -> list[cmd.Command]:
        """A person says something, and the server hears it to its end."""
        fresh = self.tell(ev.GateOpened())
        fresh += self.tell(ev.Heard(VOICE, 200, self.now))
        fresh += self.server(ev.SpeechStarted(item_id))
        self.now += seconds
        fresh += self.tell(ev.Heard(silence(40), 20, self.now))
        self.now += 0.5
        fresh += self.tell(ev.Heard(silence(40), 0, None))
        fresh += self.server(ev.SpeechStopped(item_id), ev.InputCommitted(item_id))
        fresh += self.tell(ev.GateClosed(too_long=False))
        return fresh

    def answer(self, response_id: str = "r1", item_id: str = "a1") -> list[cmd.Command]:
        """The server makes a whole answer of two words and 400 ms."""
        return self.server(
            ev.ResponseCreated(response_id),
            ev.TextDelta(response_id, 0, 0, "All "),
            ev.AudioDelta(response_id, item_id, 0, 0, VOICE),
            ev.TextDelta(response_id, 0, 0, "done."),
            ev.AudioDelta(response_id, item_id, 0, 0, VOICE),
            ev.ResponseDone(response_id, "completed", None, ev.Usage(10, 20)),
        )

    def published(self, kind: type[T]) -> list[T]:
        return [
            order.record
            for order in self.orders
            if isinstance(order, cmd.Publish) and isinstance(order.record, kind)
        ]

    @property
    def shown(self) -> rec.State:
        return self.published(rec.State)[-1]


def only(orders: list[cmd.Command], kind: type[T]) -> list[T]:
    return [order for order in orders if isinstance(order, kind)]
