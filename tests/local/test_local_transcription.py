"""How and when the user's words are told; transcription sessions (S13, S26, S36 to S39)."""

from __future__ import annotations

import math

import pytest
from local_bench import Client, error, silence, sound, types

from satellite.local import transcription
from satellite.local.behaviour import TRANSCRIPTS, Behaviour
from satellite.local.engines import Call
from satellite.local.outputs import Recognise
from satellite.local.transcription import Growing

KIND = "conversation.item.input_audio_transcription"
TURN = sound(960) + silence(640)
LOGPROBS = ["item.input_audio_transcription.logprobs"]
COMMITTED = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]


def transcribing(model: str, **audio_input: object) -> dict:
    return {"input": {"transcription": {"model": model}, **audio_input}}


@pytest.fixture
def hearing() -> Client:
    return Client(kind="transcription")


# Transcription sessions


@pytest.mark.checklist("S1", "S7", "S36")
def test_a_transcription_session_as_it_is_created(hearing: Client) -> None:
    (created,) = hearing.events
    session = created["session"]
    assert session.pop("id").startswith("sess_")
    assert session == {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "expires_at": 1_795_248_000,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 200,
                },
            }
        },
        "include": None,
    }


@pytest.mark.checklist("S1", "S14", "S26", "S36")
def test_a_transcription_session_in_the_order_of_4_5(hearing: Client) -> None:
    (updated,) = hearing.update(audio=transcribing("gpt-4o-mini-transcribe"), include=LOGPROBS)
    assert updated["session"]["include"] == LOGPROBS
    assert updated["session"]["audio"]["input"]["transcription"] == {
        "model": "gpt-4o-mini-transcribe",
        "language": None,
        "prompt": None,
    }
    assert types(hearing.append(TURN) + hearing.work()) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        *COMMITTED,
        *[f"{KIND}.delta"] * 4,
        f"{KIND}.completed",
    ]


@pytest.mark.checklist("S36")
@pytest.mark.parametrize("event", ["response.create", "response.cancel"])
def test_s36_a_transcription_session_answers_nothing(hearing: Client, event: str) -> None:
    refused = error(hearing.send(event))
    assert (refused["code"], refused["param"]) == ("invalid_value", "type")
    assert refused["message"].startswith(f"Invalid value: '{event}'. Supported values are: ")
    assert event not in refused["message"].partition("Supported")[2]
    hearing.append(TURN)
    hearing.work()
    assert not [kind for kind in types(hearing.events) if kind.startswith(("response", "rate"))]


@pytest.mark.checklist("S3", "S36")
@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"instructions": "x"}, "instructions"),
        ({"model": "gpt-4o-transcribe"}, "model"),
        ({"output_modalities": ["text"]}, "output_modalities"),
        ({"tools": []}, "tools"),
        ({"audio": {"output": {"voice": "marin"}}}, "audio.output"),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": 1}}}},
            "audio.input.turn_detection.create_response",
        ),
    ],
)
def test_s36_keys_of_conversations_are_refused(hearing: Client, session: dict, param: str) -> None:
    refused = error(hearing.update(**session))
    assert (refused["code"], refused["param"]) == ("unknown_parameter", f"session.{param}")


@pytest.mark.checklist("S13")
@pytest.mark.parametrize(
    ("session", "code", "param", "message"),
    [
        (
            {"type": "realtime"},
            "invalid_parameter",
            "",
            "Passing a realtime session update event to a transcription session is not allowed.",
        ),
        (
            {"include": []},
            "missing_required_parameter",
            "session.type",
            "Missing required parameter: 'session.type'.",
        ),
    ],
)
def test_s13_updates_of_the_wrong_type(
    hearing: Client, session: dict, code: str, param: str, message: str
) -> None:
    refused = error(hearing.send("session.update", session=session))
    assert (refused["code"], refused["param"], refused["message"]) == (code, param, message)
    assert types(hearing.update(include=LOGPROBS)) == ["session.updated"]


# When words are told


def spoken_turn(client: Client, model: str = "whisper-1") -> list[str]:
    """A spoken question and its answer; the types of what is told."""
    client.update(audio=transcribing(model))
    return types(client.append(TURN) + client.work())


@pytest.mark.checklist("S26")
@pytest.mark.parametrize("when", TRANSCRIPTS)
def test_s26_words_are_told_when_asked(when: str) -> None:
    client = Client(behaviour=Behaviour(transcripts=when))
    told = spoken_turn(client)
    created, begun = told.index("response.created"), told.index("response.content_part.added")
    done = told.index("response.done")
    places = {
        "ready": range(created, begun),
        "before": range(created),
        "inside": range(begun, done),
        "after": range(done + 1, len(told)),
        "failed": range(created, done),
    }
    at = [told.index(kind) for kind in told if kind.startswith(KIND)]
    assert len(at) == {"never": 0, "failed": 1}.get(when, 2)
    assert all(index in places[when] for index in at)
    assert told[max(at, default=0)].endswith("failed") == (when == "failed")
    assert sorted(at) == at
    assert client.responder.asked == ["what time is it"]


