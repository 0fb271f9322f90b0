"""The ``satellite`` command: one subcommand a file, errors as sentences, never a traceback.

Exit codes: 0 done; 2 the command line is wrong; 10 it is to be started again; 70 our bug; 75
another daemon has the state directory; 78 something must be set up.
"""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import sys
from typing import Final

from satellite import __version__
from satellite.errors import ConfigError, RecordingError, SatelliteError, TakenError

COMMANDS: Final = ("run", "demo", "serve", "check", "config", "devices", "tune", "remove")
EX_USAGE: Final = 2
EX_SOFTWARE: Final = 70
EX_TEMPFAIL: Final = 75
EX_CONFIG: Final = 78

log = logging.getLogger("satellite")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of devices may have any character
        sys.stdout.reconfigure(errors="backslashreplace")
    args = _parser(given).parse_args(given)
    _log_to_stderr(verbose=args.verbose)
    try:
        code: int = args.run(args)
    except ConfigError as exc:
        for problem in exc.problems:
            print(problem, file=sys.stderr)
        return EX_CONFIG
    except RecordingError as exc:
        print(f"satellite: {exc}", file=sys.stderr)
        return EX_USAGE
    except TakenError as exc:
        print(f"satellite: {exc}", file=sys.stderr)
        return EX_TEMPFAIL
    except SatelliteError as exc:
        print(f"satellite: {exc}", file=sys.stderr)
        return EX_CONFIG
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        return 0
    except Exception:
        log.exception("this is a bug in realtime-satellite; please report it")
        return EX_SOFTWARE
    return code


def _parser(given: list[str]) -> argparse.ArgumentParser:
    """Know the commands that are named, or all: the daemon must not load the server's parts."""
    parser = argparse.ArgumentParser(
        prog="satellite",
        description="A voice satellite for the home: it hears, asks, answers, and tells MQTT.",
        epilog="example: satellite demo",
    )
    parser.add_argument("--version", action="version", version=f"satellite {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what the parts do")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in [name for name in COMMANDS if name in given] or COMMANDS:
        importlib.import_module(f"satellite.cli.{name}").register(commands)
    return parser


class _ForTheJournal(logging.Formatter):
    """journald adds the time itself and reads the priority from ``<N>``."""

    _PRIORITY: Final = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record).replace("\n", "\n\t")
        return f"<{self._PRIORITY.get(record.levelname, 6)}>{text}"


def _log_to_stderr(*, verbose: bool) -> None:
    if sys.stderr is sys.__stderr__:
        # PortAudio is kept quiet at descriptor 2; what another thread tells then must not be lost
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_ForTheJournal("%(message)s"))
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        )
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    for noisy in ("websockets", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


if __name__ == "__main__":
    raise SystemExit(main())
