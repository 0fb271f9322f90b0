"""What is understood before all of it is known."""

from __future__ import annotations

import json

import pytest
from stage import VOICE, Stage, settings

from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.session import Session
from satellite.wire.server_events import Decoder


def listening(*, partials: bool = True) -> Stage:
    stage = Stage(settings(partials=partials)).ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    return stage


def texts(stage: Stage) -> list[str]:
    return [partial.text for partial in stage.published(rec.Partial)]


def test_pieces_are_told_together_and_at_most_five_times_a_second() -> None:
    stage = listening()
    for word in ("Turn ", "on ", "the ", "light"):
        stage.server(ev.TranscriptDelta("u1", word))
    assert texts(stage) == ["Turn"]
    stage.now += 0.2
    stage.tell(ev.Heard(VOICE, 0, None))  # whatever comes next
    assert texts(stage) == ["Turn", "Turn on the light"]
    stage.wait(2)
    assert len(texts(stage)) == 2
    (first, _) = stage.published(rec.Partial)
    assert (first.turn_id, first.item_id, first.device_id) == ("boot-t1", "u1", "kitchen")


def test_none_comes_after_the_final_one() -> None:
    stage = listening()
    stage.server(ev.TranscriptDelta("u1", "Turn "), ev.TranscriptDelta("u1", "on"))
    stage.server(ev.UserTranscript("u1", "Turn on."), ev.TranscriptDelta("u1", " more"))
    stage.wait(2)
    assert texts(stage) == ["Turn"]


def test_nobody_who_did_not_ask_is_told() -> None:
    stage = listening(partials=False)
    stage.server(ev.TranscriptDelta("u1", "Turn "))
    assert texts(stage) == []


def test_where_we_end_the_turns_early_words_join_their_turn() -> None:
    stage = Stage(settings(partials=True, session=Session(manual=True))).ready()
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    stage.server(ev.TranscriptDelta("u1", "Turn "), ev.TranscriptDelta("u1", "on "))
    assert texts(stage) == []
    stage.tell(ev.GateClosed(too_long=False))
    stage.server(ev.InputCommitted("u1"))
    stage.now += 1
    stage.server(ev.TranscriptDelta("u1", "the light"))
    assert texts(stage) == ["Turn on", "Turn on the light"]


@pytest.mark.parametrize(("kind", "keys", "expected"), [
    ("delta", {"delta": "on"}, ev.TranscriptDelta("u1", "on")),
    ("delta", {}, ev.TranscriptDelta("u1", "")),
    ("updated", {"transcript": "Turn on"}, ev.TranscriptDelta("u1", "Turn on", whole=True)),
])  # fmt: skip
def test_servers_tell_pieces_or_all_of_it(
    kind: str, keys: dict[str, str], expected: ev.TranscriptDelta
) -> None:
    name = f"conversation.item.input_audio_transcription.{kind}"
    message = {"type": name, "item_id": "u1", "content_index": 0, "logprobs": None, **keys}
    assert Decoder()(json.dumps(message).encode()) == expected


def test_all_of_it_replaces_the_pieces() -> None:
    stage = listening()
    for text in ("Turn", "Turn on", "Turn of"):
        stage.now += 1
        stage.server(ev.TranscriptDelta("u1", text, whole=True))
    assert texts(stage) == ["Turn", "Turn on", "Turn of"]