@pytest.mark.checklist("S26")
@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_s26_a_call_and_a_failure_tell_them_too(when: str) -> None:
    client = Client(behaviour=Behaviour(transcripts=when))
    client.responder.reply = Call("turn_on", {})
    assert f"{KIND}.completed" in spoken_turn(client)
    client.recogniser.words = RuntimeError()
    assert f"{KIND}.failed" in spoken_turn(client)


@pytest.mark.checklist("S26")
@pytest.mark.parametrize("when", ["ready", "before", "inside", "after"])
def test_s26_without_a_response_words_do_not_wait(when: str) -> None:
    client = Client(behaviour=Behaviour(transcripts=when))
    detection = {"type": "server_vad", "create_response": False}
    client.update(audio=transcribing("whisper-1", turn_detection=detection))
    client.append(TURN)
    assert types(client.work()) == [f"{KIND}.delta", f"{KIND}.completed"]


def test_a_response_that_waits_for_the_words_can_be_cancelled() -> None:
    client = Client(behaviour=Behaviour(transcripts="before"))
    client.update(audio=transcribing("whisper-1"))
    assert types(client.append(TURN))[-1] == "conversation.item.done"
    told = client.append(sound(320))
    assert types(told) == [
        "input_audio_buffer.speech_started",
        "response.created",
        "response.done",
        "rate_limits.updated",
    ]


# Models


@pytest.mark.checklist("S38")
@pytest.mark.parametrize(
    ("model", "include", "scored"),
    [
        ("gpt-4o-transcribe", LOGPROBS, True),
        ("gpt-4o-mini-transcribe", LOGPROBS, True),
        ("gpt-4o-transcribe", None, False),
        ("whisper-1", LOGPROBS, False),
        ("gpt-transcribe", LOGPROBS, False),
    ],
)
def test_s38_log_probabilities(client: Client, model: str, include: object, scored: bool) -> None:
    client.recogniser.words = "It's 21\u00b0, José!"
    client.update(audio=transcribing(model), include=include)
    client.append(TURN)
    told = [event for event in client.work() if event["type"].startswith(KIND)]
    assert all(("logprobs" in event) == scored for event in told)
    assert "".join(event.get("delta", "") for event in told) == client.recogniser.words
    if scored:
        pieces = [piece for event in told[:-1] for piece in event["logprobs"]]
        assert pieces == told[-1]["logprobs"]
        assert "".join(piece["token"] for piece in pieces) == client.recogniser.words
        assert all(bytes(piece["bytes"]).decode() == piece["token"] for piece in pieces)
        assert all(math.exp(piece["logprob"]) == pytest.approx(0.9, 0.01) for piece in pieces)


