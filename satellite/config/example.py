"""``config.example.yaml``, made from the schema: every key, its sentence above it, its default.

Write the file anew with: python -m satellite.config.example > config.example.yaml
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, is_dataclass
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from satellite.config.schema import Config
from satellite.config.setting import Setting, keys_of
from satellite.config.spelling import spelled
from satellite.config.values import one_of, range_of

_WIDTH: Final = 96

_HEAD: Final = """\
# Copy this file, then change what you need:
#
#     cp config.example.yaml config.yaml
#     satellite check -c config.yaml
#
# To get going you need two things: your MQTT broker (mqtt: host, username, password) and a key for
# the conversation (realtime: api_key). Lines like  #volume: 60  show a default: to change one,
# delete the # and keep the spaces before it.
#
# Keys and passwords do not belong in here. They go into a file secrets.yaml beside this one,
#
#     openai_api_key: "your key"
#     mqtt_password: "your password"
#
# made private with  chmod 600 secrets.yaml  and are called here by name: !secret mqtt_password.
# Every text may also come from an environment variable, !env NAME, or from a systemd credential,
# !credential NAME. Relative paths start from the folder of this file.
#
# docs/configuration.md says what changes without a restart, and how an editor completes and checks
# this file (satellite config --schema).
"""


def example() -> str:
    """Return the text of ``config.example.yaml``."""
    return _HEAD + "\n".join(_section(Config, "")) + "\n"


def _section(kind: type[Any], indent: str) -> Iterator[str]:
    kinds = get_type_hints(kind)
    for entry in keys_of(kind):
        inner = kinds[entry.name]
        about: Setting = entry.metadata["setting"]
        if not indent:
            yield ""
        yield from _comment(about, inner, indent)
        if is_dataclass(inner) and isinstance(inner, type):
            yield f"{indent}{entry.name}:"
            yield from _section(inner, indent + "  ")
        else:
            yield f"{indent}{_line(entry, about)}"


def _comment(about: Setting, kind: Any, indent: str) -> list[str]:
    choices = _choices(kind)
    unsaid = [word for word in choices if word not in about.sentence]
    bounds = one_of(choices) if unsaid else range_of(about)
    text = f"{about.sentence.removesuffix('.')} ({bounds})." if bounds else about.sentence
    return textwrap.wrap(
        text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
    )


def _choices(kind: Any) -> list[str]:
    """Return the words that a value can have, ``null`` among them, empty for other kinds."""
    options = get_args(kind) if NoneType in get_args(kind) else (kind,)
    words = [
        word for option in options if get_origin(option) is Literal for word in get_args(option)
    ]
    return [*words, "null"] if words and NoneType in options else words


def _line(entry: Field[Any], about: Setting) -> str:
    if about.active:
        return f"{entry.name}: {about.active}"
    if about.keep_as:
        return f"#{entry.name}: !secret {about.keep_as}"
    assert entry.default is not MISSING
    return f"#{entry.name}: {spelled(entry.default)}"


if __name__ == "__main__":
    print(example(), end="")
