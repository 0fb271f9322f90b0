"""What servers say is understood, and what they should not say hurts nobody."""

from __future__ import annotations

import base64
import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satellite.errors import ProtocolError
from satellite.model import events as ev
from satellite.wire import server_events
from satellite.wire.server_shapes import READERS

decode = server_events.Decoder()
TRACE = Path(__file__).with_name("turn.jsonl")


def outcome(message: bytes) -> str:
    """The word event, or the complaint; any other exception is a failure."""
    try:
        decode(message)
    except ProtocolError as exc:
        return str(exc)
    return "event"


def said(**body: object) -> ev.ServerEvent:
    return decode(json.dumps(body).encode())


def test_a_recorded_turn_is_understood_in_order() -> None:
    events = [decode(line) for line in TRACE.read_bytes().splitlines()]
    kinds = [type(event).__name__ for event in events if not isinstance(event, ev.Ignored)]
    assert kinds == [
        "SessionCreated",
        "SessionUpdated",
        "SpeechStarted",
        "SpeechStopped",
        "InputCommitted",
        "ResponseCreated",
        "TranscriptDelta",
        "TextDelta",
        "AudioDelta",
        "TextDelta",
        "AudioDelta",
        "UserTranscript",
        "TextDelta",
        "ResponseDone",
        "RateLimits",
    ]
    done = events[-2]
    assert isinstance(done, ev.ResponseDone)
    assert done.usage == ev.Usage(135, 52, 64, 23, 38, 0, 0, 0)


def test_the_reason_of_a_failed_response_is_its_error_code() -> None:
    details = {"type": "failed", "error": {"type": "x", "code": "rate_limit_exceeded"}}
    response = {"id": "r1", "status": "failed", "status_details": details}
    event = said(type="response.done", response=response)
    assert event == ev.ResponseDone("r1", "failed", "rate_limit_exceeded")


def test_the_effective_session_is_handed_on_whole() -> None:
    session = {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
    assert said(type="session.updated", session=session) == ev.SessionUpdated(session)


@pytest.mark.checklist("C38")
def test_c38_unknown_types_and_keys_are_ignored() -> None:
    assert said(type="response.dream.delta", x=1) == ev.Ignored("response.dream.delta")
    event = said(type="input_audio_buffer.committed", item_id="u1", obfuscation="zz", more=[1])
    assert event == ev.InputCommitted("u1")


@pytest.mark.checklist("C39")
@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (b"", "not a JSON object with a type"),
        (b"[]", "not a JSON object with a type"),
        (b'{"type":1}', "not a JSON object with a type"),
        (b"\xff\xfe", "not a JSON object with a type"),
        (b"[" * 100_000, "not a JSON object with a type"),
        (b'{"type":"error"}', "error: Object missing required field `error`"),
        (b'{"type":"response.done","response":{"id":7}}', "response.done: Expected `str`"),
        (
            b'{"type":"response.output_audio.delta","response_id":"r","delta":"***"}',
            "response.output_audio.delta: Invalid base64",
        ),
        (
            b'{"type":"response.output_audio.delta","response_id":"r"}',
            "response.output_audio.delta: Object missing required field `delta`",
        ),
    ],
)
def test_c39_a_malformed_message_is_named_without_its_content(
    message: bytes, complaint: str
) -> None:
    with pytest.raises(ProtocolError, match=re.escape(complaint)):
        decode(message)


@pytest.mark.checklist("C39")
@given(st.binary(max_size=200))
def test_c39_any_bytes_are_an_event_or_a_protocol_error(message: bytes) -> None:
    assert outcome(message)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@pytest.mark.checklist("C39")
@given(st.sampled_from(sorted(READERS)), st.dictionaries(st.text(max_size=12), _json))
def test_c39_any_body_of_a_known_type_is_an_event_or_a_protocol_error(
    kind: str, body: dict[str, object]
) -> None:
    found = outcome(json.dumps({**body, "type": kind}).encode())
    assert found == "event" or found.startswith(kind) or "JSON object" in found


def test_what_was_said_is_in_no_repr() -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    assert "canary" not in repr(said(type=kind, item_id="u1", transcript="canary"))


def sound(delta: bytes, item: str = "a1", part: int = 0) -> dict[str, object]:
    return {
        "type": "response.output_audio.delta",
        "response_id": "r1",
        "item_id": item,
        "content_index": part,
        "delta": base64.b64encode(delta).decode(),
    }


