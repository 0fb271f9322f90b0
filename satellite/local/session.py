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
from dataclasses import dataclass, field
from typing import Any, Final

from satellite.local import client_events, conversation, settings
from satellite.local.conversation import Conversation, Item
from satellite.local.engines import Call, Say
from satellite.local.input_buffer import InputBuffer
from satellite.local.response import Response, sentences
from satellite.local.schema import Refusal
from satellite.local.vad import Detector, Endpointer, SpeechStarted, SpeechStopped

_SHORTEST_MS: Final = 100  # of a commit: realtime-protocol.md 3.1
_RESPONSES: Final = 8  # under way at once, out-of-band ones included
_LIMIT: Final = (
    1_000_000  # tokens a minute; nothing is limited here, the event is part of the dialect
)
_GREETING: Final = "Hello. How can I help?"


def error_event(refusal: Refusal, event_id: str, client_event_id: str | None) -> dict[str, Any]:
    error = {
        "type": "invalid_request_error",
        "code": refusal.code,
        "message": refusal.message,
        "param": refusal.param,
        "event_id": client_event_id,
    }
    return {"type": "error", "event_id": event_id, "error": error}


class Session:
    """``new_id(prefix)`` gives a fresh id such as "item_…"; ``expires_at`` is epoch seconds."""

    def __init__(
        self, model: str, expires_at: int, new_id: Callable[[str], str], detector: Detector
    ) -> None:
        self._new_id = new_id
        self._detector = detector
        self._settings = settings.initial(new_id("sess"), model, expires_at)
        self._conversation_id = new_id("conv")
        self._conversation = Conversation()
        self._buffer = InputBuffer()
        self._endpointer = Endpointer()
        self._turn_item: str | None = None  # announced by speech_started, not yet committed
        self._turn_start_ms = 0
        self._to_recognise: dict[str, bool] = {}  # item id -> is the transcript announced
        self._responses: dict[str, Response] = {}
        self._active: Response | None = None
        self._assistant_spoke = False
        self._out: list[Output] = []

    # What comes in

    def open(self) -> list[Output]:
        self._send("session.created", session=self._settings)
        return self._flush()

    def receive(self, message: str | bytes) -> list[Output]:
        """One message of the client, of whatever content. Never raises."""
        while self.has_unheard:
            self._listen()
        event_id: str | None = None
        try:
            event = client_events.parse(message)
            claimed = event.get("event_id")
            event_id = claimed[:512] if isinstance(claimed, str) else None
            client_events.check(event)
            self._dispatch(event)
        except Refusal as refusal:
            self._refuse(refusal, event_id)
        return self._flush()

    @property
    def has_unheard(self) -> bool:
        """Appended audio waits to be judged: call ``listen``."""
        return self._buffer.has_unheard

    def listen(self) -> list[Output]:
        """Judge at most 128 ms of appended audio."""
        self._listen()
        return self._flush()

    def recognised(self, item_id: str, text: str | None) -> list[Output]:
        """The words of an item; None when recognition failed."""
        announced = self._to_recognise.pop(item_id, None)
        if announced is not None:
            self._heard(item_id, text, announced=announced)
        return self._flush()

    def answered(self, response_id: str, reply: Say | Call | None) -> list[Output]:
        """What to say or call; None when the responder failed."""
        response = self._responses.get(response_id)
        if response is not None:
            match reply:
                case None:
                    self._fail(response)
                case Call():
                    self._call(response, reply)
                case Say():
                    self._say(response, reply.text)
        return self._flush()

    def spoken(self, response_id: str, pcm: bytes) -> list[Output]:
        response = self._responses.get(response_id)
        if response is not None and response.item is not None:
            room = response.room()
            self._assistant_spoke = True
            self._send_all(response.sounds(pcm if room is None else pcm[:room]))
            if room is not None and room < len(pcm):
                self._out.append(Abandon(response.id))
                self._finish(response, "incomplete", "max_output_tokens")
        return self._flush()

    def speech_ended(self, response_id: str, *, failed: bool = False) -> list[Output]:
        """One sentence is spoken; the next is asked for, or the response is complete."""
        response = self._responses.get(response_id)
        if response is not None:
            if failed:
                self._fail(response)
            else:
                self._say_next(response)
        return self._flush()

    # What goes out

    def _flush(self) -> list[Output]:
        out, self._out = self._out, []
        return out

    def _send(self, kind: str, **keys: Any) -> None:
        self._send_all([{"type": kind, **keys}])

    def _send_all(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            event_id = {"type": event["type"], "event_id": self._new_id("event")}
            self._out.append(Send({**event_id, **event}))

    def _refuse(self, refusal: Refusal, event_id: str | None) -> None:
        self._out.append(Send(error_event(refusal, self._new_id("event"), event_id)))

    # Client events

    def _dispatch(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                self._update(event["session"])
            case "input_audio_buffer.append":
                self._buffer.append(client_events.decode_audio(event["audio"]))
            case "input_audio_buffer.commit":
                self._commit_by_client()
            case "input_audio_buffer.clear":
                self._clear()
            case "conversation.item.create":
                self._create_item(event["item"], event.get("previous_item_id"))
            case "conversation.item.delete":
                self._conversation.remove(self._conversation.get(event["item_id"], "delete"))
                self._send("conversation.item.deleted", item_id=event["item_id"])
            case "conversation.item.retrieve":
                item = self._conversation.get(event["item_id"], "retrieve")
                self._send("conversation.item.retrieved", item=item.wire_with_audio())
            case "conversation.item.truncate":
                self._truncate(event)
            case "response.create":
                self._create_response(event.get("response") or {})
            case "response.cancel":
                self._cancel(event.get("response_id"))

    def _update(self, asked: dict[str, Any]) -> None:
        spoke = self._assistant_spoke
        self._settings = settings.updated(self._settings, asked, assistant_spoke=spoke)
        self._send("session.updated", session=self._settings)

    def _clear(self) -> None:
        self._buffer.clear()
        self._endpointer.forget()
        self._turn_item = None
        self._send("input_audio_buffer.cleared")

    def _create_item(self, wire: dict[str, Any], after: str | None) -> None:
        item = conversation.from_client(wire, self._new_id("item"))
        self._add(item, after)
        if item.audio_ms:
            self._recognise(item, announced=False)  # seed 2: never transcribed for the client

    def _truncate(self, event: dict[str, Any]) -> None:
        item = self._conversation.get(event["item_id"], "truncate")
        end_ms = event["audio_end_ms"]
        if item.role != "assistant" or event["content_index"] != 0:
            name = "item_id" if item.role != "assistant" else "content_index"
            raise Refusal("invalid_value", "Only audio of the assistant can be truncated.", name)
        if end_ms > item.audio_ms:
            raise Refusal(
                "invalid_value",
                f"Audio content of {item.audio_ms}ms is already shorter than {end_ms}ms",
                "audio_end_ms",
            )
        item.cut(end_ms)
        keys = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
        self._send("conversation.item.truncated", **keys)

    def _cancel(self, response_id: str | None) -> None:
        active = self._active if response_id is None else self._responses.get(response_id)
        if active is None:
            raise Refusal(
                "response_cancel_not_active", "Cancellation failed: no active response found"
            )
        self._out.append(Abandon(active.id))
        self._finish(active, "cancelled", "client_cancelled")

    # Turns

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
        self._turn_item, self._turn_start_ms = self._new_id("item"), start_ms
        keys = {"audio_start_ms": start_ms, "item_id": self._turn_item}
        self._send("input_audio_buffer.speech_started", **keys)
        wanted = settings.turn_detection(self._settings)
        if self._active is not None and wanted is not None and wanted.interrupt_response:
            self._out.append(Abandon(self._active.id))
            self._finish(self._active, "cancelled", "turn_detected")

    def _speech_stopped(self, end_ms: int) -> None:
        assert self._turn_item is not None
        keys = {"audio_end_ms": end_ms, "item_id": self._turn_item}
        self._send("input_audio_buffer.speech_stopped", **keys)
        self._commit(self._buffer.take(self._turn_start_ms, end_ms))
        wanted = settings.turn_detection(self._settings)
        if wanted is not None and wanted.create_response:
            try:
                self._create_response({})
            except Refusal as refusal:  # the old answer goes on while the user talked: 5.1
                self._refuse(refusal, None)

    def _commit_by_client(self) -> None:
        if self._buffer.ms < _SHORTEST_MS:
            raise Refusal(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"100ms of audio, but buffer only has {self._buffer.ms:.2f}ms of audio.",
            )
        start_ms = self._turn_start_ms if self._turn_item is not None else 0
        self._commit(self._buffer.take(start_ms, None))

    def _commit(self, pcm: bytes) -> None:
        item = conversation.user_audio(self._turn_item or self._new_id("item"), pcm)
        self._turn_item = None
        self._endpointer.forget()
        previous = self._conversation.last_id
        self._send("input_audio_buffer.committed", previous_item_id=previous, item_id=item.id)
        self._add(item)
        wanted = self._settings["audio"]["input"]["transcription"] is not None
        self._recognise(item, announced=wanted)

    def _add(self, item: Item, after: str | None = None) -> None:
        self._conversation.add(item, after)
        for kind in ("added", "done"):
            keys = {"previous_item_id": item.previous_id, "item": item.wire()}
            self._send(f"conversation.item.{kind}", **keys)

    def _recognise(self, item: Item, *, announced: bool) -> None:
        self._to_recognise[item.id] = announced
        self._out.append(Recognise(item.id, item.audio))

    def _heard(self, item_id: str, text: str | None, *, announced: bool) -> None:
        item = self._conversation.find(item_id)
        if item is not None:
            item.heard = text
            if announced:
                self._announce(item, text)
        for response in list(self._responses.values()):
            if response.waits_for == item_id:
                self._ask(response, text)

    def _announce(self, item: Item, text: str | None) -> None:
        kind = "conversation.item.input_audio_transcription"
        place = {"item_id": item.id, "content_index": 0}
        if text is None:
            message = f"Input transcription failed for item '{item.id}'."
            error = {"type": "server_error", "code": None, "message": message, "param": None}
            self._send(f"{kind}.failed", **place, error=error)
            return
        item.fields["content"] = [{"type": "input_audio", "transcript": text}]
        if text:
            self._send(f"{kind}.delta", **place, delta=text)
        usage = conversation.transcription_usage(item, text)
        self._send(f"{kind}.completed", **place, transcript=text, usage=usage)
