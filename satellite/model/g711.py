"""G.711, the sound of telephones: one byte for each sample of 8 kHz. Pure.

Python had this in ``audioop`` until 3.12 and has it no longer; every byte and every sample agrees
with it. The tables are built when they are first asked for, in about 30 ms a law.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from functools import cache
from typing import Final, Literal

Law = Literal["ulaw", "alaw"]

_BIAS: Final = 0x84
_ULAW_CLIP: Final = 8159  # of 14 bits
_BIG_ENDIAN: Final = sys.byteorder == "big"


def encode(pcm16le: bytes, law: Law) -> bytes:
    """s16le samples to one byte each; the rate stays. Raises ValueError for half a sample."""
    samples = array("H")
    samples.frombytes(pcm16le)
    if _BIG_ENDIAN:
        samples.byteswap()
    return bytes(map(_encoded(law).__getitem__, samples))


def decode(data: bytes, law: Law) -> bytes:
    """One byte for each sample to s16le; the rate stays."""
    samples = array("h", map(_decoded(law).__getitem__, data))
    if _BIG_ENDIAN:
        samples.byteswap()
    return samples.tobytes()


@cache
def _encoded(law: Law) -> bytes:
    """By the sample's 16 bits, read as an unsigned number."""
    make: Callable[[int], int] = _to_ulaw if law == "ulaw" else _to_alaw
    return bytes(make(sample) for sample in (*range(32_768), *range(-32_768, 0)))


@cache
def _decoded(law: Law) -> tuple[int, ...]:
    make: Callable[[int], int] = _from_ulaw if law == "ulaw" else _from_alaw
    return tuple(make(code) for code in range(256))


def _to_ulaw(sample: int) -> int:
    value = sample >> 2
    mask = 0xFF if value >= 0 else 0x7F
    value = min(abs(value), _ULAW_CLIP) + (_BIAS >> 2)
    segment = value.bit_length() - 6
    if segment > 7:
        return 0x7F ^ mask
    return (segment << 4 | value >> segment + 1 & 0xF) ^ mask


def _to_alaw(sample: int) -> int:
    value = sample >> 3
    mask = 0xD5 if value >= 0 else 0x55
    value = value if value >= 0 else -value - 1
    segment = max(0, value.bit_length() - 5)
    return (segment << 4 | value >> max(segment, 1) & 0xF) ^ mask


def _from_ulaw(code: int) -> int:
    code ^= 0xFF
    value = ((code & 0xF) << 3) + _BIAS << (code >> 4 & 7)
    return _BIAS - value if code & 0x80 else value - _BIAS


def _from_alaw(code: int) -> int:
    code ^= 0x55
    segment = code >> 4 & 7
    value = (code & 0xF) << 4 | 8
    if segment:
        value = value + 0x100 << segment - 1
    return value if code & 0x80 else -value
