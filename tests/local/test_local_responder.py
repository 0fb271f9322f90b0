"""What is answered to what was heard; requests to a home with and without tools."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satellite.local import arithmetic, home, responder, tools
from satellite.local.engines import Call, Say
from satellite.local.home import Intent
from satellite.local.responder import HomeResponder

NOON = datetime(2026, 11, 21, 15, 7).astimezone()


@pytest.fixture(scope="module")
def local() -> HomeResponder:
    return HomeResponder(home.load(), lambda: NOON)


def tool(name: str, required: list[str] | None = None, /, **properties: dict) -> dict:
    parameters = {"type": "object", "properties": properties, "required": required or []}
    return {"type": "function", "name": name, "parameters": parameters}


STRING = {"type": "string"}
TURN_ON = tool("HassTurnOn", name=STRING, area=STRING, domain={"type": "array", "items": STRING})


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ("What time is it?", "It is 3:07 PM."),
        ("What's the time, please?", "It is 3:07 PM."),
        ("What is the date today?", "It is Saturday, November 21st."),
        ("What day is it?", "It is Saturday, November 21st."),
        ("What is seventeen plus twenty-five?", "That is 42."),
        ("What is 100 divided by 8?", "That is 12.5."),
        ("What's three times minus two?", "That is -6."),
        ("How much is one hundred and five minus ninety nine?", "That is 6."),
        ("What is ten divided by three?", "That is about 3.3333."),
        ("What is five divided by zero?", "Nothing can be divided by zero."),
        ("What is 3.5 plus one point five?", "That is 5."),
        ("What is 2+2?", "That is 4."),
        ("Say hello to everybody.", "hello to everybody."),
        ("Repeat after me: dinner is ready!", "dinner is ready!"),
        ("Hello.", "Hello. How can I help?"),
        ("Thank you very much!", "You are welcome."),
        ("Goodbye.", "Goodbye."),
        ("Never mind.", "Okay."),
        ("", "I did not hear any words."),
        ("All circuits are busy now.", "Sorry, I did not understand that."),
        (
            "Turn on the lights in the kitchen.",
            (
                "I understood: turn on the lights in the kitchen. "
                "No home is connected here, so nothing was switched."
            ),
        ),
        (
            "Set the thermostat to 21 degrees.",
            (
                "I understood: set the thermostat to 21 degrees. "
                "No home is connected here, so nothing was changed."
            ),
        ),
        (
            "Is the garage door open?",
            (
                "I understood: is the garage door open. "
                "No home is connected here, so nothing was looked up."
            ),
        ),
    ],
)
def test_answers_without_tools(local: HomeResponder, heard: str, said: str) -> None:
    assert local.answer(heard, ()) == Say(said)


def test_what_can_you_do_is_answered(local: HomeResponder) -> None:
    reply = local.answer("What can you do?", ())
    assert isinstance(reply, Say)
    assert "time" in reply.text


@pytest.mark.parametrize("name", ["HassTurnOn", "home__HassTurnOn"])
def test_a_tool_of_the_intents_name_gets_the_slots(local: HomeResponder, name: str) -> None:
    known = {**TURN_ON, "name": name}
    assert local.answer("Turn on the kitchen light.", [known]) == Call(
        name, {"name": "kitchen light"}
    )
    assert local.answer("Turn on the lights in the kitchen.", [known]) == Call(
        name, {"area": "kitchen", "domain": ["light"]}
    )


def test_a_name_that_nobody_told_us_is_passed_on(local: HomeResponder) -> None:
    assert local.answer("Switch the reading nook dragon on, please.", [TURN_ON]) == Call(
        "HassTurnOn", {"name": "reading nook dragon"}
    )
    assert local.answer("Turn on the dragon of the attic.", [TURN_ON]) == Call(
        "HassTurnOn", {"name": "dragon of the attic"}
    )


def test_a_sentence_tool_gets_the_sentence(local: HomeResponder) -> None:
    ask = tool("ask_home", ["command"], command=STRING)
    assert local.answer("Turn on the kitchen light.", [ask]) == Call(
        "ask_home", {"command": "turn on the kitchen light"}
    )
    assert local.answer("All circuits are busy now.", [ask]) == Say(
        "Sorry, I did not understand that."
    )


def test_no_fitting_tool_is_said_and_nothing_is_claimed(local: HomeResponder) -> None:
    reply = local.answer("Turn on the kitchen light.", [tool("play_music", song=STRING)])
    assert reply == Say(
        "I understood: turn on the kitchen light. No tool here can do that, so nothing was done."
    )


def test_a_tool_is_not_called_without_what_it_requires() -> None:
    strict = tool("HassTurnOn", ["entity_id"], entity_id=STRING, name=STRING)
    assert tools.call(Intent("HassTurnOn", {"name": "fan"}), "turn on the fan", [strict]) is None


def test_a_tool_that_cannot_be_told_what_to_act_on_is_not_called() -> None:
    blind = tool("HassTurnOn", area=STRING)
    assert tools.call(Intent("HassTurnOn", {"name": "fan"}), "turn on the fan", [blind]) is None


@pytest.mark.parametrize("parameters", [None, 7, [], {}, {"properties": 1, "required": 1}])
def test_any_schema_is_survived(parameters: object) -> None:
    offered = [{"type": "function", "name": "HassTurnOn", "parameters": parameters}]
    assert tools.call(Intent("HassTurnOn", {}), "x", offered) == Call("HassTurnOn", {})


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ('{"speech":"The light is on."}', "The light is on."),
        ('{"speech":{"plain":{"speech":"Turned on."}}}', "Turned on."),
        ('{"speech":{},"response_type":"action_done","data":{}}', "Done."),
        ('{"message":"Ready."}', "Ready."),
        ('{"result":"42"}', "42"),
        ('{"ok":true,"state":"on"}', "Done. It is on."),
        ('{"error":"no such device"}', "That did not work: no such device"),
        ('{"success":false}', "That did not work."),
        ('{"ok":true}', "Done."),
        ("", "I got no answer."),
        ('{"status":"error"}', "That did not work."),
        ('{"status":"failed","reason":"offline"}', "That did not work: offline"),
        ('{"success":"false"}', "That did not work."),
        ('{"success":0}', "That did not work."),
        ('{"errors":["x"]}', "That did not work."),
        (
            '{"isError":true,"content":[{"type":"text","text":"No device"}]}',
            "That did not work: No device",
        ),
        ('{"data":{"success":[],"failed":[{"name":"kitchen"}]}}', "That did not work."),
        ('{"response":{"response_type":"error"}}', "That did not work."),
        ('{"code":404,"detail":"not found"}', "That did not work: not found"),
        ('{"state":"unavailable"}', "It is unavailable."),
        ('{"locked":false}', "I got an answer that I do not understand."),
        ("null", "I got an answer that I do not understand."),
        ("It is on now.", "It is on now."),
        ("[1]", "I got an answer that I do not understand."),
    ],
)
def test_a_tools_output_is_spoken(local: HomeResponder, output: str, said: str) -> None:
    assert local.report(output) == Say(said)


@pytest.mark.parametrize(
    "sentence",
    [
        "Turn the light on and off",
        "Turn on the kitchen light and turn off the fan",
        "Turn off all the lights except the kitchen",
        "Turn off the heating at midnight",
        "Turn off the light when I leave",
        "Turn it off",
    ],
)
def test_half_of_a_request_is_never_carried_out(local: HomeResponder, sentence: str) -> None:
    offered = [tool(name, name=STRING) for name in ("HassTurnOn", "HassTurnOff")]
    assert isinstance(local.answer(sentence, offered), Say)


def test_a_tool_that_does_not_know_all_of_the_request_is_not_called(local: HomeResponder) -> None:
    rooms = tool("HassTurnOff", name=STRING, area=STRING)
    assert isinstance(local.answer("Turn off the kitchen lights.", [rooms]), Say)
    german = tool("HassTurnOn", name={"type": "string", "enum": ["Lampe"]})
    assert isinstance(local.answer("Turn on the kitchen light.", [german]), Say)


def test_a_sentence_goes_only_to_a_tool_for_spoken_requests(local: HomeResponder) -> None:
    for name in ("send_sms", "run_shell"):
        assert isinstance(local.answer("Lock the front door.", [tool(name, text=STRING)]), Say)


@given(st.text())
def test_any_output_gives_words(output: str) -> None:
    for text in (output, json.dumps({"speech": output, "error": output})):
        words = tools.spoken(text)
        assert words
        assert len(words) <= 400


@given(st.integers(0, 999), st.integers(0, 999))
def test_digits_and_operators(left: int, right: int) -> None:
    assert arithmetic.answer(f"what is {left} plus {right}") == f"That is {left + right}."
    assert arithmetic.answer(f"what is {left} times {right}") == f"That is {left * right}."


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("zero", 0),
        ("twenty-one", 21),
        ("three hundred and six", 306),
        ("two thousand forty", 2040),
        ("one million", 1_000_000),
        ("minus seven", -7),
        ("1,234", 1234),
        ("one hundred", 100),
        ("a hundred", 100),
        ("twelve hundred", 1200),
        ("one hundred and five thousand and twenty three", 105_023),
        ("two million three hundred thousand", 2_300_000),
        ("nonsense", None),
        ("", None),
        ("one two three", None),
        ("twenty ten", None),
        ("twenty thirty", None),
        ("five twenty", None),
        ("nineteen ninety", None),
        ("one zero", None),
        ("twenty zero", None),
        ("hundred hundred", None),
        ("one thousand two million", None),
        ("two thousand three thousand", None),
        ("and", None),
        ("a", None),
        ("one and two", None),
        ("zero hundred", None),
        ("minus minus one", None),
    ],
)
def test_number_words(words: str, value: int | None) -> None:
    assert arithmetic.number(words) == value


@pytest.mark.parametrize("text", ["what is one two three plus one", "what is five twenty plus one"])
def test_a_number_that_is_none_is_not_guessed(text: str) -> None:
    assert arithmetic.answer(text) is None


@given(st.integers(0, 999_999_999))
def test_every_whole_number_is_read_as_it_is_spoken(value: int) -> None:
    assert arithmetic.number(spelled(value)) == value


def spelled(value: int) -> str:
    """In English words, with "and" after the hundreds."""
    for word, size in (("million", 1_000_000), ("thousand", 1000), ("hundred", 100)):
        if value >= size:
            rest = value % size
            link = " and " if word == "hundred" and rest else " "
            return f"{spelled(value // size)} {word}{link}{spelled(rest) if rest else ''}".strip()
    if value < 20:
        return list(arithmetic._SMALL)[value]
    ten = list(arithmetic._TENS)[value // 10 - 2]
    return ten if value % 10 == 0 else f"{ten}-{spelled(value % 10)}"


@given(st.text())
def test_no_sentence_raises(text: str) -> None:
    responder.plain_words(text)
    arithmetic.answer(responder.sum_words("what is " + text))
    arithmetic.number(text)


@pytest.mark.parametrize(
    ("hour", "said"), [(0, "12:05 AM"), (9, "9:05 AM"), (12, "12:05 PM"), (23, "11:05 PM")]
)
def test_clock(hour: int, said: str) -> None:
    assert responder.clock(NOON.replace(hour=hour, minute=5)) == said


@pytest.mark.parametrize(("day", "ending"), [(1, "1st"), (2, "2nd"), (11, "11th"), (23, "23rd")])
def test_calendar(day: int, ending: str) -> None:
    assert responder.calendar(NOON.replace(day=day)).endswith(f"November {ending}")


def test_a_home_of_ones_own() -> None:
    own = home.load(names={"dragon": "light"}, areas=["cave"], floors=[])
    assert own.intent("turn on the lights in the cave") == Intent(
        "HassTurnOn", {"area": "cave", "domain": "light"}
    )
