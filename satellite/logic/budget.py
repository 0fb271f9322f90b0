"""No session while a cap is reached; the one that is open ends after the answer under way. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from satellite.logic.link import Link, Phase
from satellite.logic.link import Step as LinkStep
from satellite.logic.refusal import Again, Refusal
from satellite.logic.talk import Talk
from satellite.model import commands as cmd

SPENT: Final = "budget"
NEVER: Final = float("inf")
_FIX: Final = "raise budget.per_{} in the configuration and restart, or wait for the next {}"


def enforce(link: Link, talk: Talk, why: str | None) -> LinkStep:
    """Open and hold no session for ``why``; or, where that is None, forget that we did."""
    known = link.refusal is not None and link.refusal.code == SPENT
    if why is None:
        return (replace(link, refusal=None, deadline=None) if known else link), ()
    if known and link.deadline == NEVER:
        return link, ()
    if link.phase is Phase.READY and any(turn.is_responding for turn in talk.turns):
        return link, ()  # nor does a tool that was called have another
    span = "month" if "this month" in why else "day"
    refusal = Refusal(SPENT, why, _FIX.format(span, span), Again.SLOWLY)
    orders = () if link.phase is Phase.DOWN else (cmd.Disconnect(link.number),)
    return replace(link, phase=Phase.DOWN, refusal=refusal, error=None, deadline=NEVER), orders
