"""Whole conversations in virtual time, with faults; every seed replays exactly."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from far_end import PHANTOM
from world import Faults, World

from satellite.logic.link import Phase
from satellite.model import records as rec
from satellite.model.session import Session


def conversation(
    seed: int,
    *,
    half_duplex: bool,
    faulty: bool,
    session: Session | None = None,
    lifetime_s: float | None = None,
    faults: Faults | None = None,
    prepare: Callable[[World], None] = lambda _world: None,
) -> World:
    """Three minutes of people talking, then a minute and a half without people and faults."""
    rng = random.Random(seed)
    if faults is None:
        faults = Faults.draw(rng) if faulty else Faults()
    world = World(seed, half_duplex, session or Session(), lifetime_s, faults)
    world.begin()
    prepare(world)
    when = 2.0
    while when < 180:
        length = rng.choice([0.04, 0.3, 1.0, 2.0, 4.0])
        world.at(when, lambda length=length: world.speak(length))  # type: ignore[misc]
        when += length + rng.uniform(0.3, rng.choice([3, 15, 90]))
    world.run(180)
    world.faults = Faults()
    world.run(90)
    return world


def settled(world: World) -> None:
    """What must be true when everybody has gone."""
    name = f"seed {world.seed}"
    assert world.state.talk.turns == (), f"{name}: owes {world.state.talk.turns}"
    assert world.state.link.phase in {Phase.READY, Phase.DOWN}, name
    states = [r for r in world.published if isinstance(r, rec.State)]
    assert states[-1].state == "idle", f"{name} ends {states[-1].state} {states[-1].problems}"
    assert not states[-1].problems
    envelopes = [r for r in world.published if isinstance(r, rec.Envelope)]
    assert [e.seq for e in envelopes] == list(range(1, len(envelopes) + 1)), name
    assert len({e.id for e in envelopes}) == len(envelopes)
    for kind in (rec.Transcript, rec.Response, rec.TurnRecord):
        turns = [e.turn_id for e in envelopes if isinstance(e, kind)]
        assert len(turns) == len(set(turns)), f"{name}: {kind.__name__} published twice"
    heard = [e for e in envelopes if isinstance(e, rec.Transcript)]
    assert all(t.text in {t.item_id, "", PHANTOM} for t in heard), f"{name}: joined to another item"
    assert all(t.suspect == (t.text == PHANTOM) for t in heard), f"{name}: a phantom is believed"
    over = [e for e in envelopes if isinstance(e, rec.TurnRecord)]
    for turn in over:
        said = turn.event_type not in {"failed", "unanswered"} or turn.reason
        assert said, f"{name}: {turn.turn_id} {turn.event_type} without a reason"
        if turn.source == "say":
            continue
        about = (turn.response or "").partition(":")[0]
        assert about in {"", turn.item_id or turn.transcript}, (
            f"{name}: {turn.item_id} got the answer to {about}"
        )
    world.ledger.settle_requests(over, name)
    ended = {e.turn_id for e in over}
    assert {e.turn_id for e in envelopes} == ended, f"{name}: a turn without its end"


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("half_duplex", [True, False])
def test_a_faultless_conversation_loses_nothing(seed: int, half_duplex: bool) -> None:
    world = conversation(seed, half_duplex=half_duplex, faulty=False)
    settled(world)
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    assert turns
    assert all(turn.event_type != "failed" for turn in turns)
    transcripts = [r for r in world.published if isinstance(r, rec.Transcript)]
    assert all(t.event_type == "final" for t in transcripts)
    assert all(t.text == t.item_id for t in transcripts), "joined by item_id"
    world.ledger.settle(turns, losses=0)
    # every turn that the server took is published, whatever came between
    assert len(transcripts) == len([t for t in turns if t.item_id])


@pytest.mark.parametrize("seed", range(100, 130))
def test_a_faulty_conversation_settles(seed: int) -> None:
    settled(conversation(seed, half_duplex=seed % 2 == 0, faulty=True))


SESSIONS = {
    "manual": Session(manual=True),
    "transcription": Session(kind="transcription"),
    "manual transcription": Session(kind="transcription", manual=True),
    "conversation": Session(),
}


@pytest.mark.parametrize("seed", range(300, 310))
@pytest.mark.parametrize("name", SESSIONS)
def test_a_faulty_conversation_of_any_kind_and_of_short_sessions_settles(
    seed: int, name: str
) -> None:
    half_duplex, life = seed % 2 == 0, [None, 25.0, 90.0][seed % 3]
    settled(
        conversation(
            seed,
            half_duplex=half_duplex,
            faulty=True,
            session=SESSIONS[name],
            lifetime_s=life,
        )
    )


@pytest.mark.checklist("C12")
@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_that_end_lose_no_turn_that_ends_before_them(name: str) -> None:
    """Two minutes of a session are enough to change it in a quiet moment."""
    world = conversation(
        3, half_duplex=True, faulty=False, session=SESSIONS[name], lifetime_s=120.0
    )
    settled(world)
    turns = [r for r in world.published if isinstance(r, rec.TurnRecord)]
    assert turns
    assert all(turn.event_type != "failed" for turn in turns)
    assert world.state.link.number > 1


def test_the_same_seed_is_the_same_conversation() -> None:
    first, second = (conversation(7, half_duplex=True, faulty=True) for _ in range(2))
    assert first.counts == second.counts
    assert first.published == second.published
