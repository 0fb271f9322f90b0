"""Responses and items: orders of 4.3 to 4.8 (S22, S26, S27, S29 to S35, S39)."""

from __future__ import annotations

import base64
import json

import pytest
from local_bench import MS, Client, error, silence, sound, types

from satellite.local.engines import Call, Say

BEGIN = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
AUDIO_END = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


def spoken(client: Client) -> list[dict]:
    """A whole answer to a typed question."""
    client.say()
    return client.send("response.create") + client.work()


@pytest.mark.checklist("S26")
def test_s26_audio_response_in_the_order_of_4_3(client: Client) -> None:
    events = spoken(client)
    kinds = types(events)
    assert kinds[:4] == BEGIN
    assert kinds[-7:] == AUDIO_END
    words, sounds = "response.output_audio_transcript.delta", "response.output_audio.delta"
    assert kinds[4:-7] == [words, sounds, sounds] * 2
    text = "".join(event["delta"] for event in events if event["type"] == words)
    assert text == "It is noon. Time to eat."
    done = events[-2]["response"]
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": text}]
    assert done["usage"]["output_token_details"]["audio_tokens"] == 600 // 50
    assert done["usage"]["total_tokens"] == (
        done["usage"]["input_tokens"] + done["usage"]["output_tokens"]
    )


@pytest.mark.checklist("S26")
def test_s26_text_response_in_the_order_of_4_4(client: Client) -> None:
    client.say()
    events = client.send("response.create", response={"output_modalities": ["text"]})
    events += client.work()
    assert types(events) == [
        *BEGIN,
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        *AUDIO_END[2:],
    ]
    assert events[-2]["response"]["usage"]["output_token_details"]["audio_tokens"] == 0


@pytest.mark.checklist("S27")
def test_s27_rate_limits_after_a_cancelled_response_too(client: Client) -> None:
    client.say()
    client.send("response.create")
    assert types(client.send("response.cancel")) == AUDIO_END[-2:]


@pytest.mark.checklist("S39")
def test_s39_user_audio_is_a_token_for_100_ms(client: Client) -> None:
    client.append(sound(960) + silence(640))
    (done,) = [event for event in client.work() if event["type"] == "response.done"]
    heard = (960 + 224) // 100  # the prefix of 300 ms lies before the first sample
    assert done["response"]["usage"]["input_token_details"]["audio_tokens"] == heard


@pytest.mark.checklist("S29")
def test_s29_one_active_response(client: Client) -> None:
    client.say()
    created = client.send("response.create")[0]
    refused = error(client.send("response.create"))
    assert refused["code"] == "conversation_already_has_active_response"
    assert created["response"]["id"] in refused["message"]
    assert types(client.work())[-2] == "response.done"


@pytest.mark.checklist("S29")
def test_s29_out_of_band_responses_stay_out_of_the_conversation(client: Client) -> None:
    client.say()
    client.send("response.create")
    events = client.send("response.create", response={"conversation": "none"})
    assert events[0]["response"]["conversation_id"] is None
    mine = events[0]["response"]["id"]
    events += client.work()
    own = [event for event in events if event.get("response_id") == mine]
    item = own[0]["item"]["id"]
    added = [event for event in events if event["type"].startswith("conversation.item")]
    assert all(event["item"]["id"] != item for event in added)
    assert error(client.send("conversation.item.retrieve", item_id=item))


SAY = {
    "conversation": "none",
    "metadata": {"purpose": "say", "turn": "t1"},
    "input": [
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "What time is it? Dinner is ready."}],
        }
    ],
}


def test_a_text_is_read_aloud_as_it_is(client: Client) -> None:
    client.say()  # a question of the conversation, which stays open
    events = client.send("response.create", response=SAY) + client.work()
    assert client.responder.asked == []
    done = events[-2]["response"]
    assert done["metadata"] == SAY["metadata"]
    assert done["output"][0]["content"][0]["transcript"] == "What time is it? Dinner is ready."
    assert "conversation.item.added" not in types(events)
    client.send("response.create")
    client.work()
    assert len(client.responder.asked) == 1


@pytest.mark.parametrize("change", [{"metadata": None}, {"metadata": {"purpose": "x"}},
                                    {"conversation": "auto"}])  # fmt: skip
def test_it_is_read_aloud_only_when_asked_for(client: Client, change: dict) -> None:
    client.send("response.create", response={**SAY, **change})
    client.work()
    assert client.responder.asked == ["What time is it? Dinner is ready."]


