"""The local server with its real engines, loaded once for each worker process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import satellite
from satellite.adapters import recording
from satellite.local import background, loading
from satellite.local.engines import Engines
from satellite.model.audio import silence

DEMO = Path(satellite.__file__).parent / "demo"


@pytest.fixture(scope="session")
def real_engines() -> Engines:
    return loading.load(lambda _line: None)


@pytest.fixture(scope="session")
def real_server(real_engines: Engines) -> Iterator[str]:
    with background.in_background(real_engines) as url:
        yield url


@pytest.fixture(scope="session")
def say() -> Callable[[str], bytes]:
    """A request of the demo, as recorded: 24 kHz s16le, 0.3 s before it and 1 s after it."""
    rows = [line.split("\t") for line in (DEMO / "requests.tsv").read_text().splitlines()]
    files = {row[1]: DEMO / row[0] for row in rows}
    return lambda words: silence(300) + recording.load(files[words]) + silence(1000)
