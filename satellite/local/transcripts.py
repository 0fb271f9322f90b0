"""What was said in the items: one recognition each, and the transcript events of it. Pure.

When the events are told is a Behaviour (S26): as soon as the words are known, before, inside or
after the response to the item, never, or as failed. What the words are for stays the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from satellite.local import transcription
from satellite.local.behaviour import Transcripts as When
from satellite.local.conversation import Conversation, Item
from satellite.local.outputs import Outbox, Recognise
from satellite.local.transcription import Growing, Style


@dataclass(slots=True)
class _Job:
    """One recognition under way; answers come in the order of the questions."""

    item: Item | None  # None: of sound that is not committed yet
    style: Style | None  # None: the client is not told


class Transcripts:
    def __init__(self, outbox: Outbox, conversation: Conversation, when: When) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._when = when
        self._jobs: dict[str, deque[_Job]] = {}  # by item id, which a client may use again
        self._growing: dict[str, Growing] = {}
        self._held: list[tuple[Item, str | None, Style]] = []

    def want(self, item: Item, style: Style | None) -> None:
        """Have the words of ``item`` recognised, unless that is under way already."""
        jobs = self._jobs.setdefault(item.id, deque())
        if all(job.item is not item for job in jobs):
            jobs.append(_Job(item, style))
            self._outbox.work(Recognise(item.id, item.pcm()))

    def grow(self, item_id: str, pcm: bytes, style: Style) -> None:
        """Have the beginning of what will be an item recognised."""
        self._jobs.setdefault(item_id, deque()).append(_Job(None, style))
        self._outbox.work(Recognise(item_id, pcm))

    def growing(self, item_id: str) -> bool:
        """That is under way."""
        return item_id in self._jobs

    def arrived(self, item_id: str, text: str | None, *, hold: bool) -> Item | None:
        """The words, or None when recognition failed; gives the item whose words they are.

        ``hold``: the response to it is under way, and its events may have to go first.
        """
        jobs = self._jobs.get(item_id)
        if not jobs:
            return None
        job = jobs.popleft()
        if not jobs:
            del self._jobs[item_id]
        if job.item is None:
            self._grew(item_id, text, job.style)
            return None
        job.item.heard = text
        if job.style is not None:
            if hold and self._when in ("inside", "after"):
                self._held.append((job.item, text, job.style))
            else:
                self._tell(job.item, text, job.style)
        return job.item

    def awaited(self, item: Item) -> bool:
        """The response to ``item`` must wait until its words are told."""
        jobs = self._jobs.get(item.id, ())
        return self._when == "before" and any(
            job.item is item and job.style is not None for job in jobs
        )

    def release(self, when: When, items: Sequence[Item]) -> None:
        """The response to ``items`` has come so far that their words may be told."""
        if self._when != when:
            return
        ripe = [held for held in self._held if held[0] in items]
        self._held = [held for held in self._held if held[0] not in items]
        for item, text, style in ripe:
            self._tell(item, text, style)

    def forget(self, item_id: str) -> None:
        """What was heard, or still will be, of sound that is dropped."""
        self._growing.pop(item_id, None)
        for job in self._jobs.get(item_id, ()):
            job.style = None

    def _grew(self, item_id: str, text: str | None, style: Style | None) -> None:
        if style is None or self._when in ("never", "failed"):
            return
        piece = self._growing.setdefault(item_id, Growing()).heard(text or "")
        if piece:
            self._outbox.send_all([transcription.delta(item_id, piece, style)])

    def _tell(self, item: Item, text: str | None, style: Style) -> None:
        growing = self._growing.pop(item.id, Growing())
        if self._when == "never" or item.deleted:
            return
        if text is None or self._when == "failed":
            self._outbox.send_all([transcription.failed(item)])
            return
        whole = growing.whole(text) if growing.told else text
        item.fields["content"] = [{"type": "input_audio", "transcript": whole}]
        self._outbox.send_all(transcription.completed(item, whole, style, growing.told))