@pytest.mark.checklist("S30")
def test_s30_cancel_while_speaking(client: Client) -> None:
    client.say()
    client.send("response.create")
    client.work(1)  # answered: the first sentence is being spoken
    response_id = client.jobs[0].response_id
    client.take(client.session.spoken(response_id, sound(200)))
    events = client.send("response.cancel")
    assert types(events) == AUDIO_END
    done = events[-2]["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["output"][0]["status"] == "incomplete"
    assert done["output"][0]["content"][0]["transcript"] == "It is noon. "
    assert client.jobs == []
    assert client.take(client.session.spoken(response_id, sound(200))) == []
    assert client.take(client.session.speech_ended(response_id)) == []


@pytest.mark.checklist("S30")
def test_s30_cancel_without_a_response(client: Client) -> None:
    refused = error(client.send("response.cancel"))
    assert refused["code"] == "response_cancel_not_active"
    assert refused["message"] == "Cancellation failed: no active response found"


@pytest.mark.checklist("S31")
def test_s31_barge_in_in_the_order_of_4_7(client: Client) -> None:
    client.say()
    client.send("response.create")
    client.work(1)
    client.take(client.session.spoken(client.jobs[0].response_id, sound(200)))
    events = client.append(sound(320))
    assert types(events) == ["input_audio_buffer.speech_started", *AUDIO_END]
    assert events[-2]["response"]["status_details"]["reason"] == "turn_detected"


@pytest.mark.checklist("S32")
def test_s32_truncate(client: Client) -> None:
    item = spoken(client)[-2]["response"]["output"][0]["id"]

    def cut(ms: int, item_id: str = item, index: int = 0) -> list[dict]:
        return client.send(
            "conversation.item.truncate", item_id=item_id, content_index=index, audio_end_ms=ms
        )

    assert error(cut(601))["message"] == "Audio content of 600ms is already shorter than 601ms"
    assert error(cut(10, index=1))["param"] == "content_index"
    assert error(cut(10, "item_none"))["code"] == "item_truncate_invalid_item_id"
    assert error(cut(10, client.say()))["param"] == "item_id"
    (truncated,) = cut(120)
    assert truncated["audio_end_ms"] == 120
    (kept,) = client.send("conversation.item.retrieve", item_id=item)
    (part,) = kept["item"]["content"]
    assert "transcript" not in part
    assert len(base64.b64decode(part["audio"])) == 120 * MS


@pytest.mark.checklist("S33")
def test_s33_create_gives_added_and_done_in_place(client: Client) -> None:
    first = client.say("one")
    item = {
        "id": "mine",
        "type": "message",
        "role": "system",
        "content": [{"type": "input_text", "text": "Be kind."}],
    }
    events = client.send("conversation.item.create", item=item, previous_item_id="root")
    assert types(events) == ["conversation.item.added", "conversation.item.done"]
    assert events[0]["previous_item_id"] is None
    assert events[0]["item"]["id"] == "mine"
    item["id"] = "second"
    events = client.send("conversation.item.create", item=item, previous_item_id="mine")
    assert events[0]["previous_item_id"] == "mine"
    assert error(client.send("conversation.item.create", item=item))["param"] == "item.id"
    item["id"] = "third"
    refused = error(client.send("conversation.item.create", item=item, previous_item_id="none"))
    assert refused["param"] == "previous_item_id"
    assert first


@pytest.mark.checklist("S33")
@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        (
            {"type": "message", "role": "user", "content": {"type": "input_text"}},
            "invalid_type",
            "item.content",
        ),
        (
            {"type": "message", "role": "assistant", "content": [{"type": "output_text"}]},
            "missing_required_parameter",
            "item.content[0].text",
        ),
        ({"type": "mcp_call"}, "invalid_value", "item.type"),
        ({"type": "message", "content": []}, "missing_required_parameter", "item.role"),
    ],
)
def test_s33_bad_items_are_refused(client: Client, item: dict, code: str, param: str) -> None:
    refused = error(client.send("conversation.item.create", item=item))
    assert (refused["code"], refused["param"]) == (code, param)


@pytest.mark.checklist("S33")
def test_s33_audio_items_are_understood_and_not_transcribed(client: Client) -> None:
    client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    audio = base64.b64encode(sound(500)).decode()
    content = [{"type": "input_audio", "audio": audio}]
    events = client.send(
        "conversation.item.create", item={"type": "message", "role": "user", "content": content}
    )
    assert events[0]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    events = client.send("response.create") + client.work()
    assert client.responder.asked == ["what time is it"]
    assert not any("input_audio_transcription" in kind for kind in types(events))


