#!/usr/bin/env python3
"""Memory and processor time of the daemon alone: real PortAudio, a quiet room, then one turn.

    .venv/bin/python benchmarks/footprint/run.py [--quiet SECONDS] [--duplex half|full|cancel]

The sound card is the virtual one of the tests (real ALSA, no hardware); the local server and the
broker are other processes and are not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from room import Room
from virtual_card import VirtualCard

from satellite.adapters import recording
from satellite.cli import children, demo

REQUEST = Path(demo.__file__).parents[1] / "demo" / "03-sum.wav"


def memory(pid: int) -> dict[str, float]:
    status = Path(f"/proc/{pid}/status").read_text()
    found = dict(re.findall(r"(VmHWM|VmRSS|RssAnon):\s+(\d+)", status))
    return {key: int(value) / 1024 for key, value in found.items()}


def spent(pid: int) -> tuple[float, int]:
    """Processor seconds, and times that it was woken, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    woken = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        match = re.search(
            r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.MULTILINE
        )
        woken += int(match[1]) if match else 0
    return seconds, woken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quiet", type=float, default=20.0)
    parser.add_argument("--duplex", choices=["half", "full", "cancel"], default="half")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="satellite-bench-"))
    with contextlib.ExitStack() as stack:
        (folder / "card").mkdir()
        card = VirtualCard(folder / "card", room=Room(gain=1.0 if args.duplex == "cancel" else 0.0))
        stack.callback(card.close)
        card.start()
        _, port = stack.enter_context(children.broker(folder))
        url = stack.enter_context(children.server(folder))
        path = folder / "config.yaml"
        realtime = {"provider": "compatible", "url": url, "model": "local"}
        mqtt = {"host": "127.0.0.1", "port": port}
        audio = {"duplex": args.duplex}
        config = {
            "audio": audio,
            "realtime": realtime,
            "mqtt": mqtt,
            "state_dir": str(folder / "state"),
        }
        path.write_text(yaml.safe_dump({"name": demo.NAME, **config}))
        inbox = stack.enter_context(demo.onlooker(port))
        command = [sys.executable, "-m", "satellite", "run", "-c", str(path)]
        daemon = subprocess.Popen(command, env={**os.environ, **card.env})
        stack.callback(daemon.kill)
        while True:
            topic, payload = inbox.get(timeout=30)
            if (
                topic.endswith("/state")
                and isinstance(payload, dict)
                and payload["state"] == "idle"
            ):
                break
        time.sleep(3)
        before, woken_before = spent(daemon.pid)
        time.sleep(args.quiet)
        after, woken_after = spent(daemon.pid)
        idle = memory(daemon.pid)
        began = time.monotonic()
        card.feed(recording.load(str(REQUEST)))
        while not inbox.get(timeout=30)[0].endswith("/turn"):
            pass
        turn_s, turn_cpu_s = time.monotonic() - began, spent(daemon.pid)[0] - after
        time.sleep(1)
        used = memory(daemon.pid)
    print(f"quiet room   {(after - before) / args.quiet * 1000:.1f} ms of processor a second, "
          f"woken {(woken_after - woken_before) / args.quiet:.0f} times a second, "
          f"{idle['VmRSS']:.1f} MB resident ({idle['RssAnon']:.1f} MB its own)")  # fmt: skip
    print(f"a turn       {turn_cpu_s * 1000:.0f} ms of processor in {turn_s:.1f} s")
    print(f"after a turn {used['VmRSS']:.1f} MB resident ({used['RssAnon']:.1f} MB its own), "
          f"{used['VmHWM']:.1f} MB at most")  # fmt: skip


if __name__ == "__main__":
    main()
