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
from dataclasses import dataclass, field

from satellite.logic import satellite as logic
from satellite.logic.gate import Change, Gate, GateSettings
from satellite.logic.link import LinkSettings, Phase
from satellite.logic.report import ReportSettings
from satellite.logic.talk import TalkSettings
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import FRAME_BYTES, FRAME_MS, Instant, ms_of

SPEECH, QUIET = b"\x01" * FRAME_BYTES, bytes(FRAME_BYTES)
SILENCE_MS = 500


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
    no_speaker: float = 0.0  # at each answer
    mic_gone: float = 0.0  # at each second

    @classmethod
    def draw(cls, rng: random.Random) -> Faults:
        """Each seed has some faults and not others."""
        chosen = {name: rng.choice([0, 0, 0.02, 0.2]) for name in cls.__dataclass_fields__}
        chosen["drop_link"] /= 20
        chosen["mic_gone"] /= 10
        return cls(**chosen)


@dataclass
class World:
    seed: int
    half_duplex: bool = True
    faults: Faults = field(default_factory=Faults)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.tie = itertools.count()
        self.settings = logic.Settings(
            link=LinkSettings(connect_timeout_s=10, idle_close_s=60, uniform=self.rng.uniform),
            talk=TalkSettings(
                report=ReportSettings("boot", "kitchen", "en"),
                half_duplex=self.half_duplex,
                recording=False,
                silence_ms=SILENCE_MS,
                prefix_ms=300,
            ),
        )
        lengths = {"onset_ms": 60, "pre_roll_ms": 500, "hangover_ms": 700, "limit_ms": 30_000}
        self.gate = Gate(GateSettings.from_ms(**lengths))
        self.state = logic.State()
        self.server = Server(self)
        self.speaker = Speaker(self)
        self.speaking_until = 0.0
        self.mic_back_at = 0.0
        self.published: list[rec.Record] = []
        self.counts: Counter[str] = Counter()

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
        return Instant(self.now, 1_795_248_000.0 + self.now)

    def feed(self, event: ev.Event) -> None:
        self.counts[type(event).__name__] += 1
        self.state, orders = logic.step(self.state, event, self.instant, self.settings)
        self.carry_out(orders)
        self.check()
        due = logic.deadline(self.state)
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
                case cmd.HoldGate(on):
                    self.gate.hold(on)
                case cmd.ShutGate(on):
                    self.gate.shut_off(on)
                case cmd.Play() | cmd.EndPlay() | cmd.FlushPlayout():
                    self.speaker.order(order)
                case cmd.Connect(link):
                    self.server.connect(link)
                case cmd.Disconnect():
                    self.server.gone()
                case cmd.AnnounceOnline() | cmd.PauseRecording():
                    pass
                case cmd.Restart() | cmd.Exit():
                    raise AssertionError(f"{order} must not leave the step")
                case _:
                    self.server.receive(order)

    # --- the room ---

    @property
    def frame_at(self) -> float | None:
        return self.now if self.now >= self.mic_back_at else None

    def speak(self, seconds: float) -> None:
        self.speaking_until = self.now + seconds

    def frame(self) -> None:
        self.at(FRAME_MS / 1000, self.frame)
        if self.now < self.mic_back_at:
            return
        if self.rng.random() < self.faults.mic_gone / 50:
            self.mic_back_at = self.now + self.rng.uniform(0.5, 5)
            self.gate.forget()
            self.feed(ev.MicLost("gone"))
            self.at(self.mic_back_at - self.now, lambda: self.feed(ev.MicReady()))
            return
        is_speech = self.now < self.speaking_until
        passed = self.gate.step(SPEECH if is_speech else QUIET, is_speech)
        if passed.change is Change.OPENED:
            self.feed(ev.GateOpened())
        if passed.pcm:
            self.feed(ev.Heard(passed.pcm, passed.speech_ms, self.now if is_speech else None))
        if passed.change in {Change.CLOSED, Change.CUT}:
            self.feed(ev.GateClosed(too_long=passed.change is Change.CUT))

    # --- what must hold after every event ---

    def check(self) -> None:
        state = self.state
        hearing = any(not turn.ended for turn in state.talk.turns)
        playing = self.speaker.playing
        assert not (hearing and playing), f"seed {self.seed}: talks over the user"
        assert self.gate.shut == state.talk.shut
        for (
            turn
        ) in state.talk.turns:  # law 3; the limit of an utterance and every deadline behind it
            assert self.now - turn.opened_at < 75, f"seed {self.seed}: {turn.turn_id} never ends"
        if state.link.phase is Phase.READY:
            assert not state.link.backlog
        else:
            owed = [
                t for t in state.talk.turns if not t.ended or (t.answer and not t.answer.status)
            ]
            assert not owed, f"seed {self.seed}: waits for a session that is gone"


