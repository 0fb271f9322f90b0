"""Tells systemd that we are ready, how we are, and that we are alive: sd_notify(3) in plain Python.

It decides nothing. Outside systemd every method does nothing, and no method ever raises or waits:
a full or vanished socket costs one message, never a frame of sound.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Notifier:
    """Any thread may call it: each message is one datagram over its own short-lived socket."""

    address: str | None = None
    """Where systemd listens; None outside systemd."""
    interval_s: float | None = None
    """How often ``watchdog`` is due: a third of what systemd allows. None: nobody watches us."""

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Self:
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID as systemd sets them."""
        address = env.get("NOTIFY_SOCKET", "")
        if address.startswith("@"):  # an abstract socket: its name begins with a zero byte
            address = "\0" + address[1:]
        elif not address.startswith("/"):
            return cls()
        return cls(address, _watchdog_interval(env))

    def ready(self, status: str) -> None:
        """The start is over; units that wait for us may go on."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={_line(text)}")

    def watchdog(self) -> None:
        """We are alive. Due every ``interval_s``; without it systemd starts us anew."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """We are on our way out, on purpose."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self.address is None:
            return
        # ValueError: a path with a zero byte, or text that is no Unicode
        with (
            contextlib.suppress(OSError, ValueError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)
            sock.connect(self.address)
            sock.send(message.encode())


def _watchdog_interval(env: Mapping[str, str]) -> float | None:
    """None unless systemd watches this very process: a child inherits the variables only."""
    if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(env.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds / 3e6 if microseconds > 0 else None


def _line(text: str) -> str:
    """One line: a line break would begin another instruction to systemd."""
    return " ".join(text.split())
