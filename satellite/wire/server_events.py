"""Server messages of the Realtime protocol become events, in both dialects. Pure.

Unknown types and unknown keys are ignored (C38): a server may say more than we understand. A known
type with a wrong body is a ProtocolError that names type and field, never the content (C39).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import msgspec

from satellite.errors import ProtocolError
from satellite.model import events as ev
from satellite.model.providers import Dialect
from satellite.wire.server_shapes import READERS, Created, Message

_OLD_NAMES: Final = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}

SILENT: Final = frozenset(
    {
        "conversation.created",
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.deleted",
        "conversation.item.done",
        "conversation.item.truncated",
        "input_audio_buffer.cleared",
        "response.content_part.added",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.added",
        "response.output_item.done",
    }
)
"""Types that are known and decide nothing here."""

LONGEST_NAME: Final = 100  # of codes and the like; ours are shorter
LONGEST_MESSAGE: Final = 500
_KEY: Final = re.compile(r"\b(sk-|ek_|xai-)[A-Za-z0-9_*-]{4,}")


class Ear(Protocol):
    """Makes PCM of model.audio out of one item's sound, in order."""

    def __call__(self, sound: bytes) -> bytes: ...

    def flush(self) -> bytes:
        """What was held back; the item is over."""


class Pcm:
    """Sound that is PCM already, but may be cut in the middle of a sample."""

    def __init__(self) -> None:
        self._half = b""

    def __call__(self, sound: bytes) -> bytes:
        sound = self._half + sound
        whole = len(sound) - len(sound) % 2
        self._half = sound[whole:]
        return sound[:whole]

    def flush(self) -> bytes:
        return b""


class Decoder:
    """Reads the messages of one connection, in order: sound may go on in the next one."""

    def __init__(
        self,
        secret: str | None = None,
        ear: Callable[[], Ear] = Pcm,
        *,
        opens_with_conversation: bool = False,
        dialect: Dialect | None = None,
    ) -> None:
        """``secret`` is taken out of what the server says about errors, should it echo it.

        ``ear`` is made anew for each item. ``opens_with_conversation``: of a server whose
        ``conversation.created`` may come in place of ``session.created``. ``dialect``: a session
        that is told in the other one is of that kind, so that nobody takes it for ours.
        """
        self._secret = secret
        self._make_ear = ear
        self._heard: tuple[str, int] | None = None  # the item and part that _ear belongs to
        self._ear = ear()
        self._opens = opens_with_conversation
        self._dialect = dialect

    def __call__(self, message: bytes) -> ev.ServerEvent:
        """Turn one message into one event. Raises ProtocolError."""
        try:
            kind = _TYPE.decode(message).type
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ProtocolError("a server message is not a JSON object with a type") from None
        name = _OLD_NAMES.get(kind, kind)
        if name == "conversation.created" and self._opens:
            self._opens = False
            return ev.SessionCreated("", None)
        if name not in _DECODERS:
            return ev.Ignored(kind[:80])
        decoder, build = _DECODERS[name]
        try:
            body = decoder.decode(message)
            event = build(body)
        except msgspec.ValidationError as exc:
            raise ProtocolError(f"{kind}: {_field_of(exc)}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ProtocolError(f"{kind}: not JSON") from None
        if isinstance(body, Created) and self._dialect is not None:
            spoken = body.dialect or self._dialect
            if spoken != self._dialect:
                return ev.SessionCreated(spoken, None)
        return self._in_context(event, kind)

    def _in_context(self, event: ev.ServerEvent, kind: str) -> ev.ServerEvent:
        match event:
            case ev.ServerError():
                return replace(
                    event,
                    kind=self._plain(event.kind, LONGEST_NAME),
                    code=self._name(event.code),
                    message=self._plain(event.message, LONGEST_MESSAGE),
                    param=self._name(event.param),
                    event_id=self._name(event.event_id),
                )
            case ev.TranscriptFailed():
                return replace(event, code=self._name(event.code))
            case ev.ResponseDone():
                return replace(event, reason=self._name(event.reason))
            case ev.SessionCreated():
                self._opens = False
            case ev.AudioDelta():
                return self._hear(event, kind)
        return event

    def _hear(self, event: ev.AudioDelta, kind: str) -> ev.ServerEvent:
        """Sound that is not whole yet waits for the next piece of its item."""
        over = kind.endswith(".done")
        part = (event.item_id, event.content_index)
        if part != self._heard:
            self._heard, self._ear = part, self._make_ear()
        pcm = self._ear.flush() if over else self._ear(event.pcm)
        if over:
            self._heard = None
        return replace(event, pcm=pcm) if pcm else ev.Ignored(kind)

    def _name(self, text: str | None) -> str | None:
        return None if text is None else self._plain(text, LONGEST_NAME)

    def _plain(self, text: str, most: int) -> str:
        """What may be logged and published: without keys, on one line, of bounded length."""
        if self._secret:
            text = text.replace(self._secret, "(our key)")
        text = _KEY.sub("(a key)", text[: most * 2])
        text = "".join(each if each.isprintable() else " " for each in text)
        return text if len(text) <= most else f"{text[:most]}..."


_TYPE: Final = msgspec.json.Decoder(Message)
_DECODERS: Final = {
    kind: (msgspec.json.Decoder(shape), build) for kind, (shape, build) in READERS.items()
}


def _field_of(exc: msgspec.ValidationError) -> str:
    """msgspec names the path and the types, never the value."""
    return str(exc)[:200]
