"""A session is there for people: it is closed when nobody has spoken for a while. Pure.

Rule 1: what keeps it is a turn, or where we end the turns an open gate. An opening that the server
says nothing of keeps it for BELIEVED_S; after a few of these in a row for SHORTLY_S, and only while
the gate is open: a television keeps no session.
Rule 2: after as many, an opening that finds the session closed for idleness has none before SURE_MS
of it were judged speech; one that ends before is forgotten. Its sound waits whole, so a person is
answered that much later at most, and the next turn ends the doubt. Who asked to be heard never
waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from satellite.logic import endings, rotation
from satellite.logic import link as link_
from satellite.logic import talk as talk_
from satellite.logic.link import PATIENCE_S, Link, Phase
from satellite.logic.talk import Talk, TalkSettings
from satellite.model.audio import Instant

if TYPE_CHECKING:
    from satellite.logic.satellite import Settings, State, Step

BELIEVED_S: Final = 10.0
SHORTLY_S: Final = 3.0
SURE_MS: Final = 300
ROTATED: Final = "session_rotated"


def keep(state: State, now: Instant, settings: Settings) -> Link:
    """The link, with its end put off as far as there is a reason to."""
    link, talk = state.link, state.talk
    if link.phase is not Phase.READY:
        return link
    if _is_used(talk, settings.talk):
        link = replace(link, deadline=now.mono + settings.link.idle_close_s)
    until = _believed_until(talk)
    return link if link.held_until == until else replace(link, held_until=until)


def waits(link: Link, talk: Talk, settings: TalkSettings) -> bool:
    """True while what is heard is no reason to open a session."""
    if link.phase is not Phase.DOWN or not link.rested or settings.session.manual:
        return False
    openings = talk.counted.openings
    newest = openings.newest
    if talk.discarding:  # it was no reason to keep one
        return True
    if newest is None or newest.why != "speech" or not openings.distrusted:
        return False
    spoken_ms = sum(w.sound.speech_ms for w in link.backlog if w.utterance == talk.utterances)
    return spoken_ms < SURE_MS


def forget(state: State, now: Instant, settings: Settings) -> Step:
    """An opening ended, or grew old, before it was a reason."""
    link, talk = state.link, state.talk
    if not link.backlog or not waits(link, talk, settings.talk):
        return state, ()
    if talk.gate_open and now.mono - link.backlog[0].at <= PATIENCE_S:
        return state, ()
    return replace(state, link=link_.drop_utterance(link, link.backlog[0].utterance)), ()


def rested(talk: Talk) -> Talk:
    """Nobody has spoken for a while: that conversation is over, and a cough was no turn."""
    return replace(talk, said=(), unclaimed=())


def rotate(state: State, now: Instant, settings: Settings) -> Step:
    """Give a session up before the server ends it; there is another one if this one was used."""
    link, busy = state.link, talk_.is_busy(state.talk)
    if link.phase is not Phase.READY or not rotation.is_due(link.life, now.mono, busy=busy):
        return state, ()
    spoken_at = max((said.at for said in state.talk.said), default=0.0)
    used = _is_used(state.talk, settings.talk) or now.mono < _believed_until(state.talk)
    used = used or max(state.talk.counted.openings.agreed_at, spoken_at) >= link.ready_at
    talk = state.talk if busy else replace(state.talk, unclaimed=())
    talk, lost = endings.lose_session(talk if used else rested(talk), ROTATED, now, settings.talk)
    link, orders = link_.rotate(link, now.mono, settings.link) if used else link_.rest(link)
    return replace(state, link=link, talk=talk), (*lost, *orders)


def _is_used(talk: Talk, settings: TalkSettings) -> bool:
    return bool(talk.turns) or (settings.session.manual and talk.gate_open)


def _believed_until(talk: Talk) -> float:
    openings = talk.counted.openings
    newest = openings.newest
    if newest is None or newest.fate != "undecided":
        return 0.0
    if not openings.distrusted:
        return newest.at + BELIEVED_S
    return newest.at + SHORTLY_S if talk.gate_open else 0.0
