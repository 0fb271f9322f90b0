"""What the capture, the playback and the button thread say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from satellite.errors import Why

Signal = Literal["good", "silent", "faint", "clipping", "stuck"]
"""What a microphone that delivers sound delivers: exact zeros, hardly more than that, sound beyond
its range, or the same again and again."""


Cause = Literal["speech", "wake_word", "asked"]
"""What let speech open the gate: an open microphone, a wake word, or somebody's order."""


@dataclass(frozen=True, slots=True)
class GateOpened:
    """Speech began; ``Heard`` with the pre-roll follows.

    ``certainty``: the network's highest of the onset, 0 to 1, None without one. ``above_db``: how
    much louder that was than the room, None where the room is not known yet.
    """

    cause: Cause = "speech"
    certainty: float | None = None
    above_db: float | None = None


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
    why: Why = "missing"


@dataclass(frozen=True, slots=True)
class MicSignal:
    """What the microphone delivers is something else from now on; after MicReady it is ``good``."""

    signal: Signal


@dataclass(frozen=True, slots=True)
class RoomNoise:
    """The room is so loud, without a pause, that nobody can be heard; or, None, no longer is.

    ``dbfs``: its peaks below those of the loudest sound there can be.
    """

    dbfs: int | None


@dataclass(frozen=True, slots=True)
class NetworkFailed:
    """What confirms speech was put aside until the next start; ``why`` in a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class MicGap:
    """So many seconds of sound were lost, or came too late and were dropped."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """The recording that stands in for a microphone is over; silence follows."""


@dataclass(frozen=True, slots=True)
class MicClosed:
    """The microphone was given back to the system, as ordered: nobody can hear by it."""


@dataclass(frozen=True, slots=True)
class Woke:
    """A wake word was heard; what follows is for the satellite, and it is armed for that."""

    word: str


@dataclass(frozen=True, slots=True)
class WordAlone:
    """Whoever said the wake word has said nothing behind it so far: they wait for a sign."""


@dataclass(frozen=True, slots=True)
class Armed:
    """Speech passes the gate because somebody asked to be heard; or no more, until asked again.

    Of an open microphone nothing is said.
    """

    on: bool


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first sample of a response went to the speaker."""

    response_id: str
    at: float


@dataclass(frozen=True, slots=True)
class PlayoutDrained:
    """Every sample of a response was played; or, not ``heard``, lost for want of a speaker.

    Then ``played_ms`` of item ``item_id``, and all before it, had been heard. ``underruns`` times
    it had to wait for the server in the middle.
    """

    response_id: str
    heard: bool = True
    item_id: str = ""
    played_ms: int = 0
    underruns: int = 0


@dataclass(frozen=True, slots=True)
class PlayoutFlushed:
    """Playing stopped on order. ``played_ms`` of item ``item_id`` were heard.

    ``underruns`` as of PlayoutDrained.
    """

    response_id: str
    item_id: str
    content_index: int
    played_ms: int
    underruns: int = 0


@dataclass(frozen=True, slots=True)
class ChimeOver:
    """A chime was played to its end, or will never be."""


@dataclass(frozen=True, slots=True)
class SpeakerReady:
    """The speaker plays again."""


@dataclass(frozen=True, slots=True)
class SpeakerLost:
    """The speaker cannot be opened or stopped; answers are still published."""

    detail: str
    why: Why = "missing"


@dataclass(frozen=True, slots=True)
class Pressed:
    """Somebody presses the button of this machine."""


@dataclass(frozen=True, slots=True)
class Released:
    """The button was let go, or is gone while it was pressed."""


@dataclass(frozen=True, slots=True)
class ButtonReady:
    """The button is there again."""


@dataclass(frozen=True, slots=True)
class ButtonLost:
    """The button cannot be opened or read; its thread goes on trying."""

    detail: str
    why: Why = "missing"
