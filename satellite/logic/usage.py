"""What it costs, by day and month, kept over restarts; and whether more may be spent. Pure.

Rule 1: a turn costs what the server's counts say, or what its sound alone would cost, whichever is
more: counts can be missing or wrong, sound was sent.
Rule 2: what is being spent counts before its turn is over, so that a cap is overrun by no more
than the answer that is being made.
Rule 3: moving the clock gives nothing back. Back to an earlier day, that day has what was spent.
Forward by more than JUMP_S, what was spent counts towards the cap for as long as the day or the
month would have lasted, by the clock that cannot be moved. A new start of the daemon believes the
clock, which may have been wrong for want of a network until then.
Rule 4: where no price is known nothing is counted, and no cap holds; never a wrong number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from satellite.logic import price, report
from satellite.logic.report import Counted, ReportSettings, timestamp
from satellite.logic.turn import Turn
from satellite.model import commands as cmd
from satellite.model import records as rec
from satellite.model.audio import Instant, seconds_of
from satellite.model.events import Usage as Counts
from satellite.model.models import Price, TranscriptPrice

JUMP_S: Final = 900.0
DAY_S: Final = 86_400.0
MONTH_S: Final = 31 * DAY_S
KEEP_S: Final = 300.0  # of sound sent without a turn
NEAR: Final = 0.8  # of a cap
TOKENS_IN: Final = 10  # for a second of sound to the model, realtime-protocol.md 9
TOKENS_OUT: Final = 20  # for a second of its voice
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class UsageSettings:
    """``day_of(wall)`` is the local day, such as 2026-11-21. Caps in US dollars, None for none."""

    day_of: Callable[[float], str]
    device_id: str
    cap_day: float | None = None
    cap_month: float | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """A day or a month. ``held_usd``, for ``held_s`` more, was spent before the clock jumped."""

    label: str = ""
    usd: float = 0.0
    exact: bool = True
    held_usd: float = 0.0
    held_s: float = 0.0
    warned: bool = False

    @property
    def counts(self) -> float:
        """What counts towards the cap."""
        return self.usd + self.held_usd


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was spent. ``turns``, ``tokens`` and ``sent_s`` are the day's."""

    day: Period = field(default_factory=Period)
    month: Period = field(default_factory=Period)
    turns: int = 0
    tokens: int = 0
    sent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """The ledger, and what is not in it yet. ``open_usd`` may still be told otherwise."""

    ledger: Ledger = field(default_factory=Ledger)
    looked: Instant | None = None  # when the clocks were compared last
    earned: bool = False  # something was spent since this start
    voice_ms: int = 0  # of answers that were published since the last turn
    open_usd: float = 0.0  # of turns that are not over, and of sound
    open_s: float = 0.0  # of sound sent since the last turn
    kept_s: float = 0.0  # of it, what is remembered over a restart
    shown: rec.Usage | None = None


Step = tuple[Usage, tuple[cmd.Command, ...]]


def start(kept: object) -> Usage:
    """Begin with what was remembered; with nothing where it makes no sense."""
    try:
        return Usage(msgspec.convert(kept, Ledger)) if kept is not None else Usage()
    except msgspec.ValidationError:
        return Usage()


def note(
    usage: Usage,
    orders: tuple[cmd.Command, ...],
    counted: Counted,
    turns: tuple[Turn, ...],
    now: Instant,
    settings: UsageSettings,
    prices: ReportSettings,
) -> Step:
    """Count what ``orders`` publish and what is under way; return what is to be told and kept."""
    before = usage.ledger
    usage = _look(usage, now, settings)
    over = False
    for order in orders:
        if isinstance(order, cmd.Publish) and isinstance(order.record, rec.Response):
            usage = replace(usage, voice_ms=usage.voice_ms + order.record.audio_ms)
        elif isinstance(order, cmd.Publish) and isinstance(order.record, rec.TurnRecord):
            usage, over = _count(usage, order.record, prices), True
    sent_s = seconds_of(counted.sent_bytes)
    usage = replace(usage, open_usd=_open_usd(turns, sent_s, prices), open_s=sent_s)
    if sent_s < usage.kept_s:
        usage = replace(usage, kept_s=0.0)
    usage, orders = _warn(usage, now, settings)
    due = over or sent_s - usage.kept_s >= KEEP_S
    same_caps = _caps_of(usage.shown) == (settings.cap_day, settings.cap_month)
    if due or not same_caps or usage.ledger.day.label != before.day.label:
        usage = _show(usage, now, settings)
    if due:
        usage = replace(usage, kept_s=sent_s)
    return usage, (*orders, keep(usage)) if due or orders else ()


