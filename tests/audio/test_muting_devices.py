"""Muted means that the device is closed: by the word of the kernel, through real PortAudio (P7)."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from audio_types import Use
from virtual_card import VirtualCard

SECOND = 24_000 * 2


def until(user: subprocess.Popen[bytes], event: str) -> int:
    """Read events up to the first of that name; return how many bytes were heard before it."""
    assert user.stdout is not None
    heard = 0
    while line := user.stdout.readline():
        name, size = line.decode().split()
        heard += int(size)
        if name == event:
            return heard
    raise AssertionError(f"no {event} came: {user.communicate()}")


def order(user: subprocess.Popen[bytes], what: str) -> None:
    assert user.stdin is not None
    user.stdin.write(what.encode() + b"\n")
    user.stdin.flush()


def has_open(user: subprocess.Popen[bytes], folder: str) -> bool:
    """Does the process hold the device? The kernel's list of its open files says so."""
    held = []
    for entry in Path(f"/proc/{user.pid}/fd").iterdir():
        try:
            held.append(str(entry.readlink()))
        except FileNotFoundError:  # closed in between
            continue
    return any(path.startswith(folder) and path.endswith("/mic") for path in held)


def test_p7_the_device_is_closed_within_200_ms_and_nothing_is_heard(
    card: VirtualCard, use: Use, tmp_path: Path
) -> None:
    user = use(card.env, "listen", "default")
    until(user, "Heard")
    took = []
    for _ in range(5):
        assert has_open(user, str(tmp_path))
        card.feed(b"\x10\x00" * 24_000)
        until(user, "Heard")
        before = time.monotonic()
        order(user, "mute")
        until(user, "MicClosed")
        took.append(time.monotonic() - before)
        assert not has_open(user, str(tmp_path)), "closed when it says so"
        time.sleep(0.2)  # what a pipe holds is written by then, if anybody reads it
        waiting = card.unheard()
        time.sleep(0.2)
        assert card.unheard() == waiting > 0, "somebody captures"
        order(user, "unmute")
        assert until(user, "MicReady") == 0, "something was heard while it was muted"
        until(user, "Heard")
    assert min(took) < 0.2, "and a busy machine"


def test_p7_muted_at_the_start_the_device_is_never_opened(
    card: VirtualCard, use: Use, tmp_path: Path
) -> None:
    user = use(card.env, "listen", "default", "muted")
    until(user, "MicClosed")
    card.feed(b"\x10\x00" * 24_000)
    time.sleep(0.3)
    assert not has_open(user, str(tmp_path))
    assert card.unheard() >= SECOND - 4096, "no more than the pipe holds"
    order(user, "unmute")
    until(user, "MicReady")
    assert has_open(user, str(tmp_path))
