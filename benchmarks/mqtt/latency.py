#!/usr/bin/env python3
"""How long from the server's event to an MQTT subscriber, the durable commit included.

    .venv/bin/python benchmarks/mqtt/latency.py [--turns 500] [--every 0.1] [--idle 300]

A scripted Realtime server on loopback tells turns to the daemon; a subscriber sees each transcript.
The same is done twice: with the state directory on this disk, and in memory (/dev/shm), where a
commit costs nothing. Beside them: commits of such rows alone. With --idle it then counts what comes
while nobody speaks. Nothing is compared with a number: run it on your machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from stage import BASE, Mosquitto, share, start_daemon, write_config
from teller import Teller, running

from satellite.adapters.outbox import open_outbox
from satellite.cli.children import free_port
from satellite.model.ports import Message, Stored


def measure(folder: Path, state: Path, turns: int, every_s: float, idle_s: float) -> list[float]:
    """Seconds from event to subscriber, of each transcript."""
    teller, seen, count = Teller(every_s, think_s=0.05), {}, [0]

    def on_message(_c: object, _u: object, message: paho.MQTTMessage) -> None:
        now = time.monotonic()
        count[0] += 1
        if message.topic == f"{BASE}/transcript":
            seen[json.loads(message.payload)["item_id"]] = now

    with contextlib.ExitStack() as stack:
        broker = Mosquitto(folder, free_port())
        broker.start()
        stack.callback(broker.kill)
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.on_connect = lambda c, *_: c.subscribe(f"{BASE}/#", qos=1)
        client.on_message = on_message
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        stack.callback(client.loop_stop)
        url = stack.enter_context(running(teller))
        daemon = start_daemon(folder, write_config(folder, url, broker.port, state))
        stack.callback(daemon.wait)
        stack.callback(daemon.send_signal, signal.SIGTERM)
        deadline = time.monotonic() + 60 + turns * (every_s + 0.2)
        while len(seen) < turns + 20 and time.monotonic() < deadline:
            time.sleep(0.1)
        if idle_s:
            teller.paused.set()
            time.sleep(20)  # what was said is over, and what nobody had time for is told
            before, written = count[0], _written(daemon.pid)
            time.sleep(idle_s)
            minutes, said = idle_s / 60, count[0] - before
            print(
                f"idle for {minutes:.0f} minutes: {said / minutes:.2f} messages a minute,"
                f" {_written(daemon.pid) - written} bytes written to the disk"
            )
    return [seen[item] - teller.told_at[item] for item in list(seen)[20:]]


def _written(pid: int) -> int:
    """Bytes that a process has caused to be written to disks."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("write_bytes")))


def commits(folder: Path, count: int, every_s: float) -> list[float]:
    """Seconds of each commit of one row."""
    store, _ = open_outbox(folder, 3600.0)
    taken = []
    for seq in range(1, count + 1):
        message = Message(f"{BASE}/transcript", b"x" * 400, 1, False, 120, seq)
        began = time.perf_counter()
        store.write((Stored(message, time.time()),))
        taken.append(time.perf_counter() - began)
        time.sleep(every_s)
    store.close()
    return taken


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--every", type=float, default=0.1, help="seconds between turns")
    parser.add_argument("--idle", type=float, default=0.0, help="seconds of silence to count in")
    args = parser.parse_args()
    print("ms                          p50     p95     p99     max       n")
    with contextlib.ExitStack() as stack:
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        memory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        for name, state, idle_s in (
            ("event to subscriber", disk / "state", args.idle),
            ("  without a disk", memory / "state", 0.0),
        ):
            values = measure(disk, state, args.turns, args.every, idle_s)
            _show(name, values)
        (disk / "commits").mkdir()
        _show("a commit alone", commits(disk / "commits", args.turns, args.every / 4))


def _show(name: str, values: list[float]) -> None:
    parts = [share(values, part) * 1000 for part in (0.5, 0.95, 0.99)]
    row = "".join(f"{value:8.2f}" for value in (*parts, max(values) * 1000))
    print(f"{name:<23}{row}{len(values):8}", flush=True)


if __name__ == "__main__":
    main()
