"""The conversation: a fact in, the orders that follow out, in the order to carry them out.

Pure. It composes the user's side, the assistant's side and the watch over both.

Rule 1: what a thread of ours must do is derived from the state after each fact (``steer``), never
remembered as a pending intention.
Rule 2: everything ends: an open turn by the watchdog, a transcript and an answer by a deadline,
playing by the speaker or a deadline (law 3). What did not come is published as missing (law 7).
Rule 3: the user wins: while the server hears the user nothing of an answer is played.
"""

from __future__ import annotations

from dataclasses import replace

from satellite.logic import (
    assistant,
    calling,
    chime,
    echo,
    history,
    openings,
    overdue,
    pausing,
    report,
    speech,
    user,
)
from satellite.logic.talk import (
    Step,
    Talk,
    TalkSettings,
    is_audible,
    is_past,
    is_responding,
    is_sounding,
    open_turn,
    put,
    put_openings,
    retire,
    speaks_untold,
)
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import Instant, silence


def step(talk: Talk, event: ev.Event, now: Instant, settings: TalkSettings) -> Step:
    """Move by one fact and say what must be done about it."""
    talk, orders = _decide(talk, event, now, settings)
    waits = speaks_untold(talk, settings)
    talk, called = (talk, ()) if waits else calling.finish(talk, now.mono)
    talk, following = conclude(talk, now, settings)
    return talk, pausing.first((*orders, *called, *following))


def conclude(talk: Talk, now: Instant, settings: TalkSettings) -> Step:
    """What follows from the state as it is now: what is published, what our threads must do."""
    talk, published = settle(talk, now, settings)
    talk, steering = steer(talk, now.mono, settings)
    return talk, (*published, *steering)


def _decide(talk: Talk, event: ev.Event, now: Instant, settings: TalkSettings) -> Step:
    match event:
        case ev.GateOpened() if not talk.shut:  # else it opened before it heard that it is shut
            return user.on_gate_opened(talk, event, now.mono, settings)
        case ev.Heard():
            return user.hear(talk, event, now.mono, settings), ()
        case ev.GateClosed(too_long):
            return user.on_gate_closed(talk, too_long, now.mono, settings)
        case ev.MicLost() | ev.MicGap() | ev.MicSignal("stuck"):
            return user.on_mic_lost(talk), ()
        case ev.FromServer(_, said):
            return _on_server(talk, said, now.mono, settings)
        case ev.ToolDone():
            return calling.on_output(talk, event, now.mono), ()
        case ev.Tick():
            return _on_tick(talk, now.mono, settings)
        case ev.Asked(request):
            return speech.on_asked(talk, request, now.mono, settings)
        case _:
            return _on_speaker(talk, event, now.mono)


def _on_speaker(talk: Talk, event: ev.Event, now: float) -> Step:
    match event:
        case ev.PlayoutStarted(response_id, at):
            return assistant.on_started(talk, response_id, at), ()
        case ev.PlayoutDrained():
            return assistant.on_drained(talk, event, now)
        case ev.PlayoutFlushed():
            return assistant.on_flushed(talk, event, now)
        case ev.ChimeOver():
            return replace(talk, chime_until=now + chime.TAIL_S), ()
        case _:
            return talk, ()


def _on_server(talk: Talk, said: ev.ServerEvent, now: float, settings: TalkSettings) -> Step:
    match said:
        case ev.SpeechStarted():
            return user.on_speech_started(talk, said, now, settings)
        case ev.SpeechStopped():
            return user.on_speech_stopped(talk, said, now, settings), ()
        case ev.IdleTimeout(item_id):
            return user.on_idle_timeout(talk, item_id, now, settings)
        case ev.InputCommitted(item_id):
            return user.on_committed(talk, item_id, now, settings)
        case ev.TranscriptDelta() | ev.UserTranscript() | ev.TranscriptFailed():
            return user.on_words(talk, said, now, settings)
        case ev.ServerError(code="input_audio_buffer_commit_empty"):
            return user.on_refused_commit(talk), ()
        case ev.ServerError(event_id=str()):
            return speech.on_refused(talk, said), ()
        case ev.RateLimits(reset_s):
            return replace(talk, reset_s=reset_s), ()
        case _:
            return _on_answer(talk, said, now, settings)


def _on_answer(talk: Talk, said: ev.ServerEvent, now: float, settings: TalkSettings) -> Step:
    match said:
        case (
            ev.ResponseCreated(response_id)
            | ev.AudioDelta(response_id)
            | ev.TextDelta(response_id)
            | ev.ResponseDone(response_id)
        ) if is_past(talk, response_id):
            return talk, ()
        case ev.ResponseCreated(response_id, name):
            return assistant.on_created(talk, response_id, now, settings, name)
        case ev.AudioDelta():
            return assistant.on_audio(talk, said, now, settings)
        case ev.TextDelta():
            return assistant.on_text(talk, said, now, settings)
        case ev.ResponseDone():
            return assistant.on_done(talk, said, now, settings)
        case _:
            return talk, ()


