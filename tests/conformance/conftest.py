"""The local server with its real engines, loaded once for each worker process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soxr

from satellite.local import background, loading
from satellite.local.engines import Engines


@pytest.fixture(scope="session")
def real_engines() -> Engines:
    return loading.load(lambda _line: None)


@pytest.fixture(scope="session")
def real_server(real_engines: Engines) -> Iterator[str]:
    with background.in_background(real_engines) as url:
        yield url


@pytest.fixture(scope="session")
def say(real_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Words to 24 kHz s16le with 0.3 s before and 1 s after, by another synthesiser (flite)."""
    folder: Path = tmp_path_factory.mktemp("speech")

    def speak(words: str, voice: str = "slt") -> bytes:
        file = folder / "said.wav"
        command = ["flite", "-voice", voice, "-t", words, "-o", str(file)]
        subprocess.run(command, check=True, timeout=30)
        raw = np.frombuffer(file.read_bytes()[44:], "<i2").astype(np.float32)
        pcm = soxr.resample(raw, 16_000, 24_000).astype("<i2").tobytes()
        return bytes(14_400) + pcm + bytes(48_000)

    return speak