def _caps_of(shown: rec.Usage | None) -> tuple[float | None, float | None] | None:
    return None if shown is None else (shown.cap_day_usd, shown.cap_month_usd)


def keep(usage: Usage) -> cmd.Keep:
    """Remember everything, what is under way included."""
    ledger, open_usd = usage.ledger, usage.open_usd
    whole = replace(
        ledger,
        day=replace(ledger.day, usd=ledger.day.usd + open_usd),
        month=replace(ledger.month, usd=ledger.month.usd + open_usd),
        sent_s=ledger.sent_s + usage.open_s,
    )
    return cmd.Keep("usage", msgspec.to_builtins(whole))


def spent(usage: Usage, settings: UsageSettings) -> tuple[str, str] | None:
    """The cap that is reached, day or month, and a sentence; None while more may be spent."""
    for span, period, cap in _caps(usage, settings):
        if period.counts + usage.open_usd >= cap:
            held = period.held_usd > 0
            why = ", with what was spent before the clock was changed" if held else ""
            sum_usd = period.counts + usage.open_usd
            return span, f"{sum_usd:.2f} US dollars were spent this {span}, of {cap:.2f}{why}"
    return None


def _caps(usage: Usage, settings: UsageSettings) -> list[tuple[str, Period, float]]:
    ledger = usage.ledger
    found = [("day", ledger.day, settings.cap_day), ("month", ledger.month, settings.cap_month)]
    return [(span, period, cap) for span, period, cap in found if cap is not None]


# --- time ----------------------------------------------------------------------------------------


def _look(usage: Usage, now: Instant, settings: UsageSettings) -> Usage:
    """Begin a new day or month where it is one; see rule 3."""
    label, ledger, looked = settings.day_of(now.wall), usage.ledger, usage.looked
    passed = 0.0 if looked is None else now.mono - looked.mono
    jumped = looked is not None and abs(now.wall - looked.wall - passed) > JUMP_S and usage.earned
    day = _turned(ledger.day, label, passed, DAY_S, jumped=jumped)
    month = _turned(ledger.month, label[:7], passed, MONTH_S, jumped=jumped)
    if label > ledger.day.label:
        ledger = replace(ledger, turns=0, tokens=0, sent_s=0.0)
    if (day, month) != (ledger.day, ledger.month):
        ledger = replace(ledger, day=day, month=month)
    return replace(usage, ledger=ledger, looked=now)


def _turned(period: Period, label: str, passed: float, lasts_s: float, *, jumped: bool) -> Period:
    if period.held_usd:
        held_s = period.held_s - passed
        held_usd = period.held_usd if held_s > 0 else 0.0
        period = replace(period, held_usd=held_usd, held_s=max(0.0, held_s))
    if label == period.label:
        return period
    if label < period.label:
        return replace(period, label=label)
    if jumped:
        return Period(label, held_usd=period.counts, held_s=lasts_s, warned=period.warned)
    return Period(label, held_usd=period.held_usd, held_s=period.held_s)


# --- money ---------------------------------------------------------------------------------------


