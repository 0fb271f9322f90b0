"""No session while a cap is reached; the one that is open ends after the answer under way. Pure.

satellite/logic/usage.py counts; here is what follows from it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from satellite.logic import endings, usage
from satellite.logic import talk as talk_
from satellite.logic.link import Link, Phase
from satellite.logic.link import Step as LinkStep
from satellite.logic.refusal import Again, Refusal
from satellite.logic.talk import Talk
from satellite.model import commands as cmd
from satellite.model.audio import Instant

if TYPE_CHECKING:
    from satellite.logic.satellite import Settings, State, Step

SPENT: Final = "budget"
NEVER: Final = float("inf")
_FIX: Final = "raise budget.per_{} in the configuration and reload it, or wait for the next {}"


def count(state: State, orders: tuple[cmd.Command, ...], now: Instant, settings: Settings) -> Step:
    """Count what ``orders`` publish and send."""
    talk, prices = state.talk, settings.talk.report
    counted, more = usage.note(
        state.usage, orders, talk.counted, talk.turns, now, settings.usage, prices
    )
    return replace(state, usage=counted), more


def is_spent(state: State, settings: Settings) -> bool:
    """True while no more may be spent."""
    return usage.spent(state.usage, settings.usage) is not None


def hold(state: State, now: Instant, settings: Settings) -> Step:
    """Give up the session once what may be spent is spent, and want none until it is not."""
    spent = usage.spent(state.usage, settings.usage)
    link, orders = _enforce(state.link, state.talk, spent)
    if link is state.link:
        return state, orders
    after = replace(state, link=link)
    if state.link.phase is not Phase.READY or link.phase is Phase.READY:
        return after, orders
    talk, lost = endings.lose_session(after.talk, SPENT, now, settings.talk)
    return replace(after, talk=talk), (*orders, *lost)


def decline(state: State, now: Instant, settings: Settings) -> Step:
    """Nothing more is sent to a session that is at its last answer; who speaks is told so."""
    talk = state.talk
    if talk.discarding or talk.unclaimed or talk_.open_turn(talk) is not None:
        return state, ()
    talk, orders = endings.give_up_utterance(talk, talk.utterances, SPENT, now, settings.talk)
    return replace(state, talk=talk), orders


def _enforce(link: Link, talk: Talk, spent: tuple[str, str] | None) -> LinkStep:
    """Open and hold no session for what is ``spent``; where nothing is, forget that we did."""
    known = link.refusal is not None and link.refusal.code == SPENT
    if spent is None:
        return (replace(link, refusal=None, deadline=None) if known else link), ()
    if known and link.deadline == NEVER:
        return link, ()
    if link.phase is Phase.READY and any(turn.is_responding for turn in talk.turns):
        return link, ()  # nor does a tool that was called have another
    span, why = spent
    refusal = Refusal(SPENT, why, _FIX.format(span, span), Again.SLOWLY)
    orders = () if link.phase is Phase.DOWN else (cmd.Disconnect(link.number),)
    return replace(link, phase=Phase.DOWN, refusal=refusal, error=None, deadline=NEVER), orders
