"""``satellite devices``: microphones and loudspeakers by the name to write, and what they do."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from satellite.adapters.portaudio.names import MIC, SPEAKER, Kind
from satellite.adapters.portaudio.survey import Found
from satellite.errors import DeviceError, SetupError
from satellite.logic.level import Level, level
from satellite.model.audio import RATE

LISTEN_BLOCKS: Final = 25  # of 40 ms
BLOCK: Final = RATE // 25
SURE: Final = 0.015  # of a rate: a block is seen up to 5 ms late at both ends of the second
OWN: Final = (RATE, 1)  # what nothing has to be converted for

_KEYS: Final = {MIC: "audio.input.device", SPEAKER: "audio.output.device"}
_NOTHING: Final = (
    "no sound device found: plug one in and see `arecord -l` and `aplay -l`; you must be in the"
    " group audio (sudo usermod -aG audio $USER, then log in again)"
)


@dataclass(frozen=True, slots=True)
class Heard:
    """One second of a microphone. ``measured_hz``: against the clock of this machine."""

    rate_hz: int = 0
    measured_hz: int = 0
    level: Level | None = None
    fault: str = ""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "devices",
        help="show microphones and loudspeakers, and what they can do",
        description="Show each microphone and loudspeaker by the name to write into the"
        " configuration, with the rates and channels that it was seen to take.",
        epilog="example: satellite devices --listen",
    )
    parser.add_argument(
        "--listen", action="store_true", help="hear a second of each microphone; stop the daemon"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what there is. Raises SetupError where there is nothing at all."""
    from satellite.adapters.portaudio.survey import survey

    if sys.stderr.isatty():
        print("trying each device ...", file=sys.stderr, flush=True)
    found = survey(MIC, SPEAKER)
    if not any(found.values()):
        raise SetupError(_NOTHING)
    heard = _listen(found[MIC]) if args.listen else {}
    if args.json:
        print(json.dumps({f"{k.noun}s": [_plain(d, heard) for d in found[k]] for k in found}))
        return 0
    for kind, devices in found.items():
        _print(kind, devices, heard if kind is MIC else {})
    return 0


def _print(kind: Kind, devices: list[Found], heard: dict[str, Heard]) -> None:
    if not devices:
        print(f"No {kind.noun} found: {kind.advice}.\n")
        return
    print(f"{kind.noun.capitalize()}s, to write as {_KEYS[kind]}:")
    rows = [(each.name + (" *" if each.default else ""), *_cells(each)) for each in devices]
    for each, row in zip(devices, _aligned(rows), strict=True):
        print(f"  {row}")
        if each.plug:
            print(f"      or {each.plug}: whatever card is in that socket")
        if each.name in heard:
            print(f"      {_told(heard[each.name])}")
    if any(each.default for each in devices):
        print("  * is the default")
    print()


def _cells(each: Found) -> tuple[str, str, str]:
    """What it is, what it can do, how the satellite uses it."""
    if each.opens is None:
        use = f"in use by {each.holder}" if each.holder else "cannot be opened"
        return each.what, "", use
    rate, channels = each.opens
    use = "used as it is" if each.opens == OWN else f"used at {rate:,} Hz"
    if channels > 1:
        use += f", {channels} channels"
    if rate != RATE:
        use += ", converted"
    return each.what, f"{_rates(each.rates_hz)}, {_channels(each.channels)}", use


def _rates(rates: tuple[int, ...]) -> str:
    if len(rates) > 5:
        return "any rate"
    return "/".join(f"{rate / 1000:g}" for rate in rates) + " kHz"


def _channels(count: int) -> str:
    return {0: "any channels", 1: "mono", 2: "stereo"}.get(count, f"{count} channels")


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _listen(devices: list[Found]) -> dict[str, Heard]:
    heard = {}
    for each in devices:
        if each.opens is not None:
            print(f"listening to {each.name} ...", file=sys.stderr, flush=True)
            heard[each.name] = _hear(each.name)
    return heard


def _hear(name: str) -> Heard:
    """A second of one microphone, after the click with which some begin."""
    from satellite.adapters.portaudio import MicSource
    from satellite.adapters.resampler import Resampler

    source = MicSource(name, Resampler)
    try:
        source.open()
        source.read(5 * BLOCK)
        before = time.monotonic()
        pcm = b"".join(source.read(BLOCK) for _ in range(LISTEN_BLOCKS))
        rate = source.rate_hz
        measured = rate * LISTEN_BLOCKS * BLOCK / RATE / (time.monotonic() - before)
    except (DeviceError, SetupError) as exc:
        return Heard(fault=str(exc))
    finally:
        source.close()
    heard = level(pcm)
    fault = heard.fault
    if not fault and abs(measured / rate - 1) > SURE:
        fault = f"it says {rate:,} Hz: too fast or too slow, or this machine is too busy"
    return Heard(rate, round(measured), heard, fault)


def _told(heard: Heard) -> str:
    """One line about what was heard."""
    if heard.level is None:
        return heard.fault
    is_right = abs(heard.measured_hz / heard.rate_hz - 1) <= SURE
    parts = [f"heard at {heard.rate_hz if is_right else heard.measured_hz:,} Hz"]
    if heard.level.rms is not None and heard.level.peak is not None:
        parts.append(f"{heard.level.rms:.0f} dBFS, peak {heard.level.peak:.0f}")
    return "; ".join([*parts, heard.fault or "sound"])


def _plain(each: Found, heard: dict[str, Heard]) -> dict[str, Any]:
    row = asdict(each)
    if each.name in heard:
        row["heard"] = asdict(heard[each.name])
    return row
