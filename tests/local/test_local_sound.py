"""The formats of the wire, each way, and what is reported beside the protocol (S17, S24, S25)."""

from __future__ import annotations

import base64
import itertools
import json
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_bench import MS, Client, error, silence, sound, types

from satellite.local.behaviour import Behaviour
from satellite.local.outputs import Recognise
from satellite.local.sound import LINEAR, Decoder, Encoder, decoded, encoded, named
from satellite.model import g711
from satellite.model.g711 import Law

PCM = {"type": "audio/pcm", "rate": 24000}
ULAW, ALAW = {"type": "audio/pcmu"}, {"type": "audio/pcma"}
LAWS: list[tuple[dict, Law]] = [(ULAW, "ulaw"), (ALAW, "alaw")]
ANSWER_MS = 600  # of the fake synthesiser


def telephone(pcm_ms: list[tuple[int, int]], law: Law) -> bytes:
    """(sample, milliseconds) after each other, at 8 kHz."""
    samples = array("h", itertools.chain(*([sample] * (8 * ms) for sample, ms in pcm_ms)))
    return g711.encode(samples.tobytes(), law)


def turn(law: Law) -> bytes:
    """640 ms silence, 960 ms of a tone that the resampler lets through, 640 ms silence."""
    tone = [(16_000, 1), (-16_000, 1)] * 480
    return telephone([(0, 640), *tone, (0, 640)], law)


# Formats


@pytest.mark.checklist("S1", "S17", "S18")
@pytest.mark.parametrize(("wire", "law"), LAWS)
def test_s17_the_clock_counts_samples_of_the_session(client: Client, wire: dict, law: Law) -> None:
    client.update(audio={"input": {"format": wire}})
    events = client.append(turn(law))
    assert types(events)[:3] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ]
    start_ms, end_ms = events[0]["audio_start_ms"], events[1]["audio_end_ms"]
    assert (start_ms + 300) % 32 == end_ms % 32 == 0
    assert abs(start_ms - (640 - 300)) <= 32
    assert abs(end_ms - (1600 + 224)) <= 32
    (job,) = [job for job in client.jobs if isinstance(job, Recognise)]
    assert len(job.pcm) == (end_ms - start_ms) * MS  # 24 kHz of as many milliseconds
    (kept,) = client.send("conversation.item.retrieve", item_id=events[1]["item_id"])
    heard = base64.b64decode(kept["item"]["content"][0]["audio"])
    assert heard == turn(law)[start_ms * 8 : end_ms * 8]


@pytest.mark.checklist("S20")
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=20))
def test_s20_any_split_gives_identical_events(sizes: list[int]) -> None:
    whole, split = Client(), Client()
    for client in (whole, split):
        client.update(audio={"input": {"format": ULAW}})
    data = turn("ulaw") * 2
    whole.append(data)
    at = 0
    for size in itertools.cycle(sizes):
        split.append(data[at : at + size])
        at += size
        if at >= len(data):
            break
    assert split.events == whole.events


@pytest.mark.checklist("S21")
def test_s21_the_shortest_commit_is_in_milliseconds_of_the_format(client: Client) -> None:
    client.update(audio={"input": {"format": ALAW, "turn_detection": None}})
    client.append(bytes(8 * 99))
    assert "99.00ms" in error(client.send("input_audio_buffer.commit"))["message"]
    client.append(bytes(8))
    assert len(client.send("input_audio_buffer.commit")) == 3


