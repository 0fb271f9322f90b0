"""What becomes of somebody's words when the microphone is closed on order. Pure.

Rule 1: no sound is sent after that: what waits for a session is given up, each utterance with a
turn that says so.
Rule 2: half a sentence is never answered. Where the server has not said that it hears it, its
buffer is cleared. Where it has, or says so later, the session ends: what a server makes of a clear
in the middle of a turn differs, and from no session no answer can come.
Rule 3: what was said to its end before is still answered.
"""

from __future__ import annotations

from satellite.logic import endings
from satellite.logic import link as link_
from satellite.logic.link import Link, Phase
from satellite.logic.talk import Talk, TalkSettings, open_turn
from satellite.logic.user import MUTED
from satellite.model import commands as cmd
from satellite.model.audio import Instant


def forget_waiting(
    link: Link, talk: Talk, now: Instant, settings: TalkSettings
) -> tuple[Link, Talk, tuple[cmd.Command, ...]]:
    """Give up each utterance that waits for a session."""
    orders: tuple[cmd.Command, ...] = ()
    for utterance in dict.fromkeys(waiting.utterance for waiting in link.backlog):
        told = utterance == talk.given_up and not link_.holds_speech(link, utterance)
        link = link_.drop_utterance(link, utterance)
        if not told:
            talk, more = endings.give_up_utterance(talk, utterance, MUTED, now, settings)
            orders = (*orders, *more)
    return link, talk, orders


def is_heard(link: Link, talk: Talk) -> bool:
    """True while the server hears a turn, which it could still answer."""
    return link.phase is Phase.READY and open_turn(talk) is not None
