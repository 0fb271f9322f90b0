"""Reads sound files: whatever they hold becomes PCM of model.audio, or one clear sentence.

The header of a WAV file is checked here, because libsndfile takes a file that is cut short for a
shorter one and says nothing.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from satellite.errors import RecordingError, SetupError
from satellite.model.audio import RATE, SAMPLE_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LONGEST_S: Final = 3600
LOWEST_HZ: Final = 4_000  # below this and above the next: a broken header, not a sound card
HIGHEST_HZ: Final = 384_000
UNFINISHED: Final = 0xFFFF_FFFF  # the length in a WAV header of one who streams
PIECE_S: Final = 1  # how much is converted at a time: an hour never lies in memory as floats


def load(path: str | Path) -> bytes:
    """Read a sound file: any rate, any number of channels (mixed), 8 to 32 bit or float.

    Returns PCM of model.audio. Other rates pass through soxr HQ in float32: aliases at -86 dB from
    48 kHz, images at -113 dB from 16 kHz, 270 us of CPU a second of sound (audio.md 4). Louder than
    full scale is clipped, never wrapped. Raises RecordingError, or SetupError when the extra is
    missing that this file needs.
    """
    return b"".join(pieces(Path(path)))


def check(path: str | Path) -> None:
    """Read the header and the first second. Raises as ``load`` does."""
    with contextlib.closing(pieces(Path(path))) as sound:
        next(sound, None)


def pieces(path: Path) -> Generator[bytes, None, None]:
    """The sound of a file as PCM of model.audio, about a second at a time."""
    try:
        wav = _inspect(path)
        if wav is not None and wav.is_ours:
            yield from _plain_pieces(path, wav)
        else:
            yield from _converted_pieces(path)
    except OSError as exc:
        raise RecordingError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


@dataclass(frozen=True, slots=True)
class _Wav:
    """What the header of a WAV file says, and what the file holds."""

    kind: tuple[int, int, int, int]  # format tag, channels, rate, bits
    start: int  # of the samples in the file
    size: int  # bytes of samples in the file

    @property
    def is_ours(self) -> bool:
        return self.kind == (1, 1, RATE, 16)


def _inspect(path: Path) -> _Wav | None:
    """Refuse what is certainly wrong. None: no WAV, or one of a kind that a library must judge."""
    if path.is_dir():
        raise RecordingError(f"{path}: is a directory; give the name of one WAV file")
    if not path.exists():
        raise RecordingError(f"{path}: there is no such file; check its name")
    if not path.is_file():
        raise RecordingError(f"{path}: is a device or a pipe; give the name of one WAV file")
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(0)
        if not length:
            raise RecordingError(f"{path}: is empty; record or copy it again")
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        return _walk(path, file, length)


def _walk(path: Path, file: BinaryIO, length: int) -> _Wav | None:
    """Follow the chunks of a WAV file to its samples."""
    kind: tuple[int, int, int, int] | None = None
    while len(head := file.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        start = file.tell()
        if name == b"fmt " and size >= 16 and len(body := file.read(16)) == 16:
            tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body)
            kind = (tag, channels, rate, bits)
        elif name == b"data" and kind is not None:
            return _Wav(kind, start, _present(path, kind, size, length - start))
        file.seek(start + size + size % 2)
    raise RecordingError(f"{path}: is a WAV file without samples; record or copy it again")


def _present(path: Path, kind: tuple[int, int, int, int], promised: int, there: int) -> int:
    """How many bytes of samples there are; refuses none, and fewer than the header promises."""
    streamed = promised == UNFINISHED
    if promised > there and not streamed:
        a_second = max(1, kind[1] * kind[2] * kind[3] // 8)
        raise RecordingError(
            f"{path}: is cut short: its header promises {promised / a_second:.1f} s of sound and"
            f" {there / a_second:.1f} s are there; record or copy it again"
        )
    size = there if streamed else promised
    if not size:
        raise RecordingError(f"{path}: holds no sound; record or copy it again")
    return size


def _plain_pieces(path: Path, wav: _Wav) -> Iterator[bytes]:
    _refuse_long(path, wav.size // SAMPLE_BYTES, RATE)
    left = wav.size - wav.size % SAMPLE_BYTES
    with path.open("rb") as file:
        file.seek(wav.start)
        while piece := file.read(min(left, RATE * SAMPLE_BYTES * PIECE_S)):
            left -= len(piece)
            yield piece


def _converted_pieces(path: Path) -> Iterator[bytes]:
    """Whatever libsndfile reads, mixed to mono and resampled."""
    try:
        import soundfile
        import soxr
    except (ImportError, OSError) as exc:  # OSError: the library behind soundfile is missing
        raise SetupError(
            f"{path}: only WAV of 24 kHz, mono, 16 bit is read without an extra; convert it, or"
            " run: pip install 'realtime-satellite[resample]'"
        ) from exc
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = file.samplerate
            _refuse_odd(path, file.frames, rate)
            convert = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")
            for block in file.blocks(rate * PIECE_S, dtype="float32", always_2d=True):
                yield _pcm(convert.resample_chunk(block.mean(axis=1)))
            yield _pcm(convert.resample_chunk(block[:0, 0], last=True))
    except soundfile.SoundFileError as exc:
        reason = str(getattr(exc, "error_string", exc)).strip().rstrip(".")
        raise RecordingError(
            f"{path}: is no sound that can be read ({reason}); give a WAV file"
        ) from exc


def _refuse_odd(path: Path, count: int, rate: int) -> None:
    if not LOWEST_HZ <= rate <= HIGHEST_HZ:
        raise RecordingError(
            f"{path}: its header says {rate} Hz, which no recorder writes; convert it to 24000 Hz"
        )
    if not count:
        raise RecordingError(f"{path}: holds no sound; record or copy it again")
    _refuse_long(path, count, rate)


def _refuse_long(path: Path, count: int, rate: int) -> None:
    if count > LONGEST_S * rate:
        raise RecordingError(
            f"{path}: lasts {count / rate / 3600:.1f} h and at most 1 h is read; cut it into parts"
        )


def _pcm(block: npt.NDArray[np.float32]) -> bytes:
    """Samples of -1 to 1 as s16le; what is louder is clipped, what is no number is silence."""
    import numpy as np

    scaled = np.rint(np.nan_to_num(block, posinf=1.0, neginf=-1.0) * 32768.0)
    return bytes(np.clip(scaled, -32768, 32767).astype("<i2").tobytes())
