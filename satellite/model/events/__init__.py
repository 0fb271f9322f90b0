"""Everything that can happen, as facts in the past tense.

Values only: whoever saw the fact builds it, the deciding thread reads it. Instants named ``*_at``
are monotonic seconds. Events that answer an order carry what the order was about (``link``,
``response_id``), so that an answer to an old question can be told from one to the present.
"""

from __future__ import annotations

from satellite.model.events.devices import (
    Armed,
    ButtonLost,
    ButtonReady,
    Cause,
    ChimeOver,
    GateClosed,
    GateOpened,
    Heard,
    MicClosed,
    MicGap,
    MicLost,
    MicReady,
    MicSignal,
    NetworkFailed,
    PlayoutDrained,
    PlayoutFlushed,
    PlayoutStarted,
    Pressed,
    RecordingEnded,
    Released,
    RoomNoise,
    Signal,
    SpeakerLost,
    SpeakerReady,
    Woke,
    WordAlone,
)
from satellite.model.events.house import (
    Asked,
    BusDown,
    BusUp,
    ChangeRequested,
    ConfigRead,
    HouseUp,
    Misasked,
    OutboxNoted,
    StopRequested,
    Tick,
    ToolDone,
    UnmuteRequested,
)
from satellite.model.events.server import (
    AudioDelta,
    FromServer,
    IdleTimeout,
    Ignored,
    InputCommitted,
    LinkDown,
    RateLimits,
    ResponseCreated,
    ResponseDone,
    ServerError,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolCall,
    TranscriptDelta,
    TranscriptFailed,
    TranscriptUsage,
    Usage,
    UserTranscript,
)

Event = (
    GateOpened
    | Heard
    | GateClosed
    | MicReady
    | MicLost
    | MicSignal
    | RoomNoise
    | NetworkFailed
    | RecordingEnded
    | MicClosed
    | MicGap
    | Woke
    | WordAlone
    | Armed
    | PlayoutStarted
    | PlayoutDrained
    | PlayoutFlushed
    | ChimeOver
    | SpeakerReady
    | SpeakerLost
    | Pressed
    | Released
    | ButtonReady
    | ButtonLost
    | LinkDown
    | FromServer
    | ToolDone
    | BusUp
    | BusDown
    | Tick
    | ChangeRequested
    | ConfigRead
    | StopRequested
    | UnmuteRequested
    | Asked
    | Misasked
    | HouseUp
    | OutboxNoted
)

__all__ = [
    "Armed",
    "Asked",
    "AudioDelta",
    "BusDown",
    "BusUp",
    "ButtonLost",
    "ButtonReady",
    "Cause",
    "ChangeRequested",
    "ChimeOver",
    "ConfigRead",
    "Event",
    "FromServer",
    "GateClosed",
    "GateOpened",
    "Heard",
    "HouseUp",
    "IdleTimeout",
    "Ignored",
    "InputCommitted",
    "LinkDown",
    "MicClosed",
    "MicGap",
    "MicLost",
    "MicReady",
    "MicSignal",
    "Misasked",
    "NetworkFailed",
    "OutboxNoted",
    "PlayoutDrained",
    "PlayoutFlushed",
    "PlayoutStarted",
    "Pressed",
    "RateLimits",
    "RecordingEnded",
    "Released",
    "ResponseCreated",
    "ResponseDone",
    "RoomNoise",
    "ServerError",
    "ServerEvent",
    "SessionCreated",
    "SessionUpdated",
    "Signal",
    "SpeakerLost",
    "SpeakerReady",
    "SpeechStarted",
    "SpeechStopped",
    "StopRequested",
    "TextDelta",
    "Tick",
    "ToolCall",
    "ToolDone",
    "TranscriptDelta",
    "TranscriptFailed",
    "TranscriptUsage",
    "UnmuteRequested",
    "Usage",
    "UserTranscript",
    "Woke",
    "WordAlone",
]
