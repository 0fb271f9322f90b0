"""One JSON line for each frame of a client: for a person who debugs a client of his own.

``t`` seconds since recording began, ``session`` as in the log, ``type``, ``event_id``, ``bytes`` of
the frame and ``audio_bytes`` in it. Never audio, texts or keys: a type that no client of Realtime
sends is written as "(unknown)".
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

import msgspec

from satellite.errors import SetupError

_CLIENT_TYPES: Final = frozenset(
    ("session.update", "transcription_session.update", "input_audio_buffer.append",
     "input_audio_buffer.commit", "input_audio_buffer.clear", "output_audio_buffer.clear",
     "conversation.item.create", "conversation.item.delete", "conversation.item.retrieve",
     "conversation.item.truncate", "response.create", "response.cancel", "session.close", "ping")
)  # fmt: skip
_LONGEST_ID: Final = 64  # characters that are kept of an event_id

_log = logging.getLogger(__name__)


class _Frame(msgspec.Struct):
    type: object = None
    event_id: object = None
    audio: object = None


_decode = msgspec.json.Decoder(_Frame).decode
_encode = msgspec.json.Encoder().encode


class Recorder:
    """Appends to ``path``. Raises SetupError when it cannot; what fails later is logged."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise SetupError(f"Cannot write --record {path}: {error.strerror}") from None
        self._began = time.monotonic()
        self._failed = False

    def close(self) -> None:
        self._file.close()

    def note(self, session: str, message: str | bytes) -> None:
        """Never raises: a full disk ends no session."""
        if self._failed:
            return
        line = {"t": round(time.monotonic() - self._began, 4), "session": session}
        try:
            self._file.write(_encode({**line, **described(message)}) + b"\n")
        except OSError as error:
            self._failed = True
            _log.error("recording ends: %s", error.strerror)


def described(message: str | bytes) -> dict[str, object]:
    """What of a frame may be written down."""
    size = len(message) if isinstance(message, bytes) else len(message.encode())
    kind, event_id, audio_bytes = "(binary)", None, 0
    if isinstance(message, str):
        try:
            frame = _decode(message)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            frame, kind = _Frame(), "(not a JSON object)"
        else:
            known = isinstance(frame.type, str) and frame.type in _CLIENT_TYPES
            kind = str(frame.type) if known else "(unknown)"
        if isinstance(frame.event_id, str):
            event_id = frame.event_id[:_LONGEST_ID]
        if isinstance(frame.audio, str):
            audio_bytes = len(frame.audio.rstrip("=")) * 3 // 4
    return {"type": kind, "event_id": event_id, "bytes": size, "audio_bytes": audio_bytes}
