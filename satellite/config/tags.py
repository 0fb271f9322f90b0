"""``!secret``, ``!env`` and ``!credential``: where a text comes from that is not in the file.

A text that was looked up is never echoed; a failed look-up names the place that was searched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final, Literal

from satellite.config.nodes import Mark, Scalar
from satellite.errors import ConfigError

SECRETS_FILE: Final = "secrets.yaml"  # beside the configuration, as Home Assistant has it
_NAME: Final = re.compile("[A-Za-z0-9_.-]{1,64}")


class WrongError(Exception):
    """A value is refused: a sentence without file and key, or one for each of several items.

    ``said`` has the sentences and the place of each, None for where the value begins.
    """

    def __init__(self, *sentences: str, at: Mark | None = None) -> None:
        super().__init__(*sentences)
        self.said: list[tuple[Mark | None, str]] = [(at, sentence) for sentence in sentences]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where tags and relative paths lead."""

    base: str  # the folder of the configuration
    environment: Mapping[str, str] = field(repr=False)
    secrets: Callable[[], Mapping[str, str]] = field(repr=False)  # may raise ConfigError
    credentials: Mapping[str, str] = field(repr=False)
    look: Callable[[Literal["read", "write", "folder"], str], str | None]


def behind_tag(node: Scalar, sources: Sources) -> str:
    """Return the text that ``!secret NAME`` and its like stand for, or raise WrongError."""
    name = node.text
    if not _NAME.fullmatch(name) or name.startswith("sk-"):
        raise WrongError(
            f"has {node.tag} without a proper name; write the name of the value, not the value"
        )
    match node.tag:
        case "!secret":
            return _secret(name, sources)
        case "!env":
            return _environment(name, sources)
        case _:
            return _credential(name, sources)


def _secret(name: str, sources: Sources) -> str:
    path = PurePath(sources.base) / SECRETS_FILE
    try:
        text = sources.secrets().get(name)
    except ConfigError as error:
        raise WrongError(f"!secret {name} cannot be looked up: {error.problems[0]}") from None
    if text is None:
        raise WrongError(
            f'!secret {name} is not in {path}; add a line to that file: {name}: "the value"'
        )
    return text


def _environment(name: str, sources: Sources) -> str:
    text = sources.environment.get(name)
    if text is None:
        raise WrongError(
            f"!env {name} is not set in the environment of this program;"
            f" export {name}, or use !secret"
        )
    return text


def _credential(name: str, sources: Sources) -> str:
    text = sources.credentials.get(name)
    if text is None:
        folder = sources.environment.get("CREDENTIALS_DIRECTORY")
        where = folder or "$CREDENTIALS_DIRECTORY, which is not set"
        raise WrongError(
            f"!credential {name} is not in {where}; give it to the service with systemd's"
            f" LoadCredential={name}:/path/to/file, or use !secret"
        )
    return text
