"""The conversation as a value: whose turn it is, what is sent, what is owed.

Values and small pure functions. What becomes of them is decided in user.py (what the user does),
assistant.py (what the assistant does), calling.py (its tools) and, when nothing comes, overdue.py;
conversation.py puts them together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from satellite.logic import clock, echo, report
from satellite.logic import openings as openings_
from satellite.logic.openings import Openings
from satellite.logic.turn import Answer, Turn, abandon, speaker_deadline
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.requests import Request
from satellite.model.session import Session

STALL_S: Final = 20.0  # reliability F31: longest pause within an answer
CHIME_S: Final = 3.0  # until a chime is over: the device opens, silence leads, it sounds
MOST_TURNS: Final = 20  # a server that invents turns makes no more than this
MOST_PAST: Final = 64
LEAD_S: Final = 0.7  # so much before the opening an item may begin: onset and padding


@dataclass(frozen=True, slots=True)
class Talk:
    """What the daemon knows about the conversation."""

    turns: tuple[Turn, ...] = ()  # those that are not over, oldest first
    counted: report.Counted = field(default_factory=report.Counted)
    clock: clock.Clock = field(default_factory=clock.Clock)  # of this session's sound
    said: tuple[Said, ...] = ()  # what a new session is told
    forgotten_at: float = float("-inf")  # of turns that began before, nothing is
    utterances: int = 0  # how often the gate opened
    given_up: int = 0  # the last utterance that was, and told
    gate_open: bool = False
    onset_at: float | None = None  # when it opened, for words that the server says nothing of yet
    opened_at: float | None = None  # when the sound after the pre-roll began
    opened_ms: int = 0  # length of the sound since
    mic_speed: float | None = None  # seconds of sound in a second, where that is not one
    discarding: bool = False  # the rest of this utterance cannot be answered
    speech_at: float | None = None  # when a local speech frame last ended
    pause_at: float | None = None  # the same, before the last pause in the speech
    uncommitted_ms: int = 0  # of this utterance, where we end the turns
    unclaimed: tuple[Sentence, ...] = ()  # that went out, and no word of the server about them
    early: ev.TranscriptDelta | None = None  # words so far of an item that is no turn yet
    sent_at: float = 0.0  # when sound was last sent
    pressed_at: float | None = None  # since when somebody holds a button down to be heard
    quiet_at: float = 0.0  # until when the room still rings from the speaker
    chime_until: float | None = None  # the same of a chime; while it sounds, the latest that it may
    reset_s: float = 0.0  # the server's last word on when its rate limit is whole again
    ran: tuple[str, ...] = ()  # ids of the tool calls of this session, newest last
    house_at: tuple[float, ...] = ()  # when the house was last told to do something
    past: tuple[str, ...] = ()  # ids of this session's items and answers that are over
    asked: tuple[Asked, ...] = ()  # what is to be said or asked over MQTT, next one first
    ended: tuple[Ended, ...] = ()  # of those, what nobody was told of yet
    severed: bool = False  # the last sentence lost its end with the microphone
    held: bool = False  # the last orders given to the capture thread
    shut: bool = False
    paused: bool = False
    attends: bool = False
    hushed_at: float | None = None  # since when the speaker waits for the user
    vain_s: float = 0.0  # how long it did so for nobody, since it began to play
    underruns: int = 0  # how often the speaker had to wait for the server, since the start
    aloud: echo.Aloud = field(default_factory=echo.Aloud)


class Sentence(NamedTuple):
    """Speech of one utterance, by when that began; ``waited``: some of it, for its session."""

    at: float
    waited: bool


@dataclass(frozen=True, slots=True)
class Said:
    """Words of a turn that is over, and when it was."""

    role: Literal["user", "assistant"]
    text: str = field(repr=False)
    at: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A text to say or to ask, taken in ``at``; ``turn_id`` once its turn has begun."""

    request: Request
    at: float
    turn_id: str | None = None
    alone_since: float | None = None  # when it first found no session


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended, once for each; ``error``: why not, or what was not as asked."""

    request: Request
    status: Literal["done", "failed", "cancelled", "expired", "rejected"]
    error: str | None = None


Step = tuple[Talk, tuple[cmd.Command, ...]]


@dataclass(frozen=True, slots=True)
class TalkSettings:
    """``recording``: the microphone is one, and can wait. ``session``: what the server has."""

    report: report.ReportSettings
    half_duplex: bool
    recording: bool
    session: Session = field(default_factory=Session)
    drop_phantoms: bool = False  # else they are published as suspect
    follow_up_s: float = 0.0  # after an answer no wake word is needed for so long
    chimes: frozenset[cmd.Chime] = frozenset()
    hold: bool = True  # a button is held down to be heard; else one press is enough


def is_busy(talk: Talk) -> bool:
    """True while somebody speaks or is owed something."""
    return talk.gate_open or bool(talk.turns)


def is_sounding(talk: Talk) -> bool:
    """True while the speaker has, or will have, some of an answer."""
    return any(t.answer is not None and t.answer.sounding for t in talk.turns)


def rings(talk: Talk, now: float) -> Talk:
    """A chime is ordered: nothing is heard until ChimeOver, and a little longer."""
    return replace(talk, chime_until=now + CHIME_S)


def is_audible(talk: Talk) -> bool:
    """True while the speaker has some of an answer that has begun to sound."""
    answers = (t.answer for t in talk.turns)
    return any(a is not None and a.sounding and a.audio_at is not None for a in answers)


def is_responding(talk: Talk) -> bool:
    """True while the server makes an answer, was asked for one, or waits for a tool (C49)."""
    return any(
        t.is_responding or t.calls or (t.asked_at is not None and t.wants_answer)
        for t in talk.turns
    )


def speaks_untold(talk: Talk, settings: TalkSettings) -> bool:
    """True while the user speaks and no server will say so, because we end the turns."""
    return settings.session.manual and talk.gate_open and not talk.discarding


def is_past(talk: Talk, name: str) -> bool:
    """True for an item or an answer of which everything was told: what still comes is late."""
    return name in talk.past or any(
        answer.response_id == name for turn in talk.turns for answer in turn.earlier
    )


def retire(talk: Talk, turn: Turn) -> Talk:
    """Forget a turn that is over, but for its ids; those of a session that is gone mean nothing."""
    talk = replace(talk, turns=tuple(t for t in talk.turns if t.turn_id != turn.turn_id))
    if turn.gone:
        return talk
    names = [answer.response_id for answer in turn.all_answers]
    names += [turn.item_id] if turn.item_id is not None else []
    return remember(talk, *names)


def remember(talk: Talk, *names: str) -> Talk:
    """Note items and answers as past."""
    return replace(talk, past=(*talk.past, *names)[-MOST_PAST:])


def note_sent(talk: Talk, orders: tuple[cmd.Command, ...], now: float) -> Talk:
    """Note what really goes to the server: sound, our own silence included (C33), and commits."""
    for order in orders:
        if isinstance(order, cmd.AppendAudio):
            size = len(order.pcm)
            talk = replace(
                talk,
                unclaimed=_unclaimed(talk, order, now),
                counted=talk.counted.sent(order, now),
                clock=clock.sent(talk.clock, size, order.at, order.speech_ms, now),
                sent_at=now,
            )
        elif isinstance(order, cmd.CommitInput):
            talk = replace(talk, unclaimed=())
            waiting = [t for t in talk.turns if t.awaiting and t.commit_at is None]
            talk = put(talk, replace(waiting[0], commit_at=now)) if waiting else talk
        elif isinstance(order, cmd.OpenGate) and order.on:
            known = talk.counted.openings
            talk = put_openings(talk, replace(known, follows_up=order.follow_up))
    return talk


def _unclaimed(talk: Talk, sound: cmd.AppendAudio, now: float) -> tuple[Sentence, ...]:
    if sound.at is None or not sound.speech_ms or open_turn(talk) is not None:
        return talk.unclaimed
    begun = max((at for at in talk.clock.begun if at <= sound.at), default=sound.at)
    waited = sound.at < now or Sentence(begun, True) in talk.unclaimed
    sentence = Sentence(begun, waited)
    return (*(known for known in talk.unclaimed if known.at != begun), sentence)


def begin(talk: Talk, item_id: str | None, now: float, settings: TalkSettings) -> tuple[Talk, Turn]:
    """Begin a turn; the oldest gives way where there are too many."""
    if len(talk.turns) >= MOST_TURNS:
        talk = put(talk, abandon(talk.turns[0], "too_many_turns", now))
    counted, turn_id = talk.counted.begin(settings.report)
    turn = Turn(turn_id, item_id, now, answers=settings.session.answers)
    return replace(talk, counted=counted, turns=(*talk.turns, turn)), turn


def put_openings(talk: Talk, openings: Openings) -> Talk:
    """Put what is known of the gate's openings in the place of what was."""
    return replace(talk, counted=replace(talk.counted, openings=openings))


