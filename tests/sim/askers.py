"""A world in which people and automations ask for everything over MQTT, some of it twice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from far_end import QUIET, Server
from world import World

from satellite.logic.asked import AskedSettings
from satellite.logic.link import Phase
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model import requests as req
from satellite.model.requests import Order, Reply, Request

LONGEST_S: Final = 200.0  # what waits for its turn, and then for a server that says nothing
CLOSE_S: Final = 0.08  # one read of the microphone


@dataclass
class Asking:
    """One delivery of a request, known by where it wants its answer."""

    request: Request
    at: float
    answers: list[rec.Result] = field(default_factory=list)
    again: bool = False

    @property
    def last(self) -> list[rec.Result]:
        return [each for each in self.answers if each.status != "accepted"]


class AskedServer(Server):
    """Takes texts that are asked, and speaks texts beside the conversation."""

    world: AskedWorld

    def receive(self, order: cmd.Command) -> None:
        match order:
            case cmd.AddText(_, text) if text in self.world.unasked:
                assert self.configured
                self.world.unasked.remove(text)
                self.answered, self.waiting_for_response = "", True
                self.world.conversation_is_over = False
            case cmd.SpeakText(name, text):
                self.read_aloud(name, text)
            case _:
                super().receive(order)

    def read_aloud(self, name: str, text: str) -> None:
        assert self.configured
        assert self.response is None, "a text is spoken while there is an answer"
        rng, faults = self.world.rng, self.world.faults
        self.response = response = f"s{next(self.number)}"
        self.later(0.1, ev.ResponseCreated(response, name))
        if rng.random() < faults.fail_response:
            self.end_response(0.3, response, "failed", "server_error")
            return
        self.piece(0.3, ev.TextDelta(response, 0, 0, text))
        for n in range(rng.randrange(1, 12)):
            self.piece(0.3 + n / 20, ev.AudioDelta(response, f"i{response}", 0, 0, QUIET * 10))
        if rng.random() >= faults.stall:
            self.end_response(1.0, response, "completed")


@dataclass
class AskedWorld(World):
    """``remote_unmute`` allows what else only a person at the machine may do."""

    remote_unmute: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        asked = AskedSettings(frozenset({"volume"}), self.remote_unmute)
        self.settings = replace(self.settings, asked=asked)
        self.server = AskedServer(self)
        self.unasked: set[str] = set()  # texts that no session was told of yet
        self.askings: dict[str, Asking] = {}
        self.mic_free_at = 0.0
        self.told_muted = False  # a mute was acknowledged, and nothing opened it since
        self.kept: dict[str, object] = {}

    # --- who asks ---

    def ask(self) -> None:
        """Something, from somebody."""
        number = len(self.askings)
        known = [each for each in self.askings.values() if each.request.id is not None]
        if known and self.rng.random() < 0.1:
            before = self.rng.choice(known[-5:]).request
            self.deliver(replace(before, reply=Reply(f"r{number}")), again=True)
            return
        verb, order = self.rng.choice(self.wishes(number))
        name = f"id{number}" if self.rng.random() < 0.7 else None
        late_s = self.rng.choice([0, 0, 0, 5, 60])
        sent_at = self.rng.choice([None, self.instant.wall - late_s])
        self.deliver(Request(verb, order, name, sent_at, Reply(f"r{number}")), again=False)

    def wishes(self, number: int) -> list[tuple[str, Order]]:
        pick = self.rng.choice
        for_s = pick([None, 1.0, 5.0, 20.0])
        texts: list[tuple[str, Order]] = [
            ("say", req.Say(f"said {number}", pick([True, False]))),
            ("ask", req.Ask(f"asked {number}", pick([True, True, False]))),
        ]
        return [
            *texts * 3,
            *[("mute", req.Mute(pick([True, False, None]), for_s))] * 3,
            ("cancel", req.Cancel(pick(["response", "say", "all"]))),
            ("listen", req.Listen(pick([True, True, False]), pick([None, 3.0]))),
            ("voice", req.Set("voice", pick(["marin", "cedar", None]))),
            ("language", req.Set("language", pick(["de", "auto", None]), pick([True, False]))),
            ("instructions", req.Set("instructions", pick(["Be brief.", None]))),
            ("sensitivity", req.Set("sensitivity", pick([0, 3, None]))),
            ("volume", req.Set("volume", 5)),
            ("new_session", req.NewSession()),
            ("replay", req.Replay(0)),
            ("restart", req.Restart()) if self.now < 1050 else ("get", req.Get()),
        ]

    def deliver(self, request: Request, *, again: bool) -> None:
        assert request.reply is not None
        self.askings[request.reply.topic] = Asking(request, self.now, again=again)
        is_over = self.conversation_is_over
        if isinstance(request.order, req.Ask) and not again:
            self.unasked.add(request.order.text)
        self.feed(ev.Asked(request))
        done = [each.status for each in self.askings[request.reply.topic].answers]
        if isinstance(request.order, req.NewSession) and done == ["done"] and not again:
            self.conversation_is_over = is_over or self.state.link.phase is not Phase.READY

    # --- the threads around ---

    def carry_out(self, orders: tuple[cmd.Command, ...]) -> None:
        for order in orders:
            match order:
                case cmd.Answer(result, reply):
                    self.answered(result, reply)
                case cmd.Replay(_, _, reply, name):  # the outbox says when it is over
                    done = rec.Result(cmd="replay", id=name, status="done", ts="")
                    self.at(0.1, lambda done=done, reply=reply: self.answered(done, reply))  # type: ignore[misc]
                case cmd.Keep(name, value):
                    self.kept[name] = value
                case cmd.AppendAudio():
                    assert not self.told_muted or order.at is None, "sound after a mute was done"
                    super().carry_out((order,))
                case _:
                    super().carry_out((order,))

    def capture(self, order: cmd.CaptureCommand) -> None:
        """One order after the other, each when the read before it is done."""
        if not isinstance(order, cmd.MuteMic):
            super().capture(order)
            return
        self.told_muted = self.told_muted and order.on
        self.mic_free_at = max(self.now, self.mic_free_at) + self.rng.uniform(0.001, CLOSE_S)
        self.at(self.mic_free_at - self.now, lambda: self.mute(order.on))

    def answered(self, result: rec.Result, reply: Reply | None) -> None:
        assert reply is not None
        asking = self.askings[reply.topic]
        assert not asking.last, f"two last answers to {asking.request}: {asking.answers} {result}"
        assert (result.cmd, result.id) == (asking.request.verb, asking.request.id)
        asking.answers.append(result)
        is_mute = isinstance(asking.request.order, req.Mute)
        if is_mute and result.status == "done" and self.state.privacy.muted and not asking.again:
            self.told_muted = True

    def check(self) -> None:
        super().check()
        for waiting in self.state.asked.waiting:
            assert waiting.request.reply is not None
            age_s = self.now - self.askings[waiting.request.reply.topic].at
            assert age_s < LONGEST_S, f"seed {self.seed}: {waiting.request} never ends"
