"""The daemon as the program builds it, with time that passes SPEED times as fast.

Threads, inbox, gate, Realtime link and its socket, decisions, publishing: all real. In the place of
devices and broker stand a microphone that says what the test says, a speaker and a list.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from satellite import app
from satellite.adapters.systemd import Notifier
from satellite.config.schema import Audio, Config, Realtime
from satellite.delivery import Begun
from satellite.inbox import Inbox
from satellite.model import events as ev
from satellite.model.audio import FRAME_BYTES, FRAME_MS, RATE
from satellite.model.ports import Message

SPEED = 8

Witness = Callable[..., contextlib.AbstractContextManager[Any]]
"""Server and daemon for some tables: see conftest.py."""


class QuickTime:
    """Stands where satellite.app has the module ``time``."""

    time = staticmethod(time.time)

    @staticmethod
    def monotonic() -> float:
        return time.monotonic() * SPEED


class QuickInbox(Inbox):
    """Waits by the quick clock."""

    def take(self, timeout_s: float) -> ev.Event | None:
        return super().take(timeout_s / SPEED)


LOUD = b"\x40\x20\xc0\xdf" * 12 + b"\x40\x20" * 12 + b"\xc0\xdf" * 12


class Microphone:
    """A Source: silence, and what was put into it."""

    ended = False
    live = False

    def __init__(self) -> None:
        self._sounds: SimpleQueue[int] = SimpleQueue()
        self._loud = 0  # frames of the present sound
        self._due = 0.0

    def say(self, ms: int) -> None:
        """Speak for so long; any thread."""
        self._sounds.put(ms // FRAME_MS)

    def open(self) -> None:
        self._due = time.monotonic()

    def read(self, samples: int) -> bytes:
        self._due += samples / RATE / SPEED
        time.sleep(max(0.0, self._due - time.monotonic()))
        pcm = b""
        while len(pcm) < samples * 2:
            if not self._loud:
                with contextlib.suppress(Empty):
                    self._loud = self._sounds.get_nowait()
            pcm += (LOUD if self._loud else bytes(len(LOUD))) * (FRAME_BYTES // len(LOUD))
            self._loud -= bool(self._loud)
        return pcm

    def close(self) -> None:
        """Nothing is held."""

    def pause(self, on: bool) -> None:
        """A microphone cannot wait."""


class Speaker:
    """A Sink that takes as long as the sound lasts, and counts it."""

    def __init__(self) -> None:
        self.played_ms = 0.0

    def open(self) -> None:
        """Nothing to do."""

    def write(self, pcm: bytes) -> None:
        time.sleep(len(pcm) / 2 / RATE / SPEED)
        self.played_ms += len(pcm) / 2 / RATE * 1000

    def push(self) -> None:
        """Nothing holds it back."""

    def room_s(self) -> float:
        return 1.0

    def delay_s(self) -> float:
        return 0.0

    def drop(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


class Broker:
    """A Bus that keeps what is published, and nothing on a disk."""

    begun = Begun(None, None, {}, 0)
    held_since = None

    def __init__(self) -> None:
        self.seen: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.outbox = self.link = self

    def knock(self, answer: Callable[[], None]) -> None:
        answer()

    def start(self) -> None:
        """It is there at once."""

    def stop(self, timeout_s: float) -> bool:
        return True

    def publish(self, message: Message) -> None:
        topic = message.topic.rpartition("/")[2]
        if topic != "status":
            self.seen.put((topic, json.loads(message.payload)))

    def keep(self, name: str, value: object) -> None:
        """It ends with the test."""


@dataclass
class Satellite:
    """The running daemon."""

    microphone: Microphone
    speaker: Speaker
    broker: Broker
    all: list[tuple[str, Any]] = field(default_factory=list)

    def say(self, ms: int = 600) -> None:
        """Speak for so long."""
        self.microphone.say(ms)

    def until(
        self, topic: str, right: Callable[[Any], bool] = lambda _: True, timeout_s: float = 10
    ) -> Any:
        """The next record on a topic that is right; ``timeout_s`` by the real clock."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                name, record = self.broker.seen.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no such {topic}; there came {self.all}") from None
            self.all.append((name, record))
            if name == topic and right(record):
                return record

    def problem(self, code: str) -> dict[str, str]:
        """Wait until the state names a problem."""
        state = self.until("state", lambda s: any(p["code"] == code for p in s["problems"]), 3)
        return next(dict(p) for p in state["problems"] if p["code"] == code)

    def fails(self, code: str) -> tuple[dict[str, str], Any]:
        """Say something without a session; return the problem and the turn, in any order told."""
        self.say()
        turn = self.until("turn")
        states = [record for name, record in self.all if name == "state"]
        known = [p for state in states for p in state["problems"] if p["code"] == code]
        return (known[0] if known else self.problem(code)), turn

    def converse(self) -> tuple[Any, Any, Any]:
        """Say something; return transcript, response and turn."""
        self.say()
        return self.until("transcript"), self.until("response"), self.until("turn")

    def idle(self) -> Any:
        """Wait until nobody speaks and nothing is owed."""
        return self.until("state", lambda s: s["state"] == "idle")

    def codes(self) -> set[str]:
        """The problems that were ever shown."""
        states = [record for name, record in self.all if name == "state"]
        return {problem["code"] for state in states for problem in state["problems"]}


@contextlib.contextmanager
def running(
    patch: pytest.MonkeyPatch, url: str, config: Config | None = None, **realtime: Any
) -> Iterator[Satellite]:
    """Run the daemon against ``url``; ``realtime`` are keys of that section."""
    it = Satellite(Microphone(), Speaker(), Broker())
    patch.setattr(app, "time", QuickTime)
    patch.setattr(app, "Inbox", QuickInbox)
    patch.setattr(app, "_source", lambda _: it.microphone)
    patch.setattr(app, "_sink", lambda _: it.speaker)
    patch.setattr(app.hearing_setup.voice, "make_judge", lambda _: any)
    patch.setattr(app.bus_setup, "build", lambda *_: it.broker)
    patch.setattr(app.random, "uniform", lambda _, most: most)  # the longest wait each time
    section = Realtime(provider="compatible", url=url, model="local", **realtime)
    config = config or Config()
    gate = dataclasses.replace(config.gate, confirm=False)
    whole = dataclasses.replace(config, realtime=section, gate=gate)
    built = app.build(whole, Notifier.from_environment({}))
    main = threading.Thread(target=built.run, name="main-of-the-daemon")
    main.start()
    try:
        yield it
    finally:
        built.inbox.post(ev.StopRequested(15))
        main.join(10)
        assert not main.is_alive()


FULL_DUPLEX = Config(audio=Audio(duplex="full"))


def answered(it: Satellite, words: str, answer: str) -> None:
    """Say something that is understood, answered and heard to its end."""
    transcript, response, turn = it.converse()
    assert (transcript["event_type"], transcript["text"]) == ("final", words)
    assert (response["event_type"], response["text"]) == ("completed", answer)
    assert response["audio_ms"] == response["played_ms"] > 0
    assert turn["event_type"] == "answered"


def wait_until(true: Callable[[], Any]) -> None:
    """Wait for a condition with a deadline, by the real clock."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
