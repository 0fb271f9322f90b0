"""Fixtures of the local server's tests; what they are made of is in local_bench.py."""

from __future__ import annotations

import pytest
from local_bench import Client, FakeRecogniser, FakeResponder, FakeSynthesiser, LoudnessDetector

from satellite.local.engines import Engines


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def fake_engines() -> Engines:
    return Engines(FakeRecogniser(), FakeResponder(), FakeSynthesiser(), LoudnessDetector)
