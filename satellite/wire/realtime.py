"""The Realtime protocol, GA dialect: orders become messages, messages become events.

Pure. No configured value reaches the wire but through ``Session``; no server message reaches the
rest of the program but as a typed event. Nothing here raises a text that holds what was said.

What is sent follows realtime-protocol.md: ``session.type`` always (C16), ``turn_detection`` and
``transcription`` always whole and with numbers (C23), one output modality and formats as objects
(C25), appends of at most 200 ms (C29).
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from satellite.model import commands as cmd
from satellite.model.audio import RATE, SAMPLE_BYTES

APPEND_BYTES: Final = RATE * SAMPLE_BYTES // 5  # 200 ms: C29
_APPEND_HEAD: Final = b'{"type":"input_audio_buffer.append","audio":"'
_PCM: Final = {"type": "audio/pcm", "rate": RATE}
_PRIVATE: Final = frozenset({"instructions", "prompt"})


@dataclass(frozen=True, slots=True)
class Session:
    """The settings of a conversation session, as the protocol names them."""

    instructions: str = field(repr=False)
    voice: str
    output: str  # "audio" or "text"
    transcription_model: str
    transcription_prompt: str = field(repr=False)
    language: str | None
    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int
    noise_reduction: str | None

    def wanted(self) -> dict[str, Any]:
        """The ``session`` object of session.update: whole, and nothing else."""
        transcription: dict[str, Any] = {"model": self.transcription_model}
        if self.language is not None:
            transcription["language"] = self.language
        if self.transcription_prompt:
            transcription["prompt"] = self.transcription_prompt
        noise = None if self.noise_reduction is None else {"type": self.noise_reduction}
        return {
            "type": "realtime",
            "instructions": self.instructions,
            "output_modalities": [self.output],
            "audio": {
                "input": {
                    "format": _PCM,
                    "noise_reduction": noise,
                    "transcription": transcription,
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": self.threshold,
                        "prefix_padding_ms": self.prefix_padding_ms,
                        "silence_duration_ms": self.silence_duration_ms,
                        "create_response": True,
                        "interrupt_response": True,
                    },
                },
                "output": {"format": _PCM, "voice": self.voice},
            },
        }


def encode(order: cmd.LinkCommand, session: Session, event_id: str) -> Iterator[bytes]:
    """Yield the messages that carry out one order.

    ``event_id`` must be new on its connection; appends carry none, Configure brings its own (C19).
    """
    if isinstance(order, cmd.AppendAudio):
        yield from _appends(order.pcm)
        return
    body = _body(order, session)
    name = order.event_id if isinstance(order, cmd.Configure) else event_id
    yield msgspec.json.encode({"type": body.pop("type"), "event_id": name, **body})


def _appends(pcm: bytes) -> Iterator[bytes]:
    assert len(pcm) % SAMPLE_BYTES == 0, "sound is whole samples (C28)"
    for start in range(0, len(pcm), APPEND_BYTES):
        piece = pcm[start : start + APPEND_BYTES]
        yield b"".join((_APPEND_HEAD, binascii.b2a_base64(piece, newline=False), b'"}'))


def _body(order: cmd.LinkCommand, session: Session) -> dict[str, Any]:
    match order:
        case cmd.Configure():
            return {"type": "session.update", "session": session.wanted()}
        case cmd.CommitInput():
            return {"type": "input_audio_buffer.commit"}
        case cmd.CreateResponse():
            return {"type": "response.create"}
        case cmd.CancelResponse(response_id):
            return {"type": "response.cancel", "response_id": response_id}
        case cmd.TruncateItem(item_id, content_index, audio_end_ms):
            where = {"item_id": item_id, "content_index": content_index}
            return {"type": "conversation.item.truncate", **where, "audio_end_ms": audio_end_ms}
        case cmd.DeleteItem(item_id):
            return {"type": "conversation.item.delete", "item_id": item_id}
        case cmd.AppendAudio():
            raise AssertionError("appends are encoded apart")


def differences(wanted: dict[str, Any], effective: object) -> tuple[str, ...]:
    """Say for each key that was asked for what the server made of it (C21); () where nothing."""
    return tuple(_differences(wanted, effective, ""))


def _differences(wanted: object, effective: object, path: str) -> Iterator[str]:
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            inner = effective.get(key) if isinstance(effective, dict) else None
            yield from _differences(value, inner, f"{path}.{key}" if path else key)
    elif not _same(wanted, effective):
        private = path.rpartition(".")[2] in _PRIVATE
        yield f"{path} differs" if private else f"{path} asked {wanted!r}, got {effective!r}"


def _same(wanted: object, effective: object) -> bool:
    if isinstance(wanted, float) and isinstance(effective, (int, float)):
        return abs(wanted - effective) < 1e-6  # a server may keep it as a 32-bit float
    return wanted == effective


def session_url(base: str, model: str) -> str:
    """The address of a conversation session: a model and no intent (C2)."""
    quoted = "".join(c if c.isalnum() or c in "-._~" else f"%{ord(c):02X}" for c in model)
    return f"{base}{'&' if '?' in base else '?'}model={quoted}"