def claims(talk: Talk, start_ms: int | None = None) -> int | None:
    """The opening of what the server hears: by where its item begins, if it tells.

    Else of the oldest sentence that had waited for it and may still be one, or the present one.
    """
    openings = talk.counted.openings
    begun = None if start_ms is None else clock.instant(talk.clock, start_ms)
    known = None if begun is None else openings_.at_time(openings, begun + LEAD_S)
    if known is not None and (known is openings.newest or known.fate == "undecided"):
        return known.number  # else it counts otherwise than by samples
    for sentence in talk.unclaimed:
        known = openings_.at_time(openings, sentence.at)
        if sentence.waited and known is not None and known.fate != "refused":
            return known.number
    return None if openings.newest is None else openings.newest.number


def opened_by(
    talk: Talk, turn: Turn, number: int | None, now: float, *, agreed: bool
) -> tuple[Talk, Turn]:
    """Note for which opening of the gate a turn began; ``agreed``: the server took it for speech.

    Where we end the turns it has no say: our commit stands for its word.
    """
    if number is None:
        return talk, turn
    believed = agreed or turn.awaiting
    taken = openings_.take(talk.counted.openings, number, now, agreed=believed)
    return put_openings(talk, taken), replace(turn, opening=number, agreed=agreed)


def put(talk: Talk, turn: Turn) -> Talk:
    """Put the new value of a turn in the place of the old one."""
    turns = tuple(turn if t.turn_id == turn.turn_id else t for t in talk.turns)
    return replace(talk, turns=turns)


