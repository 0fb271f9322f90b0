"""``satellite check``: is this configuration right, and if not, what is to do."""

from __future__ import annotations

import argparse
from pathlib import Path

from satellite.cli.read_config import read_config, today


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "check",
        help="say everything that is wrong with a configuration",
        description="Read a configuration and say everything that is wrong, and what to do.",
        epilog="example: satellite check -c config.yaml --connect",
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), metavar="FILE")
    parser.add_argument(
        "--connect", action="store_true", help="also open the session once, without any sound"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what would be opened, or raise SetupError, which the command line prints."""
    from satellite import hearing_setup, session_setup

    config = read_config(args.config, today(), lambda sentence: print(f"warning: {sentence}"))
    session_setup.sound(config)
    hearing_setup.check(config)
    for sentence in hearing_setup.doubts(config):
        print(f"warning: {sentence}")
    for line in session_setup.summary(config):
        print(line)
    if args.connect:
        from satellite import trial

        trial.run(config, print)
    print(f"{args.config.name}: ok")
    return 0
