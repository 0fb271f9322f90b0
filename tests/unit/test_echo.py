"""The assistant's own words that come back are nobody's, and what a person repeats is theirs."""

from __future__ import annotations

import random
import time
import unicodedata

import pytest
from speech_stage import ends, say, spoken
from stage import Stage, only, settings

from satellite.logic import echo
from satellite.logic import satellite as logic
from satellite.logic.echo import Aloud, alike, judge, lately, words_of
from satellite.logic.link import Phase
from satellite.logic.turn import LONGEST_TEXT, Answer, Turn
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import records as rec
from satellite.model.audio import silence

STORY = "Once upon a time there was a fox who lived in the old forest behind the river."


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "likeness"),
    [
        ("there was a fox", 1.0),
        ("THERE was a -- fox!", 1.0),
        ("there was an ox", 0.5),
        ("there was a a fox", 0.8),
        ("there is a fox who lived", 5 / 6),
        ("fox forest time river", 0.25),
        ("what is the weather like", 0.2),
        ("once a fox lived behind the river", 3 / 7),  # in order, but not in one stretch
    ],
)
def test_how_much_of_it_is_one_stretch_of_what_was_said(said: str, likeness: float) -> None:
    assert alike(words_of(said), words_of(STORY)) == pytest.approx(likeness)


def test_words_are_compared_without_case_punctuation_and_apostrophes() -> None:
    assert words_of("Don\u2019t STOP, it's 3 o'clock. Straße") == [
        "dont",
        "stop",
        "its",
        "3",
        "oclock",
        "strasse",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("कॉफ़ी चाहते हैं?", 3),  # signs of vowels are no letters, and end no word
        ("حالُكَ", 1),
        ("", 0),
        ("… 。", 0),
        ("コーヒー、", 4),  # the sign of a long vowel is one of them
        ("กาแฟ", 4),
    ],
)
def test_words_of_other_scripts(text: str, words: int) -> None:
    assert len(words_of(text)) == words


def test_accents_may_be_written_as_one_sign_or_two() -> None:
    text = "Möchten Sie à Zürich Kaffee"
    assert words_of(unicodedata.normalize("NFD", text)) == words_of(text)


