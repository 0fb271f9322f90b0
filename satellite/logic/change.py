"""Settings of a session: what is wanted, what the server has, and the way between the two.

Pure. An update holds only what differs (``Configure.since``), because a server discards an update
whole for one key that it does not take. One update is under way at a time. What a server cannot
change in a session that has spoken (its voice) waits for the next one; what it refuses is given up,
with the server's words as a problem, and the session goes on with what it had.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Final

from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.session import Session

_ABOUT_SESSIONS: Final = frozenset({"cannot_update_voice", "invalid_parameter"})


@dataclass(frozen=True, slots=True)
class Settled:
    """``name`` is the event id of the update that was last sent."""

    wanted: Session = field(default_factory=Session)
    has: Session = field(default_factory=Session)  # what the server of this session has
    proven: Session | None = None  # the last that a server took whole
    asked: Session | None = None  # an update under way, and since when
    asked_at: float = 0.0
    updates: int = 0
    name: str = ""
    spoke: bool = False  # the assistant's voice was heard in this session
    differences: tuple[str, ...] = ()  # settings that the server did not take
    complaint: str | None = None  # about a change that was given up


def begin(settled: Settled, number: int) -> Settled:
    """A new session gets everything."""
    return replace(
        settled, name=f"configure-{number}", asked=settled.wanted, updates=0, spoke=False
    )


def ask(settled: Settled, number: int, now: float) -> tuple[Settled, tuple[cmd.Command, ...]]:
    """Send what is wanted, differs and can change now; nothing while an update is under way."""
    target = _possible(settled)
    if settled.asked is not None:
        return settled, ()
    if target == settled.has:
        return replace(settled, has=target), ()  # they may differ in what no server is told
    updates = settled.updates + 1
    name = f"configure-{number}-{updates}"
    order = cmd.Configure(name, target, settled.has)
    settled = replace(settled, asked=target, asked_at=now, updates=updates, name=name)
    return settled, (order,)


def _possible(settled: Settled) -> Session:
    """The voice stays once it was heard (C24); the kind of a session is fixed when it begins."""
    voice = settled.has.voice if settled.spoke else settled.wanted.voice
    return replace(settled.wanted, voice=voice, kind=settled.has.kind)


def confirmed(
    settled: Settled,
    effective: object,
    compare: Callable[[Session, object], tuple[str, ...]],
) -> Settled:
    """The server took an update."""
    has = settled.asked or settled.has
    found = compare(has, effective)
    return replace(settled, has=has, proven=has, asked=None, differences=found)


def refused(settled: Settled, error: ev.ServerError) -> Settled:
    """The server refused an update while the session goes on with what it has."""
    asked, has = settled.asked, settled.has
    if asked is None:  # it had been confirmed
        return settled
    if error.code == "cannot_update_voice":  # the next session can
        return replace(settled, asked=None, spoke=True)
    names = _named(has, asked)
    complaint = f"the server refused a change of {', '.join(names)}: {error.message}"
    stale = [name for name in names if getattr(settled.wanted, name) == getattr(asked, name)]
    wanted = replace(settled.wanted, **{name: getattr(has, name) for name in stale})
    return replace(settled, wanted=wanted, asked=None, complaint=complaint)


def discreet(settled: Settled, error: ev.ServerError) -> ev.ServerError:
    """The error without the owner's words, which some servers quote when they refuse them."""
    message = error.message
    for session in (settled.wanted, settled.asked, settled.has):
        message = session.unquoted(message) if session is not None else message
    return replace(error, message=message)


def is_about(settled: Settled, error: ev.ServerError) -> bool:
    """True where an error refuses the update that is under way; not every server says which.

    Where one does not say it at all, what follows tells: some complain and confirm all the same.
    """
    if error.event_id is not None:
        return error.event_id == settled.name
    if settled.asked is None or error.kind != "invalid_request_error":
        return False
    return (error.param or "").startswith("session") or error.code in _ABOUT_SESSIONS


def is_overdue(settled: Settled, now: float, patience_s: float) -> bool:
    """True where a change was neither confirmed nor refused in time."""
    return settled.updates > 0 and settled.asked is not None and now - settled.asked_at > patience_s


def _named(before: Session, after: Session) -> list[str]:
    return [
        entry.name
        for entry in fields(Session)
        if getattr(before, entry.name) != getattr(after, entry.name)
    ]
