"""G.711: every code and every sample, against sums of what Python's audioop made of them."""

from __future__ import annotations

import zlib
from array import array

import pytest

from satellite.model import g711
from satellite.model.g711 import Law

SAMPLES = array("h", range(-32_768, 32_768)).tobytes()


@pytest.mark.parametrize(
    ("law", "encoded", "decoded"),
    [("ulaw", 0x3B7C3A3E, 0xC847A9F), ("alaw", 0x9133796E, 0x9D764657)],
)
def test_every_sample_and_every_code(law: Law, encoded: int, decoded: int) -> None:
    assert zlib.crc32(g711.encode(SAMPLES, law)) == encoded
    assert zlib.crc32(g711.decode(bytes(range(256)), law)) == decoded


@pytest.mark.parametrize(("law", "silence"), [("ulaw", b"\xff"), ("alaw", b"\xd5")])
def test_silence_is_what_the_standard_calls_silence(law: Law, silence: bytes) -> None:
    assert g711.encode(bytes(2), law) == silence
    assert max(abs(sample) for sample in array("h", g711.decode(silence, law))) <= 8


def test_half_a_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match="multiple"):
        g711.encode(b"\0", "ulaw")
