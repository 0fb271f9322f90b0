"""What must last, on a real disk: a whole file, a broken one, a full one, a newer one."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from satellite.adapters import outbox
from satellite.adapters.outbox import Outbox, open_outbox
from satellite.adapters.state_directory import claim, find
from satellite.errors import SetupError, StoreError, TakenError
from satellite.model.ports import Message, Stored

NOW = 1_795_248_000.0
HOUR = 3600.0


def row(seq: int, text: bytes = b"{}", created: float = NOW, topic: str = "s/transcript") -> Stored:
    return Stored(Message(topic, text, 1, False, 120, seq), created)


Open = Callable[..., Outbox]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    made: list[Outbox] = []

    def make(hours: float = 24, folder: Path = tmp_path) -> Outbox:
        store, said = open_outbox(folder, hours * HOUR)
        assert said is None
        made.append(store)
        return store

    yield make
    for one in made:
        one.close()


def seqs(rows: list[Stored]) -> list[int | None]:
    return [stored.message.seq for stored in rows]


def test_what_was_written_is_there_again(opened: Open) -> None:
    store = opened()
    assert (store.last_seq(), store.values(), store.waiting()) == (0, {}, [])
    kept = Stored(Message("s/turn", b'{"n":2}', 1, True, None, 2), NOW + 0.5)
    store.write([row(1), kept], {1: "delivered"}, {"muted": True, "usage": {"day": [1, 2.5]}})
    store.write((), {}, {"muted": None, "text": "ä"})
    store.close()
    store = opened()
    assert store.last_seq() == 2
    assert store.values() == {"usage": {"day": [1, 2.5]}, "text": "ä"}
    assert store.waiting() == [kept]
    assert store.since(1, 10) == [row(1), kept]
    assert seqs(store.since(1, 1)) == [1]
    assert seqs(store.since(2, 10)) == [2]


def test_all_of_a_commit_or_nothing(opened: Open) -> None:
    store = opened()
    store.write([row(1)])
    with pytest.raises(StoreError):
        store.write([row(2), row(1)], {}, {"muted": True})
    assert (store.last_seq(), store.values()) == (1, {})


def test_the_journal_forgets_by_age_and_keeps_what_waits(opened: Open) -> None:
    store = opened()
    store.write([row(1), row(2, created=NOW + HOUR), row(3), row(4, created=NOW + HOUR)])
    store.write((), {1: "delivered", 2: "expired", 4: "delivered"})
    assert store.tidy(NOW + 23 * HOUR) == NOW + 24 * HOUR
    assert store.tidy(NOW + 24 * HOUR) == NOW + 25 * HOUR
    assert seqs(store.since(0, 10)) == [2, 3, 4]
    assert store.tidy(NOW + 25 * HOUR) is None
    assert seqs(store.since(0, 10)) == [3]
    assert store.last_seq() == 4


def test_the_journal_forgets_what_a_wrong_clock_wrote(opened: Open) -> None:
    store = opened()
    store.write([row(1, created=NOW + 900 * HOUR), row(2)], {1: "delivered"})
    store.tidy(NOW)
    assert seqs(store.since(0, 10)) == [2]


def test_the_journal_forgets_by_number_and_by_size(opened: Open) -> None:
    store = opened()
    many = range(1, outbox.MOST_JOURNAL + 11)
    store.write([row(seq) for seq in many], dict.fromkeys(many, "delivered"))
    store.tidy(NOW)
    assert len(store.since(0, 9999)) == outbox.MOST_JOURNAL
    assert seqs(store.since(0, 1)) == [11]
    big = range(3001, 3003)
    size = outbox.MOST_JOURNAL_BYTES // 2 + 1
    store.write([row(seq, b"x" * size) for seq in big], dict.fromkeys(big, "delivered"))
    store.tidy(NOW)
    assert seqs(store.since(0, 9999)) == [3002]


def test_without_a_journal_only_the_number_of_what_ended_is_left(
    opened: Open, tmp_path: Path
) -> None:
    store = opened(hours=0)
    store.write([row(1, b"canary-1"), row(2, b"canary-2"), row(3, b"canary-3")])
    store.write((), {1: "delivered", 3: "expired"})
    assert seqs(store.since(0, 10)) == [2]
    store.write((), {2: "delivered"})
    assert store.since(0, 10) == store.waiting() == []
    assert store.last_seq() == 3
    store.close()
    assert b"canary" not in (tmp_path / outbox.FILE).read_bytes()
    assert opened(hours=0).last_seq() == 3


@pytest.mark.parametrize("hours", [0, 24])
def test_what_is_forgotten_stands_in_no_file(opened: Open, tmp_path: Path, hours: int) -> None:
    store = opened(hours=hours)
    store.write([row(1, b"canary-1"), row(2, b"canary-2")])
    store.write((), {1: "delivered", 2: "delivered"})
    store.tidy(NOW + hours * HOUR)
    assert not any(b"canary" in path.read_bytes() for path in tmp_path.iterdir())
    store.write([row(3, b"tidings")])
    store.close()
    assert seqs(opened(hours=hours).since(0, 9)) == [3]


def test_what_was_forgotten_before_a_power_cut_stands_in_no_file(
    opened: Open, tmp_path: Path
) -> None:
    store = opened(hours=0)
    store.write([row(1, b"canary-1"), row(2)])
    store.write((), {1: "delivered"})
    cut = tmp_path / "cut"
    cut.mkdir()
    for path in list(tmp_path.glob(f"{outbox.FILE}*")):
        (cut / path.name).write_bytes(path.read_bytes())
    assert seqs(opened(0, cut).waiting()) == [2]
    assert not any(b"canary" in path.read_bytes() for path in cut.iterdir())


def test_nothing_is_written_while_nothing_is_due(opened: Open, tmp_path: Path) -> None:
    store = opened()
    store.write([row(1)], {1: "delivered"})
    store.tidy(NOW)
    before = [(path.name, path.stat().st_mtime_ns) for path in sorted(tmp_path.iterdir())]
    for hour in range(20):
        store.tidy(NOW + hour * HOUR)
    assert before == [(path.name, path.stat().st_mtime_ns) for path in sorted(tmp_path.iterdir())]


def test_the_log_is_carried_over_and_does_not_grow(opened: Open, tmp_path: Path) -> None:
    store = opened()
    for seq in range(1, 801):
        store.write([row(seq, b"x" * 500)])
        store.write((), {seq: "delivered"})
        if seq % 50 == 0:
            store.tidy(NOW)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes["outbox.db-wal"] < 4 << 20
    assert sum(sizes.values()) < 16 << 20


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b"hello, I am no database\n" * 1000),
        lambda path: path.write_bytes(b"SQLite format 3\0" + os.urandom(20_000)),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: _sql(path, "drop table rows"),
        lambda path: _sql(path, "alter table rows drop column fate"),
        lambda path: _sql(path, "pragma user_version=0"),
    ],
    ids=["text", "noise", "torn", "no table", "no column", "another's"],
)
def test_a_broken_file_is_moved_aside_and_said(
    tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    path = tmp_path / outbox.FILE
    for n in range(1, 5):
        store, _ = open_outbox(tmp_path, HOUR)
        store.write([row(seq, b"x" * 3000) for seq in range(1, 20)])
        store.close()
        harm(path)
        store, said = open_outbox(tmp_path, HOUR)
        assert said is not None
        assert f"is now outbox.db.broken-{n}" in said
        assert store.waiting() == []
        store.close()
        store, said = open_outbox(tmp_path, HOUR)
        assert said is None
        store.close()
    aside = sorted(each.name for each in tmp_path.glob("*.broken-*"))
    assert aside == ["outbox.db.broken-3", "outbox.db.broken-4"]


def _sql(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def test_a_kept_value_that_cannot_be_read_costs_no_other(
    opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened()
    store.write(values={"muted": True, "usage": {"day": 1}})
    store.close()
    _sql(tmp_path / outbox.FILE, "update kept set value = '{\"da' where name = 'usage'")
    assert opened().values() == {"muted": True}
    assert "keeps as usage cannot be read" in caplog.text


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    open_outbox(tmp_path, HOUR)[0].close()
    path = tmp_path / outbox.FILE
    _sql(path, "pragma user_version=2")
    before = path.read_bytes()
    with pytest.raises(SetupError, match=r"newer version of this program \(2, this one knows 1\)"):
        open_outbox(tmp_path, HOUR)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [outbox.FILE]


def test_a_file_at_its_limit_forgets_the_oldest_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_PAGES", 300)
    store, _ = open_outbox(tmp_path, HOUR)
    store.write([row(1)])
    for seq in range(2, 500):
        store.write([row(seq, b"x" * 2000)], {seq - 1: "delivered"} if seq > 2 else {})
    assert seqs(store.waiting()) == [1, 499]
    assert len(store.since(0, 999)) > 20
    store.write((), dict.fromkeys((1, 499), "delivered"))
    with pytest.raises(StoreError, match="is full"):
        store.write([row(seq, b"x" * 2000) for seq in range(500, 1000)])
    assert store.last_seq() == 499
    store.close()


def run(script: str, folder: Path, **more: object) -> str:
    """Run it in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        **more,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


