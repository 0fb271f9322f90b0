"""What ``satellite tune`` writes: a table and YAML for a person, one object for a program."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from satellite.cli.tune_sound import Sound
from satellite.logic.suggesting import Suggested
from satellite.logic.tuning import Account, Utterance
from satellite.model.audio import FRAME_MS
from satellite.model.ports import Judged

_HEAD: Final = (
    "#", "from", "to", "said", "sent", "pre-roll", "hang-over", "certainty", "over the room", "",
)  # fmt: skip
_WIDTH: Final = 96


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found. ``source``: whose settings; ``loud``: the level of each frame;
    ``judged``: with these settings; ``fault``: of the level, in words."""

    title: str
    source: str
    sound: Sound
    loud: Sequence[float]
    judged: Sequence[Judged]
    found: Suggested
    advice: Sequence[str]
    fault: str
    activation: str

    @property
    def heard_s(self) -> float:
        """How long the sound is, with the silence around recordings."""
        return len(self.sound) * FRAME_MS / 1000

    @property
    def saved(self) -> float:
        """The part that was not sent."""
        return 1 - self.found.now.sent_ms / 1000 / self.heard_s

    def time(self, frame: int) -> float:
        """Seconds, from the beginning of the first recording."""
        return (frame - self.sound.lead) * FRAME_MS / 1000

    def summary(self) -> str:
        """One line."""
        now, count = self.found.now, len(self.found.now.utterances)
        if not count:
            return f"nothing would be sent of {self.heard_s:.1f} s heard"
        return (
            f"{count} utterance{'' if count == 1 else 's'}: {now.said_ms / 1000:.1f} s said,"
            f" {now.sent_ms / 1000:.1f} s sent of {self.heard_s:.1f} s heard,"
            f" {self.saved:.0%} saved"
        )


def text(report: Report, picture: str | None) -> Iterator[str]:
    """The table, the totals, what to do, and YAML; line by line."""
    yield f"{report.title}, with {report.source}:"
    yield ""
    rows = [_row(report, n, each) for n, each in enumerate(report.found.now.utterances, 1)]
    if rows:
        yield from _aligned([_HEAD, *rows])
        yield ""
    yield report.summary()
    yield from _totals(report)
    if picture:
        yield f"the picture: {picture}"
    if report.advice:
        yield ""
        yield "What you can do:"
        for each in report.advice:
            yield from textwrap.wrap(
                each, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
            )
    yield ""
    yield from _yaml(report)


def _row(report: Report, n: int, each: Utterance) -> tuple[str, ...]:
    span = each.span
    return (
        f"{n}",
        f"{report.time(span.onset):.2f}",
        f"{report.time(span.last + 1):.2f}",
        _seconds(each.said_ms),
        _seconds(each.sent_ms),
        _seconds(each.pre_roll_ms),
        _seconds(each.hangover_ms),
        "-" if each.certainty is None else f"{each.certainty:.2f}",
        "-" if each.above_db is None else f"{each.above_db:.0f} dB",
        ", ".join(_notes(report, each)),
    )


def _notes(report: Report, each: Utterance) -> Iterator[str]:
    if len(report.sound.names) > 1:
        yield _recording(report.sound, each)
    if each.clipped_ms:
        yield f"begins {each.clipped_ms} ms too late"
    if each.span.ended == "limit":
        yield "cut at gate.max_utterance_s"
    if each.span.ended == "sound":
        yield "not over at the end"


def _recording(sound: Sound, each: Utterance) -> str:
    return next((name for at, name in reversed(sound.names) if at <= each.span.last), "")


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.2f} s"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Numbers to the right, the last column to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for *cells, last in rows:
        shown = [cell.rjust(width) for cell, width in zip(cells, widths, strict=False)]
        yield f"  {'  '.join(shown)}  {last}".rstrip()


