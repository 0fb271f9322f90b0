"""What is suggested for a sound: each rule by itself, and that nothing ever gets worse by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from satellite.config.loader import load
from satellite.config.rules import PRE_ROLL_MARGIN_MS, SILENCE_MARGIN_MS
from satellite.errors import ConfigError
from satellite.logic.advising import advise
from satellite.logic.cascade import SURE
from satellite.logic.suggesting import Suggested, suggest
from satellite.logic.tuning import SILENT, Around, Knobs, meets
from satellite.model.ports import Judged

KNOBS: Final = Knobs(2, True, onset_ms=60, pre_roll_ms=500, hangover_ms=700)
AROUND: Final = Around(30_000, False, 500, 700, 400, network=True)
MANUAL: Final = replace(AROUND, ends_turns=True, least_hangover_ms=0, reach_ms=None)

CERTAIN: Final = {"S": 0.95, "4": 0.45, "6": 0.6, "7": 0.8, "f": 0.1}
QUIET: Final = "." * 100

Hear = Callable[[int, bool], Sequence[Judged]]


def ears(pattern: str) -> Hear:
    """Twenty ms a letter: how sure the network is of it; s is a voice that nobody notices, k a
    knock that fires only the least strict detector."""

    def hear(aggressiveness: int, confirm: bool) -> list[Judged]:
        found = []
        for letter in pattern:
            certainty = CERTAIN.get(letter)
            fired = certainty is not None or (letter == "k" and aggressiveness == 0)
            speech = (certainty or 0.0) >= SURE[aggressiveness] if confirm else fired
            found.append(Judged(speech, fired, certainty if confirm else None))
        return found

    return hear


def loud(pattern: str) -> list[float]:
    return [{".": -60.0, "z": SILENT, "f": -40.0, "k": -40.0}.get(each, -25.0) for each in pattern]


def suggested(pattern: str, knobs: Knobs = KNOBS, around: Around = AROUND) -> Suggested:
    return suggest(loud(pattern), ears(pattern), knobs, around)


def turned(found: Suggested) -> dict[str, object]:
    """The keys that differ, with their values."""
    then = asdict(found.then.knobs)
    changed = {key: value for key, value in then.items() if value != asdict(found.now.knobs)[key]}
    assert set(changed) == set(found.why)
    assert all(found.why.values())
    return changed


WORDS: Final = QUIET + "S" * 40 + QUIET + "S" * 60 + QUIET


def test_what_fits_is_left_alone() -> None:
    assert turned(suggested(WORDS)) == {}
    assert turned(suggested("." * 500)) == {}
    assert turned(suggested("")) == {}


def test_other_sounds_are_left_to_the_network() -> None:
    pattern = WORDS + "f" * 50 + QUIET
    knobs = replace(KNOBS, confirm=False)
    found = suggested(pattern, knobs)
    assert turned(found) == {"confirm": True}
    assert (len(found.now.utterances), len(found.then.utterances)) == (3, 2)
    assert "s less is sent" in found.why["confirm"]
    assert turned(suggested(pattern, knobs, replace(AROUND, network=False))) == {}


def test_a_gate_that_music_held_open_closes_again() -> None:
    pattern = "f" * 100 + "S" * 40 + "f" * 200 + "S" * 40 + "f" * 100
    found = suggested(pattern, replace(KNOBS, confirm=False))
    assert turned(found) == {"confirm": True}
    assert len(found.then.utterances) == 2
    assert found.then.sent_ms < found.now.sent_ms


def test_hardly_words_ask_for_stricter_ears_and_no_stricter_than_need_be() -> None:
    pattern = WORDS + "4" * 30 + QUIET
    assert turned(suggested(pattern, replace(KNOBS, aggressiveness=0))) == {"aggressiveness": 2}
    found = suggested(WORDS + "6" * 30 + QUIET)
    assert turned(found) == {"aggressiveness": 3}
    assert found.why["aggressiveness"] == "other sounds than words open the gate once less"


def test_strict_ears_that_lose_a_word_are_made_less_strict() -> None:
    hesitant = "6" * 5 + "S" + "6" * 30  # once certain, and never for long
    found = suggested(QUIET + hesitant + WORDS, replace(KNOBS, aggressiveness=3))
    assert turned(found) == {"aggressiveness": 2}
    assert len(found.then.utterances) == len(found.now.utterances) + 1


def test_a_detector_that_never_rests_is_made_to() -> None:
    pattern = ("." * 6 + "k" * 4) * 10 + "." * 20 + "S" * 40 + ("." * 6 + "k" * 4) * 30
    found = suggested(pattern, replace(KNOBS, aggressiveness=0))
    assert turned(found) == {"aggressiveness": 1}
    assert "keeps the network busy" in found.why["aggressiveness"]


def test_knocks_ask_for_a_longer_onset() -> None:
    pattern = WORDS + "SSSS" + QUIET + "SSS" + QUIET
    found = suggested(pattern)
    assert turned(found) == {"onset_ms": 100}
    assert found.why["onset_ms"] == "twice a sound of at most 80 ms opened the gate: a knock"
    assert len(found.then.utterances) == 2


def test_a_longer_onset_takes_the_pre_roll_along() -> None:
    found = suggested(WORDS + "SSSS" + QUIET, replace(KNOBS, pre_roll_ms=460))
    assert turned(found) == {"onset_ms": 100, "pre_roll_ms": 500}


def test_a_late_gate_asks_for_more_pre_roll() -> None:
    found = suggested(QUIET * 9 + "s" * 40 + "S" * 40 + QUIET)
    assert turned(found) == {"pre_roll_ms": 900}
    assert found.now.utterances[0].clipped_ms == 300
    assert found.then.utterances[0].clipped_ms == 0


def test_much_too_long_a_pre_roll_comes_down_to_what_the_server_needs() -> None:
    assert turned(suggested(WORDS, replace(KNOBS, pre_roll_ms=2000))) == {"pre_roll_ms": 460}
    assert turned(suggested(WORDS, replace(KNOBS, pre_roll_ms=2000), MANUAL)) == {
        "pre_roll_ms": 400
    }
    assert turned(suggested(WORDS, replace(KNOBS, pre_roll_ms=540))) == {}


@pytest.mark.parametrize(("pause", "least"), [(10, 700), (32, 740), (34, 780), (60, 700)])
def test_a_long_hangover_comes_down_to_the_longest_pause_and_what_the_server_needs(
    pause: int, least: int
) -> None:
    pattern = QUIET + "S" * 30 + "." * pause + "S" * 30 + QUIET
    assert turned(suggested(pattern, replace(KNOBS, hangover_ms=1500))) == {"hangover_ms": least}


def test_where_we_end_the_turns_a_pause_in_a_sentence_does_not() -> None:
    pattern = QUIET + "S" * 30 + "." * 20 + "S" * 30 + QUIET
    found = suggested(pattern, replace(KNOBS, hangover_ms=300), MANUAL)
    assert turned(suggested(pattern, replace(KNOBS, hangover_ms=1500), MANUAL)) == {
        "hangover_ms": 700
    }
    assert turned(found) == {"hangover_ms": 500}
    assert (len(found.now.utterances), len(found.then.utterances)) == (2, 1)
    apart = QUIET + "S" * 30 + "." * 40 + "S" * 30 + QUIET
    assert turned(suggested(apart, replace(KNOBS, hangover_ms=300), MANUAL)) == {}


# --- whatever the sound ------------------------------------------------------------------------

pieces = st.tuples(st.sampled_from("S....s467fkz"), st.integers(1, 60))
sounds = st.lists(pieces, max_size=14).map(lambda runs: "".join(a * n for a, n in runs))
turns = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["server_vad", "manual"]),
        "prefix_padding_ms": st.sampled_from([0, 300, 333, 5000]),
        "silence_duration_ms": st.sampled_from([100, 500, 777, 5000]),
    }
)
gates = st.fixed_dictionaries(
    {
        "aggressiveness": st.integers(0, 3),
        "confirm": st.booleans(),
        "onset_ms": st.integers(20, 300),
        "pre_roll_ms": st.integers(0, 7000),
        "hangover_ms": st.integers(20, 10_000),
    }
)


def loads(gate: dict[str, object], turn_detection: dict[str, object]) -> bool:
    text = yaml.safe_dump(
        {
            "realtime": {"provider": "local", "turn_detection": turn_detection},
            "gate": gate,
        }
    )
    try:
        load(text, source="x", base="/", environment={}, secrets=dict, credentials={})
    except ConfigError:
        return False
    return True


@given(sounds, gates, turns, st.booleans())
def test_what_is_suggested_is_valid_and_makes_nothing_worse(
    pattern: str, gate: dict[str, object], turn: dict[str, object], network: bool
) -> None:
    if not loads(gate, turn):
        return
    manual, silence = turn["type"] == "manual", turn["silence_duration_ms"]
    padding = turn["prefix_padding_ms"]
    assert isinstance(silence, int)
    assert isinstance(padding, int)
    around = Around(
        30_000,
        manual,
        silence,
        0 if manual else silence + SILENCE_MARGIN_MS,
        None if manual else padding + PRE_ROLL_MARGIN_MS,
        network,
    )
    present = Knobs(**gate)  # type: ignore[arg-type]
    present = replace(present, confirm=present.confirm and network)
    found = suggested(pattern, present, around)
    changes = turned(found)
    assert loads({**gate, **changes}, turn), changes
    assert network or "confirm" not in changes

    now, then = found.now.utterances, found.then.utterances
    for word in found.words:
        if any(meets(each.span, word) for each in now):
            assert any(meets(each.span, word) for each in then)
    others = [sum(not any(meets(e.span, w) for w in found.words) for e in u) for u in (now, then)]
    assert others[1] <= others[0] or found.then.sent_ms < found.now.sent_ms
    judged = ears(pattern)(present.aggressiveness, present.confirm)
    for sentence in advise(found, judged, around, "", 50):
        assert sentence == sentence.strip() != ""
    needed = {n for w in found.words for n in range(w.onset, w.last + 1) if pattern[n] in "S7"}
    lost = [
        needed - {n for each in u for n in range(each.span.first, each.span.end)}
        for u in (now, then)
    ]
    assert len(lost[1]) <= len(lost[0])


# --- words -------------------------------------------------------------------------------------


def said(pattern: str, knobs: Knobs = KNOBS, around: Around = AROUND, fault: str = "") -> str:
    found = suggested(pattern, knobs, around)
    judged = ears(pattern)(knobs.aggressiveness, knobs.confirm)
    return "\n".join(advise(found, judged, around, fault, 0))


def test_who_needs_no_advice_gets_none() -> None:
    assert said(WORDS) == ""


def test_no_speech() -> None:
    assert "say a sentence or two while it listens" in said("." * 500)
    assert "a little louder or closer" in said("." * 100 + "f" * 20 + "." * 100)
    assert said("z" * 100, fault="silence: exact zeros").startswith("the sound is silence")


def test_what_may_have_been_speech() -> None:
    found = said(WORDS + "4" * 20 + QUIET)
    assert "perhaps speech, and not sent: at 8.0 s (0.45); 0.5 for 60 ms is needed" in found
    assert found.endswith("try gate.aggressiveness: 1")


def test_a_television() -> None:
    assert "gate.activation: wake_word" in said(QUIET + "S" * 1800)


def test_a_pause_that_the_server_takes_for_the_end() -> None:
    found = said(QUIET + "S" * 30 + "." * 30 + "S" * 30 + QUIET)
    assert "silence_duration_ms: 700, and gate.hangover_ms: 900" in found
    assert said(QUIET + "S" * 30 + "." * 30 + "S" * 30 + QUIET, around=MANUAL) == ""


def test_levels() -> None:
    def at(room: float, word: float) -> str:
        levels = [word if each == "S" else room for each in WORDS]
        found = suggest(levels, ears(WORDS), KNOBS, AROUND)
        return "\n".join(advise(found, ears(WORDS)(2, True), AROUND, "", 0))

    assert at(-70, -50).startswith("speech is faint (-50 dBFS)")
    assert at(-35, -30).startswith("speech stands out from the room by 5 dB only")
    assert at(-35, -15).startswith("the room is loud")
    assert "pip install" in said(WORDS, around=replace(AROUND, network=False))
