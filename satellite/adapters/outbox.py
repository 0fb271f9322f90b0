"""What must last, in one SQLite file: messages that wait, a journal of the others, a few values.

WAL with ``synchronous=FULL``: the only cheap setting that lost nothing in real power cuts
(reliability.md, finding 5). A commit is one fdatasync of a log that is long enough already; the log
is carried over into the database in quiet moments, never between two messages of a turn.

``locking_mode=exclusive``: nobody else opens it, and no shared memory file is needed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from satellite.errors import SetupError, StoreError
from satellite.model.ports import NOTHING, Message, Stored

FILE: Final = "outbox.db"
VERSION: Final = 1
PAGE: Final = 1024  # a message is small: fewer bytes a commit than with the usual 4096
MOST_PAGES: Final = 32 << 10  # 32 MiB
LOG_BYTES: Final = 512 << 10  # made at the start: so much can be written to a disk that is full
LOG_PAGES: Final = 4 * LOG_BYTES // PAGE  # carried over at the latest, quiet or not
MOST_JOURNAL: Final = 2000  # messages; reliability P5
MOST_JOURNAL_BYTES: Final = 12 << 20
ASIDE: Final = 2  # broken files that are kept
DAY_S: Final = 86_400

_TABLES: Final = """
create table rows(
  seq integer primary key,
  topic text not null,        -- '': only the number is left
  payload blob not null,
  qos integer not null,
  retain integer not null,
  life integer,               -- seconds, null for ever
  created real not null,      -- epoch seconds
  fate text                   -- null: it waits
);
create table kept(name text primary key, value text not null) without rowid;
"""
_ENDED: Final = "fate is not null and topic != ''"

log = logging.getLogger(__name__)


class Outbox:
    """An open file: model.ports.Store."""

    def __init__(self, path: Path, journal_s: float) -> None:
        """Open or make it. Raises sqlite3.Error, SetupError for one that is newer than we are."""
        self._path = path
        self._journal_s = journal_s
        self._in_log = 0  # bytes, about
        self._lasting = "full"
        self._fresh = True  # there may be something to tidy
        self._erased = False  # words that are forgotten still stand in the log
        self._due: float | None = None
        # opened by the main thread, used by the outbox thread alone
        self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=False)
        try:
            with contextlib.suppress(OSError):
                path.chmod(0o600)
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def last_seq(self) -> int:
        """The highest that was ever used, though its message may be forgotten."""
        with self._told():
            (seq,) = self._db.execute("select coalesce(max(seq), 0) from rows").fetchone()
        return int(seq)

    def values(self) -> dict[str, object]:
        """What is kept, by name, but for what no longer is what was written."""
        with self._told():
            found = self._db.execute("select name, value from kept").fetchall()
        values: dict[str, object] = {}
        for name, text in found:
            try:
                values[name] = json.loads(text)
            except ValueError:
                log.warning("what %s keeps as %s cannot be read: it is as new", self._path, name)
        return values

    def waiting(self) -> list[Stored]:
        """What nobody has yet, in order."""
        return self._rows("fate is null order by seq")

    def since(self, seq: int, most: int) -> list[Stored]:
        """At most ``most`` of what has ``seq`` or more, delivered or not, in order."""
        return self._rows("seq >= ? and topic != '' order by seq limit ?", seq, most)

    def write(
        self,
        rows: Sequence[Stored] = (),
        fates: Mapping[int, str] = NOTHING,
        values: Mapping[str, object] = NOTHING,
    ) -> None:
        """See model.ports.Store."""
        with self._told():
            self._synchronous("full" if rows or values else "normal")
            try:
                self._write(rows, fates, values)
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorname != "SQLITE_FULL" or not self._make_room():
                    raise
                self._write(rows, fates, values)
        self._fresh = True

    def tidy(self, now: float) -> float | None:
        """Forget what is too old or too much, carry the log over once half of it is used.

        Nothing is written where nothing is due. What was forgotten is in no file any more.
        """
        with self._told():
            if self._fresh or (self._due is not None and now >= self._due):
                self._forget(now)
                self._fresh = False
            if self._erased:
                self._clear_log()
            elif self._in_log > LOG_BYTES // 2:
                self._carry_over()
        return self._due

    def close(self) -> None:
        """See model.ports.Store."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("pragma wal_checkpoint(truncate)")
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    # --- how ---

    def _prepare(self) -> None:
        db = self._db
        db.execute("pragma locking_mode=exclusive")
        (version,) = db.execute("pragma user_version").fetchone()
        if version > VERSION:
            raise SetupError(
                f"{self._path} is of a newer version of this program ({version}, this one knows"
                f" {VERSION}); update the program, or name another state_dir"
            )
        db.execute(f"pragma page_size={PAGE}")
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=full")
        db.execute("pragma secure_delete=on")  # what is forgotten was somebody's words
        db.execute(f"pragma max_page_count={MOST_PAGES}")
        db.execute(f"pragma wal_autocheckpoint={LOG_PAGES}")
        (found,) = db.execute("pragma quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError("quick_check failed")
        if version == 0:
            db.executescript(f"begin immediate; {_TABLES} pragma user_version={VERSION}; commit;")
        db.execute("select seq, topic, payload, qos, retain, life, created, fate from rows limit 1")
        db.execute("select name, value from kept limit 1")
        with contextlib.suppress(sqlite3.OperationalError):  # what a power cut left in the log
            db.execute("pragma wal_checkpoint(truncate)").fetchall()
        self._lengthen_log()
        db.execute("pragma cache_size=-512")

    def _clear_log(self) -> None:
        """Carry the log over, and begin it anew, with the same room on the disk."""
        self._db.execute("pragma wal_checkpoint(truncate)").fetchall()
        with contextlib.suppress(OSError), Path(f"{self._path}-wal").open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, LOG_BYTES)
        self._in_log, self._erased = 0, False

    def _lengthen_log(self) -> None:
        """Let the log have its length, by a change that is too big for memory and is taken back."""
        db = self._db
        db.execute("pragma cache_size=8")
        db.execute("begin immediate")
        with contextlib.suppress(sqlite3.OperationalError):  # no room: a write will say so
            db.execute("insert into kept values('', zeroblob(?))", (LOG_BYTES,))
        with contextlib.suppress(sqlite3.OperationalError):  # it took itself back
            db.execute("rollback")

    def _write(
        self,
        rows: Sequence[Stored],
        fates: Mapping[int, str],
        values: Mapping[str, object],
    ) -> None:
        if len(rows) == 1 and not fates and not values:
            self._insert(rows, fates)  # a statement alone is a commit, and each one costs a turn
            return
        with self._commit():
            self._insert(rows, fates)
            for name, value in values.items():
                self._keep(name, value)

    def _synchronous(self, how: str) -> None:
        if how != self._lasting:
            self._db.execute(f"pragma synchronous={how}")
            self._lasting = how

    def _make_room(self) -> bool:
        """Forget the older half of what has ended: it is worth less than what is to come."""
        (middle,) = self._db.execute(
            f"select seq from rows where {_ENDED} order by seq limit 1"
            f" offset (select count(*) / 2 from rows where {_ENDED})"
        ).fetchone() or (None,)
        if middle is None:
            return False
        self._carry_over()
        with self._commit():
            self._erase(f"{_ENDED} and seq <= ?", middle)
        return True

    @contextlib.contextmanager
    def _commit(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("rollback")
            raise

    def _insert(self, rows: Sequence[Stored], fates: Mapping[int, str]) -> None:
        for row in rows:
            m = row.message
            self._db.execute(
                "insert into rows values(?, ?, ?, ?, ?, ?, ?, null)",
                (m.seq, m.topic, m.payload, m.qos, m.retain, m.expiry_s, row.created),
            )
            self._in_log += 4 * PAGE + len(m.payload)
        for seq, fate in fates.items():
            self._db.execute("update rows set fate = ? where seq = ?", (fate, seq))
            self._in_log += 2 * PAGE
        if fates and not self._journal_s:
            self._erase(f"{_ENDED}")

    def _keep(self, name: str, value: object) -> None:
        if value is None:
            self._db.execute("delete from kept where name = ?", (name,))
        else:
            text = json.dumps(value)
            self._db.execute("replace into kept values(?, ?)", (name, text))
            self._in_log += 2 * PAGE + len(text)

    def _erase(self, which: str, *values: float) -> int:
        """Forget messages that have ended; the last number ever used stays."""
        last = "(select max(seq) from rows)"
        cursor = self._db.execute(
            f"update rows set topic = '', payload = x'' where ({which}) and seq = {last}", values
        )
        erased = cursor.rowcount
        cursor = self._db.execute(f"delete from rows where ({which}) and seq < {last}", values)
        erased += cursor.rowcount
        self._erased |= erased > 0
        self._in_log += 2 * PAGE * erased
        return erased

    def _forget(self, now: float) -> None:
        """By age, by number, by size. A time in the far future is of a clock that was wrong."""
        count, size, oldest, latest = self._db.execute(
            "select count(*), coalesce(sum(length(payload)), 0), min(created), max(created)"
            f" from rows where {_ENDED}"
        ).fetchone()
        self._due = None
        if not count:
            return
        cut = self._too_much() if count > MOST_JOURNAL or size > MOST_JOURNAL_BYTES else 0
        first, last = now - self._journal_s, now + DAY_S
        if cut or oldest <= first or latest > last:
            with self._commit():
                self._erase(
                    f"{_ENDED} and (seq <= ? or created <= ? or created > ?)", cut, first, last
                )
            (oldest,) = self._db.execute(f"select min(created) from rows where {_ENDED}").fetchone()
        self._due = None if oldest is None else oldest + self._journal_s

    def _too_much(self) -> int:
        """The newest seq that the journal has no room for."""
        room = MOST_JOURNAL_BYTES
        newest = self._db.execute(
            f"select seq, length(payload) from rows where {_ENDED} order by seq desc"
        )
        for number, (seq, length) in enumerate(newest.fetchall()):
            room -= length
            if number >= MOST_JOURNAL or room < 0:
                return int(seq)
        return 0

    def _carry_over(self) -> None:
        self._db.execute("pragma wal_checkpoint(passive)").fetchall()
        self._in_log = 0

    def _rows(self, which: str, *values: int) -> list[Stored]:
        with self._told():
            found = self._db.execute(
                f"select topic, payload, qos, retain, life, seq, created from rows where {which}",
                values,
            ).fetchall()
        return [
            Stored(Message(topic, payload, qos, bool(retain), life, seq), created)
            for topic, payload, qos, retain, life, seq, created in found
        ]

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say in a sentence what SQLite says."""
        try:
            yield
        except sqlite3.Error as exc:
            name = getattr(exc, "sqlite_errorname", "")
            reopen = _is_broken(exc) or name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN"))
            raise StoreError(_sentence(exc, self._path), reopen=reopen) from exc


def open_outbox(folder: Path, journal_s: float) -> tuple[Outbox, str | None]:
    """Open the file in ``folder``; and say, if it had to begin anew, why.

    A file that is broken is moved aside. Raises SetupError for one that is newer than we are or not
    ours, StoreError where the disk takes no file.
    """
    path = folder / FILE
    _check(path)
    try:
        return Outbox(path, journal_s), None
    except sqlite3.Error as exc:
        if not _is_broken(exc):
            raise StoreError(_sentence(exc, path)) from exc
    try:
        aside = _move_aside(path)
        outbox = Outbox(path, journal_s)
    except (sqlite3.Error, OSError) as exc:
        raise StoreError(_sentence(exc, path)) from exc
    said = (
        f"{path} was broken and is now {aside.name}; what waited in it is lost, and so are"
        " mute, changed settings and what was spent"
    )
    log.warning("%s", said)
    return outbox, said


def _check(path: Path) -> None:
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise SetupError(f"{path} is no plain file; move it away, or name another state_dir")


def _is_broken(exc: sqlite3.Error) -> bool:
    """True for what no waiting mends: no database, a torn one, tables that are not there."""
    name = getattr(exc, "sqlite_errorname", "")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return True
    return not name or name == "SQLITE_ERROR"


def _move_aside(path: Path) -> Path:
    """Rename it, and keep the last ASIDE of its kind."""
    older = sorted(
        path.parent.glob(f"{path.name}.broken-*"), key=lambda p: int(p.name.rpartition("-")[2])
    )
    number = int(older[-1].name.rpartition("-")[2]) + 1 if older else 1
    for old in older[: max(0, len(older) - ASIDE + 1)]:
        old.unlink()
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    return path.rename(path.with_name(f"{path.name}.broken-{number}"))


def _sentence(exc: Exception, path: Path) -> str:
    """For a person. SQLite's own words hold no value of ours."""
    if isinstance(exc, OSError):
        return f"{path} cannot be written: {exc.strerror}"
    name = getattr(exc, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return f"the disk of {path} is full; make room on it"
    if name.startswith("SQLITE_READONLY"):
        return f"the disk of {path} can only be read; a memory card does that when it is worn out"
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return f"the disk of {path} does not work or takes no file: {exc}"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"another program holds {path}; close it"
    return f"{path} cannot be used: {exc}"
