"""What becomes of somebody's words when the microphone is closed on order, or lost. Pure.

Rule 1: no sound is sent after that: what waits for a session is given up, each utterance with a
turn that says so.
Rule 2: half a sentence is never answered. Where the server has not said that it hears it, its
buffer is cleared. Where it has, or says so later, the session ends: what a server makes of a clear
in the middle of a turn differs, and from no session no answer can come.
Rule 3: what was said to its end before is still answered. Where the microphone was lost, that holds
for what waits for a session too.
"""

from __future__ import annotations

from dataclasses import replace

from satellite.logic import conversation, endings, user
from satellite.logic import link as link_
from satellite.logic.link import Link, Phase
from satellite.logic.talk import Talk, TalkSettings, open_turn
from satellite.model import commands as cmd
from satellite.model.audio import Instant

Hushed = tuple[Link, Talk, tuple[cmd.Command, ...]]


def hush(link: Link, talk: Talk, now: Instant, settings: TalkSettings) -> Hushed:
    """Called after each fact while the microphone is, or is to be, closed."""
    waiting = tuple(dict.fromkeys(waiting.utterance for waiting in link.backlog))
    link, talk, orders = _forget_waiting(link, talk, waiting, user.MUTED, now, settings)
    link, talk, more = _forget_sentence(link, talk, user.MUTED, now, settings)
    return link, talk, (*orders, *more)


def sever(link: Link, talk: Talk, now: Instant, settings: TalkSettings) -> Hushed:
    """Called after each fact from when a sentence lost its end until another one begins."""
    waiting = tuple({w.utterance for w in link.backlog if w.utterance == talk.utterances})
    if not talk.gate_open:
        waiting = ()
    link, talk, orders = _forget_waiting(link, talk, waiting, user.MIC_LOST, now, settings)
    link, talk, more = _forget_sentence(link, talk, user.MIC_LOST, now, settings)
    if link.phase is not Phase.READY:  # no server has any of it: what still comes was whole
        talk = replace(talk, severed=False)
    return link, talk, (*orders, *more)


def _forget_waiting(
    link: Link,
    talk: Talk,
    waiting: tuple[int, ...],
    why: str,
    now: Instant,
    settings: TalkSettings,
) -> Hushed:
    """Give up utterances that wait for a session."""
    orders: tuple[cmd.Command, ...] = ()
    for utterance in waiting:
        link, talk, more = endings.give_up_waiting(link, talk, utterance, why, now, settings)
        orders = (*orders, *more)
    return link, talk, orders


def _forget_sentence(
    link: Link, talk: Talk, why: str, now: Instant, settings: TalkSettings
) -> Hushed:
    """Whoever speaks at this moment is not heard to the end, and gets no answer."""
    orders: tuple[cmd.Command, ...] = ()
    if talk.gate_open:
        link, talk, orders = _clear_sentence(link, talk, why, now, settings)
    if link.phase is Phase.READY and open_turn(talk) is not None:
        link, more = link_.leave(link)
        talk, lost = endings.lose_session(talk, why, now, settings)
        orders = (*orders, *more, *lost)
    return link, talk, orders


def _clear_sentence(
    link: Link, talk: Talk, why: str, now: Instant, settings: TalkSettings
) -> Hushed:
    orders: tuple[cmd.Command, ...] = ()
    talk, forgotten = user.on_cut_off(talk, why, now.mono, settings)
    for order in forgotten:
        link, more = link_.end_utterance(link, talk.utterances, order)
        orders = (*orders, *more)
    talk, following = conversation.conclude(talk, now, settings)
    return link, talk, (*orders, *following)
