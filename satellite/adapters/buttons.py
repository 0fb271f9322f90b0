"""A key of a keyboard, or a button at a GPIO pin: to Linux both are input devices.

The kernel hands out ``struct input_event`` (linux/input.h), never a part of one, and says with
SYN_DROPPED that we were too slow: then what it tells of the key up to the next report is worth
nothing, and it is asked how the key is. A key that is held repeats itself with the value 2.

The device is not grabbed: other programs go on hearing the key.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import select
import stat
import struct
import weakref
from collections.abc import Callable, Iterator
from typing import Final

from satellite.errors import DeviceError
from satellite.model.keys import MOST, name_of

EVENT: Final = struct.Struct("@LLHHi")  # seconds, microseconds, type, code, value
EV_SYN: Final = 0
EV_KEY: Final = 1
SYN_REPORT: Final = 0
SYN_DROPPED: Final = 3
_BITS: Final = MOST // 8 + 1  # bytes, a bit for each key
_READ: Final = 2 << 30 | _BITS << 16 | ord("E") << 8  # _IOC(_IOC_READ, 'E', ..., _BITS)
_KEYS_DOWN: Final = _READ | 0x18  # EVIOCGKEY
_KEYS_THERE: Final = _READ | 0x20 + EV_KEY  # EVIOCGBIT
_AT_ONCE: Final = 64  # events, as many as the kernel keeps for a keyboard
_MOST_NAMED: Final = 5  # keys in a sentence
_LIST: Final = "`ls /dev/input/by-*` shows those that there are"


class Presses:
    """What a stream of events says of one key. ``held`` asks the device; None: it cannot tell."""

    def __init__(self, key: int, held: Callable[[], bool | None]) -> None:
        self._key = key
        self._held = held
        self._rest = b""
        self._pressed = False
        self._dropped = False

    def feed(self, data: bytes) -> Iterator[bool]:
        """Yield True for each press and False for each release, in turn."""
        self._rest += data
        whole = len(self._rest) // EVENT.size * EVENT.size
        events, self._rest = self._rest[:whole], self._rest[whole:]
        for _, _, kind, code, value in EVENT.iter_unpack(events):
            if kind == EV_SYN:
                if code == SYN_REPORT and self._dropped:
                    yield from self._become(bool(self._held()))
                self._dropped = code == SYN_DROPPED or (self._dropped and code != SYN_REPORT)
            elif (kind, code) == (EV_KEY, self._key) and value in {0, 1} and not self._dropped:
                yield from self._become(value == 1)

    def _become(self, pressed: bool) -> Iterator[bool]:
        if pressed != self._pressed:
            self._pressed = pressed
            yield pressed


class InputButton:
    """One key of the input device at ``path``, which is looked up at each open."""

    def __init__(self, path: str, key: int) -> None:
        self._path = path
        self._key = key
        self._file: int | None = None
        self._presses = Presses(key, self._is_held)
        self._waiting: list[bool] = []
        self._waker = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        weakref.finalize(self, os.close, self._waker)

    def open(self) -> None:
        """Begin to listen; a key that is held already was pressed for somebody else."""
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise DeviceError(_sentence(self._path, exc)) from exc
        self._presses = Presses(self._key, self._is_held)
        self._waiting.clear()
        self._check()

    def read(self) -> bool | None:
        """Block until the key is pressed or let go, or until ``wake``."""
        while not self._waiting:
            assert self._file is not None
            poll = select.poll()
            poll.register(self._file, select.POLLIN)
            poll.register(self._waker, select.POLLIN)
            if self._waker in dict(poll.poll()):
                os.eventfd_read(self._waker)
                return None
            self._waiting += self._presses.feed(self._take(self._file))
        return self._waiting.pop(0)

    def wake(self) -> None:
        """Have ``read`` return once, now or when it is next called. From any thread."""
        os.eventfd_write(self._waker, 1)

    def close(self) -> None:
        """Give the device back."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _take(self, file: int) -> bytes:
        try:
            data = os.read(file, _AT_ONCE * EVENT.size)
        except BlockingIOError:
            return b""
        except OSError as exc:
            raise DeviceError(_sentence(self._path, exc)) from exc
        if not data:
            raise DeviceError(f"the button {self._path} is gone")
        return data

    def _check(self) -> None:
        """A key that the device does not have would never be pressed; nor one of a file. Zeros
        without end would keep this machine busy."""
        keys = self._ask(_KEYS_THERE)
        if keys is None and not self._is_pipe():
            raise DeviceError(f"{self._path} is no input device; {_LIST}")
        if keys is None or self._key in keys:
            return
        some = ", ".join(name_of(key) for key in keys[:_MOST_NAMED]) or "none at all"
        more = " and others" if len(keys) > _MOST_NAMED else ""
        wanted = name_of(self._key)
        raise DeviceError(f"{self._path} has no key {wanted}; it has {some}{more}")

    def _is_pipe(self) -> bool:
        """A program may play the button."""
        assert self._file is not None
        return stat.S_ISFIFO(os.fstat(self._file).st_mode)

    def _is_held(self) -> bool | None:
        keys = self._ask(_KEYS_DOWN)
        return None if keys is None else self._key in keys

    def _ask(self, request: int) -> list[int] | None:
        """Codes of keys; None where this is no input device of the kernel's, or it is gone."""
        assert self._file is not None
        try:
            bits = fcntl.ioctl(self._file, request, bytes(_BITS))
        except OSError:
            return None
        return [n for n in range(MOST + 1) if bits[n // 8] >> n % 8 & 1]


def _sentence(path: str, exc: OSError) -> str:
    match exc.errno:
        case errno.ENOENT | errno.ENXIO:
            return (
                f"there is no button {path}; {_LIST}, and a service sees none without the lines of"
                " docs/hearing.md"
            )
        case errno.EACCES | errno.EPERM:
            return (
                f"this program may not read {path}; `sudo usermod -aG input {_user()}` allows it"
                " from the next login on; a service needs the lines of docs/hearing.md"
            )
        case errno.ENODEV:
            return f"the button {path} is gone"
        case _:
            return f"the button {path} cannot be read: {exc.strerror}"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
