"""Everything the deciding thread can order. Values only; core.py hands each to its owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from satellite.model.events import ToolCall
from satellite.model.records import Record
from satellite.model.session import Session

# --- to the Realtime link ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """Open connection number ``link``."""

    link: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Drop connection ``link``; no LinkDown is owed for it."""

    link: int


@dataclass(frozen=True, slots=True)
class Restart:
    """Drop the connection, whichever it is, and open a new one: the server does not do its part."""

    why: str


@dataclass(frozen=True, slots=True)
class Configure:
    """Send the session's settings, under an id that the server's refusal would name.

    ``since``: send only what differs from these, which the server has.
    """

    event_id: str
    session: Session
    since: Session | None = None


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """Send sound, PCM of model.audio.

    ``at`` is when its last sample was captured, None for silence of our own; ``speech_ms`` at its
    end were judged speech.
    """

    pcm: bytes = field(repr=False)
    at: float | None = field(default=None, compare=False)
    speech_ms: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CommitInput:
    """End the user's turn from our side."""


@dataclass(frozen=True, slots=True)
class ClearInput:
    """Forget what was sent since the last turn."""


@dataclass(frozen=True, slots=True)
class AddText:
    """Tell a new session what was said before, without asking for an answer."""

    role: Literal["user", "assistant"]
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AddToolOutput:
    """Give the model what a tool said."""

    call_id: str
    output: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """Ask for an answer."""


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """Stop the answer that the server is making."""

    response_id: str


@dataclass(frozen=True, slots=True)
class TruncateItem:
    """Tell the server how much of its spoken item was heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Tell the server to forget an item of which nothing was heard."""

    item_id: str


LinkCommand = (
    Configure
    | AppendAudio
    | CommitInput
    | ClearInput
    | AddText
    | AddToolOutput
    | CreateResponse
    | CancelResponse
    | TruncateItem
    | DeleteItem
)


# --- to the capture thread ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HoldGate:
    """Keep an open gate open (the server hears a turn), or let silence close it again."""

    on: bool


@dataclass(frozen=True, slots=True)
class ShutGate:
    """Hear nothing while the assistant speaks, or hear again from now on."""

    on: bool


@dataclass(frozen=True, slots=True)
class PauseRecording:
    """A recording waits while the satellite is busy, as a polite person would."""

    on: bool


CaptureCommand = HoldGate | ShutGate | PauseRecording


# --- to the playback thread --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Play:
    """Queue a piece of a response behind what is queued."""

    response_id: str
    item_id: str
    content_index: int
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndPlay:
    """Nothing more of this response comes; PlayoutDrained follows when it has been played."""

    response_id: str


@dataclass(frozen=True, slots=True)
class FlushPlayout:
    """Stop this response now; PlayoutFlushed follows if any of it was queued."""

    response_id: str


PlaybackCommand = Play | EndPlay | FlushPlayout


# --- to the tools ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run a tool; ToolDone follows, or the call's own deadline."""

    call: ToolCall


# --- to MQTT and to the program ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publish:
    """Send one record to its topic."""

    record: Record


@dataclass(frozen=True, slots=True)
class AnnounceOnline:
    """Publish the birth message."""


@dataclass(frozen=True, slots=True)
class Exit:
    """End the program in order."""

    code: int


Command = (
    Connect
    | Disconnect
    | Restart
    | LinkCommand
    | CaptureCommand
    | PlaybackCommand
    | RunTool
    | Publish
    | AnnounceOnline
    | Exit
)
