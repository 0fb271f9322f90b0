"""What a new session is told of the one before: what was said and heard, bounded."""

from __future__ import annotations

from stage import VOICE, WALL, Stage, only, settings

from satellite.logic.history import MOST_CHARACTERS, MOST_TEXTS, OLDEST_S
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.session import Session


def told(stage: Stage) -> list[tuple[str, str]]:
    """Lose the connection; what is the next session told?"""
    stage.lose()
    return [(order.role, order.text) for order in only(stage.reconnect(), cmd.AddText)]


def test_a_lost_connection_forgets_nothing_that_was_said() -> None:
    stage = Stage().ready()
    stage.turn(1, "Turn it on.")
    expected = [("user", "Turn it on."), ("assistant", "All done.")]
    assert told(stage) == expected
    assert told(stage) == expected  # and not twice the second time


def test_the_first_session_is_told_nothing() -> None:
    assert not only(Stage().ready().orders, cmd.AddText)


def test_a_conversation_that_ended_because_nobody_spoke_is_over() -> None:
    stage = Stage().ready()
    stage.turn()
    stage.wait(301)
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert not only(stage.open(), cmd.AddText)
    stage = Stage(settings(idle_close_s=1e6)).ready(WALL + 700)  # as one that only aged
    stage.turn()
    stage.lose()
    stage.wait(2)
    stage.open(WALL + 2000)
    stage.wait(1800, step=1)  # unused: it rests
    stage.tell(ev.GateOpened(), ev.Heard(VOICE, 200, stage.now))
    assert not only(stage.open(), cmd.AddText)


def test_what_is_old_is_not_told() -> None:
    stage = Stage(settings(idle_close_s=1e6)).ready()
    stage.turn(1, "Old.")
    stage.wait(OLDEST_S - 60, step=5)
    stage.turn(2, "Young.")
    stage.wait(70)
    assert told(stage) == [("user", "Young."), ("assistant", "All done.")]


def test_history_is_bounded_in_texts_and_characters() -> None:
    stage = Stage().ready()
    for n in range(30):
        stage.turn(n, f"Sentence {n}.")
    texts = told(stage)
    assert len(texts) == MOST_TEXTS
    assert texts[-2:] == [("user", "Sentence 29."), ("assistant", "All done.")]
    for n in range(30, 36):
        stage.turn(n, f"{n}" * 700)
    texts = told(stage)
    assert sum(len(text) for _, text in texts) <= MOST_CHARACTERS
    assert texts[-2][1].startswith("3535")
    stage.turn(40, "x" * 50_000)
    assert sum(len(text) for _, text in told(stage)) <= MOST_CHARACTERS


def test_a_failed_empty_or_missing_transcript_is_not_told() -> None:
    stage = Stage().ready()
    stage.speak("u1")
    stage.server(ev.TranscriptFailed("u1", "audio_unintelligible"))
    stage.answer("r1", "a1")
    stage.tell(ev.PlayoutDrained("r1"))
    stage.wait(1)
    stage.speak("u2")
    stage.server(ev.UserTranscript("u2", "  "))
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutDrained("r2"))
    stage.wait(12)
    assert told(stage) == [("assistant", "All done."), ("assistant", "All done.")]


def test_a_phantom_and_its_answer_are_not_told() -> None:
    stage = Stage().ready()
    stage.turn(1, "Thanks for watching!")
    stage.server(ev.IdleTimeout("u2"), ev.InputCommitted("u2"))
    stage.answer("r2", "a2")
    stage.tell(ev.PlayoutDrained("r2"))
    stage.wait(1)
    stage.turn(3, "Turn it off.")
    assert told(stage) == [("user", "Turn it off."), ("assistant", "All done.")]


def interrupted(stage: Stage, played_ms: int, words: str) -> None:
    stage.speak("u1")
    stage.server(ev.UserTranscript("u1", "Tell me."), ev.ResponseCreated("r1"))
    stage.server(ev.TextDelta("r1", 0, 0, words, final=True))
    for _ in range(10):  # two seconds of voice
        stage.server(ev.AudioDelta("r1", "a1", 0, 0, VOICE))
    stage.server(ev.ResponseDone("r1", "completed"))
    stage.server(ev.SpeechStarted("u2"))
    stage.tell(ev.PlayoutFlushed("r1", "a1", 0, played_ms))
    stage.server(ev.SpeechStopped("u2"), ev.InputCommitted("u2"), ev.UserTranscript("u2", "Stop."))


def test_an_interrupted_answer_is_told_as_far_as_it_was_heard() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    interrupted(stage, 1000, "one two three four")
    assert told(stage)[:2] == [("user", "Tell me."), ("assistant", "one two")]


def test_an_answer_of_which_nothing_was_heard_is_not_told() -> None:
    stage = Stage(settings(half_duplex=False)).ready()
    interrupted(stage, 0, "one two three four")
    assert told(stage) == [("user", "Tell me."), ("user", "Stop.")]


def test_an_answer_for_which_there_was_no_speaker_is_not_told() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."))
    stage.answer()
    stage.tell(ev.SpeakerLost("no speaker"), ev.PlayoutDrained("r1", heard=False))
    assert told(stage) == [("user", "Hi.")]


def test_a_text_answer_is_told_whole() -> None:
    stage = Stage().ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "Hi."), ev.ResponseCreated("r1"))
    stage.server(ev.TextDelta("r1", 0, 0, "Hello.", final=True), ev.ResponseDone("r1", "completed"))
    assert told(stage) == [("user", "Hi."), ("assistant", "Hello.")]


def test_a_session_that_only_writes_down_is_told_nothing() -> None:
    stage = Stage(settings(session=Session(kind="transcription"))).ready()
    stage.speak()
    stage.server(ev.UserTranscript("u1", "A note."))
    assert told(stage) == []
