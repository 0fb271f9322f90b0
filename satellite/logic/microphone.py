"""What is known of the microphone: what its thread said, and how old its evidence is (law 2).

Pure. Rule 1: nothing is known of a microphone for longer than FRAME_AGE_S after its last frame, or
after its thread went into the sound system and did not come back (reliability P1).
Rule 2: a process that stood still learns nothing from that about the microphone.
Rule 3: a call that does not return, and failures that nobody foresaw again and again, are helped by
another process alone (F50, F51).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from satellite.errors import Why
from satellite.model import events as ev

FRAME_AGE_S: Final = 2.0
STOOD_STILL_S: Final = 2.5  # no Tick for so long: the whole process did
AWAKE_S: Final = 0.25  # after that the threads of our devices have had their turn
STUCK_S: Final = 10.0
LIFE_S: Final = 60.0  # no end by ourselves sooner after a start
MOST_FAILURES: Final = 3
FAILURES_S: Final = 60.0  # within so long

Problem = tuple[str, str, str]  # code, what was found, what to do

_TRIES: Final = "the satellite goes on trying"
LISTEN: Final = "`satellite devices --listen` shows how loud it is"

_HELP: Final[Mapping[Why, str]] = {  # of any device but one that is not there
    "stalled": "unplug it and plug it in again, or look at the sound server",
    "busy": "or let both have it through a sound server",
    "failed": "send its lines in the log to whoever keeps this",
}
SIGNALS: Final[Mapping[ev.Signal, Problem]] = {
    "silent": (
        "mic_silent",
        "the microphone delivers exact zeros, which no room does",
        f"look for a mute switch on it, and for its capture switch in alsamixer; {LISTEN}",
    ),
    "stuck": (
        "mic_stuck",
        "the microphone delivers the same sound again and again",
        "unplug it and plug it in again, or choose another audio.input.device",
    ),
    "clipping": (
        "mic_clipping",
        "the microphone is too loud: more than 5 % of its samples are at the end of its range",
        f"lower its gain in alsamixer, or move away from it; {LISTEN}",
    ),
    "faint": (
        "mic_suspect",
        "the microphone has delivered next to nothing for a minute",
        f"look for a mute switch on it, or raise its gain in alsamixer; {LISTEN}",
    ),
}


@dataclass(frozen=True, slots=True)
class Mic:
    """The evidence. Instants are monotonic seconds."""

    heard: bool = False  # since its last loss
    closed: bool = False  # it was given back on order, and has not been heard since
    lost: ev.MicLost | None = None
    failed_at: tuple[float, ...] = ()  # when it was lost in a way that nobody foresaw, lately
    signal: ev.Signal = "good"  # what it delivers
    ended: bool = False  # it is a recording, which is over
    gaps: int = 0  # how often sound was lost because we stood still, since the start
    frame_at: float | None = None
    called_at: float | None = None  # the call into the sound system that lasts
    checked_at: float | None = None  # when these two were looked at
    awake_at: float = float("-inf")  # they are not judged before

    @property
    def is_awake(self) -> bool:
        """True where the evidence can be judged: there is some, and we did not just stand still."""
        return self.checked_at is not None and self.checked_at >= self.awake_at

    @property
    def is_stalled(self) -> bool:
        """True when nothing has come from it for too long, opened or still to be."""
        due = self._due
        return self.is_awake and due is not None and (self.checked_at or 0.0) >= due

    @property
    def is_deaf(self) -> bool:
        """True when whoever speaks is not heard, and that was not ordered."""
        dead = self.heard and self.signal in {"silent", "stuck"}
        return self.lost is not None or dead or self.is_stalled

    @property
    def deadline(self) -> float | None:
        """When the evidence is too old; fresh evidence comes with a Tick before that."""
        if self.checked_at is None or self.is_stalled:
            return None
        return self._due if self.is_awake else self.awake_at

    @property
    def _due(self) -> float | None:
        since = self.called_at
        if self.heard and self.frame_at is not None:
            since = self.frame_at if since is None else min(since, self.frame_at)
        return None if since is None else since + FRAME_AGE_S


MicEvent = (
    ev.MicReady | ev.MicLost | ev.MicClosed | ev.MicSignal | ev.MicGap | ev.RecordingEnded | ev.Tick
)


def note(mic: Mic, event: MicEvent, now: float) -> Mic:
    """Remember what its thread said, or showed."""
    match event:
        case ev.Tick():
            return _look(mic, event, now)
        case ev.MicReady():
            mic = replace(mic, heard=True, closed=False, lost=None, signal="good")
            return replace(mic, ended=False, frame_at=now)
        case ev.MicLost(_, why):
            recent = [at for at in mic.failed_at if now - at < FAILURES_S]
            recent += [now] if why == "failed" else []
            mic = replace(mic, failed_at=tuple(recent[-MOST_FAILURES:]))
            return replace(mic, heard=False, closed=False, lost=event, signal="good")
        case ev.MicClosed():
            return replace(mic, heard=False, closed=True, lost=None, signal="good")
        case ev.MicSignal(signal):
            return replace(mic, signal=signal)
        case ev.MicGap():
            return replace(mic, gaps=mic.gaps + 1)
        case ev.RecordingEnded():
            return replace(mic, ended=True)


def _look(mic: Mic, tick: ev.Tick, now: float) -> Mic:
    if mic.checked_at is not None and now - mic.checked_at > STOOD_STILL_S:
        mic = replace(mic, awake_at=now + AWAKE_S)
    frame_at = mic.frame_at if tick.frame_at is None else tick.frame_at
    return replace(mic, frame_at=frame_at, called_at=tick.in_mic_since, checked_at=now)


def lost(device: str, why: Why, instead: str, meanwhile: str) -> tuple[str, str]:
    """The code of a device that failed, and what to do: ``instead`` where it is missing."""
    return f"{device}_{why}", f"{_HELP.get(why, instead)}; {meanwhile}"


def is_beyond_help(mic: Mic, started_at: float, now: float) -> bool:
    """True when only another process can hear again."""
    called_at, failed = mic.called_at, mic.failed_at
    stuck = called_at is not None and now - called_at >= STUCK_S
    fails = len(failed) == MOST_FAILURES and now - failed[0] < FAILURES_S
    return mic.is_awake and (stuck or fails) and now - started_at >= LIFE_S


def problems(mic: Mic) -> list[Problem]:
    """Why nothing is heard, or badly."""
    found: list[Problem] = []
    checked_at = mic.checked_at or 0.0
    if mic.is_stalled and mic.called_at is not None and checked_at - mic.called_at > 1.0:
        detail = "the sound system has not answered for seconds"
        fix = "the satellite soon starts again; if that does not help, unplug the microphone"
        found.append(("mic_stalled", detail, fix))
    elif mic.lost is not None:
        instead = "or name another in audio.input.device"
        code, fix = lost("mic", mic.lost.why, instead, _TRIES)
        found.append((code, mic.lost.detail, fix))
    elif mic.is_stalled:
        detail = "the microphone is open but delivers no sound"
        found.append(("mic_stalled", detail, "unplug it and plug it in again"))
    elif mic.heard and mic.signal != "good":
        found.append(SIGNALS[mic.signal])
    if mic.ended:
        detail = "the recording that stands in for a microphone is over; nothing more is heard"
        found.append(("recording_ended", detail, "give another audio.input.file, or set loop"))
    return found
