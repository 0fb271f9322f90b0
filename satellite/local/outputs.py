"""What a session wants done, in order: events for the client, and work for the engines. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from satellite.local.schema import Refusal


@dataclass(frozen=True, slots=True)
class Send:
    event: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recognise:
    """Answer with ``recognised``."""

    item_id: str
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with ``answered``."""

    response_id: str
    text: str = field(repr=False)
    tools: tuple[dict[str, Any], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """What to say about a tool's output; answer with ``answered``."""

    response_id: str
    output: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Speak:
    """Answer with ``spoken`` for every piece, then ``speech_ended``."""

    response_id: str
    text: str = field(repr=False)
    speed: float


@dataclass(frozen=True, slots=True)
class Abandon:
    """The work for this response is not wanted any more."""

    response_id: str


@dataclass(frozen=True, slots=True)
class Wake:
    """Answer with ``woken`` after so many milliseconds of wall clock; a later Wake replaces it."""

    after_ms: int
    number: int


@dataclass(frozen=True, slots=True)
class Diagnose:
    """Something a client does that the live service takes in silence; once for each ``code``."""

    code: str
    text: str


Output = Send | Recognise | Answer | Report | Speak | Abandon | Wake | Diagnose


def error_event(refusal: Refusal, event_id: str, client_event_id: str | None) -> dict[str, Any]:
    error = {
        "type": "invalid_request_error",
        "code": refusal.code,
        "message": refusal.message,
        "param": refusal.param,
        "event_id": client_event_id,
    }
    return {"type": "error", "event_id": event_id, "error": error}


class Outbox:
    """Collects what is to happen until the session hands it out; gives ids.

    ``translate`` makes of a GA event those of the session's dialect.
    """

    def __init__(
        self,
        new_id: Callable[[str], str],
        translate: Callable[[dict[str, Any]], list[dict[str, Any]]],
    ) -> None:
        self.new_id = new_id
        self._translate = translate
        self._outputs: list[Output] = []

    def work(self, job: Output) -> None:
        self._outputs.append(job)

    def send(self, kind: str, **keys: Any) -> None:
        self.send_all([{"type": kind, **keys}])

    def send_all(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            for said in self._translate(event):
                head = {"type": said["type"], "event_id": self.new_id("event")}
                self._outputs.append(Send({**head, **said}))

    def refuse(self, refusal: Refusal, client_event_id: str | None) -> None:
        self._outputs.append(Send(error_event(refusal, self.new_id("event"), client_event_id)))

    def flush(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs
