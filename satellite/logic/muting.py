"""What becomes of somebody's words when the microphone is closed on order. Pure.

Rule 1: no sound is sent after that: what waits for a session is given up, each utterance with a
turn that says so.
Rule 2: half a sentence is never answered. Where the server has not said that it hears it, its
buffer is cleared. Where it has, or says so later, the session ends: what a server makes of a clear
in the middle of a turn differs, and from no session no answer can come.
Rule 3: what was said to its end before is still answered.
"""

from __future__ import annotations

from satellite.logic import conversation, endings, user
from satellite.logic import link as link_
from satellite.logic.link import Link, Phase
from satellite.logic.talk import Talk, TalkSettings, open_turn
from satellite.model import commands as cmd
from satellite.model.audio import Instant

Hushed = tuple[Link, Talk, tuple[cmd.Command, ...]]


def hush(link: Link, talk: Talk, now: Instant, settings: TalkSettings) -> Hushed:
    """Called after each fact while the microphone is, or is to be, closed."""
    link, talk, orders = _forget_waiting(link, talk, now, settings)
    if talk.gate_open:
        link, talk, more = _forget_sentence(link, talk, now, settings)
        orders = (*orders, *more)
    if link.phase is Phase.READY and open_turn(talk) is not None:
        link, more = link_.leave(link)
        talk, lost = endings.lose_session(talk, user.MUTED, now, settings)
        orders = (*orders, *more, *lost)
    return link, talk, orders


def _forget_waiting(link: Link, talk: Talk, now: Instant, settings: TalkSettings) -> Hushed:
    """Give up each utterance that waits for a session."""
    orders: tuple[cmd.Command, ...] = ()
    for utterance in dict.fromkeys(waiting.utterance for waiting in link.backlog):
        link, talk, more = endings.give_up_waiting(link, talk, utterance, user.MUTED, now, settings)
        orders = (*orders, *more)
    return link, talk, orders


def _forget_sentence(link: Link, talk: Talk, now: Instant, settings: TalkSettings) -> Hushed:
    """Whoever speaks at this moment is not heard to the end."""
    orders: tuple[cmd.Command, ...] = ()
    talk, forgotten = user.on_muted(talk, now.mono, settings)
    for order in forgotten:
        link, more = link_.end_utterance(link, talk.utterances, order)
        orders = (*orders, *more)
    talk, following = conversation.conclude(talk, now, settings)
    return link, talk, (*orders, *following)
