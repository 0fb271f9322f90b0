"""What is delivered when: a fact at a time, then any facts in any order."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satellite.logic import drain
from satellite.logic.drain import Acked, Done, Down, Drain, House, Order, Refused, Row, Send, Up

LIFE = 120.0


@dataclass
class Stage:
    """A drain, a clock, and what was ordered."""

    now: float = 1000.0
    drain: Drain = field(default_factory=Drain)
    link: int = 0

    def accept(
        self, *seqs: int, topic: str = "t", life: float | None = LIFE, size: int = 100
    ) -> None:
        for seq in seqs:
            deadline = None if life is None else self.now + life
            self.drain.accept(Row(seq, topic, size, self.now, deadline))

    def up(self, most: int | None = None) -> list[Order]:
        self.link += 1
        return self.tell(Up(self.link, most))

    def tell(self, *facts: Up | Down | Acked | Refused | House) -> list[Order]:
        for fact in facts:
            self.drain.hear(fact, self.now)
        return self.drain.decide(self.now)

    def ack(self, seq: int, code: int = 0) -> list[Order]:
        return self.tell(Acked(self.link, seq, code))

    def wait(self, seconds: float) -> list[Order]:
        """Let time pass; decide whenever it is due."""
        end, found = self.now + seconds, self.drain.decide(self.now)
        while (due := self.drain.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            found += self.drain.decide(self.now)
        self.now = end
        return found + self.drain.decide(self.now)


def sent(orders: list[Order]) -> list[int]:
    return [order.seq for order in orders if isinstance(order, Send)]


def done(orders: list[Order]) -> dict[int, str]:
    return {order.seq: order.fate for order in orders if isinstance(order, Done)}


def test_one_after_the_other_in_order_and_topics_beside_each_other() -> None:
    stage = Stage()
    stage.accept(1, 2)
    stage.accept(3, topic="other")
    assert stage.up() == [Send(1, 1, 120), Send(1, 3, 120)]
    orders = stage.ack(1)
    assert (done(orders), sent(orders)) == ({1: "delivered"}, [2])
    assert stage.drain.waiting == 2


def test_it_lives_no_longer_for_having_waited() -> None:
    stage = Stage()
    stage.accept(1)
    stage.wait(50)
    assert stage.up() == [Send(1, 1, 70)]


def test_nobody_listens_it_is_tried_less_and_less_often_until_it_expires() -> None:
    stage = Stage()
    stage.accept(1, 2)
    stage.up()
    tries = []
    while stage.drain.waiting == 2:
        stage.ack(1, drain.NO_SUBSCRIBERS)
        began = stage.now
        orders = stage.wait(0)
        while not orders:
            orders = stage.wait(1)
        tries.append(stage.now - began)
        if done(orders):
            break
    assert tries[:5] == [1, 2, 4, 8, 8]
    assert done(orders) == {1: "expired", 2: "expired"}
    assert stage.drain.expired == 2
    assert stage.drain.deadline() is None


def test_one_topic_without_a_reader_holds_back_no_other() -> None:
    stage = Stage()
    stage.accept(1, topic="turn")
    stage.up()
    stage.ack(1, drain.NO_SUBSCRIBERS)
    stage.accept(2, topic="transcript")
    assert sent(stage.wait(0)) == [2]


def test_what_the_broker_keeps_needs_no_reader() -> None:
    stage = Stage()
    stage.drain.accept(Row(1, "t", 10, stage.now, None, retain=True))
    assert stage.up() == [Send(1, 1, None)]
    assert done(stage.ack(1, drain.NO_SUBSCRIBERS)) == {1: "delivered"}


def test_at_its_start_home_assistant_gets_what_waits_at_once() -> None:
    stage = Stage()
    stage.accept(1)
    stage.up()
    for _ in range(5):
        stage.ack(1, drain.NO_SUBSCRIBERS)
        stage.wait(8)
    stage.ack(1, drain.NO_SUBSCRIBERS)
    assert sent(stage.tell(House(online=True))) == [1]
    stage.ack(1, drain.NO_SUBSCRIBERS)
    assert sent(stage.wait(1)) == [1]


def test_after_its_good_bye_nothing_is_sent_for_a_while() -> None:
    stage = Stage()
    stage.up()
    stage.tell(House(online=False, kept=True))
    stage.accept(1)
    assert sent(stage.wait(0)) == [1]  # nobody knows whether it is there
    stage.ack(1)
    stage.tell(House(online=True), House(online=False))
    stage.accept(2, 3, topic="b")
    assert not stage.wait(24)
    assert sent(stage.wait(1)) == [2]
    stage.tell(House(online=False))
    assert sent(stage.tell(House(online=True), Acked(stage.link, 2, 0))) == [3]


def test_a_good_bye_that_is_heard_is_believed_at_once() -> None:
    stage = Stage()
    stage.up()
    stage.tell(House(online=False))
    stage.accept(2)
    assert not stage.wait(24)
    assert sent(stage.tell(House(online=True))) == [2]


def test_whoever_else_reads_does_not_wait_long_for_a_home_assistant_that_is_away() -> None:
    stage = Stage()
    stage.up()
    stage.tell(House(online=False))
    stage.wait(60)
    stage.accept(1)
    assert not stage.wait(24), "it may be back any moment"
    assert sent(stage.wait(1)) == [1]
    stage.ack(1)
    stage.wait(35)
    stage.accept(2)
    assert sent(stage.wait(0)) == [2], "it does not come back"


def test_where_entities_are_announced_it_waits_until_they_are_heard() -> None:
    stage = Stage(drain=Drain(settle_s=3.0))
    stage.accept(1)
    assert not sent(stage.up())
    assert not stage.wait(2.9)
    assert sent(stage.wait(0.1)) == [1]
    stage.ack(1)
    stage.accept(2)
    assert not sent(stage.tell(House(online=True)))
    assert not stage.wait(2.9)
    assert sent(stage.wait(0.1)) == [2]


def test_two_of_a_topic_keep_a_gap_and_one_alone_does_not_wait() -> None:
    stage = Stage(drain=Drain(gap_s=0.005))
    stage.accept(1, 2)
    assert sent(stage.up()) == [1]
    assert not sent(stage.ack(1))
    assert not sent(stage.wait(0.004))
    assert sent(stage.wait(0.001)) == [2]
    stage.ack(2)
    stage.wait(1)
    stage.accept(3)
    assert sent(stage.wait(0)) == [3]


def test_what_is_forbidden_is_told_kept_and_tried_again() -> None:
    stage = Stage()
    stage.accept(1)
    stage.up()
    stage.ack(1, 0x87)
    assert stage.drain.denied == ("t",)
    assert not stage.wait(59)
    assert sent(stage.wait(1)) == [1]
    assert done(stage.ack(1)) == {1: "delivered"}
    assert stage.drain.denied == ()


def test_what_was_forbidden_is_tried_at_once_on_a_new_connection() -> None:
    stage = Stage()
    stage.accept(1)
    stage.up()
    stage.ack(1, 0x87)
    stage.tell(Down())
    assert sent(stage.up()) == [1]
    stage.ack(1, 0x87)
    stage.tell(Down())
    assert done(stage.wait(LIFE)) == {1: "expired"}
    assert stage.drain.denied == ("t",)  # nothing says that it is not


def test_what_others_were_refused_is_told_too() -> None:
    stage = Stage()
    stage.up()
    stage.tell(Refused("state", denied=True), Refused("cmd/+", denied=True))
    assert stage.drain.denied == ("cmd/+", "state")
    stage.tell(Refused("state", denied=False))
    assert stage.drain.denied == ("cmd/+",)


@pytest.mark.parametrize("code", [drain.TOO_LARGE, drain.BAD_PAYLOAD])
def test_what_the_broker_does_not_take_is_lost_and_said(code: int) -> None:
    stage = Stage()
    stage.accept(1, 2)
    stage.up()
    orders = stage.ack(1, code)
    assert (done(orders), sent(orders)) == ({1: "lost"}, [2])
    assert stage.drain.lost == 1


def test_what_is_too_long_is_not_even_sent() -> None:
    stage = Stage()
    stage.accept(1, size=1000)
    stage.accept(2, size=10)
    orders = stage.up(most=500)
    assert (done(orders), sent(orders)) == ({1: "lost"}, [2])
    (lost,) = [order for order in orders if isinstance(order, Done)]
    assert "more than the broker takes (500)" in lost.why


def test_a_connection_that_ends_because_of_size_loses_the_largest() -> None:
    stage = Stage()
    stage.accept(1, topic="a", size=10)
    stage.accept(2, topic="b", size=5000)
    stage.up()
    assert done(stage.tell(Down(too_large=True))) == {2: "lost"}
    assert sent(stage.up()) == [1]


def test_a_row_that_ends_every_connection_is_found_and_given_up() -> None:
    stage = Stage()
    stage.accept(1, topic="a")
    stage.accept(2, topic="b")  # the bad one
    connections, fates = 0, {}
    while 2 not in fates and connections < 20:
        orders = stage.up()
        connections += 1
        for _ in range(20):
            fates |= done(orders)
            orders = []
            flying = stage.drain.flying
            if flying and 2 in stage.drain._seqs and stage.drain._lanes["b"].sent_at is not None:
                break
            orders = stage.ack(1) if flying else stage.wait(1)
        stage.now += 0.1
        fates |= done(stage.tell(Down()))
    assert fates == {1: "delivered", 2: "lost"}
    assert connections == drain.MOST_ENDED


def test_a_broker_that_is_killed_often_loses_nothing() -> None:
    stage = Stage()
    stage.accept(1, life=None)
    for _ in range(50):
        stage.up()
        stage.now += 30  # found dead by its silence
        stage.tell(Down())
    stage.wait(60)
    assert sent(stage.up()) == [1]
    assert done(stage.ack(1)) == {1: "delivered"}


def test_an_old_answer_answers_nothing() -> None:
    stage = Stage()
    stage.accept(1)
    stage.up()
    stage.tell(Down())
    stage.up()
    assert not stage.tell(Acked(1, 1, 0))
    assert not stage.tell(Acked(2, 99, 0))
    assert done(stage.ack(1)) == {1: "delivered"}
    assert not stage.ack(1)


def test_too_much_to_hold_loses_the_oldest() -> None:
    stage = Stage()
    stage.accept(*range(1, drain.MOST_ROWS + 3), life=None)
    assert done(stage.wait(0)) == {1: "lost", 2: "lost"}
    assert stage.drain.waiting == drain.MOST_ROWS
    stage.accept(5000, size=drain.MOST_BYTES - 1000, life=None)
    assert stage.drain.waiting <= 11


def test_nothing_to_do_is_no_deadline() -> None:
    stage = Stage()
    assert stage.drain.deadline() is None
    stage.up()
    assert stage.drain.deadline() is None
    stage.accept(1, life=None)
    stage.tell(Down())
    assert stage.drain.deadline() is None  # until there is a connection
    assert stage.drain.oldest_s(stage.now + 7) == 7


# --- any facts in any order -------------------------------------------------------------------

CODES = st.sampled_from([0, 0, 0, 0x10, 0x10, 0x87, 0x95, 0x97, 0x83])
STEPS = st.one_of(
    st.tuples(st.just("accept"), st.sampled_from("abc"), st.integers(1, 300)),
    st.tuples(st.just("ack"), st.integers(0, 5), CODES),
    st.tuples(st.just("stray"), st.integers(0, 60), CODES),
    st.tuples(st.just("up"), st.sampled_from([None, None, 200]), st.just(0)),
    st.tuples(st.just("down"), st.booleans(), st.just(0)),
    st.tuples(st.just("house"), st.booleans(), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([0.05, 1.0, 5.0, 40.0]), st.just(0)),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=80))
def test_what_is_accepted_ends_once_and_in_order(  # noqa: C901 - one script
    steps: list[tuple[str, object, object]],
) -> None:
    """Law: accepted = waiting + delivered + expired + lost; order in a topic; no stall."""
    stage = Stage()
    topics: dict[int, str] = {}
    fates: dict[int, str] = {}
    flying: list[int] = []
    up = False

    def take(orders: list[Order]) -> None:
        for order in orders:
            if isinstance(order, Done):
                assert order.seq not in fates
                assert order.fate != "lost" or order.why
                fates[order.seq] = order.fate
            else:
                assert up
                assert order.link == stage.link
                assert order.expiry_s is not None
                assert order.expiry_s >= 1
                same = [seq for seq in topics if topics[seq] == topics[order.seq]]
                assert all(seq in fates for seq in same if seq < order.seq)
                assert topics[order.seq] not in {topics[seq] for seq in flying}
                flying.append(order.seq)
        assert len(flying) == stage.drain.flying <= drain.WINDOW

    for kind, first, second in steps:
        if kind == "accept":
            seq = len(topics) + 1
            topics[seq] = str(first)
            stage.accept(seq, topic=str(first), size=int(second))  # type: ignore[call-overload]
            take(stage.wait(0))
        elif kind == "ack" and flying:
            seq = flying.pop(int(first) % len(flying))  # type: ignore[call-overload]
            take(stage.ack(seq, int(second)))  # type: ignore[call-overload]
        elif kind == "stray" and first not in flying:
            take(stage.ack(int(first), int(second)))  # type: ignore[call-overload]
        elif kind == "up":
            flying, up = [], True
            take(stage.up(first))  # type: ignore[arg-type]
        elif kind == "down":
            flying, up = [], False
            take(stage.tell(Down(bool(first))))
        elif kind == "house":
            take(stage.tell(House(bool(first))))
        elif kind == "wait":
            for _ in range(3):
                take(stage.wait(float(first)))  # type: ignore[arg-type]
        assert stage.drain.waiting == len(topics) - len(fates)
        assert stage.drain.expired == list(fates.values()).count("expired")
        assert stage.drain.lost == list(fates.values()).count("lost")
    # a broker that takes everything gets everything that has not expired, soon
    flying = []
    take(stage.tell(Down(), House(online=True)))
    up = True
    take(stage.up())
    for _ in range(400):
        if not stage.drain.waiting:
            break
        while flying:
            take(stage.ack(flying.pop(0)))
        take(stage.wait(1))
    assert not stage.drain.waiting
    assert set(fates) == set(topics)
