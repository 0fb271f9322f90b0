"""The items of one conversation, in order, with the audio behind them. Pure and bounded."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from satellite.local import sound
from satellite.local.schema import Refusal
from satellite.local.sound import LINEAR, Format

_MAX_ITEMS: Final = 1000  # an hour of talking is about 400
_MAX_AUDIO: Final = 64 * 1024 * 1024  # bytes kept for retrieve: 23 min of speech
_USER_TOKEN_MS: Final = 100  # realtime-protocol.md 8.1
ASSISTANT_TOKEN_MS: Final = 50


@dataclass(slots=True, eq=False)
class Item:
    """One conversation item, itself and not its like: a client may use an id again.
    ``fields`` are its wire keys beside id, object and previous ones."""

    id: str
    fields: dict[str, Any] = field(repr=False)
    audio: bytes = field(default=b"", repr=False)
    format: Format = LINEAR  # of ``audio``
    audio_ms: int = 0
    heard: str | None = field(default=None, repr=False)  # what the recogniser made of the audio
    voiced: bool = True  # false: the detector judged that nobody spoke
    previous_id: str | None = None
    answered: bool = False
    deleted: bool = False
    was_cut: bool = False

    def wire(self) -> dict[str, Any]:
        return {"id": self.id, "object": "realtime.item", **self.fields}

    def wire_with_audio(self) -> dict[str, Any]:
        """As ``conversation.item.retrieved`` shows it."""
        content = [
            {**part, "audio": base64.b64encode(self.audio).decode()} if _is_audio(part) else part
            for part in self.fields.get("content", ())
        ]
        return {**self.wire(), "content": content} if content else self.wire()

    def keep_audio(self, data: bytes) -> None:
        """More sound, in the item's format; none of it once the item was cut."""
        if not self.was_cut:
            self.audio += data
            self.audio_ms = len(self.audio) // self.format.bytes_per_ms

    def pcm(self) -> bytes:
        """24 kHz s16le of what was said; nothing where nobody spoke."""
        return sound.decoded(self.audio, self.format) if self.voiced else b""

    def cut(self, end_ms: int) -> None:
        """The person heard only so much: sound after it and the whole transcript go (S32)."""
        self.audio = self.audio[: end_ms * self.format.bytes_per_ms]
        self.audio_ms = end_ms
        self.was_cut = True
        self.fields["content"] = [{"type": part["type"]} for part in self.fields["content"]]

    def copy(self) -> Item:
        return replace(self, fields=dict(self.fields), answered=False)

    @property
    def type(self) -> str:
        return str(self.fields["type"])

    @property
    def role(self) -> str | None:
        return self.fields.get("role")

    @property
    def text(self) -> str | None:
        """What it says; None while its audio is not recognised."""
        if self.audio_ms and self.role == "user":
            return self.heard
        parts = self.fields.get("content", ())
        return " ".join(part.get("text") or part.get("transcript") or "" for part in parts)


def _is_audio(part: dict[str, Any]) -> bool:
    return part["type"] in ("input_audio", "output_audio")


def taken() -> Refusal:
    return Refusal("invalid_value", "An item with this id already exists.", "item.id")


