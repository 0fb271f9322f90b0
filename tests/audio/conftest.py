"""Virtual sound cards, a process that uses it, and a clock that a test turns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from audio_types import Clock, MakeCard, Use
from virtual_card import VirtualCard

USER = Path(__file__).with_name("device_user.py")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_card(tmp_path: Path) -> Iterator[MakeCard]:
    """Make started cards; they are closed after the test."""
    cards: list[VirtualCard] = []

    def make(**options: object) -> VirtualCard:
        folder = tmp_path / f"card{len(cards)}"
        folder.mkdir()
        card = VirtualCard(folder, **options)  # type: ignore[arg-type]
        cards.append(card)
        card.start()
        return card

    yield make
    for card in cards:
        card.close()


@pytest.fixture
def card(make_card: MakeCard) -> VirtualCard:
    """A card of 24 kHz: ``default``, also called ``Virtual Card``."""
    return make_card()


@pytest.fixture
def use() -> Iterator[Use]:
    """Start device_user.py with a card; it is ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(env: dict[str, str], *args: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, str(USER), *args],
            env={**os.environ, **env},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
