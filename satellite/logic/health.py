"""What the satellite may say of itself, computed from evidence (law 2).

Pure. A problem lasts as long as its cause is seen; the state is derived from what was last heard
from a thread, with its age, never from what was last asked of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from satellite.errors import Why
from satellite.logic import budget, echo
from satellite.logic.clock import wrong_rate
from satellite.logic.link import Link, Phase
from satellite.logic.refusal import Again
from satellite.logic.report import timestamp
from satellite.logic.talk import Talk, is_sounding, open_turn
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant

FRAME_AGE_S: Final = 2.0  # reliability P1: never "listening" with older evidence
STOOD_STILL_S: Final = 2.5  # no Tick for so long: the whole process did, and not the microphone
AWAKE_S: Final = 0.25  # after that the capture thread has had its turn
STUCK_S: Final = 10.0  # reliability F51: a call that never returns is helped by the end alone
LIFE_S: Final = 60.0  # and not sooner than this after a start
MOST_FAILURES: Final = 3  # reliability F50: that nobody foresaw, within a minute
QUIET_S: Final = 60.0  # between two faults of a kind
MOST_DENIED: Final = 3  # topics that a problem names

_TRIES: Final = "the satellite goes on trying"
_LISTEN: Final = "`satellite devices --listen` shows how loud it is"

LOST: Final[Mapping[Why, tuple[str, str]]] = {  # why: code, and what to do
    "missing": ("mic_missing", f"or name another in audio.input.device; {_TRIES}"),
    "stalled": (
        "mic_stalled",
        f"unplug it and plug it in again, or look at the sound server; {_TRIES}",
    ),
    "busy": ("mic_busy", f"or let both have it through a sound server; {_TRIES}"),
    "failed": ("mic_failed", f"send its lines in the log to whoever keeps this; {_TRIES}"),
}
_AGAIN: Final = "it is tried again at the next answer"
SPEAKER_LOST: Final[Mapping[Why, tuple[str, str]]] = {
    "missing": ("speaker_missing", f"or change audio.output; {_AGAIN}"),
    "stalled": (
        "speaker_stalled",
        f"unplug it and plug it in again, or look at the sound server; {_AGAIN}",
    ),
    "busy": ("speaker_busy", f"or let both have it through a sound server; {_AGAIN}"),
    "failed": ("speaker_failed", f"send its lines in the log to whoever keeps this; {_AGAIN}"),
}
SIGNALS: Final[Mapping[ev.Signal, tuple[str, str, str]]] = {
    "silent": (
        "mic_silent",
        "the microphone delivers exact zeros, which no room does",
        f"look for a mute switch on it, and for its capture switch in alsamixer; {_LISTEN}",
    ),
    "stuck": (
        "mic_stuck",
        "the microphone delivers the same sound again and again",
        "unplug it and plug it in again, or choose another audio.input.device",
    ),
    "clipping": (
        "mic_clipping",
        "the microphone is too loud: more than 5 % of its samples are at the end of its range",
        f"lower its gain in alsamixer, or move away from it; {_LISTEN}",
    ),
    "faint": (
        "mic_suspect",
        "the microphone has delivered next to nothing for a minute",
        f"look for a mute switch on it, or raise its gain in alsamixer; {_LISTEN}",
    ),
}


@dataclass(frozen=True, slots=True)
class Health:
    """The evidence, and what was last published from it."""

    mic_heard: bool = False  # since its last loss
    muted: bool = False  # it was given back on order, and has not been heard since
    mic_lost: ev.MicLost | None = None
    failed_at: tuple[float, ...] = ()  # when it was lost in a way that nobody foresaw, lately
    signal: ev.Signal = "good"  # what it delivers
    frame_at: float | None = None
    in_mic_since: float | None = None  # of the call into the sound system that lasts
    checked_at: float | None = None  # when these two were looked at
    awake_at: float = float("-inf")  # they are not judged before
    speaker_lost: ev.SpeakerLost | None = None
    speaker_hangs: bool = False  # a call into the sound system does not return
    bus_down: ev.BusDown | None = None
    recording_ended: bool = False
    outbox: ev.OutboxNoted = field(default_factory=ev.OutboxNoted)
    armed: bool = False  # somebody asked to be heard, and the gate waits for speech
    faults: tuple[tuple[str, float], ...] = ()  # codes, and when a fault was published of each
    shown: rec.State | None = None


def note(health: Health, event: ev.Event, now: Instant) -> Health:
    """Remember what a thread said about its device."""
    match event:
        case ev.MicReady() | ev.MicLost() | ev.MicClosed() | ev.MicSignal() | ev.RecordingEnded():
            return _note_mic(health, event, now)
        case ev.Armed(on):
            return replace(health, armed=on)
        case ev.BusUp():
            return replace(health, bus_down=None)
        case ev.BusDown():
            return replace(health, bus_down=event)
        case ev.OutboxNoted():
            return replace(health, outbox=event)
        case ev.SpeakerReady():
            return replace(health, speaker_lost=None)
        case ev.SpeakerLost():
            return replace(health, speaker_lost=event)
        case ev.Tick():
            return _look(health, event, now.mono)
        case _:
            return health


def _note_mic(
    health: Health,
    event: ev.MicReady | ev.MicLost | ev.MicClosed | ev.MicSignal | ev.RecordingEnded,
    now: Instant,
) -> Health:
    match event:
        case ev.MicReady():
            health = replace(health, recording_ended=False, frame_at=now.mono, signal="good")
            return replace(health, mic_heard=True, muted=False, mic_lost=None)
        case ev.MicLost(_, why):
            if why == "failed":
                recent = (at for at in health.failed_at if now.mono - at < QUIET_S)
                health = replace(health, failed_at=(*recent, now.mono)[-MOST_FAILURES:])
            health = replace(health, signal="good", mic_lost=event)
            return replace(health, mic_heard=False, muted=False, armed=False)
        case ev.MicClosed():
            health = replace(health, signal="good", mic_lost=None)
            return replace(health, mic_heard=False, muted=True, armed=False)
        case ev.MicSignal(signal):
            return replace(health, signal=signal)
        case ev.RecordingEnded():
            return replace(health, recording_ended=True)


def _look(health: Health, tick: ev.Tick, now: float) -> Health:
    """Take the evidence. After a stop of the whole process it says nothing of the microphone."""
    if health.checked_at is not None and now - health.checked_at > STOOD_STILL_S:
        health = replace(health, awake_at=now + AWAKE_S)
    frame_at = health.frame_at if tick.frame_at is None else tick.frame_at
    since = tick.in_speaker_since
    hangs = since is not None and now - since >= FRAME_AGE_S and now >= health.awake_at
    health = replace(health, speaker_hangs=hangs)
    return replace(health, frame_at=frame_at, in_mic_since=tick.in_mic_since, checked_at=now)


def deadline(health: Health) -> float | None:
    """When the evidence that we have is too old; fresh evidence comes with a Tick before that."""
    if health.checked_at is None or _is_stalled(health):
        return None
    if health.checked_at < health.awake_at:
        return health.awake_at
    return _due(health)


def is_beyond_help(health: Health, started_at: float, now: float) -> bool:
    """True when only another process can hear again: the library does not come back to us, or
    fails again and again. Not sooner than LIFE_S after a start, so that the rest can be of use."""
    if health.checked_at is None or health.checked_at < health.awake_at:
        return False
    since, failed = health.in_mic_since, health.failed_at
    stuck = since is not None and now - since >= STUCK_S
    fails = len(failed) == MOST_FAILURES and now - failed[0] < QUIET_S
    return (stuck or fails) and now - started_at >= LIFE_S


def show(
    health: Health, talk: Talk, link: Link, device_id: str, now: Instant
) -> tuple[Health, tuple[rec.Record, ...]]:
    """Return what to publish: the state where it changed, and a fault for each new problem."""
    problems = tuple(
        _problem(health.shown, code, detail, fix, now)
        for code, detail, fix in (*_problems(health, link), *_speeds(talk), *_self_loop(talk, now))
    )
    state = _state(health, talk, link, now)
    turn_id = talk.turns[-1].turn_id if talk.turns else None
    shown = health.shown
    since = shown.since if shown and shown.state == state else timestamp(now.wall)
    current = rec.State(
        state=state,  # type: ignore[arg-type]
        since=since,
        turn_id=turn_id,
        muted=health.muted,
        problems=problems,
    )
    if current == shown:
        return health, ()
    faults, times = _faults(health, problems, device_id, now)
    return replace(health, shown=current, faults=times), (*faults, current)


def _faults(
    health: Health, problems: tuple[rec.Problem, ...], device_id: str, now: Instant
) -> tuple[tuple[rec.Fault, ...], tuple[tuple[str, float], ...]]:
    """Tell of each problem when it begins; one that comes and goes, no more than once a minute."""
    known = {problem.code for problem in health.shown.problems} if health.shown else set()
    times = {code: at for code, at in health.faults if now.mono - at < QUIET_S}
    fresh = [p for p in problems if p.code not in known and p.code not in times]
    faults = tuple(
        rec.Fault(
            event_type="error",
            code=problem.code,
            message=problem.detail,
            fix=problem.fix,
            device_id=device_id,
            ts=timestamp(now.wall),
        )
        for problem in fresh
        if health.bus_down is None or problem.code != health.bus_down.code  # nobody would hear it
    )
    times |= {problem.code: now.mono for problem in fresh}
    return faults, tuple(times.items())


def farewell(health: Health, now: Instant) -> rec.State:
    """The last state of an orderly end."""
    problems = health.shown.problems if health.shown else ()
    since = timestamp(now.wall)
    return rec.State(state="offline", since=since, muted=health.muted, problems=problems)


def _state(health: Health, talk: Talk, link: Link, now: Instant) -> str:
    if _speaks(talk):
        return "speaking"
    if health.muted:
        return "thinking" if any(t.stopped is None for t in talk.turns) else "muted"
    if _is_deaf(health):
        return "error"
    refused = link.refusal is not None and link.phase is not Phase.READY
    if refused or echo.rests(talk.aloud, now.mono):
        return "offline"
    if any(not t.ended for t in talk.turns) or talk.hushed_at is not None:
        return "listening"
    if any(t.stopped is None for t in talk.turns):
        return "thinking"
    if health.armed or (talk.gate_open and not talk.discarding):
        return "listening"
    if not health.mic_heard:
        return "starting"
    if link.phase in {Phase.CONNECTING, Phase.CONFIGURING}:
        return "connecting"
    return "idle"


def _speaks(talk: Talk) -> bool:
    """Something sounds, and nobody speaks over it; or nothing is heard until the room is quiet."""
    spoken_over = talk.hushed_at is not None or open_turn(talk) is not None
    return talk.shut or (is_sounding(talk) and not spoken_over)


def _is_deaf(health: Health) -> bool:
    """True when whoever speaks is not heard."""
    dead = health.mic_heard and health.signal in {"silent", "stuck"}
    return health.mic_lost is not None or dead or _is_stalled(health)


def _is_stalled(health: Health) -> bool:
    """True when nothing has come from the microphone for too long, opened or still to be."""
    checked_at = health.checked_at
    if checked_at is None or checked_at < health.awake_at:
        return False
    due = _due(health)
    return due is not None and checked_at >= due


def _due(health: Health) -> float | None:
    """When the evidence that we have is too old: of a call, or of sound where some is due."""
    since = health.in_mic_since
    if health.mic_heard and health.frame_at is not None:
        since = health.frame_at if since is None else min(since, health.frame_at)
    return None if since is None else since + FRAME_AGE_S


def _problems(health: Health, link: Link) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    found += _microphone(health)
    found += _speaker(health)
    if link.refusal is not None and link.phase is not Phase.READY:
        slowly = link.refusal.again is Again.SLOWLY and link.refusal.code != budget.SPENT
        fix = link.refusal.fix + ("; tried again every 15 minutes" if slowly else "")
        found.append((link.refusal.code, link.refusal.detail, fix))
    if link.settled.differences:
        detail = "the server did not take every setting: " + "; ".join(link.settled.differences)
        found.append(("session_differs", detail, "change those keys below realtime:"))
    if link.settled.complaint is not None:
        fix = "choose another value; the session goes on with the one before"
        found.append(("setting_refused", link.settled.complaint, fix))
    if health.bus_down is not None:
        down = health.bus_down
        found.append((down.code, down.detail, down.fix))
    found += _outbox(health.outbox)
    if health.recording_ended:
        detail = "the recording that stands in for a microphone is over; nothing more is heard"
        found.append(("recording_ended", detail, "give another audio.input.file, or set loop"))
    return found


def _speaker(health: Health) -> list[tuple[str, str, str]]:
    """Why answers are not heard."""
    if health.speaker_hangs:
        code, fix = SPEAKER_LOST["stalled"]
        return [(code, "the sound system does not answer when it is asked for the speaker", fix)]
    if health.speaker_lost is None:
        return []
    code, fix = SPEAKER_LOST[health.speaker_lost.why]
    return [(code, health.speaker_lost.detail, fix)]


def _microphone(health: Health) -> list[tuple[str, str, str]]:
    """Why nothing is heard, or badly."""
    lost, since = health.mic_lost, health.in_mic_since
    if since is not None and _is_stalled(health) and (health.checked_at or since) - since > 1.0:
        detail = "the sound system has not answered for seconds"
        fix = "the satellite soon starts again; if that does not help, unplug the microphone"
        return [("mic_stalled", detail, fix)]
    if lost is not None:
        code, fix = LOST[lost.why]
        return [(code, lost.detail, fix)]
    if _is_stalled(health):
        detail = "the microphone is open but delivers no sound"
        return [("mic_stalled", detail, "unplug it and plug it in again")]
    if health.mic_heard and health.signal != "good":
        return [SIGNALS[health.signal]]
    return []


def _outbox(outbox: ev.OutboxNoted) -> list[tuple[str, str, str]]:
    """What keeps a message from ever leaving."""
    found: list[tuple[str, str, str]] = []
    if outbox.denied:
        more = len(outbox.denied) - MOST_DENIED
        named = ", ".join(outbox.denied[:MOST_DENIED]) + (f" and {more} more" if more > 0 else "")
        fix = "allow it in the broker's access control list; it is tried again every minute"
        found.append(("mqtt_denied", f"the broker does not let us write {named}", fix))
    if outbox.fault is not None:
        fix = "free or replace the disk; until then what is waiting is lost with the power"
        found.append(("disk", outbox.fault, fix))
    return found


def _speeds(talk: Talk) -> list[tuple[str, str, str]]:
    """Sound that is too fast or too slow, which no recogniser understands."""
    found: list[tuple[str, str, str]] = []
    if talk.mic_speed is not None:
        detail = f"the microphone gives {talk.mic_speed} seconds of sound in a second"
        fix = "its sample rate is not what it claims; choose another audio.input.device"
        found.append(("mic_rate", detail, fix))
    speed = wrong_rate(talk.clock)
    if speed is not None:
        detail = f"the server counts {speed:.2f} seconds for each second of sound sent"
        fix = "its sample rate is not that of the session; look at its settings"
        found.append(("session_rate", detail, fix))
    return found


def _self_loop(talk: Talk, now: Instant) -> list[tuple[str, str, str]]:
    if not echo.rests(talk.aloud, now.mono):
        return []
    detail = (
        "the microphone hears the loudspeaker, and the assistant answered itself again and again;"
        f" nobody is heard for {echo.REST_S:g} s"
    )
    fix = 'set "duplex: half" below audio:, use a headset, or turn the volume down'
    return [("self_loop", detail, fix)]


def _problem(
    shown: rec.State | None, code: str, detail: str, fix: str, now: Instant
) -> rec.Problem:
    known = {p.code: p.since for p in shown.problems} if shown else {}
    since = known.get(code, timestamp(now.wall))
    return rec.Problem(code=code, since=since, detail=detail, fix=fix)
