"""satellite serve: the local Realtime server alone."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from satellite.errors import SetupError

_EXAMPLE = """\
examples:
  satellite serve --port 8765
      then point any OpenAI Realtime client at ws://127.0.0.1:8765/v1/realtime?model=local
  satellite serve --record frames.jsonl --session-s 90 --models gpt-realtime-2.1
      shows what a client of your own sends, and how it takes an expired session or a wrong model

Speech recognition, answers and speech synthesis all run on this machine. Anybody who can reach the
port can talk to it: give --api-key-file before you listen on other than the loopback address.
Client secrets: POST http://127.0.0.1:8765/v1/realtime/client_secrets
"""


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``serve`` to the commands."""
    parser = commands.add_parser(
        "serve",
        help="the local Realtime server alone",
        description="Serve the OpenAI Realtime protocol from this machine.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8765, help="0 takes any free (%(default)s)")
    parser.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="only clients with the key in FILE"
    )
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="append a JSON line for each frame of a client"
    )
    _like_the_service(parser.add_argument_group("to see how a client takes it"))
    parser.set_defaults(run=run)


def _like_the_service(group: argparse._ArgumentGroup) -> None:
    """What the service does at other times, to order."""
    group.add_argument(
        "--session-s", type=_seconds, default=3600, metavar="S", help="length of a session (3600)"
    )
    group.add_argument(
        "--ping-s", type=_seconds, default=20, metavar="S", help="between PINGs (20)"
    )
    group.add_argument(
        "--models", type=_names, metavar="A,B", help="refuse every other model (any is fine)"
    )
    group.add_argument(
        "--out-of-credit", action="store_true", help="refuse everybody for want of credit"
    )
    group.add_argument(
        "--transcripts",
        choices=("ready", "before", "inside", "after", "never", "failed"),
        default="ready",
        help="when a person's words are told, seen from the answer (%(default)s)",
    )
    group.add_argument("--paced", action="store_true", help="send speech as fast as it sounds")
    group.add_argument(
        "--beta", action="store_true", help="obey OpenAI-Beta: realtime=v1 instead of refusing it"
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 86400 seconds")
    return seconds


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError("must be names with commas between them")
    return names


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return port


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises SetupError."""
    api_key = None if args.api_key_file is None else _read_key(args.api_key_file)
    return asyncio.run(_serve(args, api_key))


def _read_key(file: Path) -> str:
    try:
        key = file.read_text(encoding="utf-8").strip().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"Cannot read --api-key-file {file}: {type(error).__name__}") from None
    if not key:
        raise SetupError(f"--api-key-file {file} is empty; put the key on its first line")
    return key


async def _serve(args: argparse.Namespace, api_key: str | None) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        from satellite.local import behaviour, loading, server
    except ImportError as error:
        raise SetupError(
            f"The local server needs {error.name}: pip install 'realtime-satellite[local]'"
        ) from None
    engines = await asyncio.to_thread(loading.load, _progress)
    settings = server.Settings(
        args.host,
        args.port,
        api_key,
        session_s=args.session_s,
        ping_s=args.ping_s,
        models=args.models,
        out_of_credit=args.out_of_credit,
        beta=args.beta,
        paced=args.paced,
        behaviour=behaviour.Behaviour(transcripts=args.transcripts),
        record=args.record,
    )
    async with server.running(engines, settings) as url:
        print(f"ready: {url}", flush=True)  # the one line on stdout, for whoever started us
        await stop.wait()
    return 0


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
