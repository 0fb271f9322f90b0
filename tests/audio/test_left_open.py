"""What a library forgot to close is given back to the kernel, and nothing else is."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import pytest

from satellite.adapters.portaudio import left_open


def mapped(file: int) -> int:
    """Map a page as a library in C does; Python does not know of it. Returns its address."""
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    address = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, file, 0)
    assert address != ctypes.c_void_p(-1).value
    return int(address)


def maps(path: Path) -> list[str]:
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line]


@pytest.mark.parametrize("pulled", [False, True])
def test_a_forgotten_device_is_closed_and_unmapped_and_no_other(
    tmp_path: Path, pulled: bool
) -> None:
    folder = f"{tmp_path}/"
    forgotten, other = tmp_path / "pcmC0D0c", tmp_path / "pcmC0D0p"
    for path in (forgotten, other):
        path.write_bytes(bytes(mmap.PAGESIZE))
    kept = os.open(other, os.O_RDONLY)
    before = left_open.files(folder)
    assert before == {kept: str(other)}
    lost = os.open(forgotten, os.O_RDONLY)
    mine = dict(left_open.files(folder).items() - before.items())
    assert mine == {lost: str(forgotten)}
    mapped(lost)
    if pulled:
        forgotten.unlink()
    assert maps(forgotten)
    assert left_open.give_back(mine, folder) == 1
    assert left_open.files(folder) == {kept: str(other)}
    assert not maps(forgotten)
    assert left_open.give_back(mine, folder) == 0
    os.close(kept)


def test_a_descriptor_that_became_another_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pcmC0D0c"
    path.write_bytes(b"")
    file = os.open(path, os.O_RDONLY)
    assert left_open.give_back({file: f"{tmp_path}/pcmC1D0c"}, f"{tmp_path}/") == 0
    os.fstat(file)
    os.close(file)
