"""``satellite check``: is this configuration right, and if not, what is to do."""

from __future__ import annotations

import argparse
from pathlib import Path

from satellite.cli.read_config import read_config


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "check",
        help="say everything that is wrong with a configuration",
        description="Read a configuration and say everything that is wrong, and what to do.",
        epilog="example: satellite check -c config.yaml",
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), metavar="FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print that the file is right, or raise ConfigError, which the command line prints."""
    read_config(args.config)
    print(f"{args.config.name}: ok")
    return 0
