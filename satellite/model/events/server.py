"""What the Realtime link says: the connection, and what the server said over it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LinkDown:
    """Connection ``link`` is over or never was. The last event of its link.

    ``status`` is the HTTP status of a refused upgrade, or of what makes client secrets (``reason``
    is "client_secret" then); else ``code`` and ``reason`` are those of a close frame. ``detail`` is
    a sentence for a person and holds no secret. None where there was none.
    """

    link: int
    detail: str
    status: int | None = None
    code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """The session exists. ``type`` is its kind, ``expires_at`` epoch seconds or None."""

    type: str
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """Settings took effect. ``effective`` is the whole session in the server's own words."""

    effective: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServerError:
    """An ``error`` event. ``event_id`` names our message that caused it, if the server knows."""

    kind: str
    code: str | None
    message: str
    param: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The server's VAD heard speech; it will be user item ``item_id``.

    ``start_ms`` is where that item begins on the server's audio clock, its padding included.
    """

    item_id: str
    start_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The server's VAD ended the turn of ``item_id``, at ``end_ms`` of the server's audio clock.

    The silence that ended it is before ``end_ms``.
    """

    item_id: str
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """The server made ``item_id`` out of silence, because nobody spoke for a while."""

    item_id: str


@dataclass(frozen=True, slots=True)
class InputCommitted:
    """The sound of ``item_id`` is a user item now; nothing more joins it."""

    item_id: str


@dataclass(frozen=True, slots=True)
class TranscriptUsage:
    """What one transcript cost: tokens, or seconds of sound; the rest is None."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class TranscriptDelta:
    """A piece of what is understood of ``item_id``, to be appended to the pieces before it.

    ``whole``: it is all of it so far, and replaces them.
    """

    item_id: str
    text: str = field(repr=False)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """What the recogniser understood of ``item_id``. May be empty.

    ``confidence`` is 0 to 1, ``language`` what the recogniser heard, each None where it is silent.
    """

    item_id: str
    text: str = field(repr=False)
    confidence: float | None = None
    language: str | None = None
    usage: TranscriptUsage | None = None


@dataclass(frozen=True, slots=True)
class TranscriptFailed:
    """The recogniser gave up on ``item_id``."""

    item_id: str
    code: str | None


@dataclass(frozen=True, slots=True)
class ResponseCreated:
    """The server began an answer. ``name`` is what we named it when we asked for it, if we did."""

    response_id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """A piece of the answer's voice."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's words, to be appended; ``final``: the whole part, replacing."""

    response_id: str
    output_index: int
    content_index: int
    text: str = field(repr=False)
    final: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one response; cached ones are a part of the input, not on top.

    What of the input is neither audio nor image is text. ``cached_audio_tokens`` and
    ``cached_image_tokens`` are None where the server does not split what was cached.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    input_image_tokens: int = 0
    cached_audio_tokens: int | None = None
    cached_image_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool to run. ``arguments`` is JSON text made by a model."""

    call_id: str
    name: str
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """The answer is complete on the server's side. ``status`` is the server's word for how.

    ``calls`` are those that are complete: half a call never gets here. ``name`` as when it began.
    """

    response_id: str
    status: str
    reason: str | None = None
    usage: Usage | None = None
    calls: tuple[ToolCall, ...] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Seconds until the tightest limit is whole again."""

    reset_s: float


@dataclass(frozen=True, slots=True)
class Ignored:
    """A server event that decides nothing here, known or unknown."""

    type: str


ServerEvent = (
    SessionCreated
    | SessionUpdated
    | ServerError
    | SpeechStarted
    | SpeechStopped
    | IdleTimeout
    | InputCommitted
    | TranscriptDelta
    | UserTranscript
    | TranscriptFailed
    | ResponseCreated
    | AudioDelta
    | TextDelta
    | ResponseDone
    | RateLimits
    | Ignored
)


@dataclass(frozen=True, slots=True)
class FromServer:
    """What the server of connection ``link`` said."""

    link: int
    event: ServerEvent
