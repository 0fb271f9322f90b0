"""The shapes of server messages, as far as they decide anything, and the event each becomes. Pure.

GA names; ``server_events.py`` knows the others. What a server may leave out is optional here, and
what only adorns an event (``Any``, read by ``_if_right``) spoils nothing where it is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import msgspec

from satellite.model import events as ev
from satellite.model.providers import Dialect

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]  # exact in every JSON reader
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
T = TypeVar("T")


def _if_right(value: Any, shape: type[T]) -> T | None:
    """``value`` as ``shape``; None where it is none."""
    try:
        return msgspec.convert(value, shape)
    except (msgspec.ValidationError, OverflowError):
        return None


class Message(msgspec.Struct):
    type: str


class _Session(msgspec.Struct):
    type: str | None = None  # the beta has none
    object: str | None = None
    expires_at: Any = None
    audio: Any = None  # GA's
    modalities: Any = None  # the beta's
    input_audio_format: Any = None  # the beta's


class Created(Message):
    session: _Session

    @property
    def dialect(self) -> Dialect | None:
        """The dialect that the session is told in; None where it could be either."""
        session = self.session
        if session.type and session.audio is not None:
            return "ga"
        flat = session.modalities or session.input_audio_format
        return "beta" if flat and not session.type and session.audio is None else None


class _Updated(Message):
    session: dict[str, Any]


class _ErrorBody(msgspec.Struct):
    message: str = ""
    type: str = ""
    code: str | None = None
    param: str | None = None
    event_id: str | None = None


class _Error(Message):
    error: _ErrorBody


class _Item(Message):
    item_id: str


class _Started(_Item):
    audio_start_ms: Any = None


class _Stopped(_Item):
    audio_end_ms: Any = None


class _TranscriptUsage(msgspec.Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    seconds: Seconds | None = None


class _Logprob(msgspec.Struct):
    logprob: Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]


class _Language(msgspec.Struct):
    code: str


class _Transcript(_Item):
    transcript: str
    usage: Any = None
    logprobs: Any = None
    languages: Any = None


class _TranscriptPiece(_Item):
    delta: str | None = None
    transcript: str | None = None  # xAI's: all of it so far


class _Failed(_Item):
    error: _ErrorBody


class _Part(Message):
    response_id: str
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0


class _Audio(_Part, kw_only=True):
    delta: bytes  # base64 in JSON, decoded by msgspec


class _TextPart(_Part, kw_only=True):
    delta: str = ""
    text: str = ""
    transcript: str = ""


class _Cached(msgspec.Struct):
    audio_tokens: Count | None = 0
    image_tokens: Count | None = 0


class _Details(msgspec.Struct):
    cached_tokens: Count | None = 0
    audio_tokens: Count | None = 0
    image_tokens: Count | None = 0
    cached_tokens_details: _Cached | None = None


class _Usage(msgspec.Struct):
    input_tokens: Count | None = 0
    output_tokens: Count | None = 0
    input_token_details: _Details | None = None
    output_token_details: _Details | None = None


class _StatusError(msgspec.Struct):
    code: str | None = None
    type: str | None = None


class _Status(msgspec.Struct):
    reason: str | None = None
    error: _StatusError | None = None


class _OutputItem(msgspec.Struct):
    type: str = ""
    status: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class _ResponseBody(msgspec.Struct):
    id: str
    output: list[_OutputItem] | None = None
    status: str | None = None
    status_details: _Status | None = None
    usage: Any = None
    metadata: Any = None

    @property
    def name(self) -> str | None:
        """What we named it: servers give back the metadata of a request."""
        named = _if_right(self.metadata, _Metadata)
        return None if named is None or named.purpose != "say" else named.turn


class _Metadata(msgspec.Struct):
    purpose: str | None = None
    turn: str | None = None


class _Response(Message):
    response: _ResponseBody


class _RateLimit(msgspec.Struct):
    reset_seconds: float | None = 0.0


class _RateLimits(Message):
    rate_limits: list[_RateLimit]


def created(message: Created) -> ev.ServerEvent:
    """The kind is empty where the server says none, as in the beta and at other providers."""
    session = message.session
    written = message.type == "transcription_session.created"
    written = written or session.object == "realtime.transcription_session"
    kind = session.type or ("transcription" if written else "")
    return ev.SessionCreated(kind, _if_right(session.expires_at, float))


def _usage(told: Any) -> ev.Usage | None:
    usage = _if_right(told, _Usage)
    if usage is None:
        return None
    given = usage.input_token_details or _Details()
    made = usage.output_token_details or _Details()
    split = given.cached_tokens_details
    return ev.Usage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cached_tokens=given.cached_tokens or 0,
        input_audio_tokens=given.audio_tokens or 0,
        output_audio_tokens=made.audio_tokens or 0,
        input_image_tokens=given.image_tokens or 0,
        cached_audio_tokens=split.audio_tokens or 0 if split is not None else None,
        cached_image_tokens=split.image_tokens or 0 if split is not None else None,
    )


def _done(message: _Response) -> ev.ServerEvent:
    body = message.response
    details = body.status_details or _Status()
    fault = details.error or _StatusError()
    reason = details.reason or fault.code or fault.type
    status = body.status or "completed"
    calls = _calls(body.output or []) if status == "completed" else ()
    return ev.ResponseDone(body.id, status, reason, _usage(body.usage), calls, body.name)


def _calls(items: list[_OutputItem]) -> tuple[ev.ToolCall, ...]:
    """Those that are complete: an interrupted one may ask for something nobody said."""
    return tuple(
        ev.ToolCall(item.call_id, item.name, item.arguments or "")
        for item in items
        if item.type == "function_call"
        and item.status in {"completed", None}
        and item.call_id
        and item.name
    )


def _transcript(message: _Transcript) -> ev.ServerEvent:
    usage = _if_right(message.usage, _TranscriptUsage)
    languages = _if_right(message.languages, list[_Language]) or []
    return ev.UserTranscript(
        message.item_id,
        message.transcript,
        _confidence(_if_right(message.logprobs, list[_Logprob]) or []),
        languages[0].code if languages else None,
        None
        if usage is None
        else ev.TranscriptUsage(usage.input_tokens, usage.output_tokens, usage.seconds),
    )


def _confidence(logprobs: list[_Logprob]) -> float | None:
    """The geometric mean of the words' probabilities; None where the server tells none."""
    if not logprobs:
        return None
    mean = math.fsum(each.logprob for each in logprobs) / len(logprobs)
    return round(math.exp(min(0.0, mean)), 4)


