"""The deciding thread: take a fact, decide, carry out. It runs in the main thread.

It owns all state and does no I/O: it hands each order to the thread that owns the thing, and every
such call returns at once. It alone feeds systemd's watchdog, from its own loop, and only while all
who work for it answer (satellite/alive.py): no stuck thread can hide behind a healthy one.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from satellite.inbox import Inbox
from satellite.logic import openings, pressing
from satellite.logic import satellite as logic
from satellite.logic.refusal import HARMLESS
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import ports
from satellite.model import records as rec
from satellite.model.audio import Instant
from satellite.wire import mqtt, realtime

HEARTBEAT_S: Final = 1.0  # evidence is never judged later than this

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """The owners of the outside world, as the core sees them."""

    link: ports.RealtimeLink
    bus: ports.Bus
    capture: ports.Mailbox
    playback: ports.Mailbox
    alive: Callable[[rec.State | None], None]  # the core made a decision; what it says of itself
    last_frame_at: Callable[[], float | None]  # a counter of the capture thread
    run_tool: Callable[[ev.ToolCall, float], str]  # of our own; at once
    clock: Callable[[], Instant]
    limited: Callable[[], int] = lambda: 0  # a counter of the MQTT thread
    in_mic_since: Callable[[], float | None] = lambda: None  # as last_frame_at
    in_speaker_since: Callable[[], float | None] = lambda: None  # the same of the playback thread


@dataclass(frozen=True, slots=True)
class Wire:
    """How orders and records are spelled.

    ``entities`` tells Home Assistant what there is; ``stale`` takes back what an earlier
    configuration left with the broker, and goes out with the birth message, once.
    """

    base_topic: str
    retain_text: bool
    entities: Callable[[rec.Settings], tuple[ports.Message, ...]] = lambda _settings: ()
    stale: tuple[ports.Message, ...] = ()
    spell: realtime.Spell = realtime.as_is
    sound: realtime.Sound = realtime.AS_PCM


class Core:
    """All state, one writer. ``run`` returns the exit code.

    ``kept`` and ``seq`` are what earlier starts left behind.
    """

    def __init__(
        self,
        settings: logic.Settings,
        wire: Wire,
        outside: Outside,
        inbox: Inbox,
        kept: Mapping[str, object] | None = None,
        seq: int = 0,
    ) -> None:
        self._settings = settings
        self._kept = kept
        self._seq = seq
        self._wire = wire
        self._stale = wire.stale
        self._outside = outside
        self._inbox = inbox
        self._exit: int | None = None
        self._messages = itertools.count(1)
        self._ticked_at = float("-inf")
        self._seen_errors: set[tuple[str, str | None]] = set()
        self._seen_problems: dict[str, rec.Problem] = {}
        self.state = logic.State()

    def run(self, hear: Callable[[], None] = lambda: None) -> int:
        """Decide until told to stop. ``hear`` is called after the first orders: one may be to
        hear nothing."""
        self.state, orders = logic.start(
            self._outside.clock(), self._settings, self._kept, self._seq
        )
        self._carry_out(orders)
        hear()
        while self._exit is None:
            self.run_once()
        return self._exit

    def run_once(self) -> None:
        """Take one fact, and notice that time passed: a busy inbox cannot starve a deadline."""
        event = self._inbox.take(self._patience_s())
        if event is not None:
            self._decide(event)
        if self._patience_s() == 0.0:
            outside = self._outside
            self._ticked_at = outside.clock().mono
            tick = ev.Tick(
                outside.last_frame_at(),
                outside.limited(),
                outside.in_mic_since(),
                outside.in_speaker_since(),
            )
            self._decide(tick)
        self._outside.alive(self.state.health.shown)

    def _patience_s(self) -> float:
        """Seconds until the next Tick."""
        heartbeat, deadline = self._ticked_at + HEARTBEAT_S, logic.deadline(self.state)
        due = heartbeat if deadline is None else min(heartbeat, deadline)
        return max(0.0, due - self._outside.clock().mono)

    def _decide(self, event: ev.Event) -> None:
        if isinstance(event, ev.FromServer) and isinstance(event.event, ev.ServerError):
            self._log_error(event.event)
        if isinstance(event, ev.Pressed) and pressing.is_deaf(self.state):
            log.info("the button was pressed, but the microphone is muted or missing")
        if isinstance(event, ev.ChangeRequested) and event.tuning is not None:
            self._settings = logic.tuned(self._settings, event.tuning)
        now, before = self._outside.clock(), self.state.talk.counted.openings
        self.state, orders = logic.step(self.state, event, now, self._settings)
        for opening in openings.given_up(before, self.state.talk.counted.openings):
            _log_refused(opening)
        self._carry_out(orders)

    def _carry_out(self, orders: tuple[cmd.Command, ...]) -> None:
        for order in orders:
            if isinstance(order, cmd.CaptureCommand):
                self._outside.capture.put(order)
            elif isinstance(order, cmd.PlaybackCommand):
                self._outside.playback.put(order)
            elif isinstance(order, cmd.LinkCommand):
                self._send_to_server(order)
            elif isinstance(order, cmd.HouseCommand):
                self._tell_house(order)
            else:
                self._act(order)

    def _act(
        self, order: cmd.Connect | cmd.Disconnect | cmd.Restart | cmd.RunTool | cmd.Exit
    ) -> None:
        match order:
            case cmd.Connect(link):
                self._outside.link.connect(link)
            case cmd.Disconnect():
                self._outside.link.disconnect()
            case cmd.RunTool(call):
                output = self._outside.run_tool(call, self._outside.clock().wall)
                self._inbox.post(ev.ToolDone(call.call_id, output))
            case cmd.Exit(code):
                self._exit = code
            case cmd.Restart():
                raise AssertionError("the step function turns Restart into other orders")

    def _tell_house(self, order: cmd.HouseCommand) -> None:
        bus, base_topic = self._outside.bus, self._wire.base_topic
        match order:
            case cmd.Publish(record):
                self._publish(record)
            case cmd.Keep(name, value):
                bus.keep(name, value)
            case cmd.Replay(since, most, reply, id):
                bus.replay(since, most, reply, id)
            case cmd.AnnounceOnline():
                self._send_all((mqtt.status(base_topic, mqtt.ONLINE), *self._stale))
            case cmd.Answer(result, reply):
                self._send_all(mqtt.results(result, reply, base_topic))
            case cmd.AnnounceWake():
                bus.publish(mqtt.wake(base_topic))
            case cmd.AnnounceEntities(settings):
                self._stale = ()  # gone; Home Assistant warns of what is taken back twice
                self._send_all(self._wire.entities(settings))

    def _send_all(self, messages: tuple[ports.Message, ...]) -> None:
        for message in messages:
            self._outside.bus.publish(message)

    def _send_to_server(self, order: cmd.LinkCommand) -> None:
        event_id = f"m{next(self._messages)}"
        for message in realtime.encode(order, event_id, self._wire.spell, self._wire.sound):
            if not self._outside.link.send(message):
                return  # the link ends itself and says so with LinkDown

    def _publish(self, record: rec.Record) -> None:
        if isinstance(record, rec.TurnRecord):
            _log_turn(record)
        if isinstance(record, rec.State):
            self._log_problems(record)
        wire = self._wire
        self._outside.bus.publish(
            mqtt.encode(record, wire.base_topic, retain_text=wire.retain_text)
        )

    def _log_error(self, error: ev.ServerError) -> None:
        """The first of a kind is a warning; without the server's words, which may quote ours."""
        kind = (error.code or error.kind, error.param)
        fresh = kind not in self._seen_errors and len(self._seen_errors) < 100
        first = fresh and kind[0] not in HARMLESS  # those our own watch risks, and deals with
        self._seen_errors.add(kind)
        log.log(
            logging.WARNING if first else logging.DEBUG,
            "the Realtime server reports %s%s%s",
            kind[0],
            f" about {error.param}" if error.param else "",
            f", caused by our {error.event_id}" if error.event_id else "",
        )

    def _log_problems(self, record: rec.State) -> None:
        """One line when a problem appears or changes its words, one when it is gone."""
        current = {problem.code: problem for problem in record.problems}
        for code, problem in current.items():
            if code not in self._seen_problems:
                log.warning("%s: %s; %s", code, problem.detail, problem.fix)
        for code in self._seen_problems.keys() - current.keys():
            log.info("%s: over", code)
        self._seen_problems = current


def _log_turn(turn: rec.TurnRecord) -> None:
    """Numbers only: no word that was said is ever logged."""
    log.info(
        "turn %d %s: speech %.1f s, sent %.1f s, transcript +%s ms, first audio +%s ms%s",
        turn.seq,
        turn.event_type,
        turn.speech_s,
        turn.sent_s,
        _or_none(turn.speech_end_to_transcript_ms),
        _or_none(turn.speech_end_to_audio_ms),
        f", {turn.reason}" if turn.reason else "",
    )


def _log_refused(opening: openings.Opening) -> None:
    certainty, above_db = opening.certainty, opening.above_db
    log.info(
        "opened for nothing (%s%s%s): sent %.1f s, and the server heard no speech",
        opening.why,
        "" if certainty is None else f", certainty {certainty:.2f}",
        "" if above_db is None else f", {above_db:.0f} dB over the room",
        opening.sent_s,
    )


def _or_none(ms: int | None) -> str:
    return "none" if ms is None else str(ms)