@pytest.mark.checklist("S34")
def test_s34_retrieve_returns_audio_and_delete_deletes(client: Client) -> None:
    client.append(sound(960) + silence(640))
    item = client.events[-2]["item"]["id"]
    (kept,) = client.send("conversation.item.retrieve", item_id=item)
    assert base64.b64decode(kept["item"]["content"][0]["audio"]) == sound(960) + silence(224)
    assert types(client.send("conversation.item.delete", item_id=item)) == [
        "conversation.item.deleted"
    ]
    for verb in ("delete", "retrieve"):
        refused = error(client.send(f"conversation.item.{verb}", item_id=item))
        assert refused["code"] == f"item_{verb}_invalid_item_id"


@pytest.mark.checklist("S35")
def test_s35_function_call_in_the_order_of_4_6(client: Client) -> None:
    tool = {"type": "function", "name": "turn_on", "parameters": {"type": "object"}}
    client.update(tools=[tool])
    client.responder.reply = Call("turn_on", {"name": "kitchen light", "note": "x" * 100})
    client.say()
    events = client.send("response.create") + client.work()
    delta = "response.function_call_arguments.delta"
    assert types(events) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        *[delta] * 3,
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    done = next(event for event in events if event["type"].endswith("arguments.done"))
    pieces = "".join(event["delta"] for event in events if event["type"] == delta)
    assert json.loads(done["arguments"]) == json.loads(pieces)
    assert json.loads(pieces)["name"] == "kitchen light"
    (call,) = events[-2]["response"]["output"]
    assert (call["status"], call["call_id"]) == ("completed", done["call_id"])
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"ok":1}'}
    client.send("conversation.item.create", item=output)
    events = client.send("response.create") + client.work()
    assert client.responder.asked[-1] == '{"ok":1}'
    assert events[-2]["response"]["output"][0]["content"][0]["transcript"] == "Done."


def test_tool_choice_none_hides_the_tools(client: Client) -> None:
    tool = {"type": "function", "name": "turn_on"}
    client.update(tools=[tool])
    client.say()
    client.send("response.create", response={"tool_choice": "none"})
    assert client.jobs[-1].tools == ()


def test_max_output_tokens_makes_an_incomplete_response(client: Client) -> None:
    client.say()
    events = client.send("response.create", response={"max_output_tokens": 2}) + client.work()
    done = events[-2]["response"]
    assert done["status"] == "incomplete"
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    heard = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    assert len(base64.b64decode("".join(heard))) == 100 * MS


def test_instructions_of_a_response_are_what_is_said_without_a_question(client: Client) -> None:
    client.send("response.create", response={"instructions": "say dinner is ready"})
    client.work()
    assert client.responder.asked == ["say dinner is ready"]


def test_input_replaces_the_conversation(client: Client) -> None:
    client.say("not this")
    other = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "but this"}],
    }
    client.send("response.create", response={"input": [other]})
    client.work()
    assert client.responder.asked == ["but this"]


def test_a_failed_responder_fails_the_response(client: Client) -> None:
    client.say()
    created = client.send("response.create")[0]["response"]["id"]
    events = client.take(client.session.answered(created, None))
    assert types(events) == AUDIO_END[-2:]
    assert events[0]["response"]["status"] == "failed"
    assert client.say("next")
    assert types(client.send("response.create")) == ["response.created"]


def test_a_failed_synthesiser_ends_the_message_first(client: Client) -> None:
    client.say()
    client.send("response.create")
    client.work(1)
    events = client.take(client.session.speech_ended(client.jobs[0].response_id, failed=True))
    assert types(events) == AUDIO_END
    assert events[-2]["response"]["status"] == "failed"


def test_an_empty_answer_completes(client: Client) -> None:
    client.responder.reply = Say("")
    assert spoken(client)[-2]["response"]["status"] == "completed"


def test_responses_under_way_are_bounded(client: Client) -> None:
    for _ in range(8):
        assert types(client.send("response.create", response={"conversation": "none"}))
    refused = error(client.send("response.create", response={"conversation": "none"}))
    assert refused["code"] == "rate_limit_exceeded"


def test_an_answered_question_is_not_answered_again(client: Client) -> None:
    spoken(client)
    client.send("response.create")
    events = client.work()
    assert client.responder.asked == ["hello"]
    assert events[-2]["response"]["status"] == "completed"
