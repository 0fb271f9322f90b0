"""Whatever a client does in whatever order, the rules of 4.2 hold (S1, S26, S27, S29, S39)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_bench import Client, silence, sound

from satellite.local.behaviour import TRANSCRIPTS, Behaviour
from satellite.local.beta import BetaSession
from satellite.local.engines import Call, Say
from satellite.local.outputs import Recognise
from satellite.local.session import Session

KIND = "conversation.item.input_audio_transcription."
VAD = {"type": "server_vad", "idle_timeout_ms": 5000}
UPDATES: list[dict[str, Any]] = [
    {"turn_detection": VAD},
    {"turn_detection": {**VAD, "create_response": False}},
    {"turn_detection": {**VAD, "interrupt_response": False}},
    {"turn_detection": None},
    {"turn_detection": None, "transcription": {"model": "gpt-live-transcribe"}},
    {"transcription": {"model": "gpt-4o-transcribe"}},
    {"transcription": {"model": "whisper-1"}},
    {"transcription": None},
    {"format": {"type": "audio/pcmu"}},
    {"format": {"type": "audio/pcm", "rate": 24000}},
]
STEPS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from([sound(640), silence(640), sound(60)])),
    st.tuples(st.just("update"), st.sampled_from(UPDATES)),
    st.tuples(st.just("work"), st.integers(0, 3)),
    st.tuples(
        st.sampled_from(
            ["commit", "clear", "say", "create", "cancel", "delete", "truncate", "wake", "aside"]
        ),
        st.none(),
    ),
)


def work(client: Client, number: int) -> None:
    """One piece of work; hearing is one engine's, so its pieces end in their order."""
    if not client.jobs:
        return
    at = number % len(client.jobs)
    if isinstance(client.jobs[at], Recognise):
        at = next(at for at, job in enumerate(client.jobs) if isinstance(job, Recognise))
    client.jobs.insert(0, client.jobs.pop(at))
    client.work(1)


SENT = {
    "commit": "input_audio_buffer.commit",
    "clear": "input_audio_buffer.clear",
    "create": "response.create",
    "cancel": "response.cancel",
}


def do(client: Client, step: str, detail: Any) -> None:
    items = [event["item"]["id"] for event in client.events if "item" in event] or ["none"]
    match step:
        case "append":
            client.append(detail)
        case "update":
            client.update(audio={"input": detail})
        case "work":
            work(client, detail)
        case "say":
            client.say()
        case "aside":
            client.send("response.create", response={"conversation": "none"})
        case "delete":
            client.send("conversation.item.delete", item_id=items[-1])
        case "truncate":
            cut = {"item_id": items[-1], "content_index": 0, "audio_end_ms": 10}
            client.send("conversation.item.truncate", **cut)
        case "wake":
            client.take(client.session.woken(client.wake.number if client.wake else 0))
        case _:
            client.send(SENT[step])


def check_responses(events: list[dict[str, Any]]) -> None:
    open_ones: dict[str, str | None] = {}
    seen: set[str] = set()
    for at, event in enumerate(events):
        kind = event["type"]
        if kind == "response.created":
            response = event["response"]
            assert response["id"] not in seen
            seen.add(response["id"])
            open_ones[response["id"]] = response["conversation_id"]
            assert sum(where is not None for where in open_ones.values()) <= 1
        elif kind == "response.done":
            del open_ones[event["response"]["id"]]
            assert events[at + 1]["type"] == "rate_limits.updated"
        elif "response_id" in event:
            assert event["response_id"] in open_ones, kind
    assert not open_ones


def check_items(events: list[dict[str, Any]], *, told: bool) -> None:
    """``told``: every transcript that was asked for has its end."""
    times = Counter((event["type"], event.get("item", event).get("id")) for event in events)
    added = [key for key in times if key[0] == "conversation.item.added"]
    assert all(times[key] == 1 for key in added)
    ends = Counter(
        event["item_id"]
        for event in events
        if event["type"] in (KIND + "completed", KIND + "failed")
    )
    assert all(count == 1 for count in ends.values())
    committed = {e["item_id"] for e in events if e["type"] == "input_audio_buffer.committed"}
    assert ends.keys() <= committed
    assert told or not ends
    for end in events:
        if end["type"] == KIND + "completed":
            deltas = [
                event["delta"]
                for event in events
                if event["type"] == KIND + "delta" and event["item_id"] == end["item_id"]
            ]
            assert "".join(deltas) == end["transcript"]


@pytest.mark.checklist("S26", "S27", "S29", "S39")
@pytest.mark.parametrize("when", TRANSCRIPTS)
@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=25), st.booleans())
def test_any_order_of_events_keeps_the_rules(
    when: str, steps: list[tuple[str, Any]], calls: bool
) -> None:
    client = Client(behaviour=Behaviour(transcripts=when))
    client.responder.reply = Call("f", {}) if calls else Say("It is noon. Time to eat.")
    client.update(audio={"input": {"transcription": {"model": "gpt-4o-transcribe"}}})
    for step, detail in steps:
        do(client, step, detail)
    client.work()
    check_responses(client.events)
    check_items(client.events, told=when != "never")


@pytest.mark.checklist("S1")
@pytest.mark.parametrize("dialect", [Session, BetaSession])
@pytest.mark.parametrize("kind", ["realtime", "transcription"])
@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS.filter(lambda step: step[0] != "update"), max_size=20))
def test_s1_whatever_is_sent_is_valid(
    dialect: type[Session], kind: str, steps: list[tuple[str, Any]]
) -> None:
    client = Client(dialect, kind=kind)
    for step, detail in steps:
        if step != "say" or kind == "realtime":
            do(client, step, detail)
    client.work()
    if kind == "transcription":
        told = {event["type"].partition(".")[0] for event in client.events}
        assert not told & {"response", "rate_limits"}
