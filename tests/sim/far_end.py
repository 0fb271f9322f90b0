"""The simulated Realtime server."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from satellite.logic.price import of_response
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, FRAME_MS
from satellite.model.session import Session

if TYPE_CHECKING:
    from world import World

SPEECH: Final = b"\x01" * FRAME_BYTES
QUIET: Final = bytes(FRAME_BYTES)
OWN: Final = b"\x02" * FRAME_BYTES  # the assistant's voice, heard by the microphone
NOISE: Final = b"\x04" * FRAME_BYTES  # our judge takes it for speech, the server does not
OWN_AND_SPEECH: Final = b"\x03" * FRAME_BYTES
SILENCE_MS: Final = 500
PHANTOM: Final = "Thanks for watching!"


class Server:
    """A Realtime server that hears samples, not time (S17)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.link = 0
        self.number = itertools.count(1)
        self.words = 0
        self.own = 0  # frames of the assistant's voice that came here
        self.own_in_item = 0  # of these, since the last item, without a person
        self.answer_text = ""  # of the last answer
        self.reset()

    def reset(self) -> None:
        self.up = self.configured = self.hung = False
        self.item: str | None = None
        self.has: Session | None = None
        self.updating = self.spoke = False
        self.answered = ""  # the item that the next answer is for
        self.speech_ms = self.silence_ms = 0
        self.response: str | None = None
        self.waiting_for_response = False
        self.uncommitted_ms = 0
        self.calls: set[str] = set()
        self.context = 0  # tokens
        self.aside: str | None = None  # a response beside the conversation
        self.world.ledger.forgotten()

    def connect(self, link: int) -> None:
        assert not self.up, "two sessions at once"
        self.reset()
        self.link, self.up = link, True
        world = self.world
        if world.rng.random() < world.faults.refuse:
            world.at(0.1, lambda: self.drop(link, "refused"))
            return
        delay, life = world.rng.uniform(0.05, 3), world.lifetime_s
        expires_at = None if life is None else world.instant.wall + delay + life
        self.later(delay, ev.SessionCreated(world.session.kind, expires_at))
        if life is not None:
            world.at(delay + life, lambda: self.drop(link, "the session is too old"))

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
        self.words += 1
        if self.words in world.kills or world.rng.random() < world.faults.drop_link:
            self.drop(self.link, "dropped")
            return
        self.spoke = self.spoke or isinstance(event, ev.AudioDelta)
        if isinstance(event, ev.SessionUpdated | ev.ServerError):
            self.updating = False
        world.feed(ev.FromServer(self.link, event))

    def receive(self, order: cmd.Command) -> None:
        assert self.up, f"{type(order).__name__} to a session that is not there"
        if self.hung:
            return
        match order:
            case cmd.Configure():
                self.configure(order)
            case cmd.AddText(_, text):
                self.learn(text)
            case cmd.AddToolOutput(call_id):
                self.calls.remove(call_id)
            case cmd.AppendAudio():
                self.take(order)
            case cmd.ClearInput():
                self.item, self.speech_ms, self.uncommitted_ms = None, 0, 0
                self.world.ledger.forgotten()
            case cmd.CommitInput():
                self.commit()
            case cmd.CreateResponse() | cmd.SpeakText():
                self.create(order)
            case cmd.CancelResponse(response_id):
                self.stop(response_id)

    def configure(self, order: cmd.Configure) -> None:
        """The first settings are taken; a change may be refused or forgotten."""
        rng, faults = self.world.rng, self.world.faults
        assert not self.updating, "an update while one is under way"
        if order.since is None:
            self.configured = True
            self.later(0.05, ev.SessionUpdated())
            self.has = order.session
            return
        assert order.since == self.has, "a change of what the server does not have"
        assert order.session != self.has, "a change of nothing"
        assert not (self.spoke and order.session.voice != self.has.voice), "a voice that was heard"
        self.updating = True
        if rng.random() < faults.forget_change:
            return
        if rng.random() < faults.refuse_change:
            name = order.event_id if rng.random() < 0.5 else None
            kind, code = "invalid_request_error", "invalid_value"
            answer: ev.ServerEvent = ev.ServerError(kind, code, "no", "session.x", name)
        else:
            self.has, answer = order.session, ev.SessionUpdated()
        self.later(0.05, answer)

    def take(self, sound: cmd.AppendAudio) -> None:
        assert self.configured, "sound before the settings"
        self.world.conversation_is_over = False
        self.world.ledger.took(sound)
        for start in range(0, len(sound.pcm), FRAME_BYTES):
            frame = sound.pcm[start : start + FRAME_BYTES]
            if frame not in {QUIET, NOISE} and sound.at is not None:
                self.world.ledger.reached(sound.at, self.item)
            self.own += frame in {OWN, OWN_AND_SPEECH}
            self.own_in_item += frame == OWN
            self.hear(frame)

    def commit(self) -> None:
        if self.uncommitted_ms < 100:
            error = ev.ServerError("invalid_request_error", "input_audio_buffer_commit_empty", "")
            self.later(0.05, error)
        elif self.item is not None or self.world.session.manual:
            self.item = self.item or self.new_item()
            self.waiting_for_response = True
            self.end_turn(stopped=False)

    def hear(self, frame: bytes) -> None:
        if self.hung:
            return
        self.uncommitted_ms += FRAME_MS
        if self.world.session.manual:
            return
        rng, faults = self.world.rng, self.world.faults
        if frame not in {QUIET, NOISE}:
            self.speech_ms, self.silence_ms = self.speech_ms + FRAME_MS, 0
        else:
            self.silence_ms += FRAME_MS
        if self.item is None and self.speech_ms >= 100:
            self.item = self.new_item()
            if not faults.no_start or rng.random() >= faults.no_start:
                self.later(0.05, ev.SpeechStarted(self.item))
            if self.response is not None:
                self.cancel(0.06, "turn_detected")
        elif self.item is not None and self.silence_ms >= SILENCE_MS:
            self.hung = rng.random() < faults.hang
            if rng.random() >= faults.lose_stop:
                self.end_turn(stopped=True)
        elif self.item is None and self.silence_ms >= SILENCE_MS:
            self.speech_ms = 0
            self.world.ledger.forgotten()

    def new_item(self) -> str:
        item = f"u{next(self.number)}"
        self.world.ledger.became(item)
        return item

    def end_turn(self, *, stopped: bool) -> None:
        rng, faults, item = self.world.rng, self.world.faults, self.item
        assert item is not None
        self.item, self.speech_ms, self.uncommitted_ms = None, 0, 0
        self.answered, own = item, self.own_in_item
        self.own_in_item = 0
        for _ in range(2 if rng.random() < faults.twice else 1):
            if stopped:
                self.later(0.05, ev.SpeechStopped(item))
            self.later(0.06, ev.InputCommitted(item))
        if rng.random() >= faults.no_transcript:
            failed = rng.random() < faults.fail_transcript
            delay = rng.uniform(0.2, 4)
            text = PHANTOM if rng.random() < faults.invent else item
            if own * FRAME_MS > 300:  # nobody else would say so
                text = self.answer_text or text
            said = ev.TranscriptFailed(item, None) if failed else ev.UserTranscript(item, text)
            self.later(delay, said)
        if stopped and self.world.session.answers and rng.random() >= faults.no_response:
            self.respond()

    def create(self, order: cmd.CreateResponse | cmd.SpeakText) -> None:
        assert self.configured
        assert self.response is None, "an answer while there is one"
        assert self.aside is None, "an answer while a text is spoken"
        if isinstance(order, cmd.SpeakText):
            self.read_aloud(order)
            return
        assert self.waiting_for_response, "a response nobody waits for"
        assert not self.calls, "an answer before every tool has its output"
        self.respond()

    def learn(self, text: str) -> None:
        world = self.world
        assert self.configured
        if text in world.unasked:
            world.unasked.remove(text)
            world.conversation_is_over = False
            self.answered, self.waiting_for_response = text, True
        assert not world.conversation_is_over, "told of a conversation that is over"
        assert PHANTOM not in text, "told of what nobody said"

    def stop(self, response_id: str) -> None:
        if response_id == self.response:
            self.cancel(0.05, "client_cancelled")
        elif response_id == self.aside:
            self.later(0.05, ev.ResponseDone(response_id, "cancelled", "client_cancelled"))
            self.aside = None

    def read_aloud(self, order: cmd.SpeakText) -> None:
        """What speech does not stop, because it is not in the conversation."""
        rng, faults = self.world.rng, self.world.faults
        if rng.random() < faults.refuse_say:
            error = ("invalid_request_error", "unknown_parameter", "no", "response")
            self.later(0.05, ev.ServerError(*error, f"m1.{order.name}"))
            return
        if rng.random() < faults.no_response:
            return
        response, item = f"s{next(self.number)}", f"a{next(self.number)}"
        name = None if rng.random() < faults.no_name else order.name
        self.aside = response
        self.later(0.1, ev.ResponseCreated(response, name))
        if rng.random() < faults.fail_response:
            self.end_aside(0.3, ev.ResponseDone(response, "failed", "server_error", name=name))
            return
        delay = rng.uniform(0.3, 1)
        for n, word in enumerate(order.text.split()):
            self.piece(delay, ev.TextDelta(response, 0, 0, f" {word}" if n else word))
            self.piece(delay, ev.AudioDelta(response, item, 0, 0, QUIET * 10))
            delay += rng.uniform(0.01, 0.3)
        if rng.random() >= faults.stall:
            self.end_aside(delay, ev.ResponseDone(response, "completed", name=name))

    def end_aside(self, delay: float, done: ev.ResponseDone) -> None:
        link = self.link

        def end() -> None:
            if self.link == link and self.aside == done.response_id:
                self.aside = None
                self.say(done)

        self.world.at(delay, end)

    def respond(self) -> None:
        rng, faults = self.world.rng, self.world.faults
        self.waiting_for_response = False
        response, item = f"r{next(self.number)}", f"a{next(self.number)}"
        self.response = response
        if rng.random() >= faults.no_started:
            self.later(0.1, ev.ResponseCreated(response))
        if rng.random() < faults.fail_response:
            self.end_response(0.3, response, "failed", "server_error")
            return
        delay = rng.uniform(0.3, 1)
        if rng.random() < faults.call_tool:
            self.end_response(delay, response, "completed", None, call=True)
            return
        count = rng.randrange(1, 12)
        self.answer_text = " ".join(
            ["", f"{self.answered}:", *(f"word{n}" for n in range(1, count))]
        )
        for n in range(count):
            self.piece(
                delay, ev.TextDelta(response, 0, 0, f"word{n} " if n else f"{self.answered}: ")
            )
            self.piece(delay, ev.AudioDelta(response, item, 0, 0, QUIET * 10))
            delay += rng.uniform(0.01, 0.3)
        if rng.random() >= faults.stall:
            self.end_response(delay, response, "completed")

    def cancel(self, delay: float, why: str) -> None:
        assert self.response is not None
        self.later(delay, ev.ResponseDone(self.response, "cancelled", why, self.bill()))
        self.response = None

    def bill(self) -> ev.Usage | None:
        """What one more answer costs: each is told all that was said before in its session."""
        price = self.world.price
        if price is None:
            return None
        self.context += self.world.rng.randrange(100, 1000)
        usage = ev.Usage(self.context, 200, input_audio_tokens=50, output_audio_tokens=150)
        usd = of_response(usage, price).usd
        self.world.billed += usd
        self.world.dearest = max(self.world.dearest, usd)
        return usage

    def piece(self, delay: float, event: ev.TextDelta | ev.AudioDelta) -> None:
        link = self.link
        self.world.at(delay, lambda: self.say(event) if self.link == link else None)

    def end_response(
        self, delay: float, response: str, status: str, why: str | None = None, call: bool = False
    ) -> None:
        link = self.link

        def end() -> None:
            if self.link != link or self.response != response:
                return
            self.response = None
            calls: tuple[ev.ToolCall, ...] = ()
            if status == "failed" or call:
                self.waiting_for_response = True
            if call:
                name = f"call{next(self.number)}"
                calls = (ev.ToolCall(name, "time", "{}"),)
                self.calls.add(name)
            self.say(ev.ResponseDone(response, status, why, self.bill(), calls))

        self.world.at(delay, end)