USE = """
    import sys, time
    from pathlib import Path
    from satellite.adapters.outbox import open_outbox
    from satellite.errors import StoreError
    from satellite.model.ports import Message, Stored
    folder = Path(sys.argv[1])
    def row(seq, size):
        return Stored(Message("s/t", b"x" * size, 1, False, 120, seq), time.time())
"""


def test_a_disk_that_takes_no_more_is_said_and_loses_nothing(tmp_path: Path) -> None:
    """The kernel refuses to let any file grow: what a full disk does, without one."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    said = run(
        f"""{USE}
    store, _ = open_outbox(folder, 3600.0)
    seq = 0
    try:
        while True:
            seq += 1
            store.write([row(seq, 4000)])
    except StoreError as exc:
        print(seq, exc)
    """,
        tmp_path,
        preexec_fn=limit,
    )
    count, _, sentence = said.partition(" ")
    assert int(count) > 100
    assert "the disk of" in sentence
    store, anew = open_outbox(tmp_path, HOUR)
    assert anew is None
    assert len(store.waiting()) == int(count) - 1
    store.close()


def test_a_disk_that_can_only_be_read_now_is_said(opened: Open) -> None:
    store = opened()
    store.write([row(1)])
    store._db.execute("pragma query_only=on")
    with pytest.raises(StoreError, match="can only be read"):
        store.write([row(2)])
    assert seqs(store.waiting()) == [1]


def test_a_disk_that_takes_no_file_is_said(tmp_path: Path) -> None:
    open_outbox(tmp_path, HOUR)[0].close()
    (tmp_path / outbox.FILE).chmod(0o444)
    tmp_path.chmod(0o555)
    said = run(
        f"""{USE}
    import os
    os.chdir(folder)
    os.setuid(65_534 if os.getuid() == 0 else os.getuid())  # to root all can be written
    folder = Path(".")
    try:
        store, _ = open_outbox(folder, 3600.0)
        store.write([row(1, 10)])
        print("written")
    except (StoreError, OSError) as exc:
        print(type(exc).__name__, exc)
    """,
        tmp_path,
    )
    tmp_path.chmod(0o755)
    assert said.startswith("StoreError")
    assert "disk of" in said


# --- the folder -------------------------------------------------------------------------------


def test_where_it_is() -> None:
    assert find("/x/y", "k", {"STATE_DIRECTORY": "/z"}) == Path("/x/y")
    assert find(None, "k", {"STATE_DIRECTORY": "/var/lib/satellite"}) == Path("/var/lib/satellite")
    assert find(None, "k", {"XDG_STATE_HOME": "/s"}) == Path("/s/realtime-satellite/k")
    assert find(None, "k", {}) == Path.home() / ".local/state/realtime-satellite/k"


def test_it_is_made_and_nobody_else_may_look(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    os.close(claim(folder))
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    os.close(claim(folder))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_two_cannot_have_it(tmp_path: Path) -> None:
    lock = claim(tmp_path / "state")
    with pytest.raises(TakenError, match=f"process {os.getpid()}, uses"):
        claim(tmp_path / "state")
    os.close(lock)
    os.close(claim(tmp_path / "state"))


def test_a_disk_that_is_full_at_the_start_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    lock = claim(tmp_path / "state")
    with pytest.raises(TakenError, match="process unknown, uses"):
        claim(tmp_path / "state")
    os.close(lock)


def test_what_is_not_safe_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="is not a folder"):
        claim(tmp_path / "file")
    real.chmod(0o777)
    with pytest.raises(SetupError, match="others can write"):
        claim(real)
    real.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(real, 65_534, -1)
        with pytest.raises(SetupError, match="belongs to user 65534, we run as 0"):
            claim(real)
        os.chown(real, 0, -1)
    link = tmp_path / "link"
    link.symlink_to(real)
    if os.geteuid() == 0:
        os.close(claim(link))  # root's, as systemd makes one
        os.chown(link, 65_534, -1, follow_symlinks=False)
    with pytest.raises(SetupError, match="is a symbolic link"):
        claim(link)


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / outbox.FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SetupError, match="is no plain file"):
        open_outbox(tmp_path, HOUR)
