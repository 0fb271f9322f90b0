"""What was said in the items: one recognition each, and the transcript events of it. Pure."""

from __future__ import annotations

from satellite.local.conversation import Conversation, Item, transcription_usage
from satellite.local.outputs import Outbox, Recognise

_KIND = "conversation.item.input_audio_transcription"


class Transcripts:
    def __init__(self, outbox: Outbox, conversation: Conversation) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._pending: dict[str, bool] = {}  # item id -> is the client told the words

    def want(self, item: Item, *, announced: bool) -> None:
        """Have the words of ``item`` recognised, unless that is under way already."""
        if item.id not in self._pending:
            self._pending[item.id] = announced
            self._outbox.work(Recognise(item.id, item.audio))

    def arrived(self, item_id: str, text: str | None) -> None:
        """The words, or None when recognition failed; once for each item."""
        announced = self._pending.pop(item_id, False)
        item = self._conversation.find(item_id)
        if item is None:
            return
        item.heard = text
        if announced and text is None:
            self._failed(item)
        elif announced:
            self._completed(item, text or "")

    def _completed(self, item: Item, text: str) -> None:
        place = {"item_id": item.id, "content_index": 0}
        item.fields["content"] = [{"type": "input_audio", "transcript": text}]
        if text:
            self._outbox.send(f"{_KIND}.delta", **place, delta=text)
        usage = transcription_usage(item, text)
        self._outbox.send(f"{_KIND}.completed", **place, transcript=text, usage=usage)

    def _failed(self, item: Item) -> None:
        message = f"Input transcription failed for item '{item.id}'."
        error = {"type": "server_error", "code": None, "message": message, "param": None}
        self._outbox.send(f"{_KIND}.failed", item_id=item.id, content_index=0, error=error)
