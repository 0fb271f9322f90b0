"""``satellite run``: the daemon."""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from satellite import __version__
from satellite.errors import SatelliteError
from satellite.model import events as ev

if TYPE_CHECKING:
    from satellite.app import App, Front
    from satellite.config.schema import Config
    from satellite.safe_mode import SafeMode

SWITCH_S: Final = 0.0005  # an event crosses four threads; the usual 5 ms each would be felt

log = logging.getLogger(__name__)


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "run",
        help="the daemon",
        description="Hear, ask, answer and publish until told to stop.",
        epilog="example: satellite run -c config.yaml",
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), metavar="FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the configuration, then run until SIGTERM or SIGINT.

    SIGHUP: read the configuration again. SIGUSR2: open the microphone that was muted over MQTT.
    """
    # where each thread stood, never what it held: for a crash, and for systemd's watchdog
    faulthandler.enable(sys.stderr)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it would end us; what it asks for is being done
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)

    from satellite import app
    from satellite.cli.read_config import read_config, today
    from satellite.reload import Reload

    sys.setswitchinterval(SWITCH_S)
    config = read_config(args.config, today())
    app.check_recordings(config, args.config.name)
    front = app.front(config)
    satellite = _build(config, front)

    def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal's signature
        satellite.inbox.post(ev.StopRequested(signum))

    reload = Reload(lambda: read_config(args.config, today()), config, satellite.inbox.post)
    signal.signal(signal.SIGHUP, lambda _signum, _frame: reload.request())
    signal.signal(
        signal.SIGUSR2, lambda _signum, _frame: satellite.inbox.post(ev.UnmuteRequested())
    )
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    faulthandler.register(signal.SIGUSR1, sys.stderr)
    log.info("satellite %s starts as %s", __version__, satellite.base_topic)
    code = satellite.run()
    front.bus.starts.forget()
    log.info("stopped")
    return code


def _build(config: Config, front: Front) -> App | SafeMode:
    """All of it; or, where systemd has started one crash after the other, what tells of that."""
    from satellite import app, safe_mode
    from satellite.adapters.systemd import Notifier

    notifier, starts = Notifier.from_environment(os.environ), front.bus.starts
    # one that is started by hand crashes before the eyes of somebody
    crashes = starts.note() if notifier.address is not None else 0
    if crashes >= safe_mode.CRASHES:
        return safe_mode.SafeMode(front.inbox, front.bus, notifier, front.base_topic, crashes)
    try:
        return app.build(config, notifier, front)
    except SatelliteError:  # it is told, and starting again does not help
        starts.forget()
        raise
