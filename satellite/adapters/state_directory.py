"""The one folder on the disk that is ours: where it is, that it is safe, that nobody shares it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from satellite.errors import SetupError, TakenError

LOCK: Final = "lock"
_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def find(configured: str | None, name: str, environment: Mapping[str, str]) -> Path:
    """Where it is: as configured, as systemd says, or in the user's home by the name of ours."""
    if configured:
        return Path(configured)
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    state = environment.get("XDG_STATE_HOME")
    home = Path(state) if state and Path(state).is_absolute() else Path.home() / ".local/state"
    return home / "realtime-satellite" / name


def claim(path: Path) -> int:
    """Make it where it is missing, look at it, lock it until the process ends.

    Returns the lock. Raises SetupError when it is not safe to use, TakenError when it is in use.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check(path)
        path.chmod(0o700)
        lock = os.open(path / LOCK, _OPEN, 0o600)
    except FileExistsError:
        raise SetupError(f"state_dir: {path} is not a folder; name another one") from None
    except OSError as exc:
        raise SetupError(
            f"state_dir: {path} cannot be used: {exc.strerror}; name a folder that this user"
            " can write to"
        ) from exc
    return _lock(lock, path)


def _check(path: Path) -> None:
    """A folder of ours that nobody else can write to, and reached by no link of another user."""
    us, link = os.geteuid(), path.lstat()
    # systemd's DynamicUser= makes a link, and it is root's
    if stat.S_ISLNK(link.st_mode) and link.st_uid != 0:
        raise SetupError(f"state_dir: {path} is a symbolic link; name the folder itself")
    folder = path.stat()
    if not stat.S_ISDIR(folder.st_mode):
        raise SetupError(f"state_dir: {path} is not a folder; name another one")
    if folder.st_uid != us:
        raise SetupError(
            f"state_dir: {path} belongs to user {folder.st_uid}, we run as {us};"
            f" chown it or name another folder"
        )
    if folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SetupError(
            f"state_dir: others can write to {path}; look at what is in it, then chmod 700 {path}"
        )


def _lock(lock: int, path: Path) -> int:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise TakenError(
            f"another satellite, process {pid}, uses {path}; stop it, or give each a state_dir"
            " of its own"
        ) from None
    with contextlib.suppress(OSError):  # a disk that is full: the number is for people only
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
