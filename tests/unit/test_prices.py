"""What a turn cost, from the server's own counts (C54)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage import Stage, settings

from satellite.logic.price import Cost, of_response, of_transcript
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.models import SPEAKERS, TRANSCRIBERS, Price, TranscriptPrice

pytestmark = pytest.mark.checklist("C54")
WHOLE = SPEAKERS["gpt-realtime-2.1"].price
assert WHOLE is not None
# realtime-protocol 8.3: input 112 text (64 cached) and 23 audio, output 14 text and 38 audio
TRACE = ev.Usage(
    input_tokens=135,
    output_tokens=52,
    cached_tokens=64,
    input_audio_tokens=23,
    output_audio_tokens=38,
    cached_audio_tokens=0,
    cached_image_tokens=0,
)
BY_TOKENS = TRANSCRIBERS["gpt-4o-mini-transcribe"].price
BY_MINUTE = TRANSCRIBERS["gpt-transcribe"].price


def test_the_worked_example() -> None:
    cost = of_response(TRACE, WHOLE)
    assert round(cost.usd, 6) == 0.003722
    assert cost.exact


def test_a_minute_of_each_side() -> None:
    assert of_response(ev.Usage(0, 1200, output_audio_tokens=1200), WHOLE) == Cost(0.0768)
    assert of_response(ev.Usage(600, 0, input_audio_tokens=600), WHOLE) == Cost(0.0192)


def test_cached_tokens_are_counted_once_at_their_own_price() -> None:
    usage = ev.Usage(1000, 0, 1000, 400, 0, 0, 400, 0)
    assert of_response(usage, Price(4, 0.4, 16, 32, 0.5, 64)).usd == pytest.approx(
        (600 * 0.4 + 400 * 0.5) / 1e6
    )


@pytest.mark.parametrize(
    ("text", "audio", "cached", "micro"),
    [
        (100, 50, 80, 20 * 4 + 80 * 0.4 + 50 * 32),  # enough text for all of it
        (100, 50, 120, 100 * 0.4 + 20 * 0.5 + 30 * 32),  # the rest must be sound
        (100, 50, 150, 100 * 0.4 + 50 * 0.5),
    ],
)
def test_cached_tokens_of_an_unknown_kind_make_an_estimate(
    text: int, audio: int, cached: int, micro: float
) -> None:
    usage = ev.Usage(text + audio, 0, cached, input_audio_tokens=audio)
    cost = of_response(usage, Price(4, 0.4, 16, 32, 0.5, 64))
    assert cost.usd == pytest.approx(micro / 1e6)
    assert not cost.exact


def test_without_anything_cached_nothing_is_estimated() -> None:
    assert of_response(ev.Usage(100, 0, 0, 50), WHOLE).exact


def test_images_without_a_published_price_make_an_estimate() -> None:
    usage = ev.Usage(100, 0, input_image_tokens=100)
    assert not of_response(usage, Price(4, 0.4, 16, 32, 0.5, 64)).exact
    assert of_response(usage, WHOLE) == Cost(100 * 5 / 1e6)


counts = st.integers(0, 100_000)


@given(counts, counts, counts, counts, counts, st.one_of(st.none(), counts))
def test_no_counts_make_a_negative_price_or_one_above_that_without_a_cache(
    text: int, audio: int, out: int, out_audio: int, cached: int, cached_audio: int | None
) -> None:
    known = Price(4, 0.4, 16, 32, 0.4, 64)
    usage = ev.Usage(text + audio, out, cached, audio, out_audio, 0, cached_audio)
    plain = ev.Usage(text + audio, out, 0, audio, out_audio)
    assert 0 <= of_response(usage, known).usd <= of_response(plain, known).usd + 1e-12


def test_transcripts_by_tokens_and_by_the_minute() -> None:
    assert BY_TOKENS is not None
    assert BY_MINUTE is not None
    tokens = ev.TranscriptUsage(input_tokens=16, output_tokens=4)
    assert of_transcript(tokens, BY_TOKENS) == Cost((16 * 1.25 + 4 * 5) / 1e6)
    seconds = ev.TranscriptUsage(seconds=90)
    assert of_transcript(seconds, BY_MINUTE) == Cost(pytest.approx(0.00675))
    assert of_transcript(tokens, BY_MINUTE) is None  # counted otherwise than it is sold
    assert of_transcript(seconds, BY_TOKENS) is None


def a_turn(
    price: Price | None,
    transcript_price: TranscriptPrice | None,
    usage: ev.Usage | None = TRACE,
    written: ev.TranscriptUsage | None = None,
) -> rec.TurnRecord:
    stage = Stage(settings(price=price, transcript_price=transcript_price)).ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi.", usage=written), ev.ResponseCreated("r1"))
    stage.server(ev.TextDelta("r1", 0, 0, "Hello.", final=True))
    stage.server(ev.ResponseDone("r1", "completed", None, usage))
    (turn,) = stage.published(rec.TurnRecord)
    return turn


def test_a_turn_has_both_bills() -> None:
    written = ev.TranscriptUsage(seconds=60)
    turn = a_turn(WHOLE, BY_MINUTE, written=written)
    assert turn.cost_usd == pytest.approx(0.003722 + 0.0045, abs=1e-6)
    assert turn.cost_exact
    assert turn.tokens == rec.Tokens(
        input=135, output=52, cached=64, input_audio=23, output_audio=38
    )


def test_an_unknown_model_has_tokens_and_no_price() -> None:
    turn = a_turn(None, None)
    assert turn.cost_usd is None
    assert turn.tokens is not None
    assert turn.tokens.input == 135


@pytest.mark.parametrize(
    ("price", "transcript_price"), [(WHOLE, None), (None, BY_MINUTE), (WHOLE, BY_TOKENS)]
)
def test_half_a_bill_is_no_bill(
    price: Price | None, transcript_price: TranscriptPrice | None
) -> None:
    turn = a_turn(price, transcript_price, written=ev.TranscriptUsage(seconds=60))
    assert turn.cost_usd is None


def test_a_server_that_counts_nothing_costs_nothing_that_is_known() -> None:
    turn = a_turn(WHOLE, BY_MINUTE, usage=None)
    assert turn.cost_usd is None
    assert turn.tokens is None


def test_an_estimate_is_marked() -> None:
    turn = a_turn(WHOLE, None, ev.Usage(100, 10, cached_tokens=50))
    assert turn.cost_usd is not None
    assert not turn.cost_exact


def test_the_answers_of_a_turn_are_summed() -> None:
    stage = Stage(settings(price=WHOLE)).ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Time?"), ev.ResponseCreated("r1"))
    call = ev.ToolCall("call1", "get_time", "{}")
    stage.server(ev.ResponseDone("r1", "completed", None, TRACE, (call,)))
    stage.tell(ev.ToolDone("call1", "7"))
    stage.server(ev.ResponseCreated("r2"), ev.TextDelta("r2", 0, 0, "Seven."))
    stage.server(ev.ResponseDone("r2", "completed", None, TRACE))
    (turn,) = stage.published(rec.TurnRecord)
    assert turn.cost_usd == pytest.approx(2 * 0.0037216, abs=1e-6)
    assert turn.tokens is not None
    assert (turn.tokens.input, turn.tokens.output_audio) == (270, 76)


def test_another_recogniser_has_no_price_that_is_known_here() -> None:
    stage = Stage(settings(transcript_price=BY_MINUTE)).ready()
    stage.change(transcription_model="gpt-live-transcribe")
    stage.server(ev.SessionUpdated())
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi.", usage=ev.TranscriptUsage(seconds=60)))
    stage.server(ev.ResponseCreated("r1"), ev.TextDelta("r1", 0, 0, "Hello."))
    stage.server(ev.ResponseDone("r1", "completed"))
    assert stage.published(rec.TurnRecord)[0].cost_usd is None