def _count(usage: Usage, turn: rec.TurnRecord, prices: ReportSettings) -> Usage:
    told = turn.cost_usd
    least = _of_sound(turn.sent_s, usage.voice_ms, prices.price, prices.transcript_price)
    if told is None:  # one of its two prices is not known: the other one counts
        least = max(least, _of_tokens(turn.tokens, prices.price))
    usd = max(told or 0.0, least)
    exact = told is not None and turn.cost_exact and usd == told
    tokens = 0 if turn.tokens is None else turn.tokens.input + turn.tokens.output
    ledger = usage.ledger
    ledger = Ledger(
        day=_spend(ledger.day, usd, exact=exact),
        month=_spend(ledger.month, usd, exact=exact),
        turns=ledger.turns + 1,
        tokens=ledger.tokens + tokens,
        sent_s=ledger.sent_s + turn.sent_s,
    )
    return replace(usage, ledger=ledger, voice_ms=0, earned=usage.earned or usd > 0)


def _spend(period: Period, usd: float, *, exact: bool) -> Period:
    return replace(period, usd=period.usd + usd, exact=period.exact and exact)


def _of_sound(
    sent_s: float, voice_ms: int, known: Price | None, written: TranscriptPrice | None
) -> float:
    """What this much sound costs at least, in US dollars; 0 where no price is known."""
    usd = 0.0
    if known is not None:
        usd += sent_s * TOKENS_IN * known.audio_in / _MILLION
        usd += voice_ms / 1000 * TOKENS_OUT * known.audio_out / _MILLION
    if written is not None and written.minute is not None:
        usd += sent_s / 60 * written.minute
    return usd


def _of_tokens(tokens: rec.Tokens | None, known: Price | None) -> float:
    """What the answers of a turn cost, by their counts as they were published."""
    if tokens is None or known is None:
        return 0.0
    usage = Counts(
        tokens.input, tokens.output, tokens.cached, tokens.input_audio, tokens.output_audio
    )
    return price.of_response(usage, known).usd


def _open_usd(turns: tuple[Turn, ...], sent_s: float, prices: ReportSettings) -> float:
    """What is being spent: by the counts of answers that are there, or by their sound."""
    told = sum(report.known_usd(turn, prices) for turn in turns)
    voice_ms = sum(answer.audio_ms for turn in turns for answer in turn.all_answers)
    least = _of_sound(sent_s, voice_ms, prices.price, prices.transcript_price)
    return max(told, least)


# --- what is told --------------------------------------------------------------------------------


def _show(usage: Usage, now: Instant, settings: UsageSettings) -> Usage:
    ledger = usage.ledger
    shown = rec.Usage(
        day=ledger.day.label,
        month=ledger.month.label,
        turns_today=ledger.turns,
        tokens_today=ledger.tokens,
        sent_today_s=round(ledger.sent_s + usage.open_s, 1),
        cost_today_usd=round(ledger.day.usd + usage.open_usd, 6),
        cost_month_usd=round(ledger.month.usd + usage.open_usd, 6),
        cost_exact=ledger.month.exact,
        cap_day_usd=settings.cap_day,
        cap_month_usd=settings.cap_month,
        ts=timestamp(now.wall),
    )
    return replace(usage, shown=shown)


def _warn(usage: Usage, now: Instant, settings: UsageSettings) -> Step:
    """Once a day and once a month: most of what may be spent is."""
    orders: list[cmd.Command] = []
    for span, period, cap in _caps(usage, settings):
        sum_usd = period.counts + usage.open_usd
        if period.warned or not NEAR * cap <= sum_usd < cap:
            continue
        near = rec.Fault(
            event_type="warning",
            code="budget_near",
            message=f"{sum_usd:.2f} of {cap:.2f} US dollars of this {span} are spent",
            fix=f"raise budget.per_{span} if that is too little; at the end of it nothing is sent",
            device_id=settings.device_id,
            ts=timestamp(now.wall),
        )
        changed: dict[str, Any] = {span: replace(period, warned=True)}
        usage = replace(usage, ledger=replace(usage.ledger, **changed))
        orders.append(cmd.Publish(near))
    return usage, tuple(orders)
