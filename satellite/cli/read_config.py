"""The files, the environment and the credentials of a configuration, read for the pure loader."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Final, Literal

from satellite.config.former import FORMER, renewed
from satellite.config.loader import load, load_secrets, warnings
from satellite.config.nodes import MAX_BYTES, Mapping, Node, UnreadableError, parse
from satellite.config.schema import Config
from satellite.config.tags import SECRETS_FILE
from satellite.errors import ConfigError

log = logging.getLogger(__name__)

_EXAMPLE: Final = "config.example.yaml"


def today() -> date:
    """The date here, for models that end on one."""
    return datetime.now().astimezone().date()


def read_config(path: Path, today: date, warn: Callable[[str], None] = log.warning) -> Config:
    """Return the configuration in the file ``path`` or raise ConfigError with all its problems.

    ``warn`` is told what is not wrong but should be known ``today``. Looks at the disk for every
    file that the configuration names. Does not open devices or sockets.
    """
    folder = path.absolute().parent
    advice = "check its permissions"
    with contextlib.suppress(OSError):  # in a folder that we may not look into
        if not path.exists():
            advice = f"cp {_EXAMPLE} {path}, then edit it"
        elif path.is_dir():
            advice = f"name the file in it: -c {path / 'config.yaml'}"
    config = load(
        _read(path, path.name, advice),
        source=path.name,
        base=str(folder),
        environment=os.environ,
        secrets=lambda: _read_secrets(folder / SECRETS_FILE),
        credentials=_read_credentials(os.environ.get("CREDENTIALS_DIRECTORY", "")),
        look=look,
    )
    for sentence in warnings(config, source=path.name, today=today):
        warn(sentence)
    return config


def written(path: Path) -> tuple[Node | None, dict[str, int]]:
    """Return what the file ``path`` holds, and the line of each name in the secrets beside it.

    Both were read before without a problem. A file that was changed since may raise ConfigError.
    """
    secrets = path.absolute().parent / SECRETS_FILE
    try:
        root = parse(_read(path, path.name, ""))
        beside = parse(_read(secrets, secrets.name, "")) if secrets.exists() else None
    except UnreadableError as error:
        raise ConfigError([f"{path.name}: has changed just now, and {error.sentence}"]) from None
    pairs = beside.pairs if isinstance(beside, Mapping) else ()
    if root is not None:
        root = renewed(root, FORMER)
    return root, {name.text: name.mark.line for name, _ in pairs}


def look(use: Literal["read", "write", "folder"], path: str) -> str | None:
    """Say what is wrong with what will be read or written, None when nothing is."""
    try:
        return _look(use, Path(path), path)
    except OSError as error:  # such as a private folder of another user
        return f"cannot be looked at ({(error.strerror or 'error').lower()}); check its permissions"


def _look(use: Literal["read", "write", "folder"], file: Path, path: str) -> str | None:
    if use == "read":
        if not file.exists():
            return f"does not exist (looked for {path})"
        if not file.is_file():
            return "is not a file"
        return None if os.access(file, os.R_OK) else "is not readable; check its permissions"
    if use == "folder":
        return "is not a folder" if file.exists() and not file.is_dir() else None
    if not file.parent.is_dir():
        return f"is in a folder that does not exist; make it with mkdir -p {file.parent}"
    if file.is_dir():
        return "is a folder; add the name of a file"
    target = file if file.exists() else file.parent
    return None if os.access(target, os.W_OK) else "cannot be written; check the permissions"


def _read(path: Path, source: str, advice: str) -> str:
    """Return the text of ``path``, at most one byte too much of it, or raise ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        # Cut off, the last character may be half a one; load() says that it is all too long.
        return data.decode("utf-8", "strict" if len(data) <= MAX_BYTES else "replace")
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise ConfigError([f"{source}: cannot be read ({reason}); {advice}"]) from None
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ConfigError([f"{source}:{line}:{column}: is not UTF-8; save it as UTF-8"]) from None


def _read_secrets(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    if path.stat().st_mode & stat.S_IROTH:
        log.warning("%s can be read by everybody on this machine; run: chmod 600 %s", path, path)
    return load_secrets(_read(path, path.name, "check its permissions"), source=path.name)


def _read_credentials(folder: str) -> dict[str, str]:
    """Return what systemd gave this service. What is not text is not there."""
    if not folder or not Path(folder).is_dir():
        return {}
    found = {}
    for file in Path(folder).iterdir():
        try:
            found[file.name] = _read(file, file.name, "").removesuffix("\n")
        except ConfigError:
            log.warning("credential %s is not readable text", file.name)
    return found
