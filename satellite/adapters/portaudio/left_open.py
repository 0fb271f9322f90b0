"""What PortAudio leaves open of a card that was pulled out.

To close a stream it first stops it; the kernel refuses that for a card that is gone, and PortAudio
then forgets the stream without closing it. The card's files and their memory would stay with this
process: one handle for each plug that is pulled, and a kernel that waits for us with what is left
of the card. So they are given back here, which is safe because PortAudio knows them no more.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from pathlib import Path
from typing import Final

FOLDER: Final = "/dev/snd/"
_MAPPED: Final = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) .* \d+ +(/.*)$")


def files(folder: str = FOLDER) -> dict[int, str]:
    """The sound devices that this process has open: descriptor and path."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            path = str(entry.readlink()).removesuffix(" (deleted)")
            if path.startswith(folder):
                found[int(entry.name)] = path
    return found


def give_back(mine: dict[int, str], folder: str = FOLDER) -> int:
    """Close those that are still open and unmap their memory; how many there were.

    For after the close of the stream that had opened them. Hold LIFECYCLE: a descriptor could have
    become another stream's.
    """
    still = files(folder) if mine else {}
    left = {file: path for file, path in still.items() if mine.get(file) == path}
    for file in left:
        os.close(file)
    if left:
        _unmap(set(left.values()))
    return len(left)


def _unmap(paths: set[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for line in Path("/proc/self/maps").read_text().splitlines():
        mapped = _MAPPED.match(line)
        if mapped and mapped[3].removesuffix(" (deleted)") in paths:
            first, after = int(mapped[1], 16), int(mapped[2], 16)
            libc.munmap(ctypes.c_void_p(first), ctypes.c_size_t(after - first))
