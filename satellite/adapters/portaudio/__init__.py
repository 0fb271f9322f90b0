"""The microphone and the loudspeaker of this machine, through PyAudio."""

from satellite.adapters.portaudio.loudspeaker import SpeakerSink
from satellite.adapters.portaudio.microphone import MicSource

__all__ = ["MicSource", "SpeakerSink"]
