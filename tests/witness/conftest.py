"""The daemon and a server that says what foreign servers were seen to say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from foreign_tables import in_beta
from quick import Satellite, Witness, running
from replay import Server, serving

from satellite.config.schema import Config


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Witness:
    """The daemon against a server that says what the tables say; the last table goes on.

    In dialect beta both use its names.
    """

    @contextmanager
    def run(
        *tables: str, config: Config | None = None, dialect: str = "ga", **realtime: Any
    ) -> Iterator[tuple[Server, Satellite]]:
        said = [in_beta(table) if dialect == "beta" else table for table in tables]
        with (
            serving(*said) as server,
            running(monkeypatch, server.url, config, dialect=dialect, **realtime) as it,
        ):
            yield server, it

    return run