def _totals(report: Report) -> Iterator[str]:
    now = report.found.now
    if now.utterances:
        before = sum(each.pre_roll_ms for each in now.utterances) / 1000
        after = sum(each.hangover_ms for each in now.utterances) / 1000
        yield f"of what was sent, pre-roll is {before:.1f} s and hang-over {after:.1f} s"
    if now.room_db is not None:
        known = f"the room is at {now.room_db:.0f} dBFS"
        if now.speech_db is not None and now.snr_db is not None:
            known += f", speech at {now.speech_db:.0f} dBFS, {now.snr_db:.0f} dB over it"
        yield known
    yield _detectors(now)
    if report.sound.names:
        yield "a second of silence before and after each recording counts, as the daemon hears them"
    if report.activation != "open_mic":
        yield f"gate.activation is {report.activation}: so it is while somebody may be heard"


def _detectors(now: Account) -> str:
    alone = "webrtcvad alone would not have opened"
    if now.alone:
        alone = f"webrtcvad alone would have sent {now.alone_ms / 1000:.1f} s, {_pieces(now.alone)}"
    if not now.knobs.confirm:
        return f"{alone}; no network confirms it (gate.confirm)"
    if not now.alone:
        return alone
    refused = {0: "nothing of it", now.alone: "all of it"}.get(
        now.refused, f"{now.refused} of them"
    )
    return f"{alone}; the network refused {refused}"


def _pieces(count: int) -> str:
    return {1: "in one piece"}.get(count, f"in {count} pieces")


def _yaml(report: Report) -> Iterator[str]:
    found = report.found
    if not found.why:
        nothing = "# Nothing to change"
        fits = "these settings fit this sound"
        yield f"{nothing}: {fits}." if found.words else f"{nothing} as long as nobody speaks."
        return
    now, then = found.now, found.then
    yield "# Suggested. The same sound, heard again with these settings:"
    yield (
        f"# {len(then.utterances)} utterances and {then.sent_ms / 1000:.1f} s sent,"
        f" in place of {len(now.utterances)} and {now.sent_ms / 1000:.1f} s."
    )
    yield "gate:"
    for key, why in found.why.items():
        yield from textwrap.wrap(
            why, _WIDTH, initial_indent="  # ", subsequent_indent="  # ", break_on_hyphens=False
        )
        value = getattr(then.knobs, key)
        yield f"  {key}: {str(value).lower()}"


def plain(report: Report, picture: str | None) -> dict[str, Any]:
    """The same for programs. Levels in dBFS, None where they are not known."""
    now, then = report.found.now, report.found.then
    return {
        "sound": {
            "recordings": [
                {"name": name, "at_s": report.time(at)} for at, name in report.sound.names
            ],
            "heard_s": report.heard_s,
            "room_dbfs": _rounded(now.room_db),
            "speech_dbfs": _rounded(now.speech_db),
            "snr_db": _rounded(now.snr_db),
            "fault": report.fault,
        },
        "settings": asdict(now.knobs),
        "utterances": [_plain(report, each) for each in now.utterances],
        "totals": {
            **_sums(now),
            "saved_percent": round(report.saved * 100),
            "webrtcvad_alone": now.alone,
            "webrtcvad_alone_sent_s": now.alone_ms / 1000,
            "refused": now.refused,
        },
        "suggested": {
            "gate": {key: getattr(then.knobs, key) for key in report.found.why},
            "why": dict(report.found.why),
            "totals": _sums(then),
        },
        "advice": list(report.advice),
        "picture": picture,
    }


def _sums(account: Account) -> dict[str, Any]:
    return {
        "utterances": len(account.utterances),
        "said_s": account.said_ms / 1000,
        "sent_s": account.sent_ms / 1000,
    }


def _plain(report: Report, each: Utterance) -> dict[str, Any]:
    return {
        "recording": _recording(report.sound, each) or None,
        "from_s": report.time(each.span.onset),
        "to_s": report.time(each.span.last + 1),
        "said_s": each.said_ms / 1000,
        "sent_s": each.sent_ms / 1000,
        "pre_roll_s": each.pre_roll_ms / 1000,
        "hangover_s": each.hangover_ms / 1000,
        "certainty": _rounded(each.certainty, 2),
        "over_room_db": _rounded(each.above_db),
        "late_ms": each.late_ms,
        "clipped_ms": each.clipped_ms,
        "ended": each.span.ended,
    }


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)
