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
example:
  satellite serve --port 8765
  then point any OpenAI Realtime client at ws://127.0.0.1:8765/v1/realtime?model=local

Speech recognition, answers and speech synthesis all run on this machine. Anybody who can reach the
port can talk to it: give --api-key-file before you listen on other than the loopback address.
"""


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``serve`` to the commands."""
    parser = commands.add_parser(
        "serve",
        help="the local Realtime server alone",
        description="Serve the OpenAI Realtime protocol (GA) from this machine.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8765, help="0 takes any free (%(default)s)")
    parser.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="only clients with the key in FILE"
    )
    parser.set_defaults(run=run)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return port


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises SetupError."""
    api_key = None if args.api_key_file is None else _read_key(args.api_key_file)
    return asyncio.run(_serve(args.host, args.port, api_key))


def _read_key(file: Path) -> str:
    try:
        key = file.read_text(encoding="utf-8").strip().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"Cannot read --api-key-file {file}: {type(error).__name__}") from None
    if not key:
        raise SetupError(f"--api-key-file {file} is empty; put the key on its first line")
    return key


async def _serve(host: str, port: int, api_key: str | None) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        from satellite.local import loading, server
    except ImportError as error:
        raise SetupError(
            f"The local server needs {error.name}: pip install 'realtime-satellite[local]'"
        ) from None
    engines = await asyncio.to_thread(loading.load, _progress)
    async with server.running(engines, server.Settings(host, port, api_key)) as url:
        print(f"ready: {url}", flush=True)  # the one line on stdout, for whoever started us
        await stop.wait()
    return 0


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
