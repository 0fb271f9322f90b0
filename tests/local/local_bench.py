"""Fakes for the three engines and the detector, and a driver that carries out a session's work."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel, Field, TypeAdapter

from satellite.local.beta import BetaSession
from satellite.local.engines import Call, Say
from satellite.local.outputs import (
    Abandon,
    Answer,
    Diagnose,
    Recognise,
    Report,
    Send,
    Speak,
    Wake,
)
from satellite.local.session import Session

MS = 48  # bytes of 24 kHz s16le mono in a millisecond
FRAME = 32 * MS
LOUD = b"\x00\x40"
QUIET = b"\x00\x00"
_SERVER = TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])
_BETA = TypeAdapter(Annotated[BetaServerEvent, Field(discriminator="type")])
_ALLOWED = {".session.id", ".session.object", ".session.expires_at", ".obfuscation"}
_BETA_ALLOWED = _ALLOWED | {".session.client_secret", ".session.include"}
_BETA_HEARING = {  # of a transcription session: openai has no class that fits (4.1)
    "id",
    "object",
    "expires_at",
    "input_audio_format",
    "input_audio_transcription",
    "input_audio_noise_reduction",
    "turn_detection",
    "client_secret",
    "include",
}


def sound(ms: int, sample: bytes = LOUD) -> bytes:
    return sample * (24 * ms)


def silence(ms: int) -> bytes:
    return sound(ms, QUIET)


def unknown_keys(value: Any, path: str = "") -> list[str]:
    if isinstance(value, BaseModel):
        found = [f"{path}.{key}" for key in value.model_extra or {}]
        for key in type(value).model_fields:
            found += unknown_keys(getattr(value, key, None), f"{path}.{key}")
        return found
    if isinstance(value, (list, tuple)):
        return [key for at, part in enumerate(value) for key in unknown_keys(part, f"{path}[{at}]")]
    return []


def check_s1(event: dict[str, Any], dialect: type[Session] = Session) -> None:
    """S1: openai's own types take the event, and know every key of it."""
    assert event["event_id"]
    told = json.loads(json.dumps(event))
    if dialect is not BetaSession:
        assert set(unknown_keys(_SERVER.validate_python(told))) <= _ALLOWED, event["type"]
    elif event["type"].startswith("transcription_session."):
        assert event.keys() == {"type", "event_id", "session"}
        assert event["session"].keys() == _BETA_HEARING
    else:
        assert set(unknown_keys(_BETA.validate_python(told))) <= _BETA_ALLOWED, event["type"]


class LoudnessDetector:
    """A frame is speech as much as its loudest sample; frames as the real detector cuts them."""

    def __init__(self) -> None:
        self._rest = b""

    def frames(self, pcm: bytes) -> Iterator[float]:
        assert len(pcm) % 2 == 0
        self._rest += pcm
        while len(self._rest) >= FRAME:
            frame, self._rest = self._rest[:FRAME], self._rest[FRAME:]
            samples = memoryview(frame).cast("h")
            yield min(1.0, max(abs(sample) for sample in samples) / 16_384)


class FakeRecogniser:
    def __init__(self) -> None:
        self.words: str | Exception = "what time is it"

    def transcribe(self, pcm: bytes) -> str:
        if isinstance(self.words, Exception):
            raise self.words
        return self.words if pcm else ""


class FakeResponder:
    def __init__(self) -> None:
        self.reply: Say | Call = Say("It is noon. Time to eat.")
        self.asked: list[str] = []

    def answer(self, text: str, tools: Sequence[dict[str, Any]]) -> Say | Call:
        self.asked.append(text)
        return self.reply

    def report(self, output: str) -> Say:
        self.asked.append(output)
        return Say("Done.")


class FakeSynthesiser:
    """300 ms of sound for every sentence, in two pieces."""

    def speak(self, text: str, speed: float) -> Iterator[bytes]:
        yield sound(200)
        yield sound(100)


class Client:
    """A client, the engines and the session in one thread; every event is checked for S1."""

    def __init__(self, dialect: type[Session] = Session, **options: Any) -> None:
        """``options`` are those of Session: kind, pinned, behaviour."""
        counter = itertools.count(1)
        self._dialect = dialect
        self._kind = options.get("kind", "realtime")
        self.session = dialect(
            "gpt-4o-realtime-preview" if dialect is BetaSession else "gpt-realtime-2.1",
            1_795_248_000,
            lambda prefix: f"{prefix}_{next(counter)}",
            LoudnessDetector(),
            **options,
        )
        self.recogniser = FakeRecogniser()
        self.responder = FakeResponder()
        self.events: list[dict[str, Any]] = []
        self.jobs: list[Any] = []
        self.wake: Wake | None = None
        self.diagnosed: list[Diagnose] = []
        self.take(self.session.open())

    def take(self, outputs: Sequence[Any]) -> list[dict[str, Any]]:
        """Keep jobs, return and record the events."""
        fresh = []
        for output in outputs:
            match output:
                case Send(event):
                    check_s1(event, self._dialect)
                    fresh.append(event)
                case Abandon(response_id):
                    self.jobs = [
                        job for job in self.jobs if getattr(job, "response_id", "") != response_id
                    ]
                case Wake():
                    self.wake = output
                case Diagnose():
                    self.diagnosed.append(output)
                case _:
                    self.jobs.append(output)
        self.events += fresh
        return fresh

    def raw(self, message: str | bytes, at_s: float | None = None) -> list[dict[str, Any]]:
        fresh = self.take(self.session.receive(message, at_s))
        while self.session.has_unheard:
            fresh += self.take(self.session.listen())
        return fresh

    def send(self, kind: str, **keys: Any) -> list[dict[str, Any]]:
        return self.raw(json.dumps({"type": kind, "event_id": "c1", **keys}))

    def append(self, pcm: bytes) -> list[dict[str, Any]]:
        return self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    def update(self, **session: Any) -> list[dict[str, Any]]:
        """With the type of the session, which the beta dialect does not have."""
        if self._dialect is BetaSession:
            kind = "session" if self._kind == "realtime" else "transcription_session"
            return self.send(f"{kind}.update", session=session)
        return self.send("session.update", session={"type": self._kind, **session})

    def work(self, times: int = 1000) -> list[dict[str, Any]]:
        """Carry out jobs, oldest first, until none is left or ``times`` were done."""
        fresh = []
        while self.jobs and times:
            times -= 1
            fresh += self._do(self.jobs.pop(0))
        return fresh

    def _do(self, job: Any) -> list[dict[str, Any]]:
        session = self.session
        match job:
            case Recognise(item_id, pcm):
                try:
                    words: str | None = self.recogniser.transcribe(pcm)
                except RuntimeError:
                    words = None
                return self.take(session.recognised(item_id, words))
            case Answer(response_id, text, tools):
                return self.take(session.answered(response_id, self.responder.answer(text, tools)))
            case Report(response_id, output):
                return self.take(session.answered(response_id, self.responder.report(output)))
            case Speak(response_id, text, speed):
                fresh = []
                for pcm in FakeSynthesiser().speak(text, speed):
                    fresh += self.take(session.spoken(response_id, pcm))
                return fresh + self.take(session.speech_ended(response_id))
        raise AssertionError(job)

    def say(self, text: str = "hello") -> str:
        """A typed user message; gives the item's id."""
        item = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": text}],
        }
        return self.send("conversation.item.create", item=item)[0]["item"]["id"]


def types(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def error(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The one event is an error; its body."""
    assert types(events) == ["error"], types(events)
    return events[0]["error"]
