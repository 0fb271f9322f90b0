"""A small Realtime server with a script instead of a mind, for tests of the whole daemon.

It hears samples, not time: a turn begins with loud samples and ends after the silence that the
session asked for. Each user turn gets the next answer of the script. Every frame is kept.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.sync.server import ServerConnection, serve

LOUD = 1500
FRAME = 480 * 2
PIECE = 2400 * 2


@dataclass
class Script:
    """What the server does. ``refuse`` is (error code, close code) instead of a session."""

    answers: list[str] = field(default_factory=lambda: ["All right."])
    voice_ms: int = 300
    voice: bytes = b""  # what is said instead of a hum of ``voice_ms``
    notices: int = 1_000  # so many things it takes for speech, and then no more
    refuse: tuple[str, int] | None = None
    key: str | None = None
    frames: list[dict[str, Any]] = field(default_factory=list)
    heard_ms: int = 0
    sessions: int = 0


class Session:
    """One connection."""

    def __init__(self, connection: ServerConnection, script: Script) -> None:
        self.connection = connection
        self.script = script
        self.number = itertools.count(1)
        self.settings: dict[str, Any] = {}
        self.item = ""
        self.silence_ms = 0
        self.rest = b""

    def say(self, kind: str, **body: Any) -> None:
        event = {"type": kind, "event_id": f"ev{next(self.number)}", **body}
        self.connection.send(json.dumps(event))

    def run(self) -> None:
        if self.script.refuse is not None:
            code, close = self.script.refuse
            error = {
                "type": "invalid_request_error",
                "code": code,
                "message": "No, said the server.",
            }
            self.say("error", error=error)
            self.connection.close(close, f"invalid_request_error.{code}")
            return
        self.script.sessions += 1
        self.say("session.created", session={"type": "realtime", "id": "sess_1"})
        for message in self.connection:
            frame = json.loads(message)
            self.script.frames.append(frame)
            self.take(frame)

    def take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "session.update":
                self.settings = self.settings or frame["session"]  # the first is whole
                self.say("session.updated", session=frame["session"])
            case "input_audio_buffer.append":
                self.rest += base64.b64decode(frame["audio"])
                while len(self.rest) >= FRAME:
                    self.hear(self.rest[:FRAME])
                    self.rest = self.rest[FRAME:]

    def hear(self, pcm: bytes) -> None:
        self.script.heard_ms += 20
        loud = max(abs(sample) for sample in memoryview(pcm).cast("h")) > LOUD
        self.silence_ms = 0 if loud else self.silence_ms + 20
        if loud and not self.item and self.script.notices > 0:
            self.script.notices -= 1
            self.item = f"u{next(self.number)}"
            self.say("input_audio_buffer.speech_started", item_id=self.item, audio_start_ms=0)
        wanted = self.settings["audio"]["input"]["turn_detection"]["silence_duration_ms"]
        if self.item and self.silence_ms >= wanted:
            self.say("input_audio_buffer.speech_stopped", item_id=self.item, audio_end_ms=0)
            self.say("input_audio_buffer.committed", item_id=self.item)
            item, self.item = self.item, ""
            self.answer(item)

    def answer(self, item: str) -> None:
        text = self.script.answers.pop(0) if self.script.answers else "No more."
        about = {"item_id": f"a-{item}", "output_index": 0, "content_index": 0}
        response = {"id": f"r-{item}", "status": "in_progress"}
        self.say("response.created", response=response)
        transcribed = "conversation.item.input_audio_transcription.completed"
        self.say(transcribed, item_id=item, content_index=0, transcript=f"words of {item}")
        part = {"response_id": f"r-{item}", **about}
        self.say("response.output_audio_transcript.done", transcript=text, **part)
        voice = self.script.voice or b"\x10\x10" * (24 * self.script.voice_ms)
        for at in range(0, len(voice), PIECE):
            delta = base64.b64encode(voice[at : at + PIECE]).decode()
            self.say("response.output_audio.delta", delta=delta, **part)
        self.say("response.done", response={**response, "status": "completed"})


@contextlib.contextmanager
def running(script: Script) -> Iterator[str]:
    """Serve the script on a free loopback port; yield the address."""

    def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        sent = connection.request.headers.get("Authorization")
        if script.key is not None and sent != f"Bearer {script.key}":
            script.refuse = ("invalid_api_key", 3000)
        with contextlib.suppress(Exception):
            Session(connection, script).run()

    with serve(handle, "127.0.0.1", 0, max_size=None, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime"
        finally:
            server.shutdown()
            thread.join()


def wait_until(true: Any, timeout_s: float = 15.0) -> None:
    """Wait for a condition with a deadline."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
