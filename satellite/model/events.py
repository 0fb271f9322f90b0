"""Everything that can happen, as facts in the past tense.

Values only: whoever saw the fact builds it, the deciding thread reads it. Instants named ``*_at``
are monotonic seconds. Events that answer an order carry what the order was about (``link``,
``response_id``), so that an answer to an old question can be told from one to the present.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from satellite.model.session import Session

# --- from the capture thread -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GateOpened:
    """Speech began; ``Heard`` with the pre-roll follows."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Sound that the gate let through, contiguous while the gate is open.

    ``speech_ms`` of it were judged speech; ``speech_at`` is when the last such frame ended.
    """

    pcm: bytes = field(repr=False)
    speech_ms: int
    speech_at: float | None


@dataclass(frozen=True, slots=True)
class GateClosed:
    """The gate shut by itself. ``too_long``: at the utterance limit, not by silence."""

    too_long: bool


@dataclass(frozen=True, slots=True)
class MicReady:
    """The microphone delivers sound."""


@dataclass(frozen=True, slots=True)
class MicLost:
    """The microphone cannot be opened or stopped; the capture thread goes on trying."""

    detail: str


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """The recording that stands in for a microphone is over; silence follows."""


# --- from the playback thread ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first sample of a response went to the speaker."""

    response_id: str
    at: float


@dataclass(frozen=True, slots=True)
class PlayoutDrained:
    """Every sample of a response was played; or, not ``heard``, lost for want of a speaker."""

    response_id: str
    heard: bool = True


@dataclass(frozen=True, slots=True)
class PlayoutFlushed:
    """Playing stopped on order. ``played_ms`` of item ``item_id`` were heard."""

    response_id: str
    item_id: str
    content_index: int
    played_ms: int


@dataclass(frozen=True, slots=True)
class SpeakerReady:
    """The speaker plays again."""


@dataclass(frozen=True, slots=True)
class SpeakerLost:
    """The speaker cannot be opened or stopped; answers are still published."""

    detail: str


# --- from the Realtime link: the connection ----------------------------------------------------


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


# --- from the Realtime link: what the server said ----------------------------------------------


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
    """The server began an answer."""

    response_id: str


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

    ``calls`` are those that are complete: half a call never gets here.
    """

    response_id: str
    status: str
    reason: str | None = None
    usage: Usage | None = None
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Seconds until the tightest limit is whole again."""

    reset_s: float


@dataclass(frozen=True, slots=True)
class Ignored:
    """A server event that decides nothing here, known or unknown."""

    type: str


# --- from a tool -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolDone:
    """A tool ran, or could not: ``output`` is for the model."""

    call_id: str
    output: str = field(repr=False)


# --- from MQTT, systemd and the clock ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BusUp:
    """The broker took us in; what it retained may be gone."""


@dataclass(frozen=True, slots=True)
class BusDown:
    """The broker is away, or refused us; paho goes on trying. ``fix``: what a person can do."""

    detail: str
    fix: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed. ``frame_at`` is when the last frame was captured, None before the first."""

    frame_at: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeRequested:
    """A person wants other settings from now on."""

    session: Session


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A person or systemd wants us to end."""

    signum: int


ServerEvent = (
    SessionCreated
    | SessionUpdated
    | ServerError
    | SpeechStarted
    | SpeechStopped
    | IdleTimeout
    | InputCommitted
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


Event = (
    GateOpened
    | Heard
    | GateClosed
    | MicReady
    | MicLost
    | RecordingEnded
    | PlayoutStarted
    | PlayoutDrained
    | PlayoutFlushed
    | SpeakerReady
    | SpeakerLost
    | LinkDown
    | FromServer
    | BusUp
    | BusDown
    | Tick
    | ToolDone
    | ChangeRequested
    | StopRequested
)
