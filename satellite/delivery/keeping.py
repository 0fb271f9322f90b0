"""What has to be on the disk, and is as soon as the disk takes it.

A disk that is full, worn out or gone does not stop anything: what it did not take stays in memory,
bounded, and is offered again.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from satellite.errors import StoreError
from satellite.logic import privacy
from satellite.model.ports import NOTHING, Store, Stored

AGAIN_S: Final = (5.0, 30.0)  # after the first failure, and after each one more
SLOW_S: Final = 1.0
MOST_ROWS: Final = 2000  # that the disk did not take
CLOSED: Final = (
    "the microphone stays closed, because nobody knows whether it was:"
    " systemctl kill -s USR2 satellite opens it"
)

Open = Callable[[], tuple[Store, str | None]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """What was found at the start. ``store`` is None where the disk gives nothing."""

    store: Store | None
    fault: str | None
    values: dict[str, object]
    last_seq: int


def begin(open_store: Open, wall: float) -> Begun:
    """Open what outlasts us. Raises SetupError alone: without a disk we go on in memory.

    Where the last number is not known the clock gives one, so that none is used twice; where it is
    not known whether somebody closed the microphone, it stays closed.
    """
    unsure: dict[str, object] = {privacy.KEPT: True}
    try:
        store, fault = open_store()
        if fault is None:
            return Begun(store, None, store.values(), store.last_seq())
        seq = store.last_seq()
    except StoreError as exc:
        return Begun(None, f"{exc}; {CLOSED}", unsure, int(wall))
    with contextlib.suppress(StoreError):
        store.write(values=unsure)
    return Begun(store, f"{fault}; {CLOSED}", unsure, max(seq, int(wall)))


@dataclass(slots=True)
class _Owed:
    """What the disk has not taken yet."""

    rows: dict[int, Stored] = field(default_factory=dict)
    fates: dict[int, str] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rows or self.fates or self.values)


class Keeping:
    """One thread. Its methods do not raise: ``fault`` says in a sentence what is wrong."""

    def __init__(self, begun: Begun, open_store: Open) -> None:
        self._store = begun.store
        self._open = open_store
        self._began_anew = begun.fault if begun.store is not None else None
        self._failed = begun.fault if begun.store is None else None
        self._slow: str | None = None
        self._failures = int(begun.store is None)
        self._owed = _Owed()
        self.again_at: float | None = None
        """When to offer again what was not taken."""

    @property
    def fault(self) -> str | None:
        """What is wrong with the disk; None when nothing is."""
        return self._failed or self._slow or self._began_anew

    @property
    def owes(self) -> bool:
        """There is something that the disk has not been offered, or has not taken."""
        return bool(self._owed)

    def waiting(self) -> list[Stored]:
        """What nobody has yet."""
        rows = [*self._read(lambda store: store.waiting()), *self._owed.rows.values()]
        return [row for row in rows if self._seq(row) not in self._owed.fates]

    def since(self, seq: int, most: int) -> list[Stored]:
        """At most ``most`` of what is kept, from ``seq`` on."""
        found = self._read(lambda store: store.since(seq, most))
        owed = [row for number, row in sorted(self._owed.rows.items()) if number >= seq]
        return [*found, *owed][:most]

    def add(self, row: Stored) -> None:
        """Have a message written with the next ``write``."""
        self._owed.rows[self._seq(row)] = row
        if len(self._owed.rows) > MOST_ROWS:
            del self._owed.rows[min(self._owed.rows)]

    def end(self, seq: int, fate: str) -> None:
        """Have it written what became of one."""
        self._owed.fates[seq] = fate

    def keep(self, name: str, value: object) -> None:
        """Have a value written; None forgets it."""
        self._owed.values[name] = value

    def write(self, now: float, *, fates: bool = True) -> None:
        """Offer the disk all that it has not taken; not again before ``again_at``.

        Somebody waits for a message, nobody for its fate: that can be left for later.
        """
        if not self._owed or (self.again_at is not None and now < self.again_at):
            return
        try:
            store = self._store or self._reopen()
            began = time.monotonic()
            ended = self._owed.fates if fates else NOTHING
            store.write(tuple(self._owed.rows.values()), ended, self._owed.values)
        except StoreError as exc:
            self._fail(exc, now)
            return
        took = time.monotonic() - began
        self._slow = f"the disk took {took:.1f} s for one write" if took > SLOW_S else None
        self._owed = _Owed() if fates else _Owed(fates=self._owed.fates)
        if self._failed is not None:
            log.info("the disk works again")
        self._failed, self._failures, self.again_at = None, 0, None

    def tidy(self, wall: float) -> float | None:
        """Let the store do what can wait. Epoch seconds when there is more, if known."""
        if self._store is None:
            return None
        try:
            return self._store.tidy(wall)
        except StoreError as exc:
            log.warning("%s", exc)
            return None

    def close(self) -> None:
        """Give the disk back."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _reopen(self) -> Store:
        self._store, began_anew = self._open()
        self._began_anew = began_anew or self._began_anew
        return self._store

    def _fail(self, exc: StoreError, now: float) -> None:
        if self._failed is None:
            log.warning("%s; what must last is only in memory now", exc)
        self._failed = str(exc)
        self.again_at = now + AGAIN_S[min(self._failures, len(AGAIN_S) - 1)]
        self._failures += 1
        if exc.reopen:
            self.close()

    def _read(self, read: Callable[[Store], list[Stored]]) -> list[Stored]:
        if self._store is None:
            return []
        try:
            return read(self._store)
        except StoreError as exc:
            log.warning("%s", exc)
            return []

    @staticmethod
    def _seq(row: Stored) -> int:
        assert row.message.seq is not None
        return row.message.seq
