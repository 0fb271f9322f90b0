"""PortAudio itself: begun without a word, and what its errors mean.

A PyAudio object sees the devices of the moment at which it was made, unless another one lives then:
PortAudio counts its users and looks around for the first only. So nothing is kept between close
and open; and who misses a device that was plugged in meanwhile asks all others to close and open
theirs once (``ask_anew``), which is a gap of some milliseconds in their sound.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from satellite.errors import SetupError

# PortAudio's initialise, open, close and terminate share tables and counters without a lock of
# their own; two threads in them at once corrupt these. read and write do not, and would wait for
# each other behind a lock: it must never be held around them.
LIFECYCLE: Final = threading.Lock()

ANEW_S: Final = 1.0  # an owner looks at least each 80 ms; to make PyAudio takes up to 0.5 s on a Pi

_ALSA_HANDLER: Final = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)
# ALSA keeps the address only: without this reference the function would be freed under it.
_SILENT: Final = _ALSA_HANDLER(lambda *_: None)

_BUSY: Final = -9985
_PROBLEMS: Final = {  # PortAudio's error numbers that a person can act on
    _BUSY: "is in use by another program; stop that program",
    -9993: "cannot be opened together with another device",
    -9996: "cannot be used that way",
    -9998: "cannot do mono",
}


class _Users:
    """PyAudio objects that live, and how often somebody asked for all to be made anew."""

    alive = 0
    made = 0
    asked = 0


def initialise() -> Any:
    """A new PyAudio object, without a word on stderr. Hold LIFECYCLE.

    Raises SetupError, also where ALSA's configuration cannot be read.
    """
    try:
        import pyaudio
    except ImportError as exc:
        raise SetupError(
            f"PyAudio cannot be loaded ({exc}); run: sudo apt install libportaudio2"
        ) from exc
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    with contextlib.suppress(OSError, AttributeError):  # not with every sound layer
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_SILENT)
    with quiet():
        try:
            audio = pyaudio.PyAudio()
        except OSError as exc:
            raise SetupError(
                f"the sound system cannot be used ({reason(exc)}); `aplay -L` tells more: look for"
                " mistakes in ~/.asoundrc and /etc/asound.conf"
            ) from exc
    _Users.alive += 1
    _Users.made += 1
    return audio


def terminate(audio: Any) -> None:
    """End a PyAudio object. Hold LIFECYCLE."""
    _Users.alive -= 1
    audio.terminate()


def asked() -> int:
    """How often somebody asked for all to be made anew; more than before: close and open."""
    return _Users.asked


def ask_anew(sleep: Callable[[float], None] = time.sleep) -> bool:
    """Ask the owners of open devices to close and open them, and wait for it, ANEW_S at most.

    False when nobody has one open, or nobody did it. Not with LIFECYCLE held.
    """
    if _Users.alive == 0:
        return False
    made = _Users.made
    _Users.asked += 1
    for _ in range(round(ANEW_S / 0.02)):
        if _Users.alive == 0 or _Users.made > made:
            return True
        sleep(0.02)
    return False


def is_busy(exc: Exception) -> bool:
    """Whether another program has the device."""
    return _BUSY in exc.args


def reason(exc: Exception) -> str:
    """PortAudio's reason in words. Its errors are (number, text), or (text, number)."""
    number = next((arg for arg in exc.args if isinstance(arg, int)), 0)
    text = next((arg for arg in exc.args if isinstance(arg, str)), "no reason given")
    return _PROBLEMS.get(number, f"{text}, PortAudio {number}")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """JACK and PortAudio write to descriptor 2 themselves. The log has another (cli/main.py)."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
