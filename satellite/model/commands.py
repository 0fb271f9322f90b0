"""Everything the deciding thread can order. Values only; core.py hands each to its owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from satellite.model.events import ToolCall
from satellite.model.records import Record, Result, Settings
from satellite.model.requests import Reply
from satellite.model.session import Activation, Session

# --- to the Realtime link ------------------------------------------------------------------------


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
class SpeakText:
    """Have a text spoken word for word, beside the conversation; its answer is that of ``name``."""

    name: str
    text: str = field(repr=False)


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
    | SpeakText
    | CancelResponse
    | TruncateItem
    | DeleteItem
)


# --- to the capture thread -----------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Attend:
    """Hear with as little delay as while somebody speaks: the assistant may be interrupted."""

    on: bool


@dataclass(frozen=True, slots=True)
class MuteMic:
    """Give the microphone back to the system, or open it again.

    MicClosed follows each ``on``, within 200 ms unless the device hangs; MicReady with the first
    sound, or MicLost, where it was closed.
    """

    on: bool


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Hear what is said now, whatever the activation; or stop to.

    ``for_s``: so long speech may take to begin. Sound that is not speech is never sent. To stop
    makes a turn of what was said until then. ``follow_up``: nobody asked, but had an answer.
    ``held``: by a button, for as long as that is held down; who lets go of it is heard a moment
    longer, since fingers are quicker than microphones.
    """

    on: bool
    for_s: float = 10.0
    follow_up: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class SetEars:
    """From now on: webrtcvad's ``aggressiveness`` 0 to 3, and what opens the gate."""

    aggressiveness: int
    activation: Activation


CaptureCommand = HoldGate | ShutGate | Attend | PauseRecording | MuteMic | OpenGate | SetEars


# --- to the playback thread ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Play:
    """Queue a piece of a response behind what is queued.

    ``volume`` in percent is for this piece alone; None: as loud as everything.
    """

    response_id: str
    item_id: str
    content_index: int
    pcm: bytes = field(repr=False)
    volume: int | None = None


@dataclass(frozen=True, slots=True)
class EndPlay:
    """Nothing more of this response comes; PlayoutDrained follows when it has been played."""

    response_id: str


@dataclass(frozen=True, slots=True)
class FlushPlayout:
    """Stop this response now; PlayoutFlushed follows if any of it was queued."""

    response_id: str


@dataclass(frozen=True, slots=True)
class SetVolume:
    """Loudness in percent, from the next slice on."""

    percent: int


@dataclass(frozen=True, slots=True)
class PausePlayout:
    """Stop at once and keep the rest, from the first sample that was not heard; or go on.

    A pause outlasts a flush and the end of a response: it is ended by order only.
    """

    on: bool


Chime = Literal["woke", "message", "failed"]
"""Short sounds of our own: go on, a message follows, it cannot be answered."""


@dataclass(frozen=True, slots=True)
class PlayChime:
    """Play a short sound: now where nothing plays, else before the next response."""

    chime: Chime


PlaybackCommand = Play | EndPlay | FlushPlayout | SetVolume | PausePlayout | PlayChime


# --- to the tools --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run a tool; ToolDone follows, or the call's own deadline."""

    call: ToolCall


# --- to the outbox: what must last ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keep:
    """Remember a value by name over restarts; None forgets it. ``value`` is JSON's kinds."""

    name: str
    value: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Replay:
    """Tell again what was published with ``since`` and later as its ``seq``, then the result.

    ``id`` is that of the request, where it had one.
    """

    since: int
    most: int
    reply: Reply | None
    id: str | None = None


# --- to MQTT and to the program ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publish:
    """Send one record to its topic."""

    record: Record


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell whoever asked what became of it: on the topic for all, and where they wait."""

    result: Result
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class AnnounceOnline:
    """Publish the birth message."""


@dataclass(frozen=True, slots=True)
class AnnounceEntities:
    """Tell Home Assistant which entities we have; what is set now can be chosen in any case."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class AnnounceWake:
    """Tell automations that a wake word was heard."""


HouseCommand = Keep | Replay | Publish | Answer | AnnounceOnline | AnnounceEntities | AnnounceWake


START_AGAIN: Final = 10
"""The exit code that has systemd start us again: RestartForceExitStatus in the unit."""


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
    | HouseCommand
    | Exit
)
