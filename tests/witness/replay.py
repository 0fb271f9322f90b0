"""A Realtime server that says what foreign servers were seen to say, line by line.

A table has one line for each thing that the server says: when, which type of event, and the rest of
the event as JSON.

    connect   session.created   {"session": {"type": "realtime"}}
    update    session.updated   {"session": $asked}
    speech    input_audio_buffer.speech_started   {"item_id": "u$n"}

When: ``connect``; ``update``, a session.update came; ``speech``, sound that is not silence begins;
``silence``, SILENCE_MS of silence came after it (``speech1``: only what is said first);
``quiet6000``, so much silence came; or the type of another event of the client. ``close CODE
REASON`` in place of a type ends the connection. ``$n`` counts what was said, ``$before`` is one
less; ``$ms`` is how much sound came, ``$end1`` how much had when the first turn was over;
``$asked`` is the session that was asked for, ``$event`` the id of the client's event,
``$voice(MS)`` so much sound. A server hears samples, not time, and drops who sends anything but
JSON in text frames.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.sync.server import ServerConnection, serve

from satellite.model.audio import FRAME_BYTES, FRAME_MS, RATE

SILENCE_MS = 632  # what was asked for and the margin without which a turn was seen to stay open


@dataclass(frozen=True)
class Line:
    """One thing to say."""

    when: str
    type: str
    rest: str


def lines(table: str) -> list[Line]:
    """Read a table; empty lines and those that begin with # are for people."""
    found = []
    for text in table.strip().splitlines():
        if text.strip() and not text.strip().startswith("#"):
            when, kind, *rest = text.split(None, 2)
            found.append(Line(when, kind, rest[0] if rest else "{}"))
    return found


@dataclass
class Heard:
    """What one connection brought."""

    at: float
    frames: list[dict[str, Any]] = field(default_factory=list)
    nonsense: list[object] = field(default_factory=list)  # neither text nor a JSON object
    tails_ms: list[int] = field(default_factory=list)  # of silence after each thing that was said

    def types(self) -> list[str]:
        """The types of all that came but sound, in order."""
        return [f["type"] for f in self.frames if f["type"] != "input_audio_buffer.append"]

    @property
    def sound_ms(self) -> int:
        """How much sound came."""
        appends = [f["audio"] for f in self.frames if f["type"] == "input_audio_buffer.append"]
        return sum(len(base64.b64decode(a)) for a in appends) * 1000 // (RATE * 2)


class Session:
    """One connection that follows one table."""

    def __init__(self, connection: ServerConnection, table: str, heard: Heard) -> None:
        self._connection = connection
        self._table = lines(table)
        self._heard = heard
        self._asked: Any = {}
        self._event: str | None = None
        self._said = 0  # things that were said to this server
        self._ms = 0
        self._ends: list[int] = []
        self._speaking = False
        self._rest = b""

    def run(self) -> None:
        self._say("connect")
        for message in self._connection:
            frame = _object(message)
            if frame is None:
                self._heard.nonsense.append(message)
                return
            self._heard.frames.append(frame)
            self._event = frame.get("event_id")
            self._take(frame)

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "session.update":
                self._asked = frame["session"]
                self._say("update")
            case "input_audio_buffer.append":
                self._rest += base64.b64decode(frame["audio"])
                while len(self._rest) >= FRAME_BYTES:
                    self._hear(any(self._rest[:FRAME_BYTES]))
                    self._rest = self._rest[FRAME_BYTES:]
            case kind:
                self._say(kind)

    def _hear(self, loud: bool) -> None:
        self._ms += FRAME_MS
        tails = self._heard.tails_ms
        if loud and not self._speaking:
            self._speaking = True
            self._said += 1
            self._say("speech")
        if loud and self._said > len(tails):
            tails.append(0)
        if not loud and tails:
            tails[-1] += FRAME_MS
            self._say(f"quiet{tails[-1]}")
            if self._speaking and tails[-1] >= SILENCE_MS:
                self._speaking = False
                self._ends.append(self._ms)
                self._say("silence")
        elif loud:
            tails[-1] = 0

    def _say(self, when: str) -> None:
        for line in self._table:
            if line.when not in {when, f"{when}{self._said}"}:
                continue
            if line.type == "close":
                code, reason = line.rest.split(None, 1)
                self._connection.close(int(code), reason)
                return
            self._connection.send(self._event_of(line))

    def _event_of(self, line: Line) -> str:
        known = {"n": self._said, "before": self._said - 1, "ms": self._ms}
        known |= {f"end{number}": end for number, end in enumerate(self._ends, 1)}
        rest = line.rest.replace("$asked", json.dumps(self._asked))
        rest = rest.replace("$event", json.dumps(self._event))
        rest = re.sub(r"\$([a-z]+\d?)(?!\w*\()", lambda m: str(known[m[1]]), rest)
        rest = re.sub(r"\$voice\((\d+)\)", lambda m: json.dumps(voice(int(m[1]))), rest)
        return json.dumps({"type": line.type, "event_id": "ev", **json.loads(rest)})


def voice(ms: int) -> str:
    """So much sound that is not silence, in base64."""
    return base64.b64encode(b"\x10\x10" * (RATE * ms // 1000)).decode()


def _object(message: str | bytes) -> dict[str, Any] | None:
    """A JSON object with a type in a text frame, or None."""
    if not isinstance(message, str):
        return None
    with contextlib.suppress(ValueError):
        read = json.loads(message)
        if isinstance(read, dict) and isinstance(read.get("type"), str):
            return read
    return None


@dataclass
class Server:
    """The running server: its address, and what each connection brought."""

    url: str
    heard: list[Heard]


@contextlib.contextmanager
def serving(*tables: str) -> Iterator[Server]:
    """Serve on a free loopback port: a table for each connection in turn, the last one again."""
    heard: list[Heard] = []

    def handle(connection: ServerConnection) -> None:
        mine = Heard(time.monotonic())
        heard.append(mine)
        with contextlib.suppress(Exception):
            Session(connection, tables[min(len(heard), len(tables)) - 1], mine).run()

    with serve(handle, "127.0.0.1", 0, max_size=None, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever, name="foreign-server")
        thread.start()
        try:
            yield Server(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime", heard)
        finally:
            server.shutdown()
            thread.join()