def _limits(message: _RateLimits) -> ev.ServerEvent:
    waits = [limit.reset_seconds or 0.0 for limit in message.rate_limits]
    return ev.RateLimits(max(waits, default=0.0))


def _error(message: _Error) -> ev.ServerEvent:
    error = message.error
    return ev.ServerError(error.type, error.code, error.message, error.param, error.event_id)


def _audio(message: _Audio) -> ev.ServerEvent:
    m = message
    return ev.AudioDelta(m.response_id, m.item_id, m.output_index, m.content_index, m.delta)


def _silence(message: _Part) -> ev.ServerEvent:
    """The end of a part's sound; whoever hears it may have held some back."""
    m = message
    return ev.AudioDelta(m.response_id, m.item_id, m.output_index, m.content_index, b"")


def _delta(message: _TextPart) -> ev.ServerEvent:
    m = message
    return ev.TextDelta(m.response_id, m.output_index, m.content_index, m.delta)


def _final(message: _TextPart) -> ev.ServerEvent:
    m = message
    text = m.text or m.transcript
    return ev.TextDelta(m.response_id, m.output_index, m.content_index, text, final=True)


Reader = tuple[type[Message], Callable[[Any], ev.ServerEvent]]

READERS: Final[dict[str, Reader]] = {
    "session.created": (Created, created),
    "transcription_session.created": (Created, created),
    "session.updated": (_Updated, lambda m: ev.SessionUpdated(m.session)),
    "transcription_session.updated": (_Updated, lambda m: ev.SessionUpdated(m.session)),
    "error": (_Error, _error),
    "input_audio_buffer.speech_started": (
        _Started,
        lambda m: ev.SpeechStarted(m.item_id, _if_right(m.audio_start_ms, Count)),
    ),
    "input_audio_buffer.speech_stopped": (
        _Stopped,
        lambda m: ev.SpeechStopped(m.item_id, _if_right(m.audio_end_ms, Count)),
    ),
    "input_audio_buffer.timeout_triggered": (_Item, lambda m: ev.IdleTimeout(m.item_id)),
    "input_audio_buffer.committed": (_Item, lambda m: ev.InputCommitted(m.item_id)),
    "conversation.item.input_audio_transcription.completed": (_Transcript, _transcript),
    "conversation.item.input_audio_transcription.delta": (
        _TranscriptPiece,
        lambda m: ev.TranscriptDelta(m.item_id, m.delta or ""),
    ),
    "conversation.item.input_audio_transcription.updated": (  # xAI's
        _TranscriptPiece,
        lambda m: ev.TranscriptDelta(m.item_id, m.transcript or "", whole=True),
    ),
    "conversation.item.input_audio_transcription.failed": (
        _Failed,
        lambda m: ev.TranscriptFailed(m.item_id, m.error.code),
    ),
    "response.created": (_Response, lambda m: ev.ResponseCreated(m.response.id, m.response.name)),
    "response.output_audio.delta": (_Audio, _audio),
    "response.output_audio.done": (_Part, _silence),
    "response.output_audio_transcript.delta": (_TextPart, _delta),
    "response.output_audio_transcript.done": (_TextPart, _final),
    "response.output_text.delta": (_TextPart, _delta),
    "response.output_text.done": (_TextPart, _final),
    "response.done": (_Response, _done),
    "rate_limits.updated": (_RateLimits, _limits),
}
