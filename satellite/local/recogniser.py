"""Speech recognition: Moonshine tiny, English, from the model inside moonshine-voice 0.1.0.

The server's own VAD has already cut the turn, so Moonshine's is off (``vad_threshold`` 0.0: with
it on, onsets were clipped, offline.md 2). Two things it does badly are kept from it: silence, of
which it makes words ("You"), and long audio, on which it loses the thread and takes 1.5 GB.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from satellite.errors import SetupError

_RATE: Final = 24_000
_MODEL_RATE: Final = 16_000
_PAD_S: Final = 0.3  # silence on both ends: 1.1 to 2.9 % word errors with 0.1 to 0.5 s
_QUIET: Final = 0.003  # RMS of the loudest 20 ms below which nobody spoke (-50 dBFS)
_LONGEST: Final = 14 * _RATE * 2  # bytes of a piece; the model was made for short speech
_EARLIEST: Final = 8 * _RATE * 2  # a cut is sought at the quietest moment between the two
_FRAME: Final = _RATE // 50 * 2  # bytes of 20 ms


class MoonshineRecogniser:
    """Satisfies engines.Recogniser."""

    def __init__(self, transcriber: Any) -> None:
        import numpy as np
        import soxr

        self._np = np
        self._resample = soxr.resample
        self._transcriber = transcriber

    def transcribe(self, pcm: bytes) -> str:
        return " ".join(text for text in map(self._one, pieces(pcm)) if text)

    def _one(self, pcm: bytes) -> str:
        levels = _levels(pcm)
        if not len(levels) or levels.max() < _QUIET:
            return ""
        samples = self._np.frombuffer(pcm, "<i2").astype(self._np.float32) / 32768
        samples = self._resample(samples, _RATE, _MODEL_RATE)
        padded = self._np.pad(samples, int(_PAD_S * _MODEL_RATE))
        transcript = self._transcriber.transcribe_without_streaming(padded.tolist(), _MODEL_RATE)
        return " ".join(line.text.strip() for line in transcript.lines).strip()


def pieces(pcm: bytes) -> Iterator[bytes]:
    """24 kHz s16le mono in pieces of at most 14 s, cut where it is quietest.

    Each can be recognised by itself, so that whoever speaks long makes nobody else wait for it all.
    """
    at = 0
    while len(pcm) - at > _LONGEST:
        quietest = int(_levels(pcm[at + _EARLIEST : at + _LONGEST]).argmin())
        cut = at + _EARLIEST + quietest * _FRAME + _FRAME // 2
        yield pcm[at:cut]
        at = cut
    yield pcm[at:]


def _levels(pcm: bytes) -> Any:
    """The RMS of each whole 20 ms, 1.0 being full scale."""
    import numpy as np

    whole = len(pcm) // _FRAME * _FRAME
    samples = np.frombuffer(pcm[:whole], "<i2").astype(np.float32) / 32768
    return np.sqrt((samples.reshape(-1, _FRAME // 2) ** 2).mean(1))


def load() -> MoonshineRecogniser:
    """Load the model, 0.4 s. Raises SetupError with what to install."""
    try:
        from moonshine_voice import Transcriber, get_model_path
        from moonshine_voice.moonshine_api import ModelArch
    except ImportError as error:
        raise SetupError(
            f"Speech recognition needs {error.name}: pip install 'realtime-satellite[local]'"
        ) from None
    model = Path(get_model_path("tiny-en"))
    _check(model)
    options = {"vad_threshold": "0.0", "identify_speakers": "false"}
    return MoonshineRecogniser(Transcriber(str(model), ModelArch.TINY, options=options))


def _check(model: Path) -> None:
    """Later releases left the model out of the package and kept its folder."""
    if not (model / "encoder_model.ort").is_file():
        raise SetupError(
            f"{model} has no encoder_model.ort: this release of moonshine-voice comes without its "
            "model; pip install 'moonshine-voice>=0.0.73,<0.1.1'"
        )
