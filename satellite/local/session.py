"""One Realtime session: client events and finished work in, server events and work out.

Pure: no clock, thread, socket or chance; ids come from a function. Every public method but the two
properties returns what is to happen, in order: Send for the client, the rest for the engines. Event
orders are those of realtime-protocol.md 4.2 to 4.8. Rules:

1. A refused event changes nothing and is answered by one ``error`` with its ``event_id``.
2. Audio is judged in small slices (``listen``), so that the caller can breathe between two.
3. At most one response of the conversation is active.
4. Work that comes back for a response that is over is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from satellite.local import client_events, conversation, settings
from satellite.local.behaviour import Behaviour, Kind
from satellite.local.conversation import Conversation, Item
from satellite.local.engines import Call, Say
from satellite.local.input_buffer import InputBuffer
from satellite.local.outputs import Diagnose, Outbox, Output
from satellite.local.responses import Responses
from satellite.local.schema import Refusal
from satellite.local.transcripts import Transcripts
from satellite.local.vad import Detector, Endpointer, SpeechStarted, SpeechStopped

_SHORTEST_MS: Final = 100  # of a commit: realtime-protocol.md 3.1
_LIVE: Final = Behaviour()


class Session:
    """``new_id(prefix)`` gives a fresh id such as "item_…"; ``expires_at`` is epoch seconds.

    ``pinned`` is a checked session object of a client secret, laid over the start values.
    ``diagnosed`` holds what was given out as Diagnose.
    """

    def __init__(
        self,
        model: str,
        expires_at: int,
        new_id: Callable[[str], str],
        detector: Detector,
        kind: Kind = "realtime",
        pinned: dict[str, Any] | None = None,
        behaviour: Behaviour = _LIVE,
    ) -> None:
        self.diagnosed: list[Diagnose] = []
        self._kind = kind
        self._behaviour = behaviour
        self._detector = detector
        self._settings = settings.initial(new_id("sess"), model, expires_at, pinned)
        self._outbox = Outbox(new_id)
        self._conversation = Conversation()
        self._transcripts = Transcripts(self._outbox, self._conversation)
        self._responses = Responses(
            self._outbox, self._conversation, self._transcripts, new_id("conv")
        )
        self._buffer = InputBuffer()
        self._endpointer = Endpointer()
        self._turn_item: str | None = None  # announced by speech_started, not yet committed
        self._turn_start_ms = 0
        self._on: dict[str, Callable[[dict[str, Any]], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit_by_client,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.truncate": self._truncate_item,
            "response.create": lambda event: self._create_response(event.get("response") or {}),
            "response.cancel": lambda event: self._responses.cancel(event.get("response_id")),
        }

    def open(self) -> list[Output]:
        self._outbox.send("session.created", session=self._settings)
        return self._outbox.flush()

    def receive(self, message: str | bytes, at_s: float | None = None) -> list[Output]:
        """One message of the client, of whatever content. Never raises.

        ``at_s`` is when it came on a monotonic clock; without it no wrong rate is noticed (S25).
        """
        del at_s
        while self.has_unheard:
            self._listen()
        event_id: str | None = None
        try:
            event = client_events.parse(message)
            claimed = event.get("event_id")
            event_id = claimed[:512] if isinstance(claimed, str) else None
            client_events.check(event)
            self._on[event["type"]](event)
        except Refusal as refusal:
            self._outbox.refuse(refusal, event_id)
        except RecursionError:
            nested = Refusal("invalid_json", "The message is nested too deeply.")
            self._outbox.refuse(nested, event_id)
        return self._outbox.flush()

    @property
    def has_unheard(self) -> bool:
        """Appended audio waits to be judged: call ``listen``."""
        return self._buffer.has_unheard

    def listen(self) -> list[Output]:
        """Judge at most 128 ms of appended audio."""
        self._listen()
        return self._outbox.flush()

    def recognised(self, item_id: str, text: str | None) -> list[Output]:
        """The words of an item; None when recognition failed."""
        self._transcripts.arrived(item_id, text)
        self._responses.heard(item_id, text)
        return self._outbox.flush()

    def answered(self, response_id: str, reply: Say | Call | None) -> list[Output]:
        """What to say or call; None when the responder failed."""
        self._responses.answered(response_id, reply)
        return self._outbox.flush()

    def spoken(self, response_id: str, pcm: bytes) -> list[Output]:
        self._responses.spoken(response_id, pcm)
        return self._outbox.flush()

    def speech_ended(self, response_id: str, *, failed: bool = False) -> list[Output]:
        """One sentence is spoken, or could not be."""
        self._responses.speech_ended(response_id, failed=failed)
        return self._outbox.flush()

    def woken(self, number: int) -> list[Output]:
        """The time of a Wake is over."""
        del number
        return self._outbox.flush()

    def _update(self, event: dict[str, Any]) -> None:
        self._settings = settings.updated(
            self._settings, event["session"], assistant_spoke=self._responses.spoke
        )
        self._outbox.send("session.updated", session=self._settings)

    def _append(self, event: dict[str, Any]) -> None:
        self._buffer.append(client_events.decode_audio(event["audio"]))

    def _clear(self, _event: dict[str, Any]) -> None:
        self._buffer.clear()
        self._endpointer.forget()
        self._turn_item = None
        self._outbox.send("input_audio_buffer.cleared")

    def _create_item(self, event: dict[str, Any]) -> None:
        item = conversation.from_client(event["item"], self._outbox.new_id("item"))
        self._add(item, event.get("previous_item_id"))
        if item.audio_ms:
            self._transcripts.want(item, announced=False)  # never transcribed for the client: S33

    def _delete_item(self, event: dict[str, Any]) -> None:
        self._conversation.remove(self._conversation.get(event["item_id"], "delete"))
        self._outbox.send("conversation.item.deleted", item_id=event["item_id"])

    def _retrieve_item(self, event: dict[str, Any]) -> None:
        item = self._conversation.get(event["item_id"], "retrieve")
        self._outbox.send("conversation.item.retrieved", item=item.wire_with_audio())

    def _truncate_item(self, event: dict[str, Any]) -> None:
        item = self._conversation.get(event["item_id"], "truncate")
        conversation.truncate(item, event["content_index"], event["audio_end_ms"])
        keys = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
        self._outbox.send("conversation.item.truncated", **keys)

    def _listen(self) -> None:
        for probability in self._detector.frames(self._buffer.hear()):
            wanted = settings.turn_detection(self._settings)
            if wanted is None:
                self._turn_item = None
            match self._endpointer.hear(probability, wanted):
                case SpeechStarted(start_ms):
                    self._speech_started(start_ms)
                case SpeechStopped(end_ms):
                    self._speech_stopped(end_ms)

    def _speech_started(self, start_ms: int) -> None:
        self._turn_item, self._turn_start_ms = self._outbox.new_id("item"), start_ms
        keys = {"audio_start_ms": start_ms, "item_id": self._turn_item}
        self._outbox.send("input_audio_buffer.speech_started", **keys)
        wanted = settings.turn_detection(self._settings)
        if wanted is not None and wanted.interrupt_response:
            self._responses.interrupt()

    def _speech_stopped(self, end_ms: int) -> None:
        assert self._turn_item is not None
        keys = {"audio_end_ms": end_ms, "item_id": self._turn_item}
        self._outbox.send("input_audio_buffer.speech_stopped", **keys)
        self._commit(self._buffer.take(self._turn_start_ms, end_ms))
        wanted = settings.turn_detection(self._settings)
        if wanted is not None and wanted.create_response:
            try:
                self._create_response({})
            except Refusal as refusal:  # the old answer goes on while the user talked: 5.1
                self._outbox.refuse(refusal, None)

    def _commit_by_client(self, _event: dict[str, Any]) -> None:
        if self._buffer.ms < _SHORTEST_MS:
            raise Refusal(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"100ms of audio, but buffer only has {self._buffer.ms:.2f}ms of audio.",
            )
        start_ms = self._turn_start_ms if self._turn_item is not None else 0
        self._commit(self._buffer.take(start_ms, None))

    def _commit(self, pcm: bytes) -> None:
        item = conversation.user_audio(self._turn_item or self._outbox.new_id("item"), pcm)
        self._turn_item = None
        self._endpointer.forget()
        previous = self._conversation.last_id
        self._outbox.send(
            "input_audio_buffer.committed", previous_item_id=previous, item_id=item.id
        )
        self._add(item)
        wanted = self._settings["audio"]["input"]["transcription"] is not None
        self._transcripts.want(item, announced=wanted)

    def _add(self, item: Item, after: str | None = None) -> None:
        self._conversation.add(item, after)
        for kind in ("added", "done"):
            keys = {"previous_item_id": item.previous_id, "item": item.wire()}
            self._outbox.send(f"conversation.item.{kind}", **keys)

    def _create_response(self, asked: dict[str, Any]) -> None:
        self._responses.create(asked, settings.response_settings(self._settings, asked))
