"""A sound card without hardware, daemon or root: ALSA's own plugins over two named pipes.

What the test feeds is what PortAudio captures, sample for sample, and what PortAudio plays can be
read, sample for sample. The card's thread is its clock: it moves one period at a time, in real
time, and stands still when told to.

    card = VirtualCard(tmp_path)
    subprocess.Popen(..., env={**os.environ, **card.env})
    card.start(); card.feed(pcm); ...; card.played(); card.close()

The environment must be set before PortAudio begins to look for devices, so the program under test
runs as a process of its own. It sees the devices of this card and nothing else. Each card has its
own folder, so any number of them work side by side.

What ALSA does and this file has to live with:

1. ALSA's ``file`` plugin fills a short read from a pipe with silence. So a period is written as a
   whole, and never more at once than a pipe takes atomically (4096 bytes).
2. PortAudio opens and closes a device several times to find out what it can do. The card holds
   both ends of each pipe open, so that none of it ends a pipe.
3. A pipe of 64 KiB would hold 1.4 s of sound. It is cut down to one page.
4. PortAudio 19.6 aborts the process when ALSA's configuration names devices other than
   ``default`` only, or none. So one is always called ``default``.

Nothing is ever lost: while nobody reads, or a busy machine reads late, what was fed waits.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Final

RATE: Final = 24_000
SAMPLE_BYTES: Final = 2
PERIOD_MS: Final = 40  # as satellite.adapters.portaudio asks for
PIPE_BYTES: Final = 4096  # the least that Linux gives

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


class VirtualCard:
    """One microphone and one loudspeaker, under each of ``names``.

    ``folder`` exists and is empty. ``rate``: of what is fed and played. A program may open the
    devices at any rate and mono, and ALSA does not tell the card: open them at ``rate``. With
    ``plug``, ``default`` is that card behind ALSA's converter, as on a machine without a sound
    server: a program gets any rate and the card sees its own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        names: tuple[str, ...] = ("Virtual Card",),
        rate: int = RATE,
        plug: bool = False,
    ) -> None:
        self._period_bytes = rate * PERIOD_MS // 1000 * SAMPLE_BYTES
        assert self._period_bytes <= PIPE_BYTES
        self._mic = _pipe(folder / "mic")
        self._speaker = _pipe(folder / "speaker")
        plain = names if plug else (*names, "default")
        config = _DEFAULTS + "".join(_DEVICE.format(name=name, folder=folder) for name in plain)
        config += _PLUG.format(name=names[0], rate=rate) if plug else ""
        (folder / "asound.conf").write_text(config)
        self.env: dict[str, str] = {
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
            "ALSA_CONFIG_DIR": str(folder),
            "JACK_NO_START_SERVER": "1",
        }
        self.stalled = threading.Event()
        self._fed = bytearray()
        self._played = bytearray()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._clock = threading.Thread(target=self._run, name="virtual card", daemon=True)

    def start(self) -> None:
        """Let time run: silence is captured until something is fed."""
        self._clock.start()

    def feed(self, pcm: bytes) -> None:
        """Let ``pcm`` (s16le mono at the card's rate) be captured after what was fed before."""
        with self._lock:
            self._fed += pcm

    def unheard(self) -> int:
        """Bytes that were fed and not captured yet."""
        with self._lock:
            return len(self._fed)

    def played(self) -> bytes:
        """All that was played so far, silence included."""
        with self._lock:
            return bytes(self._played)

    def close(self) -> None:
        """Stop the clock and give the pipes back."""
        self._stop.set()
        if self._clock.ident is not None:
            self._clock.join(5)
        os.close(self._mic)
        os.close(self._speaker)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            due += PERIOD_MS / 1000
            self._stop.wait(max(0.0, due - time.monotonic()))
            if self.stalled.is_set():
                continue
            self._play()
            self._capture()

    def _play(self) -> None:
        try:
            taken = os.read(self._speaker, self._period_bytes)
        except BlockingIOError:
            return
        with self._lock:
            self._played += taken

    def _capture(self) -> None:
        with self._lock:
            period = bytes(self._fed[: self._period_bytes])
        try:
            os.write(self._mic, period.ljust(self._period_bytes, b"\0"))
        except BlockingIOError:
            return
        with self._lock:
            del self._fed[: len(period)]


def _pipe(path: Path) -> int:
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return descriptor