def test_the_likeness_of_a_stretch_with_some_words_changed_is_at_least_the_rest() -> None:
    rng = random.Random(1)
    for _ in range(200):
        said = [f"w{rng.randrange(30)}" for _ in range(rng.randrange(4, 60))]
        before = [f"x{rng.randrange(30)}" for _ in range(rng.randrange(40))]
        heard = list(said)
        changed = rng.randrange(len(said) // 5 + 1)
        for n in rng.sample(range(len(said)), changed):
            heard[n] = "other"
        assert alike(heard, [*before, *said, *before]) >= 1 - changed / len(said) - 1e-9
        assert alike(heard, before) < 0.3


def test_twenty_thousand_characters_cost_a_bounded_time() -> None:
    """About 200,000 steps at most: 25 ms of CPU where this was written."""
    words = " ".join(f"w{n % 50}" for n in range(LONGEST_TEXT // 4))[:LONGEST_TEXT]
    answer = Answer("r", (((0, 0), words),), (("a", 0, 48_000 * 120),), "completed", audio_at=0.0)
    turn = Turn("t", "u", 0.0, answer=answer)
    aloud = Aloud(since=0.0, spoken=(echo.Spoken(100.0, tuple(words_of(words)[:250])),))
    begun = time.process_time()
    judge(aloud, words[::-1] + " w1", [(90.0, 119.0)], [turn], 120.0)
    judge(aloud, words, [(90.0, 119.0)], [turn], 120.0)
    assert time.process_time() - begun < 2.0


# --- people --------------------------------------------------------------------------------------


def person(rng: random.Random, begins_at: float, words: int) -> list[echo.Span]:
    """Speech of a person who says so many words, rather fast, with the gaps between them."""
    spans, at = [], begins_at
    for _ in range(words):
        length = rng.uniform(0.16, 0.4)
        spans.append((at, at + length))
        at += length + rng.uniform(0.03, 0.15)
    return spans


def test_a_person_who_repeats_word_for_word_is_never_an_echo() -> None:
    """Whenever they begin: what sounds is paused 0.3 s later, and goes on 2 s after that."""
    rng = random.Random(2)
    story = words_of(STORY)
    for _ in range(3000):
        first = rng.randrange(len(story) - 4)
        said = story[first : first + rng.randrange(4, 12)]
        begins_at = rng.uniform(0.0, 12.0)
        heard = person(rng, begins_at, len(said))
        stops_at = min(10.0, begins_at + 0.3)
        spans = ((0.0, stops_at), (begins_at + 2.0, 10.0)) if begins_at + 2.0 < 10 else ()
        aloud = Aloud(spans=spans or ((0.0, stops_at),), spoken=(echo.Spoken(9.0, tuple(story)),))
        assert judge(aloud, " ".join(said), heard, (), 20.0) == "no"


def test_what_the_speaker_said_is_an_echo_whenever_it_is_heard() -> None:
    rng = random.Random(3)
    story = words_of(STORY)
    for _ in range(1000):
        first = rng.randrange(len(story) - 4)
        said = story[first : first + rng.randrange(4, 12)]
        begun = rng.uniform(0.0, 3.0)
        heard = person(rng, begun + rng.uniform(0.0, 0.12), len(said))
        aloud = Aloud(spans=((begun, heard[-1][1] - rng.uniform(0, 0.2)),))
        aloud = echo.sounds(aloud, 30.0, on=True)
        past = (echo.Spoken(9.0, tuple(story)),)
        aloud = Aloud(aloud.since, aloud.spans, past)
        assert judge(aloud, " ".join(said), heard, (), 31.0) == "echo"


@pytest.mark.parametrize("said", ["Coffee.", "Coffee, please.", "the old forest", "yes"])
def test_one_to_three_words_are_never_dropped(said: str) -> None:
    aloud = Aloud(since=0.0, spoken=(echo.Spoken(4.0, tuple(words_of(STORY + said))),))
    assert judge(aloud, said, [(1.0, 1.5)], (), 5.0) != "echo"


@pytest.mark.parametrize(
    ("story", "said", "verdict"),
    [
        ("क्या आप कॉफ़ी चाहते हैं", "कॉफ़ी चाहते", "perhaps"),
        ("क्या आप कॉफ़ी चाहते हैं", "आप कॉफ़ी चाहते हैं", "echo"),
        ("你要不要喝咖啡。我可以马上给你做一杯。", "我要喝咖啡。", "perhaps"),
        ("你要不要喝咖啡。我可以马上给你做一杯。", "我可以马上给你做一杯", "echo"),
    ],
)
def test_four_words_are_as_much_in_scripts_with_other_words(
    story: str, said: str, verdict: str
) -> None:
    """A sign of a script without spaces is half a word."""
    aloud = Aloud(since=0.0, spoken=(echo.Spoken(4.0, tuple(words_of(story))),))
    assert judge(aloud, said, [(0.5, 2.5)], (), 5.0) == verdict


def test_what_was_said_more_than_half_a_minute_before_is_forgotten() -> None:
    aloud = Aloud(since=0.0, spoken=(echo.Spoken(4.0, tuple(words_of(STORY))),))
    assert judge(aloud, STORY, [(33.0, 36.0)], (), 40.0) == "echo"
    assert judge(aloud, STORY, [(35.0, 38.0)], (), 40.0) == "no"


def said_in(seconds: int, **state: object) -> Answer:
    """An answer of one word a second."""
    words = " ".join(f"w{n}" for n in range(seconds))
    known = {"audio_at": 0.0, **state}
    return Answer("r", (((0, 0), words),), (("a", 0, 48_000 * seconds),), **known)  # type: ignore[arg-type]


def test_an_answer_that_is_still_being_said_comes_back() -> None:
    turn = Turn("t", "u", 0.0, answer=said_in(20, sounding=True))
    heard = [(3.0, 7.0)]
    assert judge(Aloud(since=0.0), "w3 w4 w5 w6", heard, [turn], 8.0) == "echo"
    assert judge(Aloud(since=0.0), "w3 w4 w5 w6", heard, [], 8.0) == "no"


def test_of_a_long_answer_the_last_half_minute_comes_back() -> None:
    sounding = said_in(100, sounding=True, paused_s=10.0)
    assert lately(sounding, 60.0)[0] == f"w{50 - 30 - 5}"
    assert lately(said_in(100, played_ms=60_000, interrupted=True), 200.0)[0] == "w25"
    assert lately(said_in(20), 200.0)[0] == "w0"


def test_what_never_sounded_does_not_come_back() -> None:
    assert lately(said_in(20, audio_at=None), 30.0) == []
    assert lately(said_in(0), 30.0) == []
    assert lately(Answer("r", (((0, 0), "words"),), audio_at=0.0), 30.0) == []


def test_what_the_satellite_did_not_judge_speech_is_no_echo() -> None:
    aloud = Aloud(since=0.0, spoken=(echo.Spoken(4.0, tuple(words_of(STORY))),))
    assert judge(aloud, STORY, [], (), 5.0) == "no"


def test_nothing_shows_a_word_of_it() -> None:
    aloud = Aloud(spoken=(echo.Spoken(4.0, ("secret",)),))
    assert "secret" not in repr(aloud) + repr(aloud.spoken)


# --- the whole step ------------------------------------------------------------------------------


def full() -> Stage:
    stage = Stage(settings(half_duplex=False)).ready()
    stage.speak("u0")
    stage.server(ev.UserTranscript("u0", "Tell me a story."))
    return stage


def sounding(stage: Stage, number: int = 1, text: str = STORY) -> None:
    """An answer of four seconds sounds."""
    response = f"r{number}"
    stage.server(
        ev.ResponseCreated(response),
        ev.TextDelta(response, 0, 0, text, final=True),
        ev.AudioDelta(response, f"a{number}", 0, 0, silence(4000)),
        ev.ResponseDone(response, "completed"),
    )
    stage.tell(ev.PlayoutStarted(response, stage.now))


def overheard(stage: Stage, item: str, text: str, seconds: float = 1.0) -> list[cmd.Command]:
    """The microphone hears so much of it, the server takes it for a person."""
    stage.tell(ev.GateOpened())
    start_ms = round(stage.state.talk.clock.sent_ms)
    for _ in range(round(seconds / 0.04)):
        stage.now += 0.04
        stage.tell(ev.Heard(silence(40), 40, stage.now))
    cut = stage.server(ev.SpeechStarted(item, start_ms))
    for flush in only(cut, cmd.FlushPlayout):
        number = flush.response_id[1:]
        stage.tell(ev.PlayoutFlushed(flush.response_id, f"a{number}", 0, 1000))
    stage.now += 0.5
    stage.tell(ev.Heard(silence(500), 0, None))
    end_ms = round(stage.state.talk.clock.sent_ms)
    stage.server(ev.SpeechStopped(item, end_ms), ev.InputCommitted(item))
    stage.tell(ev.GateClosed(too_long=False))
    return stage.server(ev.UserTranscript(item, text))


def noisy(stage: Stage) -> Stage:
    """It has paused in vain so often that it does not any more."""
    for _ in range(3):
        stage.tell(ev.GateOpened())
        stage.wait(2.0, 0.5)
        stage.tell(ev.GateClosed(too_long=False))
    return stage


def test_f55_its_own_words_are_dropped_deleted_counted_and_not_answered() -> None:
    stage = full()
    sounding(stage)
    noisy(stage)
    orders = overheard(stage, "u1", "upon a time there was a fox")
    assert only(orders, cmd.DeleteItem) == [cmd.DeleteItem("u1")]
    orders = stage.server(ev.ResponseCreated("r2"))
    assert only(orders, cmd.CancelResponse) == [cmd.CancelResponse("r2")]
    stage.server(ev.ResponseDone("r2", "cancelled", "client_cancelled"))
    assert [t.item_id for t in stage.published(rec.Transcript)] == ["u0"]
    last = stage.published(rec.TurnRecord)[-1]
    assert (last.event_type, last.reason) == ("interrupted", "echo")
    assert (last.suspect, last.transcript, last.response) == (True, None, None)
    assert stage.state.talk.aloud.echoes == 1
    assert not any("fox who" in said.text for said in stage.state.talk.said if said.role == "user")


def test_a_person_who_interrupts_with_its_own_words_is_heard() -> None:
    stage = full()
    sounding(stage)
    stage.now += 1
    overheard(stage, "u1", "upon a time there was a fox", 2.0)
    assert stage.published(rec.Transcript)[-1].event_type == "final"
    assert not stage.published(rec.Transcript)[-1].suspect


@pytest.mark.parametrize("half_duplex", [True, False])
def test_a_person_who_repeats_it_afterwards_is_heard(half_duplex: bool) -> None:
    stage = Stage(settings(half_duplex=half_duplex)).ready()
    stage.speak("u0")
    stage.server(ev.UserTranscript("u0", "Tell me a story."))
    sounding(stage)
    stage.now += 4
    stage.tell(ev.PlayoutDrained("r1"))
    stage.wait(0.35, 0.05)
    overheard(stage, "u1", STORY, 4.0)
    assert stage.published(rec.Transcript)[-1].text == STORY
    assert stage.state.talk.aloud.echoes == 0


def test_a_server_that_tells_no_times_is_judged_by_our_own_clock() -> None:
    stage = full()
    sounding(stage)
    noisy(stage)
    stage.tell(ev.GateOpened())
    for _ in range(25):
        stage.now += 0.04
        stage.tell(ev.Heard(silence(40), 40, stage.now))
    stage.server(ev.SpeechStarted("u1"))
    stage.tell(ev.PlayoutFlushed("r1", "a1", 0, 1000))
    stage.now += 0.5
    stage.server(ev.SpeechStopped("u1"), ev.InputCommitted("u1"))
    stage.server(ev.UserTranscript("u1", "upon a time there was a fox"))
    assert stage.state.talk.aloud.echoes == 1


def loop(stage: Stage, text: str, times: int) -> list[cmd.Command]:
    orders: list[cmd.Command] = []
    for n in range(1, times + 1):
        stage.speak(f"p{n}")  # what nobody understands is neither the one nor the other
        stage.server(ev.UserTranscript(f"p{n}", ""))
        sounding(stage, n)
        noisy(stage)
        orders += overheard(stage, f"u{n}", text)
    return orders


@pytest.mark.parametrize(
    ("text", "times"), [("there was a fox who", 3), ("Once", 6), ("you", 6), ("", 6)]
)
def test_f55_a_loop_ends_with_the_session_and_a_rest_of_a_minute(text: str, times: int) -> None:
    stage = full()
    loop(stage, text, times - 1)
    stage.speak("p")
    assert stage.state.link.phase is Phase.READY
    assert "self_loop" not in [p.code for p in stage.shown.problems]
    sounding(stage, times)
    noisy(stage)
    orders = overheard(stage, f"u{times}", text)
    assert only(orders, cmd.Disconnect)
    assert stage.shown.state == "offline"
    (problem,) = stage.shown.problems
    assert problem.code == "self_loop"
    assert "headset" in problem.fix
    stage.wait(1)
    orders = stage.tell(ev.GateOpened(), ev.Heard(silence(200), 200, stage.now))
    assert not only(orders, cmd.Connect)
    assert [t.reason for t in stage.published(rec.TurnRecord)][-1] == "self_loop"
    orders = stage.tell(ev.Heard(silence(200), 200, stage.now), ev.GateClosed(too_long=False))
    assert not only(orders, cmd.Publish), "told once"
    due = logic.deadline(stage.state)
    assert due is not None
    assert not only(stage.wait(echo.REST_S), cmd.Connect)
    assert stage.shown.state == "idle"
    assert not stage.shown.problems
    due = logic.deadline(stage.state)
    assert due is None or due > stage.now
    assert only(stage.tell(ev.GateOpened(), ev.Heard(silence(200), 200, stage.now)), cmd.Connect)


def test_somebody_else_in_between_ends_a_loop() -> None:
    stage = full()
    loop(stage, "there was a fox who", 2)
    stage.speak("p")
    sounding(stage, 3)
    overheard(stage, "u3", "Be quiet please, will you.", 1.0)
    assert stage.state.talk.aloud.score == 0
    assert stage.state.link.phase is Phase.READY


def test_a_person_who_answers_with_the_words_they_were_offered_is_heard_each_time() -> None:
    stage = full()
    for n in range(1, 6):
        sounding(stage, n, "Do you want tea or coffee?")
        stage.now += 3.9
        overheard(stage, f"u{n}", "Coffee.", 0.6)
    assert [t.text for t in stage.published(rec.Transcript)][1:] == ["Coffee."] * 5
    assert stage.state.link.phase is Phase.READY


def test_while_it_rests_what_is_said_over_mqtt_is_spoken() -> None:
    stage = full()
    loop(stage, "there was a fox who", 3)
    stage.wait(1)
    ends(stage)
    assert only(say(stage), cmd.Connect)
    stage.open()
    spoken(stage, 1)
    stage.tell(ev.PlayoutStarted("s1", stage.now))
    assert not only(stage.tell(ev.GateOpened()), cmd.PausePlayout), "nobody is heard"
    stage.tell(ev.GateClosed(too_long=False), ev.PlayoutDrained("s1"))
    assert ends(stage) == [("say", "done")]
    assert not only(stage.tell(ev.Woke("okay_nabu")), cmd.Connect)
