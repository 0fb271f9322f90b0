"""Recordings in place of devices: sound files as the microphone, a WAV file as the loudspeaker.

``files`` reads sound files, ``source`` plays them in real time, ``sink`` writes what is played.
Time is handed in, so that a test needs none. WAV of 24 kHz, mono, 16 bit needs nothing but the
standard library; every other file needs the extra ``resample``, loaded at that moment.
"""

from __future__ import annotations

from satellite.adapters.recording.files import check, load
from satellite.adapters.recording.sink import NullSink, RecordingSink
from satellite.adapters.recording.source import RecordingSource

__all__ = ["NullSink", "RecordingSink", "RecordingSource", "check", "load"]