def test_half_a_sample_waits_for_the_rest_of_its_item() -> None:
    hear = server_events.Decoder()
    heard = [
        hear(json.dumps(message).encode())
        for message in (
            sound(b"\1\2\3"),
            sound(b"\4"),
            sound(b"\5"),  # its other half never comes
            sound(b"\6\7", item="a2"),
            sound(b"\x08\x09\x0a", item="a2"),
            {"type": "response.output_audio.done", "response_id": "r1", "item_id": "a2"},
            sound(b"\x0b\x0c", item="a2"),
        )
    ]
    assert [event.pcm for event in heard if isinstance(event, ev.AudioDelta)] == [
        b"\1\2",
        b"\3\4",
        b"\6\7",
        b"\x08\x09",
        b"\x0b\x0c",
    ]


@pytest.mark.checklist("C3")
def test_what_a_server_says_is_logged_on_one_line_of_bounded_length() -> None:
    nasty = "\x1b[2J\n12:00 ERROR ek_68af0123456789 sk-canary" + "x" * 5000
    body = {"message": nasty, "type": nasty, "code": nasty, "param": nasty, "event_id": nasty}
    response = {"id": "r", "status": "failed", "status_details": {"error": {"code": nasty}}}
    failed = "conversation.item.input_audio_transcription.failed"
    hear = server_events.Decoder("sk-canary" + "x" * 5000)
    for event in (
        {"type": "error", "error": body},
        {"type": failed, "item_id": "u", "error": body},
        {"type": "response.done", "response": response},
    ):
        said = repr(hear(json.dumps(event).encode()))
        assert "68af" not in said
        assert "canary" not in said
        assert "\\x1b" not in said
        assert "\\n" not in said
        assert len(said) < 2000
    error = hear(json.dumps({"type": "error", "error": body}).encode())
    assert isinstance(error, ev.ServerError)
    assert error.message.startswith(" [2J 12:00 ERROR (a key) (our key)")


TRANSCRIPT = "conversation.item.input_audio_transcription.completed"
ABSURD = ["-1", "1.5", '"3"', "9" * 400, "1e308", "null", "[]", "{}", '"soon"']


@pytest.mark.checklist("C39", "C54")
@pytest.mark.parametrize("number", ABSURD)
def test_an_absurd_number_costs_the_number_and_not_what_was_said(number: str) -> None:
    """Two such logarithms overflow together."""
    logprobs = f'[{{"logprob":{number}}},{{"logprob":{number}}}]'
    extra = f'"usage":{{"input_tokens":{number},"seconds":{number}}},"logprobs":{logprobs}'
    words = decode(f'{{"type":"{TRANSCRIPT}","item_id":"u","transcript":"Hi.",{extra}}}'.encode())
    assert isinstance(words, ev.UserTranscript)
    assert words.text == "Hi."
    assert words.confidence is None or 0 <= words.confidence <= 1
    usage = f'{{"output_tokens":{number},"input_token_details":{{"audio_tokens":{number}}}}}'
    done = decode(f'{{"type":"response.done","response":{{"id":"r","usage":{usage}}}}}'.encode())
    assert isinstance(done, ev.ResponseDone)
    assert done.usage in {None, ev.Usage()}
    heard = decode(
        b'{"type":"input_audio_buffer.speech_stopped","item_id":"u","audio_end_ms":%s}'
        % number.encode()
    )
    assert heard == ev.SpeechStopped("u", None)


@pytest.mark.parametrize("number", [n for n in ABSURD if not n.lstrip("-").startswith(("1", "9"))])
def test_an_end_of_the_session_that_is_no_time_is_none(number: str) -> None:
    event = decode(b'{"type":"session.created","session":{"expires_at":%s}}' % number.encode())
    assert event == ev.SessionCreated("", None)


@given(st.binary(max_size=400), st.lists(st.integers(0, 400)))
def test_sound_is_the_same_however_it_was_cut(pcm: bytes, cuts: list[int]) -> None:
    hear = server_events.Decoder()
    joined = b""
    edges = [0, *sorted(cut % (len(pcm) + 1) for cut in cuts), len(pcm)]
    for start, end in itertools.pairwise(edges):
        event = hear(json.dumps(sound(pcm[start:end])).encode())
        joined += event.pcm if isinstance(event, ev.AudioDelta) else b""
    assert joined == pcm[: len(pcm) // 2 * 2]


@pytest.mark.checklist("C3")
@pytest.mark.parametrize(
    "key", ["s3cr3t-of-the-house", "ek_68af0123456789", "sk-proj-abc_DEF-0123456789"]
)
def test_a_key_that_the_server_echoes_goes_no_further(key: str) -> None:
    hear = server_events.Decoder("s3cr3t-of-the-house")
    error = {"type": "invalid_request_error", "message": f"Incorrect API key: {key}. See docs."}
    event = hear(json.dumps({"type": "error", "error": error}).encode())
    assert isinstance(event, ev.ServerError)
    assert key not in event.message
    assert event.message.startswith("Incorrect API key: (")
    assert event.message.endswith("). See docs.")
