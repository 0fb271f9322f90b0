"""What waits to be delivered: in which order, when again, and when no more.

Pure: instants are arguments, what is to be done is returned. Rows of one topic go one at a time in
the order of their ``seq``; topics do not wait for each other, because nobody may listen to one of
them and that must not hold back the rest.

Rule 1: delivered is what the broker took *and had somebody for*: PUBACK 0x00. "No matching
subscribers" is the word of a broker that has just started, or whose consumers have; it is asked
again until the row expires. A retained message is delivered without: the broker keeps it.
Rule 2: a topic that the broker does not let us write is a problem, tried once a minute.
Rule 3: a message that is too large, or that ends the connection whenever it is sent, is given up.
What ended a connection is sent alone from then on, so that it is found and the others go on.
Rule 4: where entities are announced, nothing is sent for SETTLE_S after a connect and after a start
of Home Assistant, which hears an entity a second after its announcement: meanwhile another
reader would make it "delivered". Rows of one topic keep GAP_S between them: the state of an event
entity is a time in milliseconds, and two events within one are no change between them.
Rule 5: whatever is accepted ends as delivered, expired or lost, once, and each is told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

MOST_ROWS: Final = 2000  # reliability P5
MOST_BYTES: Final = 4 << 20
WINDOW: Final = 20  # in flight over all topics; F21
HOLDS_S: Final = (1.0, 2.0, 4.0, 8.0)  # nobody listens: again after
DENIED_S: Final = 60.0
AWAY_S: Final = 120.0  # so long a Home Assistant that said good-bye may take to come back
RESTING_S: Final = 25.0  # that a row waits for it: others act on nothing that is older than 30 s
SETTLE_S: Final = 3.0  # announced within 1 s of a connect, heard after 1.2 s more by 2024.3
GAP_S: Final = 0.005
QUICK_S: Final = 2.0  # a connection that ends so soon after a row ended because of it
MOST_ENDED: Final = 4  # connections that one row may end
PROPERTIES: Final = 64  # bytes of a PUBLISH beside topic and payload, generously

NO_SUBSCRIBERS: Final = 0x10
REFUSED: Final = 0x80  # and above
TOO_LARGE: Final = 0x95
QUOTA: Final = 0x97
BAD_PAYLOAD: Final = 0x99

Fate = Literal["delivered", "expired", "lost"]


def packet_bytes(topic: str, size: int) -> int:
    """How long the PUBLISH of a payload of ``size`` bytes may become."""
    return size + len(topic.encode()) + PROPERTIES


@dataclass(frozen=True, slots=True)
class Row:
    """One message as the drain sees it. ``since`` and ``deadline`` are monotonic seconds."""

    seq: int
    topic: str
    size: int
    since: float
    deadline: float | None = None
    retain: bool = False

    @property
    def packet_bytes(self) -> int:
        """How long its PUBLISH may become."""
        return packet_bytes(self.topic, self.size)


@dataclass(frozen=True, slots=True)
class Send:
    """Publish it on connection number ``link``, to live ``expiry_s`` more seconds; None: for ever.

    Acked follows, or Down.
    """

    link: int
    seq: int
    expiry_s: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more is done about it. ``why`` it was lost, in a few words."""

    seq: int
    fate: Fate
    why: str = ""


Order = Send | Done


# --- what the connection says ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Up:
    """Connection number ``link`` stands; ``most_bytes`` is the longest packet it takes."""

    link: int
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Down:
    """It stands no more. ``too_large``: because of the size of something that we sent."""

    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Acked:
    """The broker's answer to a message: the reason code of its PUBACK."""

    link: int
    seq: int
    code: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker does not let us use a topic that is not the drain's; or does again."""

    topic: str
    denied: bool


@dataclass(frozen=True, slots=True)
class House:
    """Home Assistant comes or goes. ``kept``: the broker says so, it may be long ago."""

    online: bool
    kept: bool = False


@dataclass(slots=True)
class _Lane:
    """The rows of one topic. ``sent_at`` is that of the first, while it is in flight."""

    rows: deque[Row] = field(default_factory=deque)
    sent_at: float | None = None
    again_at: float = float("-inf")
    held: int = 0  # times in a row that nobody listened
    ended: int = 0  # connections that ended while the first row was in flight
    ended_quickly: int = 0

    def next(self) -> Row:
        """Take the first row out; the one after it has a clean record."""
        self.sent_at, self.ended, self.ended_quickly = None, 0, 0
        return self.rows.popleft()


