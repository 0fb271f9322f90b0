"""A sound card at a PulseAudio server of its own: no hardware, no D-Bus, no root.

What the test feeds is what a client of the server captures, sample for sample, and what a client
plays can be read, sample for sample, as long as it asks for the card's rate. The card can be pulled
out and put back, put to sleep, and its server can be killed and started.

    card = PulseCard()
    card.start()
    subprocess.Popen(..., env={**os.environ, **card.env})
    wait_until(card.hearers); card.feed(pcm); ...; card.played(); card.close()

The program under test sees two devices of ALSA, ``default`` and ``pulse``, both the server; the
server knows the source ``mic`` and the sink ``speaker``. Each card has a folder and a server of its
own, so any number of them work side by side. What is fed while nobody listens waits, but for the
first 40 ms; where nobody plays, nothing is played, not even silence.

The server's own pipe modules are used, not its null sinks: the test stays the clock of both
directions, and no stream of ours is in the server's lists. A pipe that was made before is
left alone when a module goes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from card_pipes import CardPipes, Room, dead_room

RATE: Final = 24_000
PERIOD_MS: Final = 20
NEEDED: Final = ("pulseaudio", "libasound2-plugins")

# a test run that is killed takes its servers with it
_TIED: Final = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()
_SERVER: Final = (
    *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"),
    *("--disable-shm=1", "--log-level=warn", "-L", "module-native-protocol-unix auth-anonymous=1"),
)
_ALSA: Final = """
pcm.default { type pulse }
pcm.pulse { type pulse }
ctl.default { type pulse }
"""
# stereo: the pipe module plays a page at a time, which is 85 ms of mono and 43 ms of stereo
_SPEAKER: Final = "sink_name=speaker file={folder}/speaker rate={rate} channels=2 format=s16le"
_MIC: Final = "source_name=mic file={folder}/mic rate={rate} channels=1 format=s16le"


def missing() -> str:
    """Why there can be no such card on this machine; empty where there can."""
    plugin = any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so"))
    there = (shutil.which("pulseaudio") is not None, plugin)
    lacking = [name for name, found in zip(NEEDED, there, strict=True) if not found]
    return f"not installed: {', '.join(lacking)}; scripts/setup test does it" if lacking else ""


class PulseCard:
    """A server with the source ``mic`` and the sink ``speaker``; ``room`` is what lies between.

    Skips the test where PulseAudio is not installed.
    """

    def __init__(self, *, rate: int = RATE, room: Room = dead_room) -> None:
        if why := missing():
            pytest.skip(why)
        # a socket's path has 107 characters at most: no folder of the test
        self._folder = Path(tempfile.mkdtemp(prefix="pulse-"))
        self.room = room
        samples = rate * PERIOD_MS // 1000
        self.pipes = CardPipes(
            self._folder,
            period_ms=PERIOD_MS,
            mic_bytes=2 * samples,
            speaker_bytes=4 * samples,
            speaker_pages=2,  # the module writes a page when one is empty
            room=lambda fed, played: self.room(fed, left(played)),
        )
        self._rate = rate
        self._modules: dict[str, int] = {}
        self._server: subprocess.Popen[bytes] | None = None
        (self._folder / "asound.conf").write_text(_ALSA)
        self.env: dict[str, str] = {
            "ALSA_CONFIG_PATH": str(self._folder / "asound.conf"),
            "JACK_NO_START_SERVER": "1",
            "PULSE_COOKIE": str(self._folder / "cookie"),
            "PULSE_RUNTIME_PATH": str(self._folder / "run"),
            "PULSE_SERVER": f"unix:{self._folder}/run/native",
            "PULSE_STATE_PATH": str(self._folder / "state"),
        }

    # --- the server ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the server, with both devices; again after ``kill``."""
        first = not self._modules
        self.pipes.forget_played()
        (self._folder / "mic").unlink(missing_ok=True)  # the server insists on making it
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*_TIED, *_SERVER],
                env={**os.environ, **self.env, "HOME": str(self._folder)},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while not _answers(self._folder / "run" / "native"):
            assert self._server.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.005)
        self.plug_speaker()
        self.plug_mic()
        if first:
            self.pipes.start()

    def kill(self) -> None:
        """Kill the server, as the kernel does when memory is short."""
        assert self._server is not None
        self._server.kill()
        self._server.wait(10)
        (self._folder / "run" / "native").unlink(missing_ok=True)

    def close(self) -> None:
        """End the server, stop the clock, remove the folder."""
        if self._server is not None:
            self.kill()
        self.pipes.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of the server."""
        assert self._server is not None
        return self._server.pid

    @property
    def log(self) -> str:
        """What the server said."""
        return (self._folder / "log").read_text(errors="replace")

    @contextlib.contextmanager
    def control(self) -> Iterator[Any]:
        """A pulsectl.Pulse at the server, for what this class does not offer."""
        with self._connection() as pulse:
            yield pulse

    def _connection(self) -> Any:
        """A busy machine may end a connection before it is there."""
        import pulsectl

        deadline = time.monotonic() + 20
        while True:
            try:
                return pulsectl.Pulse("the test", server=self.env["PULSE_SERVER"])
            except pulsectl.PulseError:
                assert self._server is not None
                assert self._server.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.05)

    # --- plugs ---------------------------------------------------------------------------------

    def unplug_mic(self) -> None:
        """The source vanishes. The server gives its clients another one: the speaker's monitor."""
        self._unload("mic")

    def plug_mic(self) -> None:
        """The source is there (again), and is the default."""
        self._load("mic", "module-pipe-source", _MIC)
        self.pipes.plug_mic()
        with self.control() as pulse:
            pulse.source_default_set("mic")

    def unplug_speaker(self) -> None:
        """The sink vanishes, and its monitor. With no other sink, its clients are cut off."""
        self._unload("speaker")

    def plug_speaker(self) -> None:
        """The sink is there (again), and is the default."""
        self._load("speaker", "module-pipe-sink", _SPEAKER)
        with self.control() as pulse:
            pulse.sink_default_set("speaker")

    def suspend_mic(self, on: bool) -> None:
        """Put the source to sleep: it gives nothing, and nobody is told."""
        with self.control() as pulse:
            pulse.source_suspend(pulse.get_source_by_name("mic").index, on)

    def suspend_speaker(self, on: bool) -> None:
        """Put the sink to sleep: it takes nothing, and nobody is told."""
        with self.control() as pulse:
            pulse.sink_suspend(pulse.get_sink_by_name("speaker").index, on)

    def _load(self, what: str, module: str, arguments: str) -> None:
        with self.control() as pulse:
            filled = arguments.format(folder=self._folder, rate=self._rate)
            self._modules[what] = pulse.module_load(module, filled)

    def _unload(self, what: str) -> None:
        with self.control() as pulse:
            pulse.module_unload(self._modules[what])

    # --- who uses it ---------------------------------------------------------------------------

    def hearers(self) -> list[str]:
        """The source that each recording stream of any client is connected to."""
        with self.control() as pulse:
            names = {source.index: source.name for source in pulse.source_list()}
            return [names[output.source] for output in pulse.source_output_list()]

    def players(self) -> list[str]:
        """The sink that each playing stream of any client is connected to."""
        with self.control() as pulse:
            names = {sink.index: sink.name for sink in pulse.sink_list()}
            return [names[given.sink] for given in pulse.sink_input_list()]

    # --- sound ---------------------------------------------------------------------------------

    def feed(self, pcm: bytes) -> None:
        """Let ``pcm`` (s16le mono at the card's rate) be captured after what was fed before."""
        self.pipes.feed(pcm)

    def unheard(self) -> int:
        """Bytes that were fed and not captured yet."""
        return self.pipes.unheard()

    def played(self) -> bytes:
        """All that was played so far, mono; the server plays silence where no client plays."""
        return left(self.pipes.played())

    def take_played(self) -> bytes:
        """What was played since this was asked last; ``played`` forgets it."""
        return left(self.pipes.take_played())


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def left(stereo: bytes) -> bytes:
    """The left one of two channels."""
    return array("h", stereo)[::2].tobytes()