def _on_tick(talk: Talk, now: float, settings: TalkSettings) -> Step:
    """When nothing comes."""
    settled = openings.settle(talk.counted.openings, now, gate_open=talk.gate_open)
    talk = talk if settled is talk.counted.openings else put_openings(talk, settled)
    talk, speaks = calling.expire(talk, now), speaks_untold(talk, settings)
    talk, again = (talk, ()) if speaks else assistant.ask_again(talk, now)
    silence_ms = settings.session.silence_duration_ms
    orders: list[cmd.Command] = [*again]
    for turn in talk.turns:
        if talk.pressed_at is not None and turn.answer is not None and turn.answer.sounding:
            continue  # it waits for a person
        newer = any(other.opened_at > turn.opened_at for other in talk.turns)
        busy = speaks or is_responding(talk)
        room = overdue.Room(talk.gate_open, talk.sent_at, silence_ms, busy)
        after, more = overdue.watch(turn, room, now, user_went_on=newer)
        talk = put(talk, after)
        orders += more
    return talk, tuple(orders)


def settle(talk: Talk, now: Instant, settings: TalkSettings) -> Step:
    """Publish what is complete, each thing once; forget the turns that are over."""
    orders: list[cmd.Command] = []
    for turn in talk.turns:
        asked, calls = report.tell_house(turn, now, settings.report)
        counted, after, records = report.tell(talk.counted, asked, now, settings.report)
        if counted is not talk.counted or after is not turn:
            talk = put(replace(talk, counted=counted), after)
        if after.is_over:
            if after.opened_at >= talk.forgotten_at:
                talk = replace(talk, said=history.remember(talk.said, after, now.mono))
            talk = replace(talk, aloud=echo.remember(talk.aloud, after, now.mono))
            talk = speech.note_end(retire(talk, after), after)
        orders += [cmd.Publish(record) for record in (*calls, *records)]
    return talk, tuple(orders)


def steer(talk: Talk, now: float, settings: TalkSettings) -> Step:
    """Order what follows from the state, where it was ordered otherwise."""
    talk, orders = _ask(talk, now, settings)
    held = open_turn(talk) is not None
    sounding = is_audible(talk) if talk.pressed_at is not None else is_sounding(talk)
    if talk.chime_until is not None and now >= talk.chime_until:
        talk = replace(talk, chime_until=None)
    shut = settings.half_duplex and (sounding or now < talk.quiet_at)
    shut = shut or talk.chime_until is not None
    owed = any(t.ended for t in talk.turns)
    attends = not settings.half_duplex and is_sounding(talk)
    paused = settings.recording and settings.half_duplex and (owed or shut)
    if held != talk.held:
        orders.append(cmd.HoldGate(held))
    if shut != talk.shut:
        orders += [cmd.ShutGate(shut), *(_cut_off(talk, settings) if shut else ())]
        talk = replace(talk, gate_open=False)
    if paused != talk.paused:
        orders.append(cmd.PauseRecording(paused))
    if attends != talk.attends:
        orders.append(cmd.Attend(attends))
    if (held, shut, paused, attends) != (talk.held, talk.shut, talk.paused, talk.attends):
        talk = replace(talk, held=held, shut=shut, paused=paused, attends=attends)
    talk, more = pausing.steer(talk, now, settings)
    return _note_sounding(talk, now), (*orders, *more)


def _note_sounding(talk: Talk, now: float) -> Talk:
    """Note since when the speaker sounds, and until when it did."""
    answers = (turn.answer for turn in talk.turns)
    begun = any(each and each.sounding and each.audio_at is not None for each in answers)
    aloud = echo.sounds(talk.aloud, now, on=begun and talk.hushed_at is None)
    return talk if aloud is talk.aloud else replace(talk, aloud=aloud)


def _ask(talk: Talk, now: float, settings: TalkSettings) -> tuple[Talk, list[cmd.Command]]:
    """Where we end the turns we also ask for the answer, one at a time (C49), to all of it."""
    due = [t for t in talk.turns if t.committed and t.wants_answer and t.asked_at is None]
    busy = is_responding(talk) or speaks_untold(talk, settings)
    busy = busy or any(t.awaiting for t in talk.turns)
    if not settings.session.manual or not due or busy:
        return talk, []
    return put(talk, replace(due[-1], asked_at=now)), [cmd.CreateResponse()]


def _cut_off(talk: Talk, settings: TalkSettings) -> tuple[cmd.Command, ...]:
    """What has begun must not join what comes after the deafness, nor end at once.

    If the server took it as speech, as much silence as an item reaches back follows (decision
    003); where we end the turns, it is forgotten.
    """
    if not talk.gate_open or talk.discarding:
        return ()
    if settings.session.manual:
        return (cmd.ClearInput(),)
    if not talk.unclaimed:
        return ()
    return (cmd.AppendAudio(silence(settings.session.prefix_padding_ms)),)