class Drain:
    """Every row that is not yet with anybody. One thread; each fact first, then ``decide``."""

    def __init__(self, settle_s: float = 0.0, gap_s: float = 0.0) -> None:
        """Rule 4 with other lengths than none."""
        self._settle_s = settle_s
        self._gap_s = gap_s
        self.expired = 0
        self.lost = 0
        self._lanes: dict[str, _Lane] = {}
        self._seqs: dict[int, str] = {}
        self._bytes = 0
        self._denied: dict[str, None] = {}
        self._done: list[Done] = []
        self._link: int | None = None
        self._most_bytes: int | None = None
        self._house_seen = False
        self._settled_at = float("-inf")
        self._away_until = float("-inf")
        self._next_expiry = float("inf")

    # --- facts ---

    def accept(self, row: Row) -> None:
        """Take charge of a row. One that is here already is not taken twice."""
        if row.seq in self._seqs:
            return
        while len(self._seqs) >= MOST_ROWS or self._bytes + row.size > MOST_BYTES:
            if not self._drop_oldest():
                break
        self._lanes.setdefault(row.topic, _Lane()).rows.append(row)
        self._seqs[row.seq] = row.topic
        self._bytes += row.size
        if row.deadline is not None:
            self._next_expiry = min(self._next_expiry, row.deadline)

    def hear(self, fact: Up | Down | Acked | Refused | House, now: float) -> None:
        """Learn something from the connection."""
        match fact:
            case Up(link, most_bytes):
                self._land(now)
                self._link, self._most_bytes = link, most_bytes
                self._settled_at = now + self._settle_s
                for topic in self._denied:  # another start of the broker, perhaps other rights
                    if topic in self._lanes:
                        self._lanes[topic].again_at = now
            case Down(too_large):
                self._link = None
                self._land(now, too_large=too_large)
            case Acked():
                if fact.link == self._link:
                    self._answer(fact.seq, fact.code, now)
            case Refused(topic, denied):
                self._deny(topic, denied=denied)
            case House():
                self._meet(fact, now)

    # --- decisions ---

    def decide(self, now: float) -> list[Order]:
        """What is due now, in order."""
        self._expire(now)
        sends: list[Order] = []
        if self._link is not None:
            for lane in self._ready(now):
                sends += self._send(lane, now)
        done, self._done = self._done, []
        return [*done, *sends]

    def deadline(self) -> float | None:
        """When ``decide`` is due next although nothing happens; None: only then."""
        due = [] if self._next_expiry == float("inf") else [self._next_expiry]
        if self._link is not None:
            due += [
                self._due(lane)
                for lane in self._lanes.values()
                if lane.rows and lane.sent_at is None and not self._must_wait(lane)
            ]
        return min(due, default=None)

    @property
    def waiting(self) -> int:
        """Rows that nobody has yet."""
        return len(self._seqs)

    @property
    def flying(self) -> int:
        """Rows that were sent and not answered."""
        return sum(lane.sent_at is not None for lane in self._lanes.values())

    @property
    def denied(self) -> tuple[str, ...]:
        """Topics that the broker does not let us use."""
        return tuple(sorted(self._denied))

    def oldest_s(self, now: float) -> float:
        """Seconds that the oldest row has waited; 0 where none waits."""
        firsts = [lane.rows[0].since for lane in self._lanes.values() if lane.rows]
        return now - min(firsts) if firsts else 0.0

    # --- how ---

    def _ready(self, now: float) -> list[_Lane]:
        """Those that may send now; suspects last, and alone."""
        lanes = [
            lane
            for lane in self._lanes.values()
            if lane.rows and lane.sent_at is None and now >= self._due(lane)
        ]
        return sorted(lanes, key=lambda lane: lane.ended)

    def _due(self, lane: _Lane) -> float:
        """When its first row may be sent, as far as time goes."""
        resting_until = min(self._away_until, lane.rows[0].since + RESTING_S)
        return max(lane.again_at, self._settled_at, resting_until)

    def _must_wait(self, lane: _Lane) -> bool:
        """True while something else in flight keeps this lane back; its end wakes us."""
        flying = [other for other in self._lanes.values() if other.sent_at is not None]
        alone = lane.ended > 0 or any(other.ended for other in flying)
        return len(flying) >= WINDOW or (alone and bool(flying))

    def _send(self, lane: _Lane, now: float) -> list[Send]:
        while lane.rows:
            if self._must_wait(lane):
                return []
            row = lane.rows[0]
            if self._most_bytes is None or row.packet_bytes <= self._most_bytes:
                lane.sent_at = now
                assert self._link is not None
                life = None if row.deadline is None else max(1, round(row.deadline - now))
                return [Send(self._link, row.seq, life)]
            why = f"{row.packet_bytes} bytes are more than the broker takes ({self._most_bytes})"
            self._finish(lane, "lost", why)
        return []

    def _answer(self, seq: int, code: int, now: float) -> None:
        lane = self._lanes.get(self._seqs.get(seq, ""))
        if lane is None or lane.sent_at is None or lane.rows[0].seq != seq:
            return  # twice, or for something else
        row = lane.rows[0]
        lane.sent_at, lane.ended, lane.ended_quickly = None, 0, 0
        if code < REFUSED or code in {TOO_LARGE, QUOTA, BAD_PAYLOAD}:
            self._deny(row.topic, denied=False)
        if code in {TOO_LARGE, BAD_PAYLOAD}:
            self._finish(
                lane,
                "lost",
                f"the broker does not take {row.packet_bytes} bytes of it",
            )
        elif code == QUOTA or (code == NO_SUBSCRIBERS and not row.retain):
            lane.again_at = now + HOLDS_S[min(lane.held, len(HOLDS_S) - 1)]
            lane.held += 1
        elif code >= REFUSED:
            self._deny(row.topic, denied=True)
            lane.again_at = now + DENIED_S
        else:
            lane.held, lane.again_at = 0, now + self._gap_s
            self._finish(lane, "delivered")

    def _land(self, now: float, *, too_large: bool = False) -> None:
        """Nothing is in flight any more; look at what was."""
        flying = [lane for lane in self._lanes.values() if lane.sent_at is not None]
        for lane in flying:
            assert lane.sent_at is not None
            lane.ended += 1
            lane.ended_quickly += now - lane.sent_at <= QUICK_S
            lane.again_at = now if lane.ended == 1 else now + min(60.0, 2.0 ** (lane.ended - 1))
            lane.sent_at = None
        if too_large and flying:
            largest = max(flying, key=lambda lane: lane.rows[0].size)
            self._finish(largest, "lost", "the broker ended the connection because of its size")
        for lane in flying:
            if lane.ended_quickly >= MOST_ENDED:
                why = f"{MOST_ENDED} connections ended as soon as it was sent"
                self._finish(lane, "lost", why)

    def _deny(self, topic: str, *, denied: bool) -> None:
        if denied:
            self._denied[topic] = None
        else:
            self._denied.pop(topic, None)

    def _meet(self, house: House, now: float) -> None:
        """Its start is when somebody listens again; after its good-bye nobody does for a while.

        While it starts it takes messages, before any automation of it is awake.
        """
        if not house.online:
            if self._house_seen or not house.kept:
                self._away_until = now + AWAY_S
            return
        self._house_seen = True
        self._away_until, self._settled_at = float("-inf"), now + self._settle_s
        for topic, lane in self._lanes.items():
            if topic not in self._denied and lane.held:
                lane.held, lane.again_at = 0, now

    def _expire(self, now: float) -> None:
        if now < self._next_expiry:
            return
        self._next_expiry = float("inf")
        for lane in self._lanes.values():
            flying = lane.rows[0] if lane.sent_at is not None else None
            for row in list(lane.rows):
                if row.deadline is None:
                    continue
                if row is flying:  # its answer decides, or the end of the connection
                    self._next_expiry = min(self._next_expiry, max(row.deadline, now + 1.0))
                elif row.deadline > now:
                    self._next_expiry = min(self._next_expiry, row.deadline)
                elif row is lane.rows[0]:
                    self._finish(lane, "expired")
                else:
                    lane.rows.remove(row)
                    self._forget(row, "expired")

    def _finish(self, lane: _Lane, fate: Fate, why: str = "") -> None:
        """End the first row of a lane."""
        if fate == "lost":
            lane.again_at = float("-inf")  # it was the row's fault
        self._forget(lane.next(), fate, why)

    def _forget(self, row: Row, fate: Fate, why: str = "") -> None:
        del self._seqs[row.seq]
        self._bytes -= row.size
        self.expired += fate == "expired"
        self.lost += fate == "lost"
        self._done.append(Done(row.seq, fate, why))

    def _drop_oldest(self) -> bool:
        """Make room; what is in flight stays."""
        idle = [lane for lane in self._lanes.values() if lane.rows and lane.sent_at is None]
        if not idle:
            return False
        lane = min(idle, key=lambda lane: lane.rows[0].seq)
        self._finish(lane, "lost", "too much waits")
        return True
