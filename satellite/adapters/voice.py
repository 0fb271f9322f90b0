"""Tells speech from other sound with the voice detector of WebRTC.

The detector works at 8 kHz inside and knows no 24 kHz, so it gets every third sample. What folds
back from above 4 kHz adds to a voice and does not hide it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Final

from satellite.errors import SetupError
from satellite.model.audio import FRAME_BYTES, RATE
from satellite.model.ports import Judge

DETECTOR_HZ: Final = 8_000
EVERY: Final = RATE // DETECTOR_HZ


def make_judge(aggressiveness: int) -> Judge:
    """A judge with a memory of its own; ``aggressiveness`` 0 takes most for speech, 3 least.

    The judge takes one frame of model.audio at a time, from one thread, and raises ValueError for
    anything of another length.
    """
    is_speech = _detector(aggressiveness)

    def judge(frame: bytes) -> bool:
        if len(frame) != FRAME_BYTES:
            raise ValueError(f"a frame has {FRAME_BYTES} bytes, not {len(frame)}")
        return is_speech(array("h", frame)[::EVERY].tobytes())

    return judge


def _detector(aggressiveness: int) -> Callable[[bytes], bool]:
    """s16le mono at 8 kHz, 20 ms -> is it speech?"""
    try:
        import _webrtcvad as vad  # the compiled part: its wrapper costs 6.9 MB for a version number
    except ImportError:
        return _wrapped_detector(aggressiveness)
    state = vad.create()
    vad.init(state)
    vad.set_mode(state, aggressiveness)
    return lambda pcm: bool(vad.process(state, DETECTOR_HZ, pcm, len(pcm) // 2))


def _wrapped_detector(aggressiveness: int) -> Callable[[bytes], bool]:
    try:
        import webrtcvad
    except ImportError as exc:
        raise SetupError(
            f"the voice detector cannot be loaded ({exc}); run: pip install webrtcvad-wheels"
        ) from exc
    detector = webrtcvad.Vad(aggressiveness)
    return lambda pcm: bool(detector.is_speech(pcm, DETECTOR_HZ))
