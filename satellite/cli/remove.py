"""``satellite remove``: take a satellite out of Home Assistant, and off the broker."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from pathlib import Path
from typing import Final

from satellite.cli.read_config import read_config, today

GONE_S: Final = 1.0  # an entity that still stands complains of an empty state


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "remove",
        help="take a satellite out of Home Assistant, and off the broker",
        description="Have the broker forget everything that it retains of this satellite, so that"
        " its device and its entities go from Home Assistant. Stop the satellite first.",
        epilog="example: satellite remove -c config.yaml",
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), metavar="FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Empty the topics and say which. Raises SetupError, or TakenError while it runs."""
    from satellite import bus_setup, house_setup
    from satellite.adapters import state_directory
    from satellite.adapters.mqtt_link.sweep import Sweep
    from satellite.errors import SetupError, TakenError
    from satellite.wire import discovery, mqtt

    config = read_config(args.config, today())
    folder = state_directory.find(config.state_dir, config.name, os.environ)
    known = _announced(folder, config.privacy.journal_hours * 3600.0)
    about = house_setup.about(config)
    with contextlib.closing(Sweep(bus_setup.broker(config))) as sweep:
        retained = sweep.retained(discovery.patterns(about))
        if retained.get(f"{about.base_topic}/{mqtt.STATUS}") == mqtt.ONLINE:
            raise TakenError(
                f"{config.name} is online; stop it first, with: systemctl stop satellite"
            )
        unseen = () if retained else discovery.all_topics(about)  # where the broker hides them
        topics = dict.fromkeys((*known, *retained, *unseen))
        entities = [topic for topic in topics if topic.endswith("/config")]
        swept = sweep.empty(entities)
        time.sleep(GONE_S if swept.emptied else 0)
        swept += sweep.empty([topic for topic in topics if topic not in entities])
    seen = [topic for topic in swept.emptied if topic in retained or topic in known]
    for topic in seen:
        print(f"emptied {topic}")
    print(
        f"{len(seen)} topics emptied, and {len(swept.emptied) - len(seen)} on which nothing was"
        f" seen; its own files are in {folder}"
    )
    refused = [topic for topic in swept.refused if topic in retained or topic in known]
    if refused:
        raise SetupError(
            f"the broker does not let {config.mqtt.username or 'us'} write"
            f" {', '.join(refused)}; allow it, or empty them yourself"
        )
    return 0


def _announced(folder: Path, journal_s: float) -> list[str]:
    """What the last start retained, by its own files; nothing where there are none."""
    from satellite.adapters import outbox, state_directory
    from satellite.errors import SetupError, StoreError

    try:
        if not folder.exists():
            return []
        lock = state_directory.claim(folder)
    except (OSError, SetupError):  # another user's; what the broker shows must do
        return []
    try:
        store, _ = outbox.open_outbox(folder, journal_s)
        with contextlib.closing(store):
            topics = store.values().get("announced")
    except StoreError:
        return []
    finally:
        os.close(lock)
    return [t for t in topics if isinstance(t, str)] if isinstance(topics, list) else []
