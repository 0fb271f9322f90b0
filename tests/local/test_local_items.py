"""Items of a conversation over time: what they still ask, ids used again, cuts while speaking."""

from __future__ import annotations

import base64

import pytest
from local_bench import MS, Client, error, silence, sound, types

from satellite.local.engines import Say

TURN = sound(960) + silence(640)


class Echo:
    """Answers with what it was asked; satisfies engines.Responder."""

    def answer(self, text: str, tools: object) -> Say:
        return Say(f"you said {text}")

    def report(self, output: str) -> Say:
        return Say(f"tool: {output}")


@pytest.fixture
def echo(client: Client) -> Client:
    client.responder = Echo()
    return client


def said(events: list[dict]) -> str:
    """The words of the one response that is done."""
    (done,) = [event["response"] for event in events if event["type"] == "response.done"]
    return done["output"][0]["content"][0]["transcript"]


def tool_output(client: Client, output: str) -> None:
    item = {"type": "function_call_output", "call_id": "c", "output": output}
    client.send("conversation.item.create", item=item)


@pytest.mark.parametrize("began", [False, True])
def test_a_tool_output_that_was_refused_an_answer_is_reported_later(
    echo: Client, began: bool
) -> None:
    echo.say("hello")
    echo.send("response.create")
    if began:
        echo.work(1)
    tool_output(echo, "on")
    assert error(echo.send("response.create"))["code"] == "conversation_already_has_active_response"
    assert said(echo.work()) == "you said hello"
    echo.send("response.create")
    assert said(echo.work()) == "tool: on"
    echo.send("response.create")
    assert said(echo.work()) == "Hello. How can I help?"


def test_all_outputs_are_reported_in_one_answer(echo: Client) -> None:
    tool_output(echo, "one")
    tool_output(echo, "two")
    echo.send("response.create")
    assert said(echo.work()) == "tool: one tool: two"


def test_an_output_from_before_an_answered_question_is_not_reported(echo: Client) -> None:
    tool_output(echo, "old")
    echo.say("hello")
    for words in ("you said hello", "Hello. How can I help?"):
        echo.send("response.create")
        assert said(echo.work()) == words


def test_a_question_asked_while_an_answer_was_made_is_answered_next(echo: Client) -> None:
    echo.say("one")
    echo.send("response.create")
    echo.say("two")
    assert said(echo.work()) == "you said one"
    echo.send("response.create")
    assert said(echo.work()) == "you said two"


def test_a_question_whose_answer_was_cancelled_before_a_word_is_still_asked(echo: Client) -> None:
    echo.say("one")
    echo.send("response.create")
    echo.send("response.cancel")
    echo.send("response.create")
    assert said(echo.work()) == "you said one"


def test_a_history_that_a_client_brings_asks_nothing(echo: Client) -> None:
    echo.say("one")
    content = [{"type": "output_text", "text": "1"}]
    item = {"type": "message", "role": "assistant", "content": content}
    echo.send("conversation.item.create", item=item)
    echo.send("response.create")
    assert said(echo.work()) == "Hello. How can I help?"
    question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
    echo.send("response.create", response={"input": [question, item]})
    assert said(echo.work()) == "Hello. How can I help?"


def audio_item(item_id: str) -> dict:
    part = {"type": "input_audio", "audio": base64.b64encode(sound(500)).decode()}
    return {"id": item_id, "type": "message", "role": "user", "content": [part]}


def test_an_id_that_is_used_again_has_new_words(echo: Client) -> None:
    echo.send("conversation.item.create", item=audio_item("mine"))
    old = echo.jobs[-1]
    echo.send("conversation.item.delete", item_id="mine")
    echo.send("conversation.item.create", item=audio_item("mine"))
    assert len(echo.jobs) == 2
    echo.send("response.create")
    assert echo.take(echo.session.recognised(old.item_id, "old words")) == []
    echo.jobs.remove(old)
    echo.recogniser.words = "new words"
    assert said(echo.work()) == "you said new words"


def test_words_for_an_item_that_nobody_knows_are_dropped(client: Client) -> None:
    assert client.session.recognised("item_none", "words") == []


def speaking(client: Client) -> tuple[str, str]:
    """An answer of which 200 ms are made; its response and its item."""
    client.say()
    client.send("response.create")
    client.work(1)
    response_id = client.jobs[0].response_id
    client.take(client.session.spoken(response_id, sound(200)))
    item_id = next(
        event["item_id"]
        for event in client.events
        if event["type"] == "response.content_part.added"
    )
    return response_id, item_id


@pytest.mark.checklist("S32")
def test_s32_an_item_that_is_cut_while_it_is_spoken_stays_cut(client: Client) -> None:
    _response_id, item_id = speaking(client)
    cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": 120}
    assert types(client.send("conversation.item.truncate", **cut)) == [
        "conversation.item.truncated"
    ]
    done = client.work()[-2]["response"]
    assert done["output"][0]["content"] == [{"type": "output_audio"}]
    assert done["usage"]["output_token_details"]["audio_tokens"] == 800 // 50  # all was made
    (kept,) = client.send("conversation.item.retrieve", item_id=item_id)
    (part,) = kept["item"]["content"]
    assert "transcript" not in part
    assert len(base64.b64decode(part["audio"])) == 120 * MS


@pytest.mark.checklist("S34")
def test_s34_an_item_that_is_deleted_while_it_is_spoken_stays_deleted(client: Client) -> None:
    _response_id, item_id = speaking(client)
    client.send("conversation.item.delete", item_id=item_id)
    events = client.work()
    assert "conversation.item.done" not in types(events)
    assert types(events)[-3:] == ["response.output_item.done", "response.done", events[-1]["type"]]
    assert error(client.send("conversation.item.retrieve", item_id=item_id))


def test_a_deleted_item_is_not_transcribed(client: Client) -> None:
    client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    committed = client.append(TURN)[2]
    client.send("conversation.item.delete", item_id=committed["item_id"])
    assert not [kind for kind in types(client.work()) if "transcription" in kind]


def test_the_id_of_an_open_turn_is_taken(client: Client) -> None:
    started = client.append(sound(960))[0]
    part = {"type": "input_text", "text": "hello"}
    item = {"id": started["item_id"], "type": "message", "role": "user", "content": [part]}
    assert error(client.send("conversation.item.create", item=item))["param"] == "item.id"
    assert "input_audio_buffer.committed" in types(client.append(silence(640)))