@pytest.mark.checklist("S1", "S39")
@pytest.mark.parametrize(("wire", "law"), LAWS)
def test_an_answer_has_its_own_format(client: Client, wire: dict, law: Law) -> None:
    client.update(audio={"output": {"format": wire}})
    client.say()
    client.send("response.create")
    events = client.work()
    deltas = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    data = b"".join(map(base64.b64decode, deltas))
    assert len(data) == ANSWER_MS * 8
    middle = array("h", g711.decode(data[800:-800], law))
    assert all(abs(sample - 0x4000) < 1000 for sample in middle)
    done = events[-2]["response"]
    assert done["audio"]["output"]["format"] == wire
    assert done["usage"]["output_token_details"]["audio_tokens"] == ANSWER_MS // 50
    item_id = done["output"][0]["id"]
    cut = {"item_id": item_id, "content_index": 0}
    refused = error(client.send("conversation.item.truncate", **cut, audio_end_ms=601))
    assert refused["message"] == "Audio content of 600ms is already shorter than 601ms"
    client.send("conversation.item.truncate", **cut, audio_end_ms=100)
    (kept,) = client.send("conversation.item.retrieve", item_id=item_id)
    assert base64.b64decode(kept["item"]["content"][0]["audio"]) == data[:800]


def test_one_response_may_have_another_format(client: Client) -> None:
    client.say()
    client.send("response.create", response={"audio": {"output": {"format": ULAW}}})
    events = client.work()
    deltas = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    assert sum(len(base64.b64decode(delta)) for delta in deltas) == ANSWER_MS * 8
    client.say()
    assert client.send("response.create")[0]["response"]["audio"]["output"]["format"] == PCM


def test_the_clock_goes_on_when_the_format_changes(client: Client) -> None:
    client.append(silence(640))
    client.update(audio={"input": {"format": ULAW}})
    client.append(telephone([(0, 640)], "ulaw"))
    client.update(audio={"input": {"format": PCM}})
    events = client.append(sound(960) + silence(640))
    assert abs(events[0]["audio_start_ms"] - (1280 - 300)) <= 32
    (job,) = [job for job in client.jobs if isinstance(job, Recognise)]
    assert len(job.pcm) == (events[1]["audio_end_ms"] - events[0]["audio_start_ms"]) * MS


@pytest.mark.parametrize("wire", [PCM, ULAW, ALAW])
def test_as_much_comes_out_as_went_in(wire: dict) -> None:
    source = named(wire)
    data = bytes(777 * source.bytes_per_ms)
    assert len(decoded(data, source)) == 777 * LINEAR.bytes_per_ms
    assert len(encoded(decoded(data, source), source)) == len(data)
    for stream in (Decoder(source), Encoder(source)):
        assert stream(b"") + stream.finish() == b""


@pytest.mark.checklist("S5")
@pytest.mark.parametrize(
    ("wire", "code", "param"),
    [
        ({"type": "audio/opus"}, "invalid_value", "type"),
        ({"type": "audio/pcmu", "rate": 8000}, "unknown_parameter", "rate"),
        ({"type": "audio/pcm"}, "missing_required_parameter", "rate"),
        ({"type": "audio/pcm", "rate": 48000}, "integer_above_max_value", "rate"),
        ({}, "missing_required_parameter", "type"),
    ],
)
@pytest.mark.parametrize("side", ["input", "output"])
def test_s5_formats(client: Client, side: str, wire: dict, code: str, param: str) -> None:
    refused = error(client.update(audio={side: {"format": wire}}))
    assert (refused["code"], refused["param"]) == (code, f"session.audio.{side}.format.{param}")


# Diagnostics


def codes(client: Client) -> list[str]:
    return [diagnosed.code for diagnosed in client.session.diagnosed]


