"""What Realtime servers of other people were seen to do, and what the daemon makes of it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from foreign_tables import (
    ANSWERED,
    BEGUN,
    DONE,
    GOOD,
    GREETING,
    HEARD,
    INTERRUPTED,
    PART,
    VOICE,
)
from quick import FULL_DUPLEX, SPEED, Witness, answered, wait_until
from replay import SILENCE_MS

from satellite.config.schema import Config, Gate

BOTH = pytest.mark.parametrize("dialect", ["ga", "beta"])
CREATED = 'connect  session.created  {"session": {"type": "realtime", "id": "sess"}}\n'


# --- 1: the other dialect, or an update that is not understood ---------------------------------

UNKNOWN = '"message": "Unknown or invalid event: session.update", "param": null, "code": null'


@BOTH
@pytest.mark.checklist("C22")
def test_an_update_that_is_not_understood_is_no_session(witness: Witness, dialect: str) -> None:
    refusal = f"""
        update  error  {{"error": {{{UNKNOWN}, "type": "unknown_or_invalid_event", "event_id": $event}}}}
    """  # noqa: E501
    with witness(CREATED + refusal + HEARD + ANSWERED, dialect=dialect) as (server, it):
        problem, turn = it.fails("session_refused")
        assert "Unknown or invalid event: session.update" in problem["detail"]
        assert (turn["event_type"], turn["reason"]) == ("failed", "session_refused")
        assert len(server.heard) == 1, "tried again in a quarter of an hour"
    assert server.heard[0].sound_ms == 0


@pytest.mark.checklist("C22")
def test_an_anonymous_refusal_and_silence_is_no_session(witness: Witness) -> None:
    refusal = """
        update  error  {"error": {"type": "invalid_request_error", "message": "Invalid client event: 3 validation error(s)"}}
    """  # noqa: E501
    with witness(CREATED + refusal + HEARD + ANSWERED, connect_timeout_s=2) as (server, it):
        problem, _ = it.fails("session_refused")
        assert "Invalid client event" in problem["detail"]
    assert not any(heard.sound_ms for heard in server.heard)


@pytest.mark.checklist("C20")
def test_a_server_that_confirms_nothing_gets_no_sound(witness: Witness) -> None:
    with witness(CREATED + HEARD + ANSWERED, connect_timeout_s=8) as (server, it):
        assert it.fails("realtime_silent")[1]["event_type"] == "failed"
    assert server.heard[0].types() == ["session.update"]
    assert not any(heard.sound_ms for heard in server.heard)


BETA_DEFAULTS = """
connect  session.created  {"session": {"id": "sess", "model": "local", "modalities": ["audio", "text"], "voice": "af_heart", "input_audio_format": "pcm16", "output_audio_format": "pcm16", "turn_detection": {"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 350}}}
update   session.updated  {"session": {"id": "sess", "model": "local", "modalities": ["audio", "text"], "voice": "af_heart", "input_audio_format": "pcm16", "output_audio_format": "pcm16", "turn_detection": {"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 350}}}
"""  # noqa: E501


def test_a_session_of_the_other_dialect_is_no_session(witness: Witness) -> None:
    with witness(BETA_DEFAULTS + HEARD + ANSWERED) as (server, it):
        it.fails("session_refused")
    assert not any(heard.sound_ms for heard in server.heard)


# --- 2: errors that are not the end ------------------------------------------------------------


KEPT = {
    "ga": (
        '{"type": "realtime", "audio": {"input": {"turn_detection": {"prefix_padding_ms": 100}}}}',
        "audio.input.turn_detection.prefix_padding_ms asked 300, got 100",
    ),
    "beta": (
        '{"modalities": ["audio", "text"], "turn_detection": {"prefix_padding_ms": 100}}',
        "turn_detection.prefix_padding_ms asked 300, got 100",
    ),
}


@BOTH
@pytest.mark.checklist("C16", "C21")
def test_an_error_for_each_key_and_then_a_session(witness: Witness, dialect: str) -> None:
    kept, difference = KEPT[dialect]
    complaint = '"type": "invalid_request_error", "message": "Specifying `%s` is not supported."'
    keys = ("session.input_audio_format", "session.turn_detection.prefix_padding_ms")
    errors = "".join(f'update error {{"error": {{{complaint % key}}}}}\n' for key in keys)
    table = f'{CREATED}{errors}update session.updated {{"session": {kept}}}\n{HEARD}{ANSWERED}'
    with witness(table, dialect=dialect) as (server, it):
        assert difference in it.problem("session_differs")["detail"]
        answered(it, "words 1", "answer 1")
        (heard,) = server.heard
    assert heard.frames[0]["session"].get("type") == ("realtime" if dialect == "ga" else None)


@pytest.mark.checklist("C37")
def test_errors_that_are_named_by_their_type_alone(witness: Witness) -> None:
    empty = """
        silence  error  {"error": {"message": "Input audio buffer is empty, nothing to commit.", "type": "input_audio_buffer_commit_empty", "code": null, "param": null, "event_id": null}}
    """  # noqa: E501
    with witness(GOOD + empty) as (server, it):
        for number in range(1, 7):
            answered(it, f"words {number}", f"answer {number}")
        it.idle()
    assert len(server.heard) == 1
    assert it.codes() == set()


# --- 3: errors that are the end ----------------------------------------------------------------

FULL = """
connect  error  {"error": {"message": "All 1 session slots are in use. Disconnect an existing client first.", "type": "session_limit_reached", "code": null, "event_id": null, "param": null}}
connect  close  1008 All session slots are in use
"""  # noqa: E501


@pytest.mark.checklist("C9")
def test_a_server_with_no_room_is_left_in_peace(witness: Witness) -> None:
    with witness(FULL, FULL, FULL, FULL, GOOD) as (server, it):
        state = it.until("state", lambda state: state["problems"])
        assert "All 1 session slots are in use" in state["problems"][0]["detail"]
        wait_until(lambda: len(server.heard) == 5)
        it.until("state", lambda state: not state["problems"])
        answered(it, "words 1", "answer 1")
    gaps_s = [(b.at - a.at) * SPEED for a, b in pairwise(server.heard)]
    assert [gap > wait * 0.9 for gap, wait in zip(gaps_s, (0.5, 1, 2, 4), strict=True)] == [
        True
    ] * 4


def test_a_server_with_no_room_is_called_busy(witness: Witness) -> None:
    with witness(FULL) as (_, it):
        assert "check realtime.url" not in it.problem("realtime_busy")["fix"]


# --- 4: what is not JSON -----------------------------------------------------------------------


@pytest.mark.checklist("C11")
def test_nothing_but_json_in_text_frames(witness: Witness) -> None:
    odd = 'Say "yes"\n\t\\ \x00 \u2028 \U0001f3b5 Grüße'
    long = VOICE.replace("$voice(200)", "$voice(3000)")
    interrupted = GREETING + INTERRUPTED + HEARD + BEGUN + long
    with witness(interrupted, config=FULL_DUPLEX, instructions=odd) as (server, it):
        it.say()
        wait_until(lambda: it.speaker.played_ms > 200)
        it.say()
        it.until("response", lambda response: response["interrupted"])
        wait_until(lambda: len(server.heard[0].types()) > 1)
    (heard,) = server.heard
    assert heard.nonsense == []
    assert set(heard.types()) == {"session.update", "conversation.item.truncate"}
    assert heard.frames[0]["session"]["instructions"] == odd


# --- 5: a turn ends only where silence arrives -------------------------------------------------


@pytest.mark.checklist("C30")
@pytest.mark.parametrize("says", [GOOD, GREETING], ids=["answers", "says nothing"])
def test_silence_follows_all_that_was_said(witness: Witness, says: str) -> None:
    with witness(says) as (server, it):
        it.idle()
        for length_ms in (200, 600, 1500):
            it.say(length_ms)
            it.until("state", lambda state: state["state"] == "listening")
            it.idle()
        (heard,) = server.heard
        wait_until(lambda: len(heard.tails_ms) == 3 and heard.tails_ms[-1] >= SILENCE_MS)
    assert min(heard.tails_ms) >= SILENCE_MS
    assert heard.types() == ["session.update"], "not a commit of ours"


# --- 6: a session that falls silent ------------------------------------------------------------

DELTAS = """
speech   input_audio_buffer.speech_started   {"item_id": "u$n", "audio_start_ms": $ms}
speech   conversation.item.input_audio_transcription.delta  {"item_id": "u$n", "content_index": 0, "delta": "What"}
speech   conversation.item.input_audio_transcription.delta  {"item_id": "u$n", "content_index": 0, "delta": " time is"}
"""  # noqa: E501


@BOTH
@pytest.mark.checklist("C31")
def test_a_session_that_hangs_in_mid_turn_is_changed(witness: Witness, dialect: str) -> None:
    short = Config(gate=Gate(max_utterance_s=3))
    with witness(GREETING + DELTAS, GOOD, config=short, dialect=dialect) as (server, it):
        it.say()
        turn = it.until("turn")
        assert (turn["event_type"], turn["transcript"]) == ("failed", None)
        assert turn["reason"]
        wait_until(lambda: len(server.heard) == 2)
        it.until("state", lambda state: not state["problems"])
        answered(it, "words 1", "answer 1")
    assert server.heard[0].types() == ["session.update", "input_audio_buffer.commit"]


@pytest.mark.checklist("C31")
def test_a_turn_without_an_answer_is_the_last_of_its_session(
    witness: Witness,
) -> None:
    with witness(GREETING + HEARD, GOOD) as (server, it):
        it.say()
        assert it.until("transcript")["text"] == "words 1"
        turn = it.until("turn")
        assert (turn["event_type"], turn["reason"]) == ("failed", "timeout")
        it.until("state", lambda state: state["state"] == "idle" and not state["problems"])
        answered(it, "words 1", "answer 1")
        assert len(server.heard) == 2


# --- 7: an answer in one piece -----------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("deltas", [[3000], [200] * 24], ids=["190 kB at once", "a burst of 24"])
def test_an_answer_that_comes_at_once_is_heard(
    witness: Witness, deltas: list[int], dialect: str
) -> None:
    sound = "".join(VOICE.replace("200", str(ms)) for ms in deltas)
    with witness(GREETING + HEARD + BEGUN + sound + DONE, dialect=dialect) as (_, it):
        _, response, _ = it.converse()
        assert response["event_type"] == "completed"
        assert response["audio_ms"] == response["played_ms"] == sum(deltas)
        assert it.speaker.played_ms == sum(deltas)


@BOTH
@pytest.mark.parametrize("deltas", [[3000], [200] * 24], ids=["190 kB at once", "a burst of 24"])
def test_an_answer_that_came_at_once_is_still_interrupted(
    witness: Witness, deltas: list[int], dialect: str
) -> None:
    sound = "".join(VOICE.replace("200", str(ms)) for ms in deltas)
    table = GREETING + INTERRUPTED + HEARD + BEGUN + sound + DONE
    with witness(table, config=FULL_DUPLEX, dialect=dialect) as (server, it):
        it.say()
        wait_until(lambda: it.speaker.played_ms > 200)
        it.say()
        cut = it.until("response")
        wait_until(lambda: "conversation.item.truncate" in server.heard[0].types())
    assert cut["interrupted"]
    assert 0 < cut["played_ms"] < sum(deltas)
    assert it.speaker.played_ms < 2 * sum(deltas)
    (truncate,) = [f for f in server.heard[0].frames if f["type"] == "conversation.item.truncate"]
    assert truncate["item_id"] == "a1"
    assert truncate["audio_end_ms"] == cut["played_ms"]


# --- 8: said twice, then nothing ---------------------------------------------------------------

TWICE = """
silence  input_audio_buffer.speech_stopped   {"item_id": "u$n", "audio_end_ms": $ms}
silence  input_audio_buffer.committed        {"item_id": "u$n", "previous_item_id": "u$n"}
silence  error  {"error": {"type": "server_error", "message": "Error adding item: the item with id 'u1' already exists."}}
"""  # noqa: E501


def test_an_end_that_is_told_twice_is_one_turn(witness: Witness) -> None:
    with witness(GREETING + HEARD + TWICE, GOOD) as (server, it):
        it.say()
        turn = it.until("turn")
        assert (turn["event_type"], turn["transcript"]) == ("failed", "words 1")
        it.until("state", lambda state: state["state"] == "idle" and not state["problems"])
        answered(it, "words 1", "answer 1")
        assert len(server.heard) == 2
    assert [name for name, _ in it.all].count("transcript") == 2
    assert [name for name, _ in it.all].count("turn") == 2


@BOTH
def test_an_end_that_is_told_twice_is_answered_once(witness: Witness, dialect: str) -> None:
    with witness(GREETING + HEARD + TWICE + ANSWERED, dialect=dialect) as (server, it):
        answered(it, "words 1", "answer 1")
        answered(it, "words 2", "answer 2")
        assert len(server.heard) == 1


# --- 9: another order, other names, things left out --------------------------------------------

ADDED = """
silence  conversation.item.added  {"previous_item_id": null, "item": {"id": "u$n", "type": "message", "role": "user", "content": []}}
silence  conversation.item.done   {"previous_item_id": null, "item": {"id": "u$n", "type": "message", "role": "user", "content": []}}
"""  # noqa: E501


def without(table: str, event: str) -> str:
    """The table without what says ``event``."""
    kept = [line for line in table.splitlines() if event not in line.split()]
    assert len(kept) < len(table.splitlines())
    return "\n".join(kept) + "\n"


@pytest.mark.checklist("C40")
@pytest.mark.parametrize(
    "heard",
    [
        HEARD,
        without(HEARD, "conversation.item.created") + ADDED,
        without(HEARD, "conversation.item.created"),
        without(HEARD, "input_audio_buffer.committed"),
        DELTAS + without(HEARD, "input_audio_buffer.speech_started"),
    ],
    ids=["created", "added and done", "no item", "not committed", "deltas first"],
)
@pytest.mark.parametrize(("dialect", "status"), [("ga", "in_progress"), ("beta", "incomplete")])
def test_other_names_and_orders_make_the_same_turn(
    witness: Witness, heard: str, dialect: str, status: str
) -> None:
    table = GREETING + heard + ANSWERED.replace("in_progress", status)
    with witness(table, dialect=dialect) as (_, it):
        answered(it, "words 1", "answer 1")
        it.idle()
    assert it.codes() == set()


# --- seen in the lane: a server that stands still, and then says everything at once ------------

HEAP = f"""
speech1   input_audio_buffer.speech_started   {{"item_id": "u1", "audio_start_ms": $ms}}
silence2  input_audio_buffer.speech_stopped   {{"item_id": "u1", "audio_end_ms": $end1}}
silence2  input_audio_buffer.committed        {{"item_id": "u1", "previous_item_id": null}}
silence2  conversation.item.input_audio_transcription.completed {{"item_id": "u1", "transcript": "words 1"}}
silence2  response.created                    {{"response": {{"id": "r1", "status": "in_progress"}}}}
silence2  response.output_audio_transcript.delta {{{PART.replace("$n", "1")}, "delta": "answer 1"}}
silence2  response.output_audio.delta         {{{PART.replace("$n", "1")}, "delta": $voice(800)}}
silence2  response.done                       {{"response": {{"id": "r1", "status": "cancelled", "status_details": {{"type": "cancelled", "reason": "turn_detected"}}}}}}
silence2  input_audio_buffer.speech_started   {{"item_id": "u2", "audio_start_ms": $end1}}
"""  # noqa: E501


@pytest.mark.checklist("C41")
def test_two_turns_in_one_heap_are_two_turns(witness: Witness) -> None:
    later = without(HEARD, "input_audio_buffer.speech_started") + ANSWERED
    second = "\n".join(line.replace("silence ", "silence2 ", 1) for line in later.splitlines())
    with witness(GREETING + HEAP + second) as (server, it):
        it.say()
        wait_until(lambda: server.heard and server.heard[0].tails_ms)
        wait_until(lambda: server.heard[0].tails_ms[-1] >= 2 * SILENCE_MS)
        it.say()
        first, second_turn = it.until("turn"), it.until("turn")
        assert len(server.heard) == 1
    assert (first["event_type"], first["transcript"]) == ("interrupted", "words 1")
    assert (second_turn["event_type"], second_turn["transcript"]) == ("answered", "words 2")
    assert (first["response"], second_turn["response"]) == ("answer 1", "answer 2")


def moved(table: str, speech: str, silence: str) -> str:
    """The table with its lines at other moments."""
    return table.replace("\nspeech ", f"\n{speech} ").replace("\nsilence ", f"\n{silence} ")


def test_a_server_that_stood_still_once_counts_right(witness: Witness) -> None:
    turn = HEARD + ANSWERED
    slow = moved(turn, "speech1", "quiet7600").replace(
        '"audio_end_ms": $ms', '"audio_end_ms": $end1'
    )
    others = [moved(turn, f"speech{number}", f"silence{number}") for number in range(2, 6)]
    with witness(GREETING + slow + "".join(others)) as (server, it):
        for _ in range(5):
            it.say(2000)
            it.until("turn", lambda turn: turn["event_type"] == "answered")
            it.idle()
    assert len(server.heard) == 1
    assert it.codes() == set()
