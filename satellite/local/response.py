"""One response and the events that tell a client about it, in the order of 4.3, 4.4, 4.6 to 4.8.

A Response knows what it has said; the session decides what happens next. Every method returns the
events to send, without ``event_id``. Pure.
"""

from __future__ import annotations

import base64
import json
import re
import textwrap
from typing import Any, Final

from satellite.local import sound
from satellite.local.conversation import ASSISTANT_TOKEN_MS, Item, text_tokens
from satellite.local.settings import ResponseSettings

Event = dict[str, Any]

_DELTA_MS: Final = 200  # of sound in one delta
_ARGUMENT_CHARS: Final = 64  # of a function call's arguments in one delta
_LONGEST_SENTENCE: Final = 200  # characters; 2.5 kB of memory and 2 ms each while it is spoken
_LONGEST_TEXT: Final = 4_000  # about four minutes of speech
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=\S)")


def sentences(text: str) -> list[str]:
    """What is spoken at once: the first sound waits for the first sentence only.

    A sentence without an end is cut between words: the synthesiser's time and memory grow with it.
    """
    wholes = _SENTENCE.split(text.strip()[:_LONGEST_TEXT])
    parts = [part for whole in wholes for part in textwrap.wrap(whole, _LONGEST_SENTENCE)]
    return [part + " " for part in parts[:-1]] + parts[-1:]


