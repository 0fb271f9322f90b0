"""``satellite config``: what holds, and where each value is from."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from satellite.cli.read_config import read_config, today, written

if TYPE_CHECKING:
    from satellite.config.effective import Entry
    from satellite.config.schema import Config

EX_USAGE: Final = 2


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "config",
        help="every key with its value, and where that is from",
        description="Print the configuration as it holds, every key with where its value is from:"
        " the file, a default, or what was changed over MQTT. Secrets are not shown.",
        epilog="example: satellite config -c config.yaml audio realtime.voice",
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object, by key")
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema for editors, and nothing else"
    )
    parser.add_argument("keys", nargs="*", metavar="KEY", help="only these keys and sections")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it, or raise ConfigError with all that is wrong with the file."""
    from satellite import session_setup
    from satellite.config import effective, listing
    from satellite.config.editors import schema

    if args.schema:
        print(json.dumps(schema(), indent=2, ensure_ascii=False))
        return 0
    config = read_config(args.config, today(), lambda _: None)
    root, secrets = written(args.config)
    chosen, remark = _chosen(config)
    origins = effective.Origins(
        args.config.name, root, secrets, chosen, _meant(config), session_setup.idle(config)
    )
    entries = list(effective.entries(config, origins))
    for key in args.keys:
        if not any(_is_in(entry.key, key) for entry in entries):
            print(f"satellite: {_unknown(key, entries)}", file=sys.stderr)
            return EX_USAGE
    if args.keys:
        entries = [each for each in entries if any(_is_in(each.key, key) for key in args.keys)]
    if args.json:
        print(remark, file=sys.stderr)
        print(json.dumps({each.key: _as_json(each) for each in entries}, ensure_ascii=False))
        return 0
    print(f"# {remark}")
    print(listing.listing(entries), end="")
    return 0


def _is_in(key: str, wanted: str) -> bool:
    return key == wanted or key.startswith((f"{wanted}.", f"{wanted}["))


def _unknown(key: str, entries: list[Entry]) -> str:
    from satellite.config.values import guess

    meant = guess(key, [entry.key for entry in entries])
    hint = f"did you mean {meant}?" if meant else "without any, every key is shown"
    return f"{key} is not a known key; {hint}"


def _as_json(entry: Entry) -> dict[str, Any]:
    from satellite.config.effective import Tagged

    value = str(entry.value) if isinstance(entry.value, Tagged) else entry.value
    return {"value": value, "from": entry.origin}


def _chosen(config: Config) -> tuple[Mapping[str, Any], str]:
    """Return what holds in place of the file, by key, and a sentence about where it was found."""
    from satellite import house_setup, session_setup
    from satellite.adapters import kept, outbox, state_directory
    from satellite.config.changes import OVER_MQTT
    from satellite.errors import StoreError
    from satellite.logic import chosen
    from satellite.model.requests import AUTO

    folder = state_directory.find(config.state_dir, config.name, os.environ)
    try:
        values = kept.read(folder / outbox.FILE)
        if values is None:
            return {}, f"Changed over MQTT: nothing; no satellite has run with {folder} yet"
    except StoreError as exc:
        return {}, f"What was changed over MQTT is not shown: {exc}"
    session = session_setup.session(config)
    begun, _ = chosen.begin(house_setup.chosen(config), session, values)
    found = {
        key: None if choice.value == AUTO else choice.value
        for key, setting in OVER_MQTT.items()
        if (choice := begun.choices.get(setting)) is not None
    }
    return found, f"Changed over MQTT, by {folder}: {', '.join(found) or 'nothing'}"


def _meant(config: Config) -> dict[str, str]:
    """What stands for a value where there is none."""
    from satellite.adapters import state_directory

    return {
        "realtime.url": config.realtime.row.url or "none",
        "mqtt.port": str(config.mqtt.port_number),
        "mqtt.tls": str(config.mqtt.use_tls).lower(),
        "state_dir": str(state_directory.find(None, config.name, os.environ)),
    }