@pytest.mark.checklist("S25")
@pytest.mark.parametrize("magic", [b"RIFF", b"OggS", b"fLaC", b"ID3\x04", b"\x1aE\xdf\xa3"])
def test_s25_a_file_is_taken_as_sound_and_reported_once(client: Client, magic: bytes) -> None:
    client.update(audio={"input": {"turn_detection": None}})
    for _ in range(2):
        assert client.append(magic + silence(200)) == []
    assert types(client.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"
    assert codes(client) == ["container"]
    assert client.diagnosed == list(client.session.diagnosed)


@pytest.mark.checklist("S25")
def test_s25_a_file_in_an_item_is_reported_too(client: Client) -> None:
    part = {"type": "input_audio", "audio": base64.b64encode(b"RIFF" + silence(100)).decode()}
    item = {"type": "message", "role": "user", "content": [part]}
    assert len(client.send("conversation.item.create", item=item)) == 2
    assert codes(client) == ["container"]


@pytest.mark.checklist("S24")
def test_s24_half_a_sample_is_reported(client: Client) -> None:
    assert client.append(silence(100) + b"\0") == []
    assert codes(client) == ["odd_bytes"]
    client.update(audio={"input": {"format": ULAW}})


@pytest.mark.checklist("S24")
def test_s24_half_a_sample_is_refused_when_asked() -> None:
    client = Client(behaviour=Behaviour(refuse_odd_audio=True))
    refused = error(client.append(b"\0"))
    assert (refused["code"], refused["param"]) == ("invalid_value", "audio.audio")
    assert client.append(silence(10)) == []
    client.update(audio={"input": {"format": ULAW}})
    assert client.append(b"\xff") == []
    assert codes(client) == []


@pytest.mark.checklist("S24")
def test_s24_the_text_of_the_live_service(client: Client) -> None:
    refused = error(client.send("input_audio_buffer.append", audio="not base64"))
    assert (refused["code"], refused["param"], refused["event_id"]) == (
        "invalid_value",
        "audio.audio",
        "c1",
    )
    assert refused["message"] == (
        "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got an "
        "invalid value."
    )


@pytest.mark.checklist("S17", "S19")
@pytest.mark.parametrize("pace", [0.0, 0.02, 5.0])
def test_s19_the_wall_clock_changes_no_event(pace: float) -> None:
    told = []
    for every in (1.0, pace):
        client = Client()
        for number in range(0, 1600, 20):
            data = sound(20) if 320 <= number < 960 else silence(20)
            audio = base64.b64encode(data).decode()
            event = {"type": "input_audio_buffer.append", "audio": audio}
            client.raw(json.dumps(event), number * every)
        told.append(client.events)
    assert told[0] == told[1]
    assert "input_audio_buffer.committed" in types(told[0])


def stream(client: Client, ratio: float, seconds: float, begin: float = 100.0) -> None:
    """20 ms of the wall clock after each other, with ``ratio`` times as much sound."""
    audio = base64.b64encode(bytes(2 * round(480 * ratio))).decode()
    message = json.dumps({"type": "input_audio_buffer.append", "audio": audio})
    for number in range(int(seconds * 50)):
        client.raw(message, begin + number / 50)


@pytest.mark.checklist("S25")
@pytest.mark.parametrize(
    ("rate", "says"), [(8000, "8000"), (16000, "16000"), (44100, "44100"), (48000, "48000")]
)
def test_s25_a_wrong_rate_is_reported(client: Client, rate: int, says: str) -> None:
    stream(client, rate / 24000, 4)
    (diagnosed,) = client.session.diagnosed
    assert diagnosed.code == "wrong_rate"
    assert says in diagnosed.text


@pytest.mark.checklist("S25")
@pytest.mark.parametrize(("ratio", "seconds"), [(1.0, 10), (2.0, 2), (50.0, 10), (0.5, 10)])
def test_s25_other_paces_are_not(client: Client, ratio: float, seconds: float) -> None:
    stream(client, ratio, seconds)
    assert codes(client) == []


def test_a_gate_and_its_pre_roll_are_no_wrong_rate(client: Client) -> None:
    for opened in range(5):
        begin = 100.0 + opened * 5
        client.raw(
            json.dumps(
                {
                    "type": "input_audio_buffer.append",
                    "audio": base64.b64encode(silence(1500)).decode(),
                }
            ),
            begin,
        )
        stream(client, 1.0, 2.5, begin + 0.02)
    assert codes(client) == []
