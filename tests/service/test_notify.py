"""sd_notify against a real datagram socket, as systemd holds it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from satellite.adapters.systemd import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(2)
        yield sock


def _notifier(manager: socket.socket) -> Notifier:
    return Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()})


def test_each_message_is_one_datagram_in_order(manager: socket.socket) -> None:
    notifier = _notifier(manager)
    notifier.ready("listening")
    notifier.status("thinking")
    notifier.watchdog()
    notifier.stopping()
    assert [manager.recv(1000) for _ in range(4)] == [
        b"READY=1\nSTATUS=listening",
        b"STATUS=thinking",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]


def test_an_abstract_socket_is_reached() -> None:
    name = f"satellite-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        sock.settimeout(2)
        Notifier.from_environment({"NOTIFY_SOCKET": "@" + name}).watchdog()
        assert sock.recv(1000) == b"WATCHDOG=1"


def test_a_status_cannot_carry_a_second_instruction(manager: socket.socket) -> None:
    _notifier(manager).status("no broker\nMAINPID=1\r\n")
    assert manager.recv(1000) == b"STATUS=no broker MAINPID=1"


@pytest.mark.parametrize("address", [None, "", "relative/path", "vsock:2:1234"])
def test_without_a_socket_nothing_happens(address: str | None) -> None:
    env = {"WATCHDOG_USEC": "30000000"} | ({} if address is None else {"NOTIFY_SOCKET": address})
    notifier = Notifier.from_environment(env)
    notifier.ready("listening")
    notifier.watchdog()
    assert notifier == Notifier(address=None, interval_s=None)


@pytest.mark.parametrize("address", ["/nowhere/notify", "/" + "x" * 300, "/a\0b", "/tmp"])
def test_a_socket_that_is_gone_raises_nothing(address: str) -> None:
    Notifier.from_environment({"NOTIFY_SOCKET": address}).watchdog()


def test_text_that_is_no_unicode_raises_nothing(manager: socket.socket) -> None:
    _notifier(manager).status("\udc80")


def test_a_manager_that_never_reads_does_not_hold_us_up(manager: socket.socket) -> None:
    notifier = _notifier(manager)
    start = time.monotonic()
    for _ in range(2000):  # the kernel queues 10 to 512 datagrams
        notifier.watchdog()
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("variables", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_at_a_third_of_what_systemd_allows(
    variables: dict[str, str], interval_s: float | None
) -> None:
    env = {"NOTIFY_SOCKET": "/run/systemd/notify"} | variables
    assert Notifier.from_environment(env).interval_s == interval_s