class Response:
    def __init__(self, response_id: str, settings: ResponseSettings, conversation_id: str) -> None:
        self.id = response_id
        self.settings = settings
        self.questions: list[Item] = []  # what it answers
        self.waits_for: Item | None = None  # its words are still being recognised
        self.saying: str | None = None  # whatever was asked
        self.outputs: list[str] = []  # of tools, not yet given to the responder
        self.reports: list[str] = []  # what is to be said about those that were
        self.unsaid: list[str] = []  # sentences not yet given to the synthesiser
        self.item: Item | None = None
        self.announced = False
        self._said = ""
        self._spoken = 0  # bytes of sound from the synthesiser
        self._encode = sound.Encoder(settings.format)
        self._conversation_id = conversation_id if settings.in_conversation else None

    def _at(self, **more: Any) -> Event:
        assert self.item is not None
        return {
            "response_id": self.id,
            "item_id": self.item.id,
            "output_index": 0,
            "content_index": 0,
            **more,
        }

    def _wire(self, status: str, details: Event | None, usage: Event | None) -> Event:
        settings = self.settings
        output = {"format": dict(settings.wire_format), "voice": settings.voice}
        temperature = {} if settings.temperature is None else {"temperature": settings.temperature}
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [] if self.item is None or usage is None else [self.item.wire()],
            "conversation_id": self._conversation_id,
            "output_modalities": ["audio" if settings.audio else "text"],
            "max_output_tokens": settings.max_output_tokens,
            "audio": {"output": output},
            **temperature,
            "usage": usage,
            "metadata": settings.metadata,
        }

    def created(self) -> list[Event]:
        """Once; nothing when it was told before."""
        if self.announced:
            return []
        self.announced = True
        return [{"type": "response.created", "response": self._wire("in_progress", None, None)}]

    def _item_event(self, kind: str) -> list[Event]:
        """``added`` or ``done`` for the conversation; nothing when the item is not in it."""
        assert self.item is not None
        if not self.settings.in_conversation or self.item.deleted:
            return []
        previous = self.item.previous_id
        event = {"type": f"conversation.item.{kind}", "previous_item_id": previous}
        return [{**event, "item": self.item.wire()}]

    def _output_item(self, kind: str) -> Event:
        assert self.item is not None
        event = {"type": f"response.output_item.{kind}", "response_id": self.id, "output_index": 0}
        return {**event, "item": self.item.wire()}

    def message_begins(self, item: Item) -> list[Event]:
        self.item = item
        part = {"type": "audio", "transcript": ""} if self.settings.audio else _text_part("")
        return [
            self._output_item("added"),
            *self._item_event("added"),
            {"type": "response.content_part.added", **self._at(part=part)},
        ]

    def says(self, words: str) -> list[Event]:
        self._said += words
        kind = "output_audio_transcript" if self.settings.audio else "output_text"
        return [{"type": f"response.{kind}.delta", **self._at(delta=words)}]

    def sounds(self, pcm: bytes) -> list[Event]:
        """24 kHz of the synthesiser, as the deltas of the response's own format."""
        self._spoken += len(pcm)
        return self._deltas(self._encode(pcm))

    def _deltas(self, data: bytes) -> list[Event]:
        assert self.item is not None
        self.item.keep_audio(data)
        size = _DELTA_MS * self.settings.format.bytes_per_ms
        return [
            {
                "type": "response.output_audio.delta",
                **self._at(delta=base64.b64encode(data[at : at + size]).decode()),
            }
            for at in range(0, len(data), size)
        ]

    @property
    def spoken_ms(self) -> int:
        return self._spoken // sound.LINEAR.bytes_per_ms

    def room(self) -> int | None:
        """Bytes of 24 kHz that ``max_output_tokens`` still allows; None for no bound."""
        limit = self.settings.max_output_tokens
        if not isinstance(limit, int):
            return None
        whole = limit * ASSISTANT_TOKEN_MS * sound.LINEAR.bytes_per_ms
        return max(0, whole - self._spoken)

    def message_ends(self, status: str) -> list[Event]:
        assert self.item is not None
        said = self._said
        if self.settings.audio:
            events = [
                *self._deltas(self._encode.finish()),
                {"type": "response.output_audio.done", **self._at()},
                {"type": "response.output_audio_transcript.done", **self._at(transcript=said)},
            ]
            part = {"type": "audio", "transcript": said}
            content = {"type": "output_audio", "transcript": said}
        else:
            events = [{"type": "response.output_text.done", **self._at(text=said)}]
            part = _text_part(said)
            content = {"type": "output_text", "text": said}
        if self.item.was_cut:  # what the person did not hear stays out of the conversation
            content = {"type": content["type"]}
        self.item.fields.update(status=status, content=[content])
        return [
            *events,
            {"type": "response.content_part.done", **self._at(part=part)},
            *self._item_event("done"),
            self._output_item("done"),
        ]

    def calls(self, item: Item, arguments: dict[str, Any]) -> list[Event]:
        """A whole function call: it is never cancelled half-way."""
        self.item = item
        text = json.dumps(arguments)
        place = self._at(call_id=item.fields["call_id"])
        del place["content_index"]
        events = [self._output_item("added"), *self._item_event("added")]
        for at in range(0, len(text), _ARGUMENT_CHARS):
            delta = text[at : at + _ARGUMENT_CHARS]
            kind = "response.function_call_arguments.delta"
            events.append({"type": kind, **place, "delta": delta})
        done = {"name": item.fields["name"], "arguments": text}
        events.append({"type": "response.function_call_arguments.done", **place, **done})
        item.fields.update(status="completed", arguments=text)
        return [*events, *self._item_event("done"), self._output_item("done")]

    def done(
        self, status: str, details: Event | None, input_tokens: tuple[int, int]
    ) -> list[Event]:
        text, audio = input_tokens if self.item is not None else (0, 0)
        usage = _usage(text, audio, *self._output_tokens())
        return [{"type": "response.done", "response": self._wire(status, details, usage)}]

    def _output_tokens(self) -> tuple[int, int]:
        if self.item is None:
            return 0, 0
        words = self._said or str(self.item.fields.get("arguments", ""))
        return text_tokens(words), self.spoken_ms // ASSISTANT_TOKEN_MS


def _text_part(text: str) -> Event:
    return {"type": "text", "text": text}


def _usage(text_in: int, audio_in: int, text_out: int, audio_out: int) -> Event:
    none = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": text_in + audio_in + text_out + audio_out,
        "input_tokens": text_in + audio_in,
        "output_tokens": text_out + audio_out,
        "input_token_details": {
            "text_tokens": text_in,
            "audio_tokens": audio_in,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": none,
        },
        "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
    }
