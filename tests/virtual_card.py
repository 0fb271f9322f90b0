"""A sound card without hardware, daemon or root: ALSA's own plugins over two named pipes.

What the test feeds is what PortAudio captures, sample for sample, and what PortAudio plays can be
read, sample for sample. The card's thread is its clock (card_pipes.py), and stands still when told
to.

    card = VirtualCard(tmp_path)
    subprocess.Popen(..., env={**os.environ, **card.env})
    card.start(); card.feed(pcm); ...; card.played(); card.close()

The environment must be set before PortAudio begins to look for devices, so the program under test
runs as a process of its own. It sees the devices of this card and nothing else. Each card has its
own folder, so any number of them work side by side.

What ALSA does and this file has to live with:

1. ALSA's ``file`` plugin fills a short read from a pipe with silence. So a period is written as a
   whole, and never more at once than a pipe takes atomically (4096 bytes).
2. PortAudio opens and closes a device several times to find out what it can do.
3. PortAudio 19.6 aborts the process when ALSA's configuration names devices other than
   ``default`` only, or none. So one is always called ``default``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from card_pipes import SAMPLE_BYTES, CardPipes, Room, dead_room

RATE: Final = 24_000
PERIOD_MS: Final = 40  # as satellite.adapters.portaudio asks for

# Replaces ALSA's whole configuration: no other device, no plugin that probes, no noise.
_DEFAULTS: Final = """
defaults.pcm.nonblock 1
defaults.pcm.compat 0
defaults.pcm.minperiodtime 5000
"""
_DEVICE: Final = """
pcm."{name}" {{
  type asym
  capture.pcm {{
    type file
    slave.pcm {{ type null }}
    file /dev/null
    infile "{folder}/mic"
    format raw
  }}
  playback.pcm {{
    type file
    slave.pcm {{ type null }}
    file "{folder}/speaker"
    format raw
  }}
}}
"""
_PLUG: Final = """
pcm.default {{
  type plug
  slave {{ pcm "{name}" rate {rate} channels 1 format S16_LE }}
}}
"""

_NOTHING: Final = "pcm.default { type hw card 31 }\n"


class VirtualCard:
    """One microphone and one loudspeaker, under each of ``names``.

    ``folder`` exists and is empty. ``rate``: of what is fed and played. A program may open the
    devices at any rate and mono, and ALSA does not tell the card: open them at ``rate``. With
    ``plug``, ``default`` is that card behind ALSA's converter, as on a machine without a sound
    server: a program gets any rate and the card sees its own. ``channels``: of the microphone; what
    is fed then has the samples of all channels in turn, and the program has to open as many.
    ``room``: what lies between the loudspeaker and the microphone, of one channel.
    """

    def __init__(
        self,
        folder: Path,
        *,
        names: tuple[str, ...] = ("Virtual Card",),
        rate: int = RATE,
        plug: bool = False,
        channels: int = 1,
        room: Room = dead_room,
    ) -> None:
        period = rate * PERIOD_MS // 1000 * SAMPLE_BYTES
        self._folder = folder
        self._pipes = CardPipes(
            folder,
            period_ms=PERIOD_MS,
            mic_bytes=channels * period,
            speaker_bytes=period,
            room=room,
        )
        self._pipes.plug_mic()
        plain = names if plug else (*names, "default")
        self._config = "".join(_DEVICE.format(name=name, folder=folder) for name in plain)
        self._config += _PLUG.format(name=names[0], rate=rate) if plug else ""
        self.plug()
        self.env: dict[str, str] = {
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
            "ALSA_CONFIG_DIR": str(folder),
            "JACK_NO_START_SERVER": "1",
        }

    def start(self) -> None:
        """Let time run: silence is captured until something is fed."""
        self._pipes.start()

    def unplug(self) -> None:
        """Whoever looks from now on finds no device. One that is open goes on: see ``stall``."""
        self._configure(_NOTHING)

    def plug(self) -> None:
        """The devices are there (again) for whoever looks."""
        self._configure(self._config)

    def _configure(self, devices: str) -> None:
        new = self._folder / "new"
        new.write_text(_DEFAULTS + devices)
        new.replace(self._folder / "asound.conf")  # ALSA reads again what is another file

    def stall(self, on: bool, *, mic: bool = True, speaker: bool = True) -> None:
        """Let both directions, or one of them, stand still, or go on."""
        for wanted, stalled in (
            (mic, self._pipes.mic_stalled),
            (speaker, self._pipes.speaker_stalled),
        ):
            if wanted and on:
                stalled.set()
            elif wanted:
                stalled.clear()

    def feed(self, pcm: bytes) -> None:
        """Let ``pcm`` (s16le at the card's rate) be captured after what was fed before."""
        self._pipes.feed(pcm)

    def unheard(self) -> int:
        """Bytes that were fed and not captured yet."""
        return self._pipes.unheard()

    def played(self) -> bytes:
        """All that was played so far, silence included."""
        return self._pipes.played()

    def close(self) -> None:
        """Stop the clock and give the pipes back."""
        self._pipes.close()
