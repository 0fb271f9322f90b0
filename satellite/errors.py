"""Errors, named by what the reader does differently.

- SatelliteError
    - SetupError        this machine or installation lacks something: exit 78
        - ConfigError   one or more problems in the configuration: exit 78
    - TakenError          another daemon has what only one can have: exit 75
    - StoreError          the disk does not take or give: we go on in memory, shown as a problem
    - DeviceError       a microphone or speaker failed: retried, shown as a problem
    - RecordingError    a recording cannot be read: exit 78 in a configuration, 2 on a command line
    - SecretError       a secret for a connection cannot be had: the connection is tried again
    - ProtocolError     the other side sent what its protocol forbids: counted, ignored

Every text is one sentence or two for the person who can act: what, where, found against expected,
what to do. No text holds a key, a transcript or an instruction.
"""

from __future__ import annotations

from typing import Literal

Why = Literal["missing", "stalled", "busy", "failed"]
"""A device is not there, gives or takes nothing any more, is held by another program; or we failed
in a way that nobody foresaw."""


class SatelliteError(Exception):
    """Base of all errors that carry a sentence for a person."""


class SetupError(SatelliteError):
    """Something that a person must install, plug in or set up before this can work."""


class ConfigError(SetupError):
    """The configuration is wrong. ``problems`` has one sentence each, in file order."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class TakenError(SatelliteError):
    """Another process has the state directory."""


class StoreError(SatelliteError):
    """What must last could not be written or read now. ``reopen``: nor with the file as it is."""

    def __init__(self, sentence: str, *, reopen: bool = False) -> None:
        self.reopen = reopen
        super().__init__(sentence)


class DeviceError(SatelliteError):
    """A sound device could not be opened or stopped working.

    ``why``: it is not there, gives or takes nothing any more, or another program has it.
    """

    def __init__(self, sentence: str, why: Why = "missing") -> None:
        self.why: Why = why
        super().__init__(sentence)


class RecordingError(SatelliteError):
    """A recording is missing, unreadable or not audio."""


class SecretError(SatelliteError):
    """No secret for a connection. ``status`` is the HTTP status of a server that refused."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(sentence)


class ProtocolError(SatelliteError):
    """A message from outside breaks its protocol. Never holds the message's content."""
