"""Utterances in against turns out: what a person said must be told, whatever became of it."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from datetime import datetime
from typing import Final

from satellite.logic.report import Counted
from satellite.model import commands as cmd
from satellite.model import records as rec
from satellite.model.audio import FRAME_MS
from satellite.model.requests import Ask, Order, Say

WALL: Final = 1_795_248_000.0  # of the simulated world's second 0
LONGEST_S: Final = 45.0  # the longest utterance and the patience with a connection
LEAST_MS: Final = 100  # of speech: what a server takes for a turn


def _seconds(ts: str) -> float:
    return datetime.fromisoformat(ts).timestamp() - WALL


class Ledger:
    """Which utterances of the gate became which items of a server."""

    def __init__(self) -> None:
        self.openings: list[float] = []  # utterance n began at openings[n]
        self.speech_ms: Counter[int] = Counter()  # that the gate let through
        self.reached_ms: Counter[int] = Counter()  # of it, what came to a session
        self.sent_bytes: Counter[int] = Counter()  # all that did; -1: of no utterance
        self.items: defaultdict[int, set[str]] = defaultdict(set)
        self.pending: set[int] = set()  # heard by the server, and not yet part of an item
        self.whole: dict[int, set[str]] = {}  # items of an utterance before it lost its end
        self.orders: dict[str, Order] = {}  # that came over MQTT, by the id of the request
        self.results: defaultdict[str, list[rec.Result]] = defaultdict(list)  # the last ones

    def opened(self, now: float) -> None:
        self.openings.append(now)

    def let_through(self, now: float, speech_ms: int) -> None:
        self.speech_ms[self._at(now)] += speech_ms

    def took(self, sound: cmd.AppendAudio) -> None:
        """A session takes sound; our own silence is of no utterance."""
        self.sent_bytes[-1 if sound.at is None else self._at(sound.at)] += len(sound.pcm)

    def settle_sound(self, turns: list[rec.TurnRecord], counted: Counted) -> None:
        """Each second that was sent is told by a turn, or will be by the next; each that no item
        came of is in vain."""
        sent = self.sent_bytes.total()
        told = sum(round(turn.sent_s * 48_000) for turn in turns) + counted.sent_bytes
        assert abs(told - sent) <= 24 * len(turns), f"{told} bytes told of {sent} that were sent"
        vain = sum(size for n, size in self.sent_bytes.items() if n >= 0 and not self.items[n])
        found = counted.openings.vain_bytes
        assert found == vain, f"{found} bytes are told to be in vain, {vain} are"

    def reached(self, at: float, item: str | None) -> None:
        """A frame of speech captured at ``at`` came to a session that hears ``item``."""
        utterance = self._at(at)
        self.reached_ms[utterance] += FRAME_MS
        if item is None:
            self.pending.add(utterance)
        else:
            self.items[utterance].add(item)

    def became(self, item: str) -> None:
        for utterance in self.pending:
            self.items[utterance].add(item)
        self.pending.clear()

    def forgotten(self) -> None:
        self.pending.clear()

    def severed(self, item: str | None) -> None:
        """The microphone breaks in the present utterance, while a server hears ``item``."""
        utterance = len(self.openings) - 1
        self.whole[utterance] = self.items[utterance] - {item}

    @property
    def halves(self) -> set[str]:
        """Items of which a server has half: what came of an utterance that lost its end."""
        return {item for n, whole in self.whole.items() for item in self.items[n] - whole}

    def _at(self, at: float) -> int:
        return bisect.bisect_right(self.openings, at + 1e-9) - 1

    def requested(self, order: Order) -> str:
        name = f"request{len(self.orders)}"
        self.orders[name] = order
        return name

    def answered(self, result: rec.Result) -> None:
        if result.status != "accepted" and result.id is not None:
            self.results[result.id].append(result)

    def settle_requests(self, turns: list[rec.TurnRecord], name: str) -> None:
        """Each has exactly one end; what was done, was done; every turn was asked for once."""
        said = {t.response for t in turns if t.source == "say" and t.event_type == "answered"}
        asked = Counter(t.transcript for t in turns if t.source == "ask")
        for key, order in self.orders.items():
            assert len(self.results[key]) == 1, f"{name}: {order} ended {self.results[key]}"
            (result,) = self.results[key]
            assert result.status == "done" or result.error, f"{name}: {order} has no reason"
            if isinstance(order, Say) and result.status == "done":
                assert order.text in said, f"{name}: {order} was not said"
            if isinstance(order, Say) and result.status == "cancelled":
                assert order.text not in said, f"{name}: {order} was said all the same"
            if isinstance(order, Ask):
                assert asked[order.text] <= 1, f"{name}: {order} was asked twice"
                assert asked[order.text] or result.status != "done", f"{name}: {order} was lost"
        texts = {order.text for order in self.orders.values() if isinstance(order, Say | Ask)}
        assert asked.keys() <= texts
        for turn in turns:
            if turn.source == "say" and turn.response is not None:
                assert any(text.startswith(turn.response) for text in texts)

    def settle(self, turns: list[rec.TurnRecord], losses: int) -> None:
        """Every utterance has its turn, and every turn without an item has an utterance.

        An utterance is covered by a turn of one of its items. Where its session died before the
        item had a name, or where it never got a session, it has a failed turn of its own. Each of
        the ``losses`` of a session may also fail one sentence of an utterance that has more.
        """
        turns = [turn for turn in turns if turn.source == "voice"]
        named = [turn.item_id for turn in turns if turn.item_id is not None]
        assert len(named) == len(set(named)), "an item was published as two turns"
        said = [n for n in range(len(self.openings)) if self.speech_ms[n] >= LEAST_MS]
        uncovered = [n for n in said if not self.items[n] & set(named)]
        nameless = [turn for turn in turns if turn.item_id is None]
        assert all(t.event_type == "failed" and t.reason for t in nameless), nameless
        for n in uncovered:
            began = self.openings[n]
            own = [t for t in nameless if began <= _seconds(t.ts) < began + LONGEST_S]
            assert own, (
                f"what was said at {began:.2f} is lost: {self.reached_ms[n]} ms came through"
            )
            nameless.remove(own[0])
        assert len(nameless) <= losses, f"{len(nameless)} turns that nobody spoke"
