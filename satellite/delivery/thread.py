"""The thread that stands between what was decided and what was delivered.

It writes before it sends: a message that anybody hears of is on the disk (law 8). It owns the store
and the drain; the link only carries. What has no ``seq`` does not pass through here but straight to
the link, because only the present state is worth sending.

While nothing is to do it sleeps without a timeout, and nothing is written.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from satellite.delivery.keeping import Begun, Keeping, Open
from satellite.delivery.retelling import Ask, Retelling
from satellite.inbox import Post
from satellite.logic import drain
from satellite.model import events as ev
from satellite.model.audio import Instant
from satellite.model.ports import Knock, Message, Sender, Stored
from satellite.model.requests import Reply

FLUSH_S: Final = 0.1  # what became of a message is written so much later, with that of others
QUIET_S: Final = 5.0  # then there is time to tidy
NOTE_S: Final = 1.0  # what is delivered at once is no news
OLDER_S: Final = 30.0  # while something waits, its age is
MOST_BATCH: Final = 200
MOST_ASKS: Final = 3
TOO_MANY: Final = "others are being told again; ask once more when they have been"
MOST_QUEUED: Final = 1000  # while the disk does not answer
BUG_S: Final = 1.0

log = logging.getLogger(__name__)

_Fact = drain.Up | drain.Down | drain.Acked | drain.Refused | drain.House


@dataclass(frozen=True, slots=True)
class _Keep:
    name: str
    value: object


@dataclass(frozen=True, slots=True)
class _Stop:
    deadline: float


_Item = Message | _Keep | Ask | _Fact | _Stop | Knock


class Delivery:
    """model.ports.Bus. Every public method may be called from any thread, and returns at once."""

    held_since: float | None = None  # a disk that takes so long has failed

    def __init__(
        self,
        begun: Begun,
        open_store: Open,
        sender: Sender,
        post: Post,
        base_topic: str,
        clock: Callable[[], Instant],
        waiting: drain.Drain | None = None,
    ) -> None:
        """``waiting`` decides what is delivered when; it is empty."""
        self._sender = sender
        self._post = post
        self._base_topic = base_topic
        self._clock = clock
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        # the thread's own
        self._keeping = Keeping(begun, open_store)
        self._drain = waiting or drain.Drain()
        self._messages: dict[int, Message] = {}
        self._link: int | None = None
        self._asks: list[Retelling] = []
        self._number = 0
        self._noted = ev.OutboxNoted()
        self._note_at: float | None = None
        self._flush_at: float | None = None
        self._tidy_at: float | None = 0.0
        self._dropped = 0  # written by the core
        self._stop_at: float | None = None

    def start(self) -> None:
        """Begin; what the last start left behind is delivered first."""
        self._thread.start()

    def publish(self, message: Message) -> None:
        """See model.ports.Bus."""
        if message.seq is None:
            self._sender.send(message)
        elif self._queue.qsize() < MOST_QUEUED:
            self._queue.put(message)
        else:
            self._dropped += 1

    def keep(self, name: str, value: object) -> None:
        """See model.ports.Bus."""
        self._queue.put(_Keep(name, value))

    def replay(self, since: int, most: int, reply: Reply | None, id: str | None = None) -> None:  # noqa: A002
        """See model.ports.Bus."""
        self._queue.put(Ask(since, most, reply, id))

    def tell(self, fact: _Fact) -> None:
        """What the link, or Home Assistant, says."""
        self._queue.put(fact)

    def knock(self, answer: Callable[[], None]) -> None:
        """See model.ports.Worker."""
        self._queue.put(Knock(answer))

    def stop(self, timeout_s: float) -> bool:
        """Deliver what can be, write all, close the file; False when that takes too long."""
        if self._thread.ident is None:
            self._keeping.close()
            return True
        self._queue.put(_Stop(time.monotonic() + timeout_s))
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # --- the thread ---

    def _run(self) -> None:
        loaded = False
        while not self._is_over():
            try:
                if not loaded:
                    self._load()
                loaded = True
                self._turn()
            except Exception:
                log.exception("the outbox thread failed; it goes on with what is kept")
                loaded = False
                time.sleep(BUG_S)
        now = self._clock()
        self._keeping.write(now.mono)
        self._keeping.tidy(now.wall)
        self._keeping.close()

    def _is_over(self) -> bool:
        if self._stop_at is None or not self._queue.empty():
            return False
        return not self._drain.flying or self._clock().mono >= self._stop_at

    def _load(self) -> None:
        """Take up what the last start left behind. Its age is by the clock on the wall, bounded."""
        now = self._clock()
        for row in self._keeping.waiting():
            life = row.message.expiry_s
            left = None if life is None else max(0.0, min(life, row.created + life - now.wall))
            self._accept(row.message, now.mono, left)

    def _turn(self) -> None:
        """Take what came, write it, then act on it."""
        batch = self._take()
        now = self._clock()
        rows = [one for one in batch if isinstance(one, Message)]
        for message in rows:
            self._keeping.add(Stored(message, now.wall))
        for one in batch:
            if isinstance(one, _Keep):
                self._keeping.keep(one.name, one.value)
        if self._is_due(now.mono):
            self._write(now.mono)
        elif rows or any(isinstance(one, _Keep) for one in batch):
            self._keeping.write(now.mono, fates=False)
        now = self._clock()  # a disk takes its time
        for message in rows:
            self._accept(message, now.mono, message.expiry_s)
        for one in batch:
            self._hear(one, now.mono)
        self._deliver(now)
        self._retell(now)
        self._tidy(now)
        self._note(now.mono)

    def _take(self) -> list[_Item]:
        batch: list[_Item] = []
        try:
            batch.append(self._queue.get(timeout=self._patience_s()))
            while len(batch) < MOST_BATCH:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        return batch

    def _patience_s(self) -> float | None:
        due = [self._drain.deadline(), self._note_at, self._flush_at, self._stop_at]
        # nothing is tidied while the disk owes us a write
        due.append(self._keeping.again_at if self._keeping.owes else self._tidy_at)
        known = [at for at in due if at is not None]
        return max(0.0, min(known) - self._clock().mono) if known else None

    def _is_due(self, now: float) -> bool:
        return any(at is not None and now >= at for at in (self._flush_at, self._keeping.again_at))

    def _write(self, now: float) -> None:
        self._keeping.write(now)
        self._flush_at = None
        self._tidy_at = now + QUIET_S

    def _accept(self, message: Message, now: float, left_s: float | None) -> None:
        assert message.seq is not None
        deadline = None if left_s is None else now + left_s
        size = len(message.payload)
        row = drain.Row(message.seq, message.topic, size, now, deadline, message.retain)
        self._messages[message.seq] = message
        self._drain.accept(row)

    def _hear(self, one: _Item, now: float) -> None:
        match one:
            case Message() | _Keep():
                return
            case Knock(answer):
                answer()
                return
            case _Stop(deadline):
                self._stop_at = deadline - 0.2
                return
            case Ask():
                self._take_in(Retelling(one, self._base_topic))
                return
            case drain.Acked(_, number, code) if number < 0:
                if self._asks:
                    self._asks[0].acked(number, refused=code >= drain.REFUSED)
                return
            case drain.Up(link):
                self._link = link
            case drain.Down():
                self._link = None
                self._asks.clear()  # who asked has to ask again; nobody else would understand
        self._drain.hear(one, now)

    def _take_in(self, ask: Retelling) -> None:
        if len(self._asks) < MOST_ASKS:
            self._asks.append(ask)
            return
        for message in ask.end("failed", TOO_MANY, self._clock().wall):
            self._sender.send(message)

    def _deliver(self, now: Instant) -> None:
        for order in self._drain.decide(now.mono):
            match order:
                case drain.Send(link, seq, expiry_s):
                    message = self._messages[seq]
                    left = Message(
                        message.topic, message.payload, message.qos, message.retain, expiry_s, seq
                    )
                    self._sender.hand(left, link, seq)
                case drain.Done(seq, fate, why):
                    message = self._messages.pop(seq)
                    self._keeping.end(seq, fate)
                    if fate == "lost":
                        log.warning("seq %d on %s is lost: %s", seq, message.topic, why)
                    elif fate == "expired":
                        log.info("seq %d on %s found no reader in time", seq, message.topic)
        if self._keeping.owes and self._flush_at is None and self._keeping.again_at is None:
            self._flush_at = now.mono + FLUSH_S

    def _retell(self, now: Instant) -> None:
        while self._link is not None and self._asks:
            ask = self._asks[0]
            for message in ask.more(self._keeping):
                self._number -= 1
                ask.flying.add(self._number)
                self._sender.hand(message, self._link, self._number)
            if not ask.is_over:
                return
            for message in ask.results(now.wall):
                self._sender.send(message)
            del self._asks[0]

    def _tidy(self, now: Instant) -> None:
        if self._tidy_at is None or now.mono < self._tidy_at or self._keeping.owes:
            return
        due = self._keeping.tidy(now.wall)
        self._tidy_at = None if due is None else now.mono + max(60.0, due - now.wall)

    def _note(self, now: float) -> None:
        """Tell how it is: what somebody must know at once, the rest when it has lasted."""
        here = self._drain
        note = ev.OutboxNoted(
            here.waiting,
            here.oldest_s(now),
            here.expired,
            here.lost + self._dropped,
            here.denied,
            self._keeping.fault,
        )
        known = self._noted
        urgent = (note.expired, note.lost, note.denied, note.fault) != (
            known.expired,
            known.lost,
            known.denied,
            known.fault,
        )
        if urgent or (self._note_at is not None and now >= self._note_at):
            self._note_at = None
            if urgent or note.waiting or known.waiting:
                self._noted = note
                self._post(note)
        if note.waiting != self._noted.waiting:
            self._note_at = min(self._note_at or float("inf"), now + NOTE_S)
        elif self._note_at is None and note.waiting:
            self._note_at = now + OLDER_S
