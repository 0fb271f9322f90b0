"""Client secrets: keys of a short life that pin the type, model and settings of a session.

For a server that holds the key while others connect (realtime-protocol.md 1.7). A secret limits
when a session may start, not how long it lasts, and may start several. As live, the model is judged
when somebody connects, not here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from satellite.local.admission import Pinned
from satellite.local.client_events import check_session
from satellite.local.outputs import Send
from satellite.local.schema import Refusal, choice, integer, nullable, record
from satellite.local.session import Session

_DEFAULT_S: Final = 600
_MOST: Final = 256  # live secrets, of at most 64 kB each: 16 MB


class TooMany(Exception):  # noqa: N818  an answer, not a fault
    """No further secret until one of the live ones has expired."""


class ClientSecrets:
    """``now`` gives seconds since the epoch, ``new_id(prefix)`` a fresh id. One thread only."""

    def __init__(self, now: Callable[[], float], new_id: Callable[[str], str]) -> None:
        self._now = now
        self._new_id = new_id
        self._live: dict[str, tuple[int, Pinned]] = {}

    def pinned_by(self, value: str) -> Pinned | None:
        """What an unexpired secret pins; None for every other text."""
        expires_at, pinned = self._live.get(value, (0, None))
        return pinned if self._now() < expires_at else None

    def create(self, body: bytes) -> dict[str, Any]:
        """The answer to one request. Raises Refusal for what is wrong in it, and TooMany."""
        asked = _parsed(body)
        session = asked.get("session") or {"type": "realtime"}
        seconds = (asked.get("expires_after") or {}).get("seconds") or _DEFAULT_S
        effective = self._effective(session)
        self._forget_expired()
        if len(self._live) >= _MOST:
            raise TooMany
        value = f"ek_{secrets.token_hex(16)}"
        expires_at = int(self._now()) + seconds
        self._live[value] = (expires_at, Pinned(session["type"], session.get("model"), session))
        return {"value": value, "expires_at": expires_at, "session": effective}

    def _forget_expired(self) -> None:
        now = self._now()
        self._live = {value: entry for value, entry in self._live.items() if now < entry[0]}

    def _effective(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The settings that a session would begin with: one that nobody joins tells them."""
        session = Session(
            asked.get("model") or "", 0, self._new_id, _Deaf(), kind=asked["type"], pinned=asked
        )
        (created,) = session.open()
        assert isinstance(created, Send)
        effective: dict[str, Any] = created.event["session"]
        if not effective.get("model"):
            effective.pop("model", None)
        return effective


class _Deaf:
    """Satisfies vad.Detector for a session without audio."""

    def frames(self, _pcm: bytes) -> Iterator[float]:
        return iter(())


_AFTER: Final = record({"anchor": choice("created_at"), "seconds": integer(10, 7200)})
_BODY: Final = record({"expires_after": nullable(_AFTER), "session": nullable(check_session)})


def _parsed(body: bytes) -> dict[str, Any]:
    """What the body says. Raises Refusal."""
    try:
        asked = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        message = "We could not parse the JSON body of your request."
        raise Refusal("invalid_json", message) from None
    _BODY(asked, "")
    assert isinstance(asked, dict)
    return asked
