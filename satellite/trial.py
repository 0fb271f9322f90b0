"""Open the session of a configuration once, say how long each step took, and what was not taken.

It sends no sound and asks for no answer, so it costs nothing.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from satellite import session_setup
from satellite.adapters.realtime_link import RealtimeLink
from satellite.config.schema import Config
from satellite.errors import SetupError
from satellite.logic.refusal import Refusal, classify, mismatch
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.session import Session
from satellite.wire import realtime

STOP_S: Final = 2.0
_UPDATE: Final = "check-1"  # the name of our update, which a refusal of it has

T = TypeVar("T", bound=ev.ServerEvent)
Say = Callable[[str], None]


def run(config: Config, say: Say) -> None:
    """Tell ``say`` about each step. Raises SetupError when there is no session as configured."""
    heard: SimpleQueue[ev.Event] = SimpleQueue()
    decode = functools.partial(session_setup.decoder, config)
    endpoint = session_setup.endpoint(config)
    link = RealtimeLink(endpoint, decode, heard.put)
    session = session_setup.session(config)
    wait = functools.partial(_wait, heard, session, endpoint.timeout_s, endpoint.place)
    link.connect(1)
    try:
        created, ms = wait(ev.SessionCreated, "session.created")
        if created.type not in {session.kind, ""}:
            raise _refused(mismatch(created.type, session.kind))
        say(f"session.created after {ms} ms")
        order = cmd.Configure(_UPDATE, session)
        for message in realtime.encode(order, _UPDATE, session_setup.spell(config)):
            link.send(message)
        updated, ms = wait(ev.SessionUpdated, "session.updated")
    finally:
        link.stop(STOP_S)
    say(f"session.updated after {ms} ms")
    for difference in session_setup.compare(config)(session, updated.effective):
        say(f"warning: the server did not take it as asked: {difference}")


def _wait(
    heard: SimpleQueue[ev.Event],
    session: Session,
    timeout_s: float,
    place: str,
    kind: type[T],
    name: str,
) -> tuple[T, int]:
    """The next event of one kind, and the milliseconds until it came."""
    began = time.monotonic()
    error: ev.ServerError | None = None
    while True:
        try:
            event = heard.get(timeout=max(0.0, began + timeout_s - time.monotonic()))
        except Empty:
            last = f"; it said: {error.message}" if error is not None else ""
            raise SetupError(f"{place} gave no {name} within {timeout_s:.0f} s{last}") from None
        if isinstance(event, ev.LinkDown):
            raise _refused(classify(event, error))
        said = event.event if isinstance(event, ev.FromServer) else None
        if isinstance(said, kind):
            return said, round((time.monotonic() - began) * 1000)
        if isinstance(said, ev.ServerError):
            error = replace(said, message=session.unquoted(said.message))
        if error is not None and error.event_id == _UPDATE:
            about = f" ({error.param})" if error.param else ""
            raise SetupError(f"the server refused the settings{about}: {error.message}")


def _refused(refusal: Refusal) -> SetupError:
    fix = refusal.fix.removesuffix("; the satellite goes on trying")  # here nobody does
    return SetupError(f"{refusal.code}: {refusal.detail}; {fix}")
