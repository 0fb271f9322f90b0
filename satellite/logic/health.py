"""What the satellite may say of itself, computed from evidence (law 2).

Pure. A problem lasts as long as its cause is seen; the state is derived from what was last heard
from a thread, with its age, never from what was last asked of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from satellite.errors import Why
from satellite.logic import budget, echo, microphone, stuck
from satellite.logic.clock import wrong_rate
from satellite.logic.link import Link, Phase
from satellite.logic.microphone import FRAME_AGE_S, Mic
from satellite.logic.refusal import Again
from satellite.logic.report import timestamp
from satellite.logic.talk import Talk, is_sounding, open_turn
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import Instant

QUIET_S: Final = 60.0  # between two faults of a kind
MOST_DENIED: Final = 3  # topics that a problem names


@dataclass(frozen=True, slots=True)
class Health:
    """The evidence, and what was last published from it."""

    mic: Mic = field(default_factory=Mic)
    speaker_lost: ev.SpeakerLost | None = None
    button_lost: ev.ButtonLost | None = None
    speaker_hangs: bool = False  # a call into the sound system does not return
    bus_down: ev.BusDown | None = None
    outbox: ev.OutboxNoted = field(default_factory=ev.OutboxNoted)
    room: stuck.Room = field(default_factory=stuck.Room)
    config: ev.ConfigRead = field(default_factory=ev.ConfigRead)
    armed: bool = False  # somebody asked to be heard, and the gate waits for speech
    faults: tuple[tuple[str, float], ...] = ()  # codes, and when a fault was published of each
    shown: rec.State | None = None


def note(health: Health, event: ev.Event, now: Instant, talk: Talk) -> Health:
    """Remember what a thread said about its device; ``talk`` is as it was until now."""
    match event:
        case ev.MicReady() | ev.MicSignal() | ev.MicGap() | ev.RecordingEnded():
            return replace(health, mic=microphone.note(health.mic, event, now.mono))
        case ev.MicLost() | ev.MicClosed():
            return replace(health, armed=False, mic=microphone.note(health.mic, event, now.mono))
        case ev.Armed(on):
            return replace(health, armed=on)
        case ev.BusUp() | ev.BusDown():
            return replace(health, bus_down=event if isinstance(event, ev.BusDown) else None)
        case ev.OutboxNoted():
            return replace(health, outbox=event)
        case ev.Tick():
            return _look(health, event, now.mono, talk)
        case _:
            return _note_other(health, event)


def _note_other(health: Health, event: ev.Event) -> Health:
    """The speaker, the button, the configuration, and what is known of the room."""
    match event:
        case ev.ConfigRead():
            return replace(health, config=event)
        case ev.SpeakerReady() | ev.SpeakerLost():
            lost = event if isinstance(event, ev.SpeakerLost) else None
            return replace(health, speaker_lost=lost)
        case ev.ButtonReady() | ev.ButtonLost():
            gone = event if isinstance(event, ev.ButtonLost) else None
            return replace(health, button_lost=gone)
        case ev.RoomNoise() | ev.NetworkFailed():
            return replace(health, room=stuck.note(health.room, event))
        case _:
            return health


def _dictates(talk: Talk) -> bool:
    """Somebody speaks to a session that only writes down: that may take an hour."""
    return any(not turn.ended and not turn.answers for turn in talk.turns)


def _look(health: Health, tick: ev.Tick, now: float, talk: Talk) -> Health:
    """Take the evidence of both devices, and of the gate."""
    mic, since = microphone.note(health.mic, tick, now), tick.in_speaker_since
    hangs = since is not None and now - since >= FRAME_AGE_S and mic.is_awake
    gate = stuck.look(health.room.gate, now, is_open=talk.gate_open and not _dictates(talk))
    room = replace(health.room, gate=gate)
    return replace(health, mic=mic, speaker_hangs=hangs, room=room)


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
        muted=health.mic.closed,
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
    return rec.State(state="offline", since=since, muted=health.mic.closed, problems=problems)


def _state(health: Health, talk: Talk, link: Link, now: Instant) -> str:
    if _speaks(talk):
        return "speaking"
    if health.mic.closed:
        return "thinking" if any(t.stopped is None for t in talk.turns) else "muted"
    if health.mic.is_deaf:
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
    if not health.mic.heard:
        return "starting"
    if link.phase in {Phase.CONNECTING, Phase.CONFIGURING}:
        return "connecting"
    return "idle"


def _speaks(talk: Talk) -> bool:
    """Something sounds, and nobody speaks over it; or nothing is heard until the room is quiet."""
    spoken_over = talk.hushed_at is not None or open_turn(talk) is not None
    rings = talk.chime_until is not None  # a chime is not the assistant's voice
    return (talk.shut and not rings) or (is_sounding(talk) and not spoken_over)


def _problems(health: Health, link: Link) -> list[tuple[str, str, str]]:
    found = microphone.problems(health.mic)
    found += stuck.problems(health.room) if health.mic.heard else []
    found += _speaker(health)
    if health.button_lost is not None:
        lost = health.button_lost
        instead = "or change push_to_talk.device or push_to_talk.key"
        code, fix = microphone.lost("button", lost.why, instead, "it is tried again every 8 s")
        found.append((code, lost.detail, fix))
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
    found += _config(health.config.problems)
    return found


def _speaker(health: Health) -> list[tuple[str, str, str]]:
    """Why answers are not heard."""
    if health.speaker_hangs:
        detail = "the sound system does not answer when it is asked for the speaker"
        why: Why = "stalled"
    elif health.speaker_lost is not None:
        detail, why = health.speaker_lost.detail, health.speaker_lost.why
    else:
        return []
    again = "it is tried again at the next answer"
    code, fix = microphone.lost("speaker", why, "or change audio.output", again)
    return [(code, detail, fix)]


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


def _config(problems: tuple[str, ...]) -> list[tuple[str, str, str]]:
    if not problems:
        return []
    more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    detail = f"the file that was read again is wrong and not in use: {problems[0]}{more}"
    fix = "satellite check says all of it; mend the file, then systemctl reload satellite"
    return [("config_rejected", detail, fix)]


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