@pytest.mark.checklist("S39")
@pytest.mark.parametrize(
    ("model", "by_time"),
    [
        ("whisper-1", True),
        ("gpt-transcribe", True),
        ("gpt-4o-transcribe", False),
        ("gpt-4o-transcribe-diarize", False),
    ],
)
def test_s39_usage_by_model(client: Client, model: str, by_time: bool) -> None:
    for words in ("what time is it", ""):
        client.recogniser.words = words
        client.update(audio=transcribing(model))
        client.append(silence(320) + TURN)
        (done,) = [event for event in client.work() if event["type"] == f"{KIND}.completed"]
        tokens = {"input_tokens": 14, "output_tokens": -(-len(words) // 4)}
        assert done["usage"] == (
            {"type": "duration", "seconds": (300 + 960 + 224) / 1000}
            if by_time
            else {
                "type": "tokens",
                **tokens,
                "total_tokens": sum(tokens.values()),
                "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
            }
        )


def test_gpt_transcribe_names_the_language(client: Client) -> None:
    client.update(audio=transcribing("gpt-transcribe"))
    client.append(TURN)
    (done,) = [event for event in client.work() if event["type"] == f"{KIND}.completed"]
    assert done["languages"] == [{"code": "en"}]


def test_the_diarizing_model_tells_segments(client: Client) -> None:
    client.update(audio=transcribing("gpt-4o-transcribe-diarize"))
    client.append(silence(320) + TURN)
    segment, done = [event for event in client.work() if event["type"].startswith(KIND)]
    assert segment["type"] == f"{KIND}.segment"
    assert (segment["start"], segment["end"]) == (0.0, (300 + 960 + 224) / 1000)
    assert segment["text"] == done["transcript"]


@pytest.mark.parametrize(
    ("keys", "param"),
    [
        ({"model": "gpt-transcribe", "language": "en", "languages": ["en"]}, "languages"),
        ({"model": "gpt-realtime-whisper", "prompt": "rooms"}, "prompt"),
        ({"model": "gpt-4o-transcribe", "keywords": ["lamp"]}, "keywords"),
        ({"model": "whisper-1", "languages": ["en"]}, "languages"),
    ],
)
def test_keys_that_a_model_does_not_take(client: Client, keys: dict, param: str) -> None:
    refused = error(client.update(audio={"input": {"transcription": keys}}))
    assert refused["code"] == "invalid_value"
    assert refused["param"] == f"session.audio.input.transcription.{param}"


# Live models


@pytest.mark.checklist("S5", "S37")
@pytest.mark.parametrize("model", transcription.LIVE_MODELS)
@pytest.mark.parametrize("kind", ["realtime", "transcription"])
def test_s37_live_models_take_no_turn_detection(kind: str, model: str) -> None:
    client = Client(kind=kind)
    for audio in (
        transcribing(model),
        transcribing(model, turn_detection={"type": "server_vad"}),
        transcribing(model, turn_detection={"type": "semantic_vad"}),
    ):
        refused = error(client.update(audio=audio))
        assert (refused["code"], refused["param"]) == (
            "invalid_value",
            "session.audio.input.turn_detection",
        )
        assert refused["message"] == (
            "Turn detection is not supported for this transcription model."
        )
    assert types(client.update(audio=transcribing(model, turn_detection=None))) == [
        "session.updated"
    ]
    detection = {"input": {"turn_detection": {"type": "server_vad"}}}
    assert error(client.update(audio=detection))["code"] == "invalid_value"


@pytest.mark.checklist("S37")
def test_s37_a_live_model_tells_while_audio_comes(hearing: Client) -> None:
    hearing.update(audio=transcribing("gpt-live-transcribe", turn_detection=None))
    told = []
    for words in ("Turn on", "Turn on the", "turn on the lights.", "Turn on the lights in"):
        hearing.recogniser.words = words
        told += hearing.append(sound(640)) + hearing.work()
    assert [event["delta"] for event in told] == ["Turn on", " the", " lights"]
    hearing.recogniser.words = "Turn on the lights in the kitchen."
    events = hearing.send("input_audio_buffer.commit") + hearing.work()
    assert types(events) == [*COMMITTED, *[f"{KIND}.delta"] * 4, f"{KIND}.completed"]
    assert {event["item_id"] for event in told} == {events[0]["item_id"]}
    deltas = [event["delta"] for event in told + events if event["type"] == f"{KIND}.delta"]
    assert "".join(deltas) == events[-1]["transcript"] == "Turn on the lights in the kitchen."
    assert events[-1]["usage"] == {"type": "duration", "seconds": 2.56}


@pytest.mark.checklist("S37")
def test_s37_silence_and_a_clear_tell_nothing(hearing: Client) -> None:
    hearing.update(audio=transcribing("gpt-live-transcribe", turn_detection=None))
    hearing.append(silence(2000))
    assert hearing.jobs == []
    hearing.append(sound(640))
    hearing.work()
    hearing.append(sound(640))
    (job,) = hearing.jobs
    assert isinstance(job, Recognise)
    hearing.send("input_audio_buffer.clear")
    assert hearing.work() == []
    hearing.append(sound(640))
    assert hearing.jobs[0].item_id != job.item_id


def test_what_a_live_model_told_stays_when_another_model_follows(hearing: Client) -> None:
    hearing.update(audio=transcribing("gpt-live-transcribe", turn_detection=None))
    told = []
    for words in ("Turn of", "Turn of the"):
        hearing.recogniser.words = words
        told += hearing.append(sound(640)) + hearing.work()
    assert told
    hearing.update(audio=transcribing("whisper-1"))
    hearing.recogniser.words = "Please turn off the lights."
    told += hearing.send("input_audio_buffer.commit") + hearing.work()
    deltas = [event["delta"] for event in told if event["type"] == f"{KIND}.delta"]
    assert "".join(deltas) == told[-1]["transcript"]


def test_a_live_model_waits_for_one_hearing_before_the_next(hearing: Client) -> None:
    hearing.update(audio=transcribing("gpt-live-transcribe", turn_detection=None))
    for _ in range(4):
        hearing.append(sound(640))
    assert len(hearing.jobs) == 1
    hearing.work()
    hearing.append(sound(40_000))
    hearing.work()
    hearing.append(sound(640))
    assert hearing.jobs == []  # beyond 30 s it waits for the commit


def test_what_was_told_is_never_taken_back() -> None:
    growing = Growing()
    assert growing.heard("turn of the") == ""
    assert growing.heard("Turn of the light") == "Turn of the"
    assert growing.heard("") == ""
    assert growing.whole("Turn off the lights now.") == "Turn of the lights now."
    assert growing.whole("Turn") == "Turn of the"
