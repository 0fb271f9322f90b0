"""Faults that change a whole answer: responses that fail, and answers in several message items."""

from __future__ import annotations

import copy
from typing import Any

from faults.fault_kinds import Event, Fault, rewritten


def failed(
    code: str,
    kind: str = "invalid_request_error",
    n: int = 1,
    *,
    late: bool = False,
    connection: int | None = None,
) -> Fault:
    """The ``n``-th response (0: every) ends as failed with ``code``.

    Nothing else of it is sent, or, ``late``, all that it said before.
    """
    return rewritten(lambda: _Failing(code, kind, n, late).rewrite, connection)


class _Failing:
    def __init__(self, code: str, kind: str, n: int, late: bool) -> None:
        self._error = {"type": kind, "code": code, "message": f"Failed with {code}."}
        self._n = n
        self._late = late
        self._seen = 0
        self._failing: set[str] = set()

    def rewrite(self, event: Event) -> list[Event]:
        if event["type"] == "response.created":
            self._seen += 1
            if self._n in (0, self._seen):
                self._failing.add(event["response"]["id"])
        elif event["type"] == "response.done":
            if event["response"]["id"] in self._failing:
                return [{**event, "response": self._failed(event["response"])}]
        elif not self._late and self._is_answer(event):
            return []
        return [event]

    def _failed(self, response: dict[str, Any]) -> dict[str, Any]:
        self._failing.discard(response["id"])
        details = {"type": "failed", "error": self._error}
        end = {"status": "failed", "status_details": details, "output": []}
        return {**response, **end, "usage": _zeros(response.get("usage"))}

    def _is_answer(self, event: Event) -> bool:
        if event.get("response_id") in self._failing:
            return True
        item = event.get("item")
        written = event["type"].startswith("conversation.item.") and isinstance(item, dict)
        own = written and (item.get("role") == "assistant" or item["type"] == "function_call")
        return bool(self._failing) and own


def _zeros(usage: Any) -> Any:
    if isinstance(usage, dict):
        return {key: _zeros(value) for key, value in usage.items()}
    return 0 if isinstance(usage, int) else usage


def several_items(parts: int = 2, connection: int | None = None) -> Fault:
    """Every message item of an answer comes as ``parts`` items with its words and sound shared out.

    Only the first of them has an id that the server behind knows.
    """
    return rewritten(lambda: _Splitting(parts).rewrite, connection)


class _Splitting:
    """Keeps the events of one message item until it is done, then sends them part by part."""

    def __init__(self, parts: int) -> None:
        self._parts = parts
        self._item_id = ""  # of the item being kept
        self._kept: list[Event] = []
        self._items: dict[str, list[Any]] = {}  # id of the whole item -> its parts, done

    def rewrite(self, event: Event) -> list[Event]:
        if event["type"] == "response.output_item.added" and event["item"]["type"] == "message":
            self._item_id = event["item"]["id"]
        if event["type"] == "response.done":
            return [*self._flushed(), self._done(event)]
        if not self._item_id or not self._belongs(event):
            return [event]
        self._kept.append(event)
        return self._flushed() if event["type"] == "response.output_item.done" else []

    def _belongs(self, event: Event) -> bool:
        return self._item_id in (event.get("item_id"), (event.get("item") or {}).get("id"))

    def _flushed(self) -> list[Event]:
        kept, self._kept, self._item_id = self._kept, [], ""
        return [event for part in range(self._parts) for event in self._part(kept, part)]

    def _part(self, kept: list[Event], part: int) -> list[Event]:
        mine = _shared_out(kept, part, self._parts)
        words = "".join(
            event["delta"]
            for event in mine
            if event["type"].endswith(("text.delta", "transcript.delta"))
        )
        written = [_of_part(event, part, words) for event in mine]
        for event, new in zip(mine, written, strict=True):
            if event["type"] == "response.output_item.done":
                self._items.setdefault(event["item"]["id"], []).append(new["item"])
        return written

    def _done(self, event: Event) -> Event:
        new = copy.deepcopy(event)
        output = new["response"].get("output") or []
        new["response"]["output"] = [
            part for item in output for part in self._items.pop(item.get("id"), [item])
        ]
        return new


def _shared_out(kept: list[Event], part: int, parts: int) -> list[Event]:
    """What is no delta, and the ``part``-th share of the deltas of each type."""
    of_type: dict[str, list[Event]] = {}
    for event in kept:
        of_type.setdefault(event["type"], []).append(event)
    mine = []
    for kind, events in of_type.items():
        size = len(events)
        cut = slice(part * size // parts, (part + 1) * size // parts)
        mine += events[cut] if kind.endswith(".delta") else events
    return [event for event in kept if any(event is own for own in mine)]


def _of_part(event: Event, part: int, words: str) -> Event:
    new: Event = _reworded(event, words)
    if part == 0:
        return new
    new["event_id"] = f"{event['event_id']}_{part + 1}"
    if "output_index" in new:
        new["output_index"] += part
    if "item_id" in new:
        new["item_id"] = _id(new["item_id"], part)
    if "item" in new:
        if "previous_item_id" in new:
            new["previous_item_id"] = _id(new["item"]["id"], part - 1)
        new["item"]["id"] = _id(new["item"]["id"], part)
    return new


def _id(item_id: str, part: int) -> str:
    return item_id if part == 0 else f"{item_id}_{part + 1}"


def _reworded(value: Any, words: str) -> Any:
    """A copy in which every whole text is that of the part."""
    if isinstance(value, list):
        return [_reworded(element, words) for element in value]
    if not isinstance(value, dict):
        return value
    new = {key: _reworded(element, words) for key, element in value.items()}
    return new | {key: words for key in ("text", "transcript") if new.get(key)}
