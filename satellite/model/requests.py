"""What people and automations ask for over MQTT, as values; ``wire`` reads them.

One verb a topic. What is here was checked for form and bounds; whether it may be done now is
decided by ``logic``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

SENSITIVITIES: Final = ("very high", "high", "normal", "low")
"""For people: at its place in the tuple is the aggressiveness, 0 hears everything, 3 the least."""
AUTO: Final = "auto"
"""As a language: whichever the recogniser hears."""

Setting = Literal[
    "volume",
    "voice",
    "language",
    "transcription_prompt",
    "instructions",
    "sensitivity",
    "activation",
]
Verb = Literal[
    "activation",
    "ask",
    "cancel",
    "get",
    "instructions",
    "language",
    "listen",
    "mute",
    "new_session",
    "replay",
    "restart",
    "say",
    "sensitivity",
    "transcription_prompt",
    "voice",
    "volume",
]
What = Literal["response", "say", "all"]


@dataclass(frozen=True, slots=True)
class Mute:
    """Close the microphone or open it again; None is the other of the two.

    ``for_s``: it ends by itself after so many seconds, None for never.
    """

    on: bool | None
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """Speak this text, word for word. ``interrupt``: what is being spoken gives way to it."""

    text: str = field(repr=False)
    interrupt: bool = False
    volume: int | None = None  # percent, for this text alone


@dataclass(frozen=True, slots=True)
class Ask:
    """Put this text into the conversation as the user's; ``respond``: and have it answered."""

    text: str = field(repr=False)
    respond: bool = True


@dataclass(frozen=True, slots=True)
class Listen:
    """Hear what is said now without a wake word, or stop to. None: as long as usual."""

    on: bool
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop to speak: what is answered, what was to be said, or both."""

    what: What = "all"


@dataclass(frozen=True, slots=True)
class Set:
    """Change a setting; None is what the configuration says. ``keep``: also after a restart."""

    setting: Setting
    value: str | int | None = field(repr=False)
    keep: bool = True


@dataclass(frozen=True, slots=True)
class NewSession:
    """Forget the conversation and begin another one."""


@dataclass(frozen=True, slots=True)
class Restart:
    """End the program in order; systemd starts it again."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Tell again what was published with ``since`` and later as its ``seq``, at most ``most``."""

    since: int
    most: int = 2000


@dataclass(frozen=True, slots=True)
class Get:
    """Publish every state again."""


Order = Mute | Say | Ask | Listen | Cancel | Set | NewSession | Restart | Replay | Get


@dataclass(frozen=True, slots=True)
class Reply:
    """Where a requester waits for the result, beside the topic for all: MQTT 5 response topic."""

    topic: str
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One order as it came. ``sent_at``: epoch seconds by the sender's clock, where it says so."""

    verb: str
    order: Order
    id: str | None = None
    sent_at: float | None = None
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """One that is not carried out, and why, in a sentence for the sender."""

    verb: str
    error: str
    id: str | None = None
    reply: Reply | None = None
