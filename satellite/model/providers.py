"""Who sells or gives away Realtime sessions, and in what each differs from the protocol. Pure.

One row each, of the providers' reference pages (realtime-protocol.md 1.1, 1.8 and 1.9). What is
different goes into the row; nobody else asks who the provider is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Dialect = Literal["ga", "beta"]
Name = Literal["openai", "azure", "xai", "local", "compatible"]
Models = Literal["service", "like the service", "own"]

OPENAI_URL: Final = "wss://api.openai.com/v1/realtime"
LOCAL_URL: Final = "ws://127.0.0.1:8765/v1/realtime"  # where ``satellite serve`` listens
VOICES: Final = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse",
)  # fmt: skip
BEARER: Final = "Authorization: Bearer "


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    ``url`` is its address, empty where the owner must write one such as ``example``. ``host`` is
    the end of the host's name that is this provider's alone. ``header`` stands before the key.
    ``models``: names mean the service's own models, or those with the same names behave alike, or
    they are the owner's and mean nothing to us. ``top_level``: voice and turn_detection stand at
    the top of the session. ``opens_with_conversation``: ``conversation.created`` may be the only
    word that says that there is a session. ``fixed_formats``: sound is PCM only. ``voices`` are
    those that are known, none where they are the server's own affair.
    """

    url: str = ""
    example: str = "wss://server.example/v1/realtime"
    host: str = ""
    header: str = BEARER
    needs_key: bool = True
    dialects: tuple[Dialect, ...] = ("ga", "beta")
    models: Models = "like the service"
    transcription: bool = True
    top_level: bool = False
    opens_with_conversation: bool = False
    fixed_formats: bool = False
    voices: tuple[str, ...] = ()


PROVIDERS: Final[dict[Name, Provider]] = {
    "openai": Provider(
        OPENAI_URL,
        example=OPENAI_URL,
        host="api.openai.com",
        dialects=("ga",),
        models="service",
        voices=VOICES,
    ),
    "azure": Provider(
        example="wss://RESOURCE.openai.azure.com/openai/v1/realtime",
        host=".openai.azure.com",
        header="api-key: ",
        models="own",  # names of deployments
        voices=VOICES,
    ),
    "xai": Provider(
        "wss://api.x.ai/v1/realtime",
        example="wss://api.x.ai/v1/realtime",
        host="api.x.ai",
        dialects=("ga",),
        models="own",
        transcription=False,
        top_level=True,
        opens_with_conversation=True,
        fixed_formats=True,
    ),
    "local": Provider(LOCAL_URL, example=LOCAL_URL, needs_key=False, voices=VOICES),
    "compatible": Provider(needs_key=False),
}


def owner_of(host: str) -> Name | None:
    """Whose host this is by its name alone; None where it is nobody's in particular."""
    host = host.lower().rstrip(".")
    for name, row in PROVIDERS.items():
        if row.host and (host == row.host or (row.host[0] == "." and host.endswith(row.host))):
            return name
    return None
