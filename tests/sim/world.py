"""A world in virtual time around the real gate and the real step: room, server, speaker, network.

One seed decides everything. Sound is real enough to be judged: a frame of speech has another byte
than a frame of silence, so that the model server hears what was really sent, and nothing else.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from far_end import NOISE, OWN, OWN_AND_SPEECH, QUIET, SPEECH, Server
from ledger import WALL, Ledger
from loudspeaker import Speaker
from stage import house

from satellite.logic import satellite as logic
from satellite.logic.gate import Change, Gate, GateSettings
from satellite.logic.link import LinkSettings, Phase
from satellite.logic.report import ReportSettings
from satellite.logic.talk import TalkSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import FRAME_MS, Instant, frames
from satellite.model.models import Price
from satellite.model.requests import Ask, Order, Request
from satellite.model.session import Activation, Session

LONGEST_PAUSE_S: Final = 2.1
IDLE_S: Final = 60.0
NOBODY_S: Final = IDLE_S + 60.0  # that long a session may be there for nobody
SOUND: Final = {
    (False, False): QUIET,
    (True, False): SPEECH,
    (False, True): OWN,
    (True, True): OWN_AND_SPEECH,
}
VALUES: Final[list[tuple[str, list[Any]]]] = [
    ("voice", ["marin", "cedar"]),
    ("language", [None, "fr", "de"]),
    ("instructions", ["Be brief.", "Be kind."]),
    ("threshold", [0.4, 0.5, 0.7]),
]


@dataclass(frozen=True)
class Faults:
    """How often each thing goes wrong, as a probability at its occasion."""

    drop_link: float = 0.0  # at each server message
    refuse: float = 0.0  # at each connect
    hang: float = 0.0  # the server stops talking for ever, at each turn
    lose_stop: float = 0.0  # no speech_stopped and no commit
    twice: float = 0.0  # speech_stopped and committed are said twice
    no_started: float = 0.0  # response.created is forgotten
    no_transcript: float = 0.0
    fail_transcript: float = 0.0
    fail_response: float = 0.0
    no_response: float = 0.0  # the turn is ended and nothing more comes
    stall: float = 0.0  # an answer begins and never ends
    call_tool: float = 0.0  # an answer is a tool call first
    lose_tool: float = 0.0  # the tool never answers
    no_speaker: float = 0.0  # at each answer
    mic_gone: float = 0.0  # at each second
    invent: float = 0.0  # a transcript is what nobody said
    refuse_change: float = 0.0  # at each change of the settings
    forget_change: float = 0.0  # it is neither confirmed nor refused
    refuse_say: float = 0.0  # the server does not know such a response
    no_name: float = 0.0  # it does not give back what we named it
    no_start: float = 0.0  # it hears the user and does not say so
    speaker_breaks: float = 0.0  # at each piece of an answer

    @classmethod
    def draw(cls, rng: random.Random) -> Faults:
        """Each seed has some faults and not others."""
        rare = {"refuse_say", "no_name", "no_start", "speaker_breaks"}  # drawn where they matter
        names = [name for name in cls.__dataclass_fields__ if name not in rare]
        chosen = {name: rng.choice([0, 0, 0.02, 0.2]) for name in names}
        chosen["drop_link"] /= 20
        chosen["mic_gone"] /= 10
        return cls(**chosen)


@dataclass
class World:
    seed: int
    half_duplex: bool = True
    session: Session = field(default_factory=Session)
    lifetime_s: float | None = None  # of a session; the server closes it then
    faults: Faults = field(default_factory=Faults)
    activation: Activation = "open_mic"
    kills: frozenset[int] = frozenset()  # the connection breaks at these words of the server
    now: float = 1000.0
    price: Price | None = None
    caps: dict[str, float] = field(default_factory=dict)
    day_of: Callable[[float], str] | None = None
    echo_s: tuple[float, float] | None = None  # the speaker is heard: delay and tail of the room
    billed: float = 0.0  # by the server, in US dollars
    dearest: float = 0.0  # of its answers

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.tie = itertools.count()
        self.settings = logic.Settings(
            link=LinkSettings(
                connect_timeout_s=10,
                idle_close_s=IDLE_S,
                uniform=self.rng.uniform,
                session=self.session,
            ),
            talk=TalkSettings(
                report=ReportSettings("boot", "kitchen", "en", price=self.price),
                half_duplex=self.half_duplex,
                recording=False,
                chimes=frozenset({"woke", "message", "failed"}),
            ),
            **house(self.rng.uniform, self.day_of, **self.caps),
        )
        lengths = {"onset_ms": 60, "pre_roll_ms": 500, "hangover_ms": 700, "limit_ms": 30_000}
        gate = GateSettings.from_ms(**lengths, ends_turns=self.session.manual)
        self.gate = Gate(gate, self.activation)
        self.state = logic.State()
        self.ledger = Ledger()
        self.server = Server(self)
        self.speaker = Speaker(self)
        self.speaking_until = 0.0
        self.noise_until = 0.0
        self.in_use_at = 0.0  # somebody spoke, or was owed something
        self.mic_back_at = 0.0
        self.muted = False
        self.mutes = 0
        self.held_at = 0.0  # the button, last
        self.published: list[rec.Record] = []
        self.counts: Counter[str] = Counter()
        self.tools: set[str] = set()
        self.unasked: set[str] = set()  # texts of MQTT that no session was told of yet
        self.conversation_is_over = False  # nobody spoke until the session was closed

    # --- time ---

    def at(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (self.now + delay, next(self.tie), action))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.agenda and self.agenda[0][0] <= end:
            self.now, _, action = heapq.heappop(self.agenda)
            action()
        self.now = end

    # --- the deciding thread ---

    def begin(self) -> None:
        self.state, orders = logic.start(self.instant, self.settings)
        self.carry_out(orders)
        self.feed(ev.MicReady())
        self.at(0.02, self.frame)
        self.at(1, self.tick)

    @property
    def instant(self) -> Instant:
        return Instant(self.now, WALL + self.now)

    def feed(self, event: ev.Event) -> None:
        self.counts[type(event).__name__] += 1
        self.state, orders = logic.step(self.state, event, self.instant, self.settings)
        self.carry_out(orders)
        self.check()
        due = logic.deadline(self.state)
        late = isinstance(event, ev.Tick) and due is not None and due <= self.now
        assert not late, f"seed {self.seed}: it wakes itself for ever"
        if due is not None and due < self.now + 1:
            self.at(max(0.001, due - self.now), lambda: self.feed(ev.Tick(self.frame_at)))

    def tick(self) -> None:
        self.feed(ev.Tick(self.frame_at))
        self.at(1, self.tick)

    def carry_out(self, orders: tuple[cmd.Command, ...]) -> None:
        for order in orders:
            match order:
                case cmd.Publish(record):
                    self.published.append(record)
                case cmd.PlayChime("failed"):
                    assert not self.muted, f"seed {self.seed}: for somebody who is muted"
                    assert not self.speaker.playouts, f"seed {self.seed}: behind an answer"
                    self.speaker.order(order)
                case _ if isinstance(order, cmd.PlaybackCommand):
                    self.speaker.order(order)
                case cmd.RunTool(call):
                    self.run_tool(call)
                case cmd.Answer(result):
                    self.ledger.answered(result)
                case _ if isinstance(order, cmd.CaptureCommand):
                    self.capture(order)
                case _ if isinstance(order, cmd.HouseCommand):
                    pass
                case cmd.Restart() | cmd.Exit():
                    raise AssertionError(f"{order} must not leave the step")
                case _:
                    self.carry_to_server(order)

    def capture(self, order: cmd.CaptureCommand) -> None:
        """What the capture thread does: within one read where it must close the device."""
        match order:
            case cmd.HoldGate(on):
                self.gate.hold(on)
            case cmd.ShutGate(on):
                self.gate.shut_off(on)
            case cmd.OpenGate(on, for_s, held=held):
                self.press(for_s, held=held) if on else self.gate.end()
            case cmd.MuteMic(on):
                self.at(self.rng.uniform(0.001, 0.08), lambda: self.mute(on))

    def carry_to_server(self, order: cmd.Command) -> None:
        sound = isinstance(order, cmd.AppendAudio | cmd.CommitInput)
        assert not (self.muted and sound), f"seed {self.seed}: {order} of somebody who is muted"
        match order:
            case cmd.Connect(link):
                self.server.connect(link)
            case cmd.Disconnect():
                self.conversation_is_over = self.state.link.rested
                self.server.gone()
            case _:
                self.server.receive(order)

    def run_tool(self, call: ev.ToolCall) -> None:
        assert call.call_id not in self.tools, "a tool ran twice"
        self.tools.add(call.call_id)
        if self.rng.random() >= self.faults.lose_tool:
            done = ev.ToolDone(call.call_id, "{}")
            self.at(self.rng.uniform(0.01, 3), lambda: self.feed(done))

    # --- the room ---

    @property
    def frame_at(self) -> float | None:
        return self.now if self.now >= self.mic_back_at and not self.muted else None

    def change(self) -> None:
        """A person wants another value of one setting."""
        wanted = self.state.link.settled.wanted
        field, values = self.rng.choice(VALUES)
        value = self.rng.choice(values)
        self.feed(ev.ChangeRequested(replace(wanted, **{field: value})))

    def mute(self, on: bool) -> None:
        """What the capture thread does: closes, or opens again and hears something."""
        if on:
            self.gate.forget()
            self.muted = True
            self.mutes += 1
            self.feed(ev.MicClosed())
        elif self.muted:
            self.muted = False
            self.feed(ev.MicReady())

    def press(self, seconds: float, *, held: bool = False) -> None:
        """Somebody asks to be heard."""
        if not self.muted:
            self.gate.arm(frames(round(seconds * 1000)), held=held)

    def hold(self, seconds: float) -> None:
        """Somebody presses the button for so long."""
        self.feed(ev.Pressed())
        self.at(seconds, lambda: self.feed(ev.Released()))

    def request(self, order: Order) -> None:
        """Somebody asks for something over MQTT."""
        if isinstance(order, Ask):
            self.unasked.add(order.text)
        verb = type(order).__name__.lower()
        self.feed(ev.Asked(Request(verb, order, self.ledger.requested(order))))

    def speak(self, seconds: float) -> None:
        self.speaking_until = self.now + seconds

    def blare(self, seconds: float) -> None:
        """A television, or a door."""
        self.noise_until = self.now + seconds

    def frame(self) -> None:
        self.at(FRAME_MS / 1000, self.frame)
        if self.now < self.mic_back_at or self.muted:
            return
        if self.rng.random() < self.faults.mic_gone / 50:
            self.mic_back_at = self.now + self.rng.uniform(0.5, 5)
            if self.gate.is_open:
                self.ledger.severed(self.server.item)
            self.gate.forget()
            self.feed(ev.MicLost("gone"))
            self.at(self.mic_back_at - self.now, self.mic_returns)
            return
        is_speech, is_own = self.now < self.speaking_until, self.hears_itself()
        is_noise = self.now < self.noise_until and not is_speech and not is_own
        frame = NOISE if is_noise else SOUND[is_speech, is_own]
        passed = self.gate.step(frame, is_speech or is_own or is_noise)
        if passed.change is Change.OPENED:
            self.ledger.opened(self.now)
            self.feed(ev.GateOpened())
        if passed.pcm:
            self.ledger.let_through(self.now, 0 if is_noise else passed.speech_ms)
            speech_at = self.now if passed.speech_now else None
            self.feed(ev.Heard(passed.pcm, passed.speech_ms, speech_at))
        if passed.change in {Change.CLOSED, Change.CUT}:
            self.feed(ev.GateClosed(too_long=passed.change is Change.CUT))

    def hears_itself(self) -> bool:
        if self.echo_s is None:
            return False
        delay_s, tail_s = self.echo_s
        return self.speaker.sounds(self.now - delay_s, tail_s)

    def mic_returns(self) -> None:
        if not self.muted:
            self.feed(ev.MicReady())

    # --- what must hold after every event ---

    def check(self) -> None:
        state = self.state
        speaks = self.session.manual and state.talk.gate_open and not state.talk.discarding
        hearing = speaks or any(not turn.ended for turn in state.talk.turns)
        playing = self.speaker.playing
        assert not (hearing and playing), f"seed {self.seed}: talks over the user"
        assert self.gate.shut == state.talk.shut
        if state.talk.pressed_at is not None:
            self.held_at = self.now
        since = max(self.speaker.paused_at, self.held_at)
        paused_s = self.now - since if self.speaker.paused else 0.0
        assert paused_s < LONGEST_PAUSE_S, f"seed {self.seed}: an answer waits for ever"
        if self.muted:
            assert not hearing, f"seed {self.seed}: a turn of somebody who is muted"
            assert not state.link.backlog
            assert state.health.shown is not None
            assert state.health.shown.muted
        for turn in state.talk.turns:  # law 3: the longest utterance and every deadline behind it
            assert self.now - turn.opened_at < 75, f"seed {self.seed}: {turn.turn_id} never ends"
        if state.talk.turns or state.link.phase is not Phase.READY or speaks:
            self.in_use_at = self.now
        for_nobody_s = self.now - self.in_use_at
        assert for_nobody_s < NOBODY_S, f"seed {self.seed}: a session is held for nobody"
        if state.link.phase is Phase.READY:
            assert not state.link.backlog
        else:
            owed = [
                t for t in state.talk.turns if not t.ended or (t.answer and not t.answer.status)
            ]
            assert not owed, f"seed {self.seed}: waits for a session that is gone"
