"""The microphone and the loudspeaker of this machine, through PyAudio."""

from satellite.adapters.portaudio.devices import Device, devices
from satellite.adapters.portaudio.loudspeaker import SpeakerSink
from satellite.adapters.portaudio.microphone import MicSource

__all__ = ["Device", "MicSource", "SpeakerSink", "devices"]
