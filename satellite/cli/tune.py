"""``satellite tune``: what the gate makes of a recording or of the room, and what to set."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from satellite.adapters import picture
from satellite.cli.read_config import look, read_config, today
from satellite.cli.tune_page import Report, plain, text
from satellite.cli.tune_sound import Sound, Verdicts, keep, listened, recorded
from satellite.config.rules import PRE_ROLL_MARGIN_MS, SILENCE_MARGIN_MS
from satellite.config.schema import Config
from satellite.errors import SetupError
from satellite.logic.advising import advise
from satellite.logic.cascade import SURE
from satellite.logic.suggesting import suggest
from satellite.logic.tuning import Around, Knobs, levels
from satellite.model.audio import frames

SECONDS: Final = 10
MOST_S: Final = 600
LONG_MS: Final = 30_000  # takes longer than a second
PICTURE: Final = "satellite-tune.png"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "tune",
        help="show what the gate makes of a recording or of the room, and what to set",
        description="Hear recordings, or the room for a while, as the daemon would. Draw a picture"
        " of it, print what would be sent and why, and suggest settings. No sound leaves this"
        " machine, and none is kept.",
        epilog="examples: satellite tune speech.wav; satellite tune -c config.yaml",
    )
    parser.add_argument("wav", nargs="*", help="recordings to hear in place of the microphone")
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="whose microphone and settings"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to draw (PNG)")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=SECONDS,
        metavar="N",
        help=f"hear the room for so long (default {SECONDS})",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FILE.wav",
        help="also keep what the microphone heard, for a report; it contains voices",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.set_defaults(run=run)


def _seconds(text: str) -> int:
    if text.isdecimal() and 3 <= int(text) <= MOST_S:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 3 to {MOST_S}")


def run(args: argparse.Namespace) -> int:
    """Hear, measure, draw, print. Raises what the parts raise; the command line prints it."""
    config = read_config(args.config, today()) if args.config else Config()
    recordings = [Path(each) for each in args.wav or config.audio.input.file]
    if refused := _refused(args, recordings):
        print(f"satellite tune: {refused}", file=sys.stderr)
        return 2
    sound = recorded(recordings) if recordings else listened(config.audio.input, args.seconds)
    if args.keep:
        keep(sound, args.keep)
        print(f"kept in {args.keep}; it contains voices", file=sys.stderr)
    title = _title(recordings, config, args.seconds)
    source = f"the settings of {args.config}" if args.config else "the default settings"
    report = _heard(title, source, sound, config)
    place, failed = _drawn(report, args.output or _place(recordings))
    for line in [json.dumps(plain(report, place))] if args.json else text(report, place):
        print(line)
    if failed is not None:
        raise failed  # what was heard is told all the same
    return 0


def _refused(args: argparse.Namespace, recordings: list[Path]) -> str:
    """What is wrong with the places to write to, before anybody speaks in vain."""
    if args.output and (wrong := look("write", str(args.output))):
        return f"-o {args.output}: {wrong}"
    if not args.keep:
        return ""
    if recordings:
        return "--keep is for what a microphone hears; a recording is kept already"
    if args.keep.exists():
        return f"--keep {args.keep}: is there already; choose another name"
    wrong = look("write", str(args.keep))
    return f"--keep {args.keep}: {wrong}" if wrong else ""


def _title(recordings: list[Path], config: Config, seconds: int) -> str:
    if not recordings:
        return f"{seconds} s of the microphone {config.audio.input.device}"
    if len(recordings) == 1:
        return recordings[0].name
    return f"{len(recordings)} recordings, {recordings[0].name} to {recordings[-1].name}"


def _place(recordings: list[Path]) -> Path:
    """Next to the recording; where that cannot be, and without one, the current folder."""
    if not recordings:
        return Path(PICTURE)
    name = f"{recordings[0].stem}-tune.png"
    beside = recordings[0].with_name(name)
    return Path(name) if look("write", str(beside)) else beside


def _heard(title: str, source: str, sound: Sound, config: Config) -> Report:
    """Let the ears and the gate of the daemon hear it, as often as the rules ask for."""
    if sys.stderr.isatty() and len(sound) > frames(LONG_MS):
        print("hearing it all ...", file=sys.stderr, flush=True)
    around = _around(config)
    gate = config.gate
    present = Knobs(
        gate.aggressiveness,
        gate.confirm and around.network,
        gate.onset_ms,
        gate.pre_roll_ms,
        gate.hangover_ms,
    )
    hear, loud = Verdicts(sound), levels(sound.pcm)
    found = suggest(loud, hear, present, around)
    fault = sound.fault([each.span for each in found.now.utterances])
    judged = hear(present.aggressiveness, present.confirm)
    advice = advise(found, judged, around, fault, sound.lead)
    return Report(title, source, sound, loud, judged, found, advice, fault, gate.activation)


def _around(config: Config) -> Around:
    from satellite import hearing_setup

    turns, manual = config.realtime.turn_detection, config.realtime.manual
    least = turns.silence_duration_ms + SILENCE_MARGIN_MS
    return Around(
        limit_ms=config.gate.max_utterance_s * 1000,
        ends_turns=manual,
        silence_ms=turns.silence_duration_ms,
        least_hangover_ms=0 if manual else least,
        reach_ms=None if manual else turns.prefix_padding_ms + PRE_ROLL_MARGIN_MS,
        network=hearing_setup.network() is not None,
    )


def _drawn(report: Report, path: Path) -> tuple[str | None, SetupError | None]:
    """Draw. Where the picture is, if there is one; and why a disk did not take it."""
    if not picture.is_installed():
        print(f"no picture without Pillow; run: {picture.INSTALL}", file=sys.stderr)
        return None, None
    now = report.found.now
    drawing = picture.Drawing(
        f"What the satellite hears: {report.title}",
        report.summary(),
        report.sound.peaks(),
        report.loud,
        report.judged,
        now,
        SURE[now.knobs.aggressiveness] if now.knobs.confirm else None,
        report.sound.lead,
        report.sound.names,
    )
    try:
        picture.draw(drawing, path)
    except SetupError as exc:
        return None, exc
    return str(path), None
