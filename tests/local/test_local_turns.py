"""Audio in: the clock, turn detection, commits and transcripts (S17 to S24, S31, S39, S40)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_bench import Client, error, silence, sound, types

SPEECH = sound(960)
TAIL = silence(640)
TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]


def detection(**keys: object) -> dict:
    return {"input": {"turn_detection": {"type": "server_vad", **keys}}}


@pytest.mark.checklist("S17")
def test_s17_no_more_audio_no_more_events(client: Client) -> None:
    client.append(silence(320) + SPEECH + silence(96))
    assert types(client.events)[1:] == ["input_audio_buffer.speech_started"]
    assert client.session.listen() == []
    assert not client.session.has_unheard


@pytest.mark.checklist("S18")
def test_s18_times_lie_on_the_frame_grid(client: Client) -> None:
    events = client.append(silence(640) + SPEECH + TAIL)
    started, stopped = events[0], events[1]
    assert started["audio_start_ms"] == 640 - 300
    # 1600 ms is the end of speech; 7 frames of 32 ms are the first to hold 200 ms of silence
    assert stopped["audio_end_ms"] == 1600 + 224
    assert started["item_id"] == stopped["item_id"] == events[2]["item_id"]


@pytest.mark.checklist("S18")
def test_s18_start_is_never_negative(client: Client) -> None:
    assert client.append(silence(64) + SPEECH)[0]["audio_start_ms"] == 0


@pytest.mark.checklist("S18")
def test_s18_threshold_is_honoured(client: Client) -> None:
    client.update(audio=detection(threshold=0.9))
    assert client.append(sound(960, b"\x00\x38") + TAIL) == []
    client.update(audio=detection(threshold=0.5))
    assert types(client.append(sound(960, b"\x00\x38") + TAIL))[:2] == TURN[:2]


@pytest.mark.checklist("S18")
def test_s18_prefix_and_silence_are_honoured(client: Client) -> None:
    client.update(audio=detection(prefix_padding_ms=96, silence_duration_ms=500))
    events = client.append(silence(640) + SPEECH + silence(480) + SPEECH + silence(800))
    assert types(events)[:2] == TURN[:2]
    assert events[0]["audio_start_ms"] == 640 - 96
    assert events[1]["audio_end_ms"] == 640 + 960 + 480 + 960 + 512


@pytest.mark.checklist("S18")
def test_s18_one_loud_frame_is_no_speech(client: Client) -> None:
    assert client.append(silence(320) + sound(32) + silence(640)) == []


@pytest.mark.checklist("S18")
def test_s18_the_item_holds_prefix_speech_and_silence(client: Client) -> None:
    client.append(silence(640) + SPEECH + TAIL)
    (job,) = [job for job in client.jobs if type(job).__name__ == "Recognise"]
    assert job.pcm == silence(300) + SPEECH + silence(224)


@pytest.mark.checklist("S19", "S20")
@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=40))
def test_s19_s20_any_split_gives_identical_events(sizes: list[int]) -> None:
    pcm = silence(320) + SPEECH + TAIL + SPEECH + TAIL
    whole, split = Client(), Client()
    whole.append(pcm)
    at = 0
    while at < len(pcm):
        size = sizes[at % len(sizes)]
        split.append(pcm[at : at + size])  # odd sizes cut samples in two
        at += size
    assert split.events == whole.events
    assert types(whole.events).count("input_audio_buffer.committed") == 2


@pytest.mark.checklist("S21")
def test_s21_short_commit_is_refused_with_the_measured_ms(client: Client) -> None:
    refused = error(client.send("input_audio_buffer.commit"))
    assert refused["code"] == "input_audio_buffer_commit_empty"
    assert refused["message"].endswith("but buffer only has 0.00ms of audio.")
    assert refused["event_id"] == "c1"
    client.append(silence(99))
    assert "99.00ms" in error(client.send("input_audio_buffer.commit"))["message"]


@pytest.mark.checklist("S21")
def test_s21_commit_during_speech_has_no_speech_stopped(client: Client) -> None:
    client.append(SPEECH)
    started = client.events[-1]
    events = client.send("input_audio_buffer.commit")
    assert types(events) == TURN[2:]
    assert events[0]["item_id"] == started["item_id"]
    assert client.append(TAIL) == []


@pytest.mark.checklist("S22")
def test_s22_commit_creates_no_response_and_vad_does(client: Client) -> None:
    client.update(audio={"input": {"turn_detection": None}})
    assert client.append(SPEECH + TAIL) == []
    assert types(client.send("input_audio_buffer.commit")) == TURN[2:]
    assert client.work() == []
    client.update(audio=detection())
    assert types(client.append(SPEECH + TAIL)) == [*TURN, "response.created"]


@pytest.mark.checklist("S22")
def test_s22_vad_does_not_when_create_response_is_false(client: Client) -> None:
    client.update(audio=detection(create_response=False))
    assert types(client.append(SPEECH + TAIL)) == TURN


@pytest.mark.checklist("S23")
def test_s23_clear_drops_audio_and_not_the_clock(client: Client) -> None:
    client.append(silence(320) + SPEECH)
    assert types(client.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert "0.00ms" in error(client.send("input_audio_buffer.commit"))["message"]
    started = client.append(silence(640) + SPEECH)[0]
    assert started["audio_start_ms"] == 320 + 960 + 640 - 300


@pytest.mark.checklist("S24")
@pytest.mark.parametrize("audio", ["not base64", "AAA", "QUJD\u00e9"])
def test_s24_bad_base64_is_refused(client: Client, audio: str) -> None:
    refused = error(client.send("input_audio_buffer.append", audio=audio))
    assert (refused["code"], refused["param"]) == ("invalid_value", "audio.audio")


@pytest.mark.checklist("S12")
def test_s12_more_than_15_mib_is_refused(client: Client) -> None:
    audio = base64.b64encode(bytes(15 * 1024 * 1024 + 1)).decode()
    assert error(client.send("input_audio_buffer.append", audio=audio))["code"] == "invalid_value"


def test_the_input_buffer_is_bounded(client: Client) -> None:
    client.update(audio={"input": {"turn_detection": None}})
    buffer = client.session._turns._buffer
    for _ in range(5):
        buffer.append(silence(100_000))
        while client.session.has_unheard:
            buffer.hear()
    assert buffer.ms == 330_000


@pytest.mark.checklist("S31")
def test_s31_speech_cancels_only_with_interrupt_response(client: Client) -> None:
    client.update(audio=detection(interrupt_response=False))
    client.say()
    client.send("response.create")
    assert types(client.append(SPEECH)) == ["input_audio_buffer.speech_started"]
    stopped = client.append(TAIL)
    assert error(stopped[-1:])["code"] == "conversation_already_has_active_response"
    client.update(audio=detection(interrupt_response=True))
    done = client.append(SPEECH)[-2]["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")


@pytest.mark.checklist("S39")
def test_s39_transcript_has_usage_and_is_sent_only_when_asked_for(client: Client) -> None:
    client.append(SPEECH + TAIL)
    assert not any("transcription" in kind for kind in types(client.work()))
    client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    client.append(SPEECH + TAIL)
    events = [event for event in client.work(1) if "transcription" in event["type"]]
    assert [event["type"].rpartition(".")[2] for event in events] == ["delta", "completed"]
    assert events[1]["transcript"] == "what time is it"
    assert events[1]["usage"] == {"type": "duration", "seconds": (300 + 960 + 224) / 1000}


def test_failed_recognition_fails_the_transcript_and_the_response(client: Client) -> None:
    client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    client.recogniser.words = RuntimeError()
    client.append(SPEECH + TAIL)
    events = client.work()
    assert types(events) == [
        "conversation.item.input_audio_transcription.failed",
        "response.done",
        "rate_limits.updated",
    ]
    assert events[1]["response"]["status"] == "failed"
    assert events[1]["response"]["output"] == []
    assert events[1]["response"]["usage"]["total_tokens"] == 0


def test_empty_transcript_is_completed_without_delta(client: Client) -> None:
    client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    client.recogniser.words = ""
    client.append(SPEECH + TAIL)
    assert client.work(1)[0]["transcript"] == ""


def test_audio_that_was_not_judged_yet_belongs_to_a_commit(client: Client) -> None:
    audio = base64.b64encode(sound(500)).decode()
    client.session.receive(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
    assert client.session.has_unheard
    events = client.take(client.session.receive('{"type":"input_audio_buffer.commit"}'))
    assert types(events) == [TURN[0], *TURN[2:]]
    assert client.jobs[0].pcm == sound(500)


# The idle timeout

IDLE = 5000


def answered(client: Client, **keys: object) -> None:
    """A session with an idle timeout, and an answer of 600 ms just made."""
    client.update(audio=detection(idle_timeout_ms=IDLE, **keys))
    client.append(silence(320))
    client.say()
    client.send("response.create")
    client.work()


@pytest.mark.checklist("S40")
def test_s40_idle_timeout_in_the_order_of_4_10(client: Client) -> None:
    answered(client)
    assert client.wake is not None
    assert client.wake.after_ms == IDLE + 600
    client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    assert client.append(silence(5600)) == []
    events = client.take(client.session.woken(client.wake.number))
    assert types(events) == [
        "input_audio_buffer.timeout_triggered",
        *TURN[2:],
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
    ]
    triggered = events[0]
    assert (triggered["audio_start_ms"], triggered["audio_end_ms"]) == (320 + 600, 320 + 5600)
    assert triggered["item_id"] == events[1]["item_id"]
    events = client.work()
    (words,) = [event for event in events if event["type"].endswith("transcription.completed")]
    assert words["transcript"] == ""  # silence is given to no recogniser
    done = events[-2]["response"]
    assert done["output"][0]["content"][0]["transcript"] == "Are you still there?"
    assert client.wake.number > 1  # and once more


@pytest.mark.checklist("S40")
def test_s40_a_client_that_sends_nothing_is_asked_too(client: Client) -> None:
    answered(client)
    events = client.take(client.session.woken(client.wake.number))
    assert events[0]["audio_start_ms"] == events[0]["audio_end_ms"] == 320
    assert types(events)[1:4] == TURN[2:]


@pytest.mark.checklist("S40")
@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda client: client.append(SPEECH),
        lambda client: client.send("input_audio_buffer.clear"),
        lambda client: client.append(silence(200)) + client.send("input_audio_buffer.commit"),
        lambda client: client.send("response.create"),
        lambda client: client.update(audio={"input": {"turn_detection": None}}),
        lambda client: client.update(audio=detection(idle_timeout_ms=None)),
    ],
)
def test_s40_what_ends_the_waiting(client: Client, meanwhile: Callable) -> None:
    answered(client)
    meanwhile(client)
    assert client.session.woken(client.wake.number) == []


@pytest.mark.checklist("S40")
@pytest.mark.parametrize("keys", [{}, {"idle_timeout_ms": None}])
def test_s40_nobody_is_woken_without_a_timeout(client: Client, keys: dict) -> None:
    client.update(audio=detection(**keys))
    client.say()
    client.send("response.create")
    client.work()
    assert client.wake is None


@pytest.mark.checklist("S5", "S40")
@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"type": "server_vad", "idle_timeout_ms": 4999}, "integer_below_min_value"),
        ({"type": "server_vad", "idle_timeout_ms": 30001}, "integer_above_max_value"),
        ({"type": "semantic_vad", "idle_timeout_ms": 5000}, "unknown_parameter"),
    ],
)
def test_s40_only_server_vad_has_one(client: Client, wanted: dict, code: str) -> None:
    refused = error(client.update(audio={"input": {"turn_detection": wanted}}))
    assert refused["code"] == code
    assert refused["param"] == "session.audio.input.turn_detection.idle_timeout_ms"


def test_s40_a_barge_in_waits_for_its_own_answer(client: Client) -> None:
    client.update(audio=detection(idle_timeout_ms=IDLE))
    client.say()
    client.send("response.create")
    client.append(SPEECH)
    assert client.wake is None


# What the client commits and nobody said


def test_a_commit_in_which_nobody_spoke_has_no_words(client: Client) -> None:
    audio = {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}}
    client.update(audio=audio)
    client.append(sound(500, b"\x00\x08"))  # noise, which a recogniser makes words of
    client.send("input_audio_buffer.commit")
    assert client.work()[-1]["transcript"] == ""
    client.send("response.create")
    client.work()
    assert client.responder.asked == [""]
    client.append(silence(200) + sound(100) + silence(200))
    client.send("input_audio_buffer.commit")
    assert client.work()[-1]["transcript"] == "what time is it"


def test_a_turn_that_is_open_when_turn_detection_ends_is_committed_whole(client: Client) -> None:
    started = client.append(silence(640) + SPEECH)[0]
    client.update(audio={"input": {"turn_detection": None}})
    client.append(TAIL)
    assert client.send("input_audio_buffer.commit")[0]["item_id"] == started["item_id"]
    assert client.jobs[0].pcm == silence(640) + SPEECH + TAIL


@pytest.mark.parametrize("between", [b"", sound(320)])
def test_turn_detection_off_and_on_while_somebody_speaks(client: Client, between: bytes) -> None:
    first = client.append(silence(2000) + SPEECH)[0]
    client.update(audio={"input": {"turn_detection": None}})
    client.append(between)
    client.update(audio=detection())
    events = client.append(SPEECH + TAIL)
    assert types(events)[:5] == TURN
    assert {event["item_id"] for event in events[:3]} == {first["item_id"]}
    heard_ms = len(client.jobs[0].pcm) // 48
    assert heard_ms == events[1]["audio_end_ms"] - events[0]["audio_start_ms"]
