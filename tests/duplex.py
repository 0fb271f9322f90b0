"""The daemon's threads use both devices at once; every sample of both directions is followed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from known_sound import Follower
from pulse_card import PulseCard

SECOND: Final = 48_000  # bytes
USER: Final = Path(__file__).parent / "audio" / "duplex_user.py"


class Duplex:
    """One run. ``heard`` and ``played`` are followed by two threads, sample by sample."""

    def __init__(self, card: PulseCard, seconds: float, *, tell_s: float = float("inf")) -> None:
        self.card, self.seconds, self.tell_s = card, seconds, tell_s
        self.heard, self.played = Follower(), Follower()
        pipe = subprocess.PIPE
        self.user = subprocess.Popen(
            [sys.executable, str(USER), "default", str(seconds)],
            env={**os.environ, **card.env},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        self._ear = threading.Thread(target=self._hear)

    def run(self) -> str:
        """Until both directions are through; return what the program said of itself."""
        with self.user:
            self._ear.start()
            try:
                self._follow()
                assert self.user.stdin is not None
                self.user.stdin.close()
                self.user.wait(20)
            finally:
                self.user.kill()
                self._ear.join(10)
            assert self.user.stderr is not None
            return self.user.stderr.read().decode().strip()

    def _follow(self) -> None:
        """Feed, and listen, until all has been played or nothing can come any more."""
        began = told = time.monotonic()
        while self.played.tally.right < (self.seconds - 0.1) * 24_000:
            if self.card.unheard() < SECOND:
                self.card.feed(self.heard.sound)
            time.sleep(0.1)
            self.played.hear(self.card.take_played())
            now = time.monotonic()
            if now - told > self.tell_s:
                told = now
                print(f"{now - began:6.0f} s  {self}", flush=True)
            if now - began > self.seconds * 1.1 + 20 or self.user.poll() is not None:
                return

    def __str__(self) -> str:
        return f"heard: {self.heard.tally}; played: {self.played.tally}"

    def _hear(self) -> None:
        assert self.user.stdout is not None
        while piece := self.user.stdout.read(4800):
            self.heard.hear(piece)