def put_answer(talk: Talk, turn: Turn, answer: Answer, now: float) -> Talk:
    """The same for its answer, which has until then to go on."""
    deadline = now + STALL_S if answer.status is None else speaker_deadline(answer, now)
    return put(talk, replace(turn, answer=replace(answer, deadline=deadline)))


def turn_of(talk: Talk, item_id: str) -> Turn | None:
    """The turn of a user item of this session."""
    return next((t for t in talk.turns if t.item_id == item_id and not t.gone), None)


def turn_with(talk: Talk, response_id: str) -> Turn | None:
    """The turn that a response of this session answers."""
    return next((t for t in _answered(talk, response_id) if not t.gone), None)


def turn_heard(talk: Talk, response_id: str) -> Turn | None:
    """The turn whose answer of that name the speaker has; its session may be gone."""
    turns = _answered(talk, response_id)
    return next((t for t in turns if t.answer is not None and t.answer.sounding), None)


def _answered(talk: Talk, response_id: str) -> list[Turn]:
    return [t for t in talk.turns if t.answer and t.answer.response_id == response_id]


def open_turn(talk: Talk) -> Turn | None:
    """The turn that the server still hears."""
    return next((t for t in talk.turns if not t.ended), None)


def asking(turn: Turn) -> cmd.LinkCommand:
    """The order that asks for the answer of a turn."""
    if turn.source == "say":
        return cmd.SpeakText(turn.turn_id, turn.wanted)
    return cmd.CreateResponse()


def interrupt(talk: Talk, now: float, *, cancel: bool) -> Step:
    """The user wins: nothing more of any answer is played. ``cancel``: the server does not know."""
    orders: list[cmd.Command] = []
    for turn in talk.turns:
        answer = turn.answer
        if not turn.ended or answer is None or answer.is_over or answer.interrupted:
            continue
        beside = turn.source == "say"  # a server stops only what is in the conversation
        orders += silenced(turn, answer, cancel=cancel or beside)
        talk = put_answer(talk, turn, replace(answer, interrupted=True), now)
    return talk, tuple(orders)


def silenced(turn: Turn, answer: Answer, *, cancel: bool) -> list[cmd.Command]:
    """The orders after which nothing more of an answer comes or is played."""
    orders: list[cmd.Command] = []
    if cancel and turn.is_responding:
        orders.append(cmd.CancelResponse(answer.response_id))
    if answer.sounding:
        orders.append(cmd.FlushPlayout(answer.response_id))
    return orders