class Server:
    """A Realtime server that hears samples, not time (S17)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.link = 0
        self.number = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        self.up = self.configured = self.hung = False
        self.item: str | None = None
        self.speech_ms = self.silence_ms = 0
        self.response: str | None = None
        self.waiting_for_response = False

    def connect(self, link: int) -> None:
        assert not self.up, "two sessions at once"
        self.reset()
        self.link, self.up = link, True
        world = self.world
        if world.rng.random() < world.faults.refuse:
            world.at(0.1, lambda: self.drop(link, "refused"))
            return
        world.at(world.rng.uniform(0.05, 3), lambda: self.say(ev.SessionCreated("realtime", None)))

    def drop(self, link: int, detail: str) -> None:
        if self.up and self.link == link:
            self.gone()
            self.world.feed(ev.LinkDown(link, detail))

    def gone(self) -> None:
        self.up = False
        self.link = -abs(self.link)

    def later(self, delay: float, event: ev.ServerEvent) -> None:
        link = self.link
        self.world.at(delay, lambda: self.say(event) if self.link == link else None)

    def say(self, event: ev.ServerEvent) -> None:
        world = self.world
        if not self.up or self.hung:
            return
        if world.rng.random() < world.faults.drop_link:
            self.drop(self.link, "dropped")
            return
        world.feed(ev.FromServer(self.link, event))

    def receive(self, order: cmd.Command) -> None:
        assert self.up, f"{type(order).__name__} to a session that is not there"
        match order:
            case cmd.Configure():
                self.later(0.05, ev.SessionUpdated())
                self.configured = True
            case cmd.AppendAudio(pcm):
                assert self.configured, "sound before the settings"
                for start in range(0, len(pcm), FRAME_BYTES):
                    self.hear(pcm[start : start + FRAME_BYTES])
            case cmd.CommitInput():
                if self.item is not None:
                    self.waiting_for_response = True
                    self.end_turn(stopped=False)
            case cmd.CreateResponse():
                assert self.waiting_for_response, "a response nobody waits for"
                self.respond()

    def hear(self, frame: bytes) -> None:
        if self.hung:
            return
        rng, faults = self.world.rng, self.world.faults
        if frame == SPEECH:
            self.speech_ms, self.silence_ms = self.speech_ms + FRAME_MS, 0
        else:
            self.silence_ms += FRAME_MS
        if self.item is None and self.speech_ms >= 100:
            self.item = f"u{next(self.number)}"
            self.later(0.05, ev.SpeechStarted(self.item))
            if self.response is not None:
                self.later(0.06, ev.ResponseDone(self.response, "cancelled", "turn_detected"))
                self.response = None
        elif self.item is not None and self.silence_ms >= SILENCE_MS:
            self.hung = rng.random() < faults.hang
            if rng.random() >= faults.lose_stop:
                self.end_turn(stopped=True)
        elif self.item is None and self.silence_ms >= SILENCE_MS:
            self.speech_ms = 0

    def end_turn(self, *, stopped: bool) -> None:
        rng, faults, item = self.world.rng, self.world.faults, self.item
        assert item is not None
        self.item, self.speech_ms = None, 0
        for _ in range(2 if rng.random() < faults.twice else 1):
            if stopped:
                self.later(0.05, ev.SpeechStopped(item))
            self.later(0.06, ev.InputCommitted(item))
        if rng.random() >= faults.no_transcript:
            failed = rng.random() < faults.fail_transcript
            delay = rng.uniform(0.2, 4)
            said = ev.TranscriptFailed(item, None) if failed else ev.UserTranscript(item, item)
            self.later(delay, said)
        if stopped and rng.random() >= faults.no_response:
            self.respond()

    def respond(self) -> None:
        rng, faults = self.world.rng, self.world.faults
        self.waiting_for_response = False
        response, item = f"r{next(self.number)}", f"a{next(self.number)}"
        self.response = response
        if rng.random() >= faults.no_started:
            self.later(0.1, ev.ResponseCreated(response))
        if rng.random() < faults.fail_response:
            self.later(0.3, ev.ResponseDone(response, "failed", "server_error"))
            return
        delay = rng.uniform(0.3, 1)
        for n in range(rng.randrange(1, 12)):
            self.later(delay, ev.TextDelta(response, 0, 0, f"word{n} "))
            self.later(delay, ev.AudioDelta(response, item, 0, 0, QUIET * 10))
            delay += rng.uniform(0.01, 0.3)
        if rng.random() >= faults.stall:
            self.later(delay, ev.ResponseDone(response, "completed"))


class Speaker:
    """Plays in real time; may be broken for an answer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.queue: list[cmd.Play] = []
        self.current: str | None = None
        self.ended: set[str] = set()
        self.dead: set[str] = set()
        self.written = 0
        self.busy = False

    @property
    def playing(self) -> bool:
        return bool(self.queue) or self.busy

    def order(self, order: cmd.Command) -> None:
        world = self.world
        match order:
            case cmd.Play(response_id) if response_id not in self.dead:
                if self.current != response_id and not self.queue:
                    self.current, self.written = response_id, 0
                    if world.rng.random() < world.faults.no_speaker:
                        self.dead.add(response_id)
                        return
                    world.at(0, lambda: world.feed(ev.PlayoutStarted(response_id, world.now)))
                self.queue.append(order)
                self.go_on()
            case cmd.EndPlay(response_id):
                self.ended.add(response_id)
                if response_id in self.dead:
                    drained = ev.PlayoutDrained(response_id, heard=False)
                    world.at(0.001, lambda: world.feed(drained))
                else:
                    world.at(0.001, self.go_on)
            case cmd.FlushPlayout(response_id):
                item = self.queue[0].item_id if self.queue else "none"
                mine = [piece for piece in self.queue if piece.response_id == response_id]
                self.queue = [p for p in self.queue if p.response_id != response_id]
                self.busy = False
                if response_id in self.ended and not mine and self.current != response_id:
                    return
                self.ended.discard(response_id)
                self.current = None
                heard = ev.PlayoutFlushed(response_id, item, 0, self.written)
                world.at(0.001, lambda: world.feed(heard))

    def go_on(self) -> None:
        if self.busy:
            return
        if self.queue:
            self.busy = True
            piece = self.queue[0]
            self.world.at(ms_of(len(piece.pcm)) / 1000, lambda: self.played(piece))
        elif self.current in self.ended:
            response_id, self.current = self.current, None
            assert response_id is not None
            self.world.feed(ev.PlayoutDrained(response_id))

    def played(self, piece: cmd.Play) -> None:
        if not self.busy or not self.queue or self.queue[0] is not piece:
            return
        self.busy = False
        self.queue.pop(0)
        self.written += ms_of(len(piece.pcm))
        self.go_on()
