"""One Realtime session: client events and finished work in, server events and work out.

Pure: no clock, thread, socket or chance; ids come from a function, and times as arguments. Every
public method but the properties returns what is to happen, in order: Send for the client, the rest
for the engines. Event orders are those of realtime-protocol.md 4.2 to 4.10. Rules:

1. A refused event changes nothing and is answered by one ``error`` with its ``event_id``.
2. Audio is judged in small slices (``listen``), so that the caller can breathe between two.
3. At most one response of the conversation is active.
4. Work that comes back for a response that is over is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from satellite.local import client_events, conversation, settings
from satellite.local.behaviour import Behaviour, Kind
from satellite.local.conversation import Conversation, Item
from satellite.local.diagnostics import Diagnostics
from satellite.local.dialect import GA, Dialect
from satellite.local.engines import Call, Say
from satellite.local.outputs import Diagnose, Outbox, Output
from satellite.local.responses import Responses
from satellite.local.schema import Refusal
from satellite.local.transcripts import Transcripts
from satellite.local.turns import Turns
from satellite.local.vad import Detector

_LIVE: Final = Behaviour()


class Session:
    """``new_id(prefix)`` gives a fresh id such as "item_…"; ``expires_at`` is epoch seconds.

    ``pinned`` is a checked session object of a client secret, laid over the start values; raises
    Refusal when they do not go together.
    """

    dialect: ClassVar[Dialect] = GA()

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
        self._kind = kind
        self._behaviour = behaviour
        start = self.dialect.begun(settings.initial(new_id("sess"), model, expires_at, kind))
        self._settings = settings.pinned(start, pinned)
        self._outbox = Outbox(new_id, self.dialect.said)
        self._diagnostics = Diagnostics(self._outbox)
        self._conversation = Conversation()
        self._conversation_id = new_id("conv")
        self._transcripts = Transcripts(self._outbox, self._conversation, behaviour.transcripts)
        self._responses = Responses(
            self._outbox,
            self._conversation,
            self._transcripts,
            self._conversation_id,
            self._sound,
        )
        self._turns = Turns(
            self._outbox,
            self._conversation,
            self._transcripts,
            self._responses,
            detector,
            lambda: self._settings,
            self._add,
        )
        self._responses.on_ended = self._turns.answered
        self._at_s: float | None = None  # when the message being received came
        self._on = self._handlers()

    def _handlers(self) -> dict[str, Callable[[dict[str, Any]], None]]:
        """What to do about each event that the dialect lets through, by its GA type."""
        return {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": lambda _event: self._turns.commit(),
            "input_audio_buffer.clear": lambda _event: self._turns.clear(),
            "conversation.item.create": self._create_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.truncate": self._truncate_item,
            "response.create": lambda event: self._create_response(event.get("response") or {}),
            "response.cancel": lambda event: self._responses.cancel(event.get("response_id")),
        }

    @property
    def diagnosed(self) -> Sequence[Diagnose]:
        """What the live service takes in silence and was told beside the protocol (S24, S25)."""
        return tuple(self._diagnostics.told)

    def open(self) -> list[Output]:
        self._opened()
        return self._outbox.flush()

    def _opened(self) -> None:
        self._outbox.send("session.created", session=self._settings)

    def receive(self, message: str | bytes, at_s: float | None = None) -> list[Output]:
        """One message of the client, of whatever content. Never raises.

        ``at_s`` is when it came on a monotonic clock; without it no wrong rate is noticed (S25).
        """
        while self.has_unheard:
            self._turns.listen()
        self._at_s = at_s
        event_id: str | None = None
        try:
            event = client_events.parse(message)
            claimed = event.get("event_id")
            event_id = claimed[:512] if isinstance(claimed, str) else None
            event = self.dialect.understood(event, self._kind)
            self._on[event["type"]](event)
        except Refusal as refusal:
            self._outbox.refuse(self.dialect.refused(refusal), event_id)
        except RecursionError:
            nested = Refusal("invalid_json", "The message is nested too deeply.")
            self._outbox.refuse(nested, event_id)
        return self._outbox.flush()

    @property
    def has_unheard(self) -> bool:
        """Appended audio waits to be judged: call ``listen``."""
        return self._turns.has_unheard

    def listen(self) -> list[Output]:
        """Judge at most 128 ms of appended audio."""
        self._turns.listen()
        return self._outbox.flush()

    def recognised(self, item_id: str, text: str | None) -> list[Output]:
        """The words of an item; None when recognition failed."""
        hold = self._responses.answers(item_id)
        item = self._transcripts.arrived(item_id, text, hold=hold)
        if item is not None:
            self._responses.heard(item, text)
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
        while self.has_unheard:
            self._turns.listen()
        self._turns.woken(number)
        return self._outbox.flush()

    def end(self) -> None:
        """Nothing else may be called afterwards.

        Its parts refer to each other in rings, which Python finds late: sound goes at once.
        """
        self._responses.on_ended = lambda _spoken_ms: None
        del self._on, self._turns, self._responses

    def _update(self, event: dict[str, Any]) -> None:
        self._settings = settings.updated(
            self._settings, event["session"], assistant_spoke=self._responses.spoke
        )
        self._turns.settings_changed()
        self._outbox.send("session.updated", session=self._settings)

    def _append(self, event: dict[str, Any]) -> None:
        data = self._sound(event["audio"])
        if self._at_s is not None:
            source = settings.input_format(self._settings)
            self._diagnostics.appended(len(data) / source.bytes_per_ms, self._at_s, source)
        self._turns.append(data)

    def _sound(self, encoded: str) -> bytes:
        """Sound of the input format out of base64. Raises Refusal."""
        data = client_events.decode_audio(encoded)
        source = settings.input_format(self._settings)
        if self._behaviour.refuse_odd_audio and len(data) % source.sample_bytes:
            raise client_events.not_sound()
        self._diagnostics.sound(data, source)
        return data

    def _create_item(self, event: dict[str, Any]) -> None:
        source = settings.input_format(self._settings)
        item = conversation.from_client(
            event["item"], self._outbox.new_id("item"), source, self._sound
        )
        if item.id == self._turns.announced:
            raise conversation.taken()
        self._add(item, event.get("previous_item_id"))
        if conversation.speaks(item):
            self._conversation.settle(item)
        if item.audio_ms:
            self._transcripts.want(item, None)  # never transcribed for the client: S33

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

    def _add(self, item: Item, after: str | None = None) -> None:
        self._conversation.add(item, after)
        for kind in ("added", "done"):
            keys = {"previous_item_id": item.previous_id, "item": item.wire()}
            self._outbox.send(f"conversation.item.{kind}", **keys)

    def _create_response(self, asked: dict[str, Any]) -> None:
        self._responses.create(asked, settings.response_settings(self._settings, asked))