class Conversation:
    """Items by order and by id. The oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def __len__(self) -> int:
        return len(self._items)

    @property
    def last_id(self) -> str | None:
        return self._items[-1].id if self._items else None

    def find(self, item_id: str) -> Item | None:
        return next((item for item in self._items if item.id == item_id), None)

    def get(self, item_id: str, verb: str) -> Item:
        """Raises Refusal ``item_<verb>_invalid_item_id`` when there is no such item."""
        item = self.find(item_id)
        if item is None:
            raise Refusal(
                f"item_{verb}_invalid_item_id",
                f"Error {verb[:-1]}ing item: the item with id '{item_id}' does not exist.",
                "item_id",
            )
        return item

    def add(self, item: Item, after: str | None = None) -> None:
        """Append, or insert behind ``after`` ("root": as the first). Raises Refusal."""
        if self.find(item.id) is not None:
            raise taken()
        at = self._place(after)
        item.previous_id = self._items[at - 1].id if at else None
        self._items.insert(at, item)
        del self._items[: max(0, len(self._items) - _MAX_ITEMS)]
        self._forget_audio()

    def _place(self, after: str | None) -> int:
        if after is None:
            return len(self._items)
        if after == "root":
            return 0
        for at, item in enumerate(self._items, start=1):
            if item.id == after:
                return at
        raise Refusal(
            "invalid_value",
            "The item named by previous_item_id does not exist.",
            "previous_item_id",
        )

    def _forget_audio(self) -> None:
        spare = sum(len(item.audio) for item in self._items) - _MAX_AUDIO
        for item in self._items:
            if spare <= 0:
                return
            spare -= len(item.audio)
            item.audio = b""

    def remove(self, item: Item) -> None:
        item.deleted = True
        self._items.remove(item)

    def settle(self, item: Item) -> None:
        """What asks something up to ``item`` is answered, and asks no more."""
        if item not in self._items:
            return
        for settled in self._items:
            settled.answered = True
            if settled is item:
                return

    def questions(self) -> list[Item]:
        """What nothing has answered yet: the newest user message, or the tool outputs after it."""
        outputs: list[Item] = []
        for item in reversed(self._items):
            if item.answered:
                continue
            if item.role == "user":
                return outputs or [item]
            if item.type == "function_call_output":
                outputs.insert(0, item)
        return outputs

    def tokens(self, but: Item | None = None) -> tuple[int, int]:
        """(text, audio) tokens of all items, as the service counts input."""
        text = audio = 0
        for item in self._items:
            if item is but:
                continue
            if item.audio_ms:
                audio += audio_tokens(item)
            else:
                text += text_tokens(str(item.fields.get("content", item.fields)))
        return text, audio


def audio_tokens(item: Item) -> int:
    return item.audio_ms // (_USER_TOKEN_MS if item.role == "user" else ASSISTANT_TOKEN_MS)


def text_tokens(text: str) -> int:
    return -(-len(text) // 4)  # four characters a token: near enough for English


def from_client(
    wire: dict[str, Any], new_id: str, source: Format, decode: Callable[[str], bytes]
) -> Item:
    """An item of conversation.item.create, already checked for shape. Raises what decode does."""
    fields = {key: value for key, value in wire.items() if key not in ("id", "object")}
    fields["status"] = wire.get("status") or "completed"
    item = Item(wire.get("id") or new_id, fields, format=source)
    if "content" in fields:
        fields["content"] = [_part(part, item, decode) for part in fields["content"]]
    return item


def _part(part: dict[str, Any], item: Item, decode: Callable[[str], bytes]) -> dict[str, Any]:
    """A content part as it is stored; audio goes to the item itself."""
    if part["type"] != "input_audio":
        return dict(part)
    data, whole = decode(part["audio"]), item.format.sample_bytes
    item.keep_audio(data[: len(data) // whole * whole])
    return {"type": "input_audio", "transcript": part.get("transcript")}


def speaks(item: Item) -> bool:
    """It is the assistant's: a message or a call."""
    return item.role == "assistant" or item.type == "function_call"


def user_audio(item_id: str, data: bytes, source: Format, *, voiced: bool) -> Item:
    """The item of a committed input buffer: completed, transcript null (4.2 rule 7)."""
    content = [{"type": "input_audio", "transcript": None}]
    fields = {"type": "message", "status": "completed", "role": "user", "content": content}
    item = Item(item_id, fields, format=source, voiced=voiced)
    item.keep_audio(data)
    return item


def truncate(item: Item, content_index: int, end_ms: int) -> None:
    """Keep what the person heard. Raises Refusal for what is no such assistant audio (4.7)."""
    if item.role != "assistant":
        raise Refusal("invalid_value", "Only assistant messages can be truncated.", "item_id")
    if content_index != 0:
        raise Refusal("invalid_value", "The item has no such content part.", "content_index")
    if end_ms > item.audio_ms:
        raise Refusal(
            "invalid_value",
            f"Audio content of {item.audio_ms}ms is already shorter than {end_ms}ms",
            "audio_end_ms",
        )
    item.cut(end_ms)
