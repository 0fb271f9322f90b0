"""What is known about one key of the configuration beside its type and default."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from ipaddress import ip_address
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Setting:
    """What the schema knows about one key beside its type and default."""

    sentence: str
    low: float | None = None
    high: float | None = None
    pattern: str = ""  # the whole text must match; ``wording`` says it for a person
    wording: str = ""
    keep_as: str = ""  # not empty: a secret, and the name to suggest for it in secrets.yaml
    prose: bool = False  # free text: may be empty, may have several lines, is never echoed
    shown: bool = True  # may be echoed
    path: Literal["", "read", "write", "folder"] = ""  # relative to the folder of the configuration
    free: bool = False  # JSON of any form
    active: str = ""  # how the example sets this key; empty: it shows the default, commented out


def setting(default: Any, sentence: str, **known: Any) -> Any:
    """Return a dataclass field with a ``Setting``. Secrets and ``shown=False`` stay out of repr."""
    about = Setting(sentence, **known)
    in_repr = about.shown and not about.keep_as and not about.prose
    return field(default=default, repr=in_repr, metadata={"setting": about})


def says(sentence: str) -> dict[str, Setting]:
    """Return the metadata of a field that holds a section."""
    return {"setting": Setting(sentence)}


def keys_of(kind: type[Any]) -> list[Field[Any]]:
    """Return the fields of a section that a person can write."""
    return [entry for entry in fields(kind) if "setting" in entry.metadata]


def is_loopback(host: str) -> bool:
    """Say whether ``host`` is this machine by its name or address alone; nothing is resolved."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
