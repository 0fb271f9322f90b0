"""A Realtime server that tells turns at its own pace, and when it told each transcript."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve


@dataclass
class Teller:
    """``every_s`` is the pace. ``told_at`` has the monotonic instant of each transcript's event."""

    every_s: float
    think_s: float = 0.0
    told_at: dict[str, float] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    paused: threading.Event = field(default_factory=threading.Event)

    def serve(self, connection: ServerConnection) -> None:
        """Open a session, then tell turns until the other side is gone."""
        events = itertools.count(1)

        def say(kind: str, **body: Any) -> None:
            connection.send(json.dumps({"type": kind, "event_id": f"ev{next(events)}", **body}))

        with contextlib.suppress(ConnectionClosed, OSError):
            say("session.created", session={"type": "realtime", "id": "sess_1"})
            for message in connection:
                frame = json.loads(message)
                if frame["type"] == "session.update":
                    say("session.updated", session=frame["session"])
                    break
            taking = threading.Thread(target=self._take, args=(connection,), daemon=True)
            taking.start()
            while taking.is_alive():
                if not self.paused.is_set():
                    self._tell(say)
                taking.join(self.every_s)

    @staticmethod
    def _take(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed, OSError):
            for _ in connection:
                pass

    def _tell(self, say: Any) -> None:
        item = f"u{next(self.numbers)}"
        response = {"id": f"r-{item}", "status": "in_progress"}
        part = {"response_id": f"r-{item}", "item_id": f"a-{item}"}
        part |= {"output_index": 0, "content_index": 0}
        say("input_audio_buffer.speech_started", item_id=item, audio_start_ms=0)
        say("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=0)
        say("input_audio_buffer.committed", item_id=item)
        time.sleep(self.think_s)  # no recogniser is at once
        self.told_at[item] = time.monotonic()
        transcribed = "conversation.item.input_audio_transcription.completed"
        say(transcribed, item_id=item, content_index=0, transcript=f"turn the lights on, {item}")
        time.sleep(self.think_s)  # nor is a model
        say("response.created", response=response)
        say("response.output_text.done", text=f"Done, {item}.", **part)
        say("response.done", response={**response, "status": "completed"})


@contextlib.contextmanager
def running(teller: Teller) -> Iterator[str]:
    """Serve on a free loopback port; yield the address."""
    with serve(teller.serve, "127.0.0.1", 0, max_size=None, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime"
        finally:
            server.shutdown()
            thread.join(5)
