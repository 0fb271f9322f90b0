"""Can one interrupt the assistant through its own loudspeaker, and does it never interrupt itself?

Real answers, a real person's recordings, the real canceller, judge and gate, the local server's
real detection; only the room is made up, and its time. benchmarks/echo has more of it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from echo_room import Heard, Place, Room, ServerVad, Sound

from satellite import hearing_setup
from satellite.adapters import echo
from satellite.adapters.discerner import Discerner
from satellite.adapters.echo import EchoCanceller
from satellite.adapters.recording import load
from satellite.config.schema import Audio, Config
from satellite.errors import SetupError
from satellite.far_end import FarEnd
from satellite.local import synthesiser
from satellite.model.audio import FRAME_BYTES
from satellite.own_voice import OwnVoice

SPEECH = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
TEXTS = [
    "The kitchen light is on, and the heating is set to twenty one degrees until ten tonight.",
    "It will rain this afternoon, so take an umbrella; tomorrow looks dry with a little wind.",
    "You have two appointments today: the dentist at eleven, and dinner with your sister at eight.",
    "I have added milk, bread and a dozen eggs to the list. Shall I read the whole list to you?",
]
PEOPLE = [
    "conf-kicked", "please-try-again", "vm-savefolder", "all-circuits-busy-now", "queue-thankyou",
    "check-number-dial-again",
]  # fmt: skip
SOON_S = 0.26  # and 40 ms for the loudspeaker's thread and the device


@pytest.fixture(scope="module")
def answers() -> list[Sound]:
    voice = synthesiser.load()
    return [samples(b"".join(voice.speak(text, 1.0))) for text in TEXTS]


def samples(pcm: bytes) -> Sound:
    return np.frombuffer(pcm, "<i2").astype(float)


def own_voice(far: FarEnd) -> OwnVoice:
    return OwnVoice(far, EchoCanceller(), Discerner())


def hold(room: Room, answers: list[Sound]) -> tuple[list[Heard], list[Heard]]:
    """Answers that nobody interrupts, and as many that somebody does, one by one."""
    alone, interrupted = [], []
    for n, name in enumerate(PEOPLE):
        answer = answers[n % len(answers)]
        alone.append(room.answer(answer))
        said = samples(load(SPEECH / f"{name}.wav"))
        interrupted.append(room.answer(answer, said, after_s=0.7 + 0.4 * n))
    return alone, interrupted


def reaction_s(heard: Heard) -> float:
    assert heard.spoken_at is not None
    return next((at - heard.spoken_at for at in heard.opened_at), 9.0)


@pytest.mark.parametrize(
    "place",
    [
        Place("a living room"),
        Place("a hall, and a clipping loudspeaker", rt60_s=0.5, clips=2.5),
        Place("noise, and clocks that part", noise_db=-20, ppm=100),
        Place("people who move, and who change the volume", moves=3, volumes=True),
    ],
    ids=lambda place: place.name,
)
def test_a_person_interrupts_and_the_assistant_never_does(
    answers: list[Sound], place: Place
) -> None:
    alone, interrupted = hold(Room(place, own_voice, ServerVad()), answers)
    assert [heard.opened_at for heard in alone] == [()] * len(alone)
    assert sum(heard.asked for heard in alone) == 0
    reactions = sorted(reaction_s(heard) for heard in interrupted)
    assert reactions[0] > 0, "nothing opens before somebody speaks"
    assert reactions[-2] <= SOON_S, reactions  # all but one of these few
    assert reactions[-1] < 1.0, reactions
    assert all(heard.asked for heard in interrupted), "the server hears each of them"


def test_who_answers_at_length_can_interrupt_the_next_answer(answers: list[Sound]) -> None:
    """What is said while nothing is played is not what is usual of the loudspeaker."""
    room = Room(Place("a living room"), own_voice, None)
    said = [samples(load(SPEECH / f"{name}.wav")) for name in PEOPLE]
    reactions = []
    for n in range(2 * len(said)):
        for words in said[n % 3 :: 3]:  # about 4 s
            room.listen(words)
        heard = room.answer(answers[n % 4], said[n % len(said)], after_s=1.5)
        reactions.append(reaction_s(heard))
    assert min(reactions) > 0, reactions
    assert sorted(reactions[len(said) :])[-2] <= SOON_S, reactions


def test_without_a_canceller_it_hears_itself(answers: list[Sound]) -> None:
    """The room is no easy one: what the other tests find silent is there."""
    alone, _ = hold(Room(Place("a living room"), lambda far: None, ServerVad()), answers)
    assert all(heard.opened_at for heard in alone)
    assert all(heard.asked for heard in alone)


def test_the_first_answer_of_all_is_no_interruption(answers: list[Sound]) -> None:
    room = Room(Place("anew", anew=True), own_voice, None)
    assert [room.answer(answer).opened_at for answer in answers] == [()] * len(answers)


def test_the_same_sound_gives_the_same_samples(answers: list[Sound]) -> None:
    pcm = answers[0].astype("<i2").tobytes()
    frames = [pcm[n : n + FRAME_BYTES] for n in range(0, 100 * FRAME_BYTES, FRAME_BYTES)]
    late = [bytes(FRAME_BYTES)] * 6 + frames
    runs = []
    for _ in range(2):
        canceller = EchoCanceller()
        runs.append([canceller.clean(*both) for both in zip(late, frames, strict=False)])
    assert runs[0] == runs[1]
    assert {len(frame) for frame in runs[0]} == {FRAME_BYTES}


def test_what_is_missing_is_said_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Config(audio=Audio(duplex="cancel"))
    hearing_setup.check(wanted)
    hearing_setup.find(wanted)
    monkeypatch.setitem(sys.modules, "livekit.rtc.apm", None)
    with pytest.raises(SetupError, match=r"pip install 'realtime-satellite\[echo\]'"):
        hearing_setup.check(wanted)
    monkeypatch.setattr(echo, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match=r"pip install 'realtime-satellite\[echo\]'"):
        hearing_setup.find(wanted)
    hearing_setup.find(Config())


PROGRAM = """
import os, sys
from satellite import hearing_setup
from satellite.config.schema import Audio, Config
config = Config(audio=Audio(duplex=sys.argv[1]))
ears = hearing_setup.ears(config, hearing_setup.far_end(config))
if ears.own_voice:
    ears.own_voice._canceller.clean(bytes(960), bytes(960))
links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if fd != "3"
         and os.path.exists(f"/proc/self/fd/{fd}")]
inodes = {link[8:-1] for link in links if link.startswith("socket:")}
for kind in ("tcp", "tcp6", "udp", "udp6"):
    for line in open(f"/proc/net/{kind}").readlines()[1:]:
        assert line.split()[9] not in inodes, line
print("livekit" in sys.modules, "numpy" in sys.modules)
"""


@pytest.mark.parametrize(("duplex", "loaded"), [("cancel", "True True"), ("half", "False False")])
def test_it_is_loaded_where_it_is_wanted_says_nothing_and_calls_nobody(
    duplex: str, loaded: str
) -> None:
    run: Any = subprocess.run(
        [sys.executable, "-c", PROGRAM, duplex], capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, loaded, "")
