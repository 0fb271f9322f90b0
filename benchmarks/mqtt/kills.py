#!/usr/bin/env python3
"""Kill the daemon and the broker again and again; nothing that was numbered may be missing.

    .venv/bin/python benchmarks/mqtt/kills.py [--daemon 1000] [--broker 50] [--folder FOLDER]

A scripted Realtime server tells turns all the time. A consumer subscribes as Home Assistant does,
with nothing kept for it while it is away. Where it sees a gap in ``seq`` it asks ``cmd/replay``.
At the end every ``seq`` from 1 to the last must be there, each with one ``id``, once after the
consumer has dropped what it had already: exit 0, else 1. With --folder an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from stage import BASE, Mosquitto, start_daemon, write_config
from teller import Teller, running

from satellite.cli.children import free_port

ASK_S = 1.0
PATIENCE_S = 60.0  # for one life of the daemon
EVENTS = ("transcript", "response", "turn")


@dataclass
class Consumer:
    """Has each ``seq`` once; asks for those that are missing."""

    have: dict[int, str] = field(default_factory=dict)
    duplicates: int = 0
    replayed: int = 0
    asked: int = 0
    clashes: list[tuple[int, str, str]] = field(default_factory=list)
    fresh: threading.Event = field(default_factory=threading.Event)
    next: int = 1  # everything below is there
    client: Any = None
    asked_at: float = 0.0

    def connect(self, port: int) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.reconnect_delay_set(1, 1)
        topics = [(f"{BASE}/{name}", 1) for name in (*EVENTS, "replay")]
        self.client.on_connect = lambda client, *_: client.subscribe(topics)
        self.client.on_message = lambda _c, _u, message: self.hear(message)
        self.client.connect_async("127.0.0.1", port)
        self.client.loop_start()

    def hear(self, message: paho.MQTTMessage) -> None:
        record = json.loads(message.payload)
        again = message.topic == f"{BASE}/replay"
        if again:
            record = record["record"]
        seq, name = record["seq"], record["id"]
        known = self.have.get(seq)
        if known is None:
            self.have[seq] = name
            self.replayed += again
            self.fresh.set()
        elif known != name:
            self.clashes.append((seq, known, name))
        else:
            self.duplicates += not again
        while self.next in self.have:
            self.next += 1
        if max(self.have) >= self.next:
            self.ask()

    def ask(self) -> None:
        """There is a gap; not more than one question a second."""
        now = time.monotonic()
        if now - self.asked_at >= ASK_S:
            self.asked_at = now
            self.asked += 1
            order = json.dumps({"since": self.next})
            self.client.publish(f"{BASE}/cmd/replay", order, qos=1)


@dataclass
class Run:
    """One run, which can go on after an interruption."""

    folder: Path
    daemons: int
    brokers: int
    consumer: Consumer = field(default_factory=Consumer)
    killed: int = 0
    broken: int = 0

    @property
    def _file(self) -> Path:
        return self.folder / "progress.json"

    def load(self) -> None:
        if self._file.exists():
            known = json.loads(self._file.read_text())
            self.killed, self.broken = known["killed"], known["broken"]
            self.consumer.have = {int(seq): name for seq, name in known["have"].items()}

    def save(self) -> None:
        known = {"killed": self.killed, "broken": self.broken, "have": dict(self.consumer.have)}
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(known))
        new.replace(self._file)

    def go(self, seed: int) -> bool:
        """All kills, then the last life and the count."""
        rng = random.Random(seed + self.killed)
        with contextlib.ExitStack() as stack:
            broker = Mosquitto(self.folder, free_port())
            broker.start()
            stack.callback(broker.kill)
            self.consumer.connect(broker.port)
            stack.callback(self.consumer.client.loop_stop)
            url = stack.enter_context(running(Teller(0.1)))
            config = write_config(self.folder, url, broker.port)
            began, first = time.monotonic(), self.killed
            while self.killed < self.daemons:
                self._life(config, broker, rng)
                if self.killed % 20 == 0 or self.killed == self.daemons:
                    self.save()
                    self._progress(time.monotonic() - began, first)
            return self._last_life(config)

    def _life(self, config: Path, broker: Mosquitto, rng: random.Random) -> None:
        daemon = start_daemon(self.folder, config)
        due = self.broken < self.brokers * (self.killed + 1) / self.daemons
        try:
            if rng.random() < 0.9:  # else in the middle of its start
                self._hear_something(daemon)
            time.sleep(rng.uniform(0, 0.6))
            if due:
                broker.kill()
                self.broken += 1
                time.sleep(rng.uniform(0, 0.8))
                if rng.random() < 0.5:  # it sees the broker come back, or not
                    broker.start()
                    time.sleep(rng.uniform(0, 2.0))
        finally:
            daemon.kill()
            daemon.wait()
            self.killed += 1
            if broker.process is not None and broker.process.poll() is not None:
                broker.start()

    def _hear_something(self, daemon: subprocess.Popen[bytes]) -> None:
        self.consumer.fresh.clear()
        deadline = time.monotonic() + PATIENCE_S
        while not self.consumer.fresh.wait(0.05):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the daemon says nothing; see {self.folder / 'satellite.log'}")

    def _last_life(self, config: Path) -> bool:
        """Let it tell all that it has, then compare with what is on its disk."""
        daemon = start_daemon(self.folder, config)
        consumer = self.consumer
        self._hear_something(daemon)
        time.sleep(3)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        last = self._last_seq()
        daemon = start_daemon(self.folder, config)
        deadline = time.monotonic() + PATIENCE_S
        while consumer.next <= last and time.monotonic() < deadline:
            time.sleep(ASK_S)
            consumer.ask()
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        missing = [seq for seq in range(1, last + 1) if seq not in consumer.have]
        print(f"kill -9 of the daemon            {self.killed}")
        print(f"kill -9 of the broker            {self.broken}")
        print(f"numbered by the daemon           {last}")
        print(f"missing at the consumer          {len(missing)} {missing[:10] or ''}")
        print(f"one number, two messages         {len(consumer.clashes)}")
        print(f"had only by replay               {consumer.replayed} in {consumer.asked} requests")
        print(f"came twice, dropped by their id  {consumer.duplicates}")
        return not missing and not consumer.clashes

    def _last_seq(self) -> int:
        with contextlib.closing(sqlite3.connect(self.folder / "state" / "outbox.db")) as db:
            (last,) = db.execute("select max(seq) from rows").fetchone()
        return int(last)

    def _progress(self, seconds: float, first: int) -> None:
        done, left = self.killed - first, self.daemons - self.killed
        have = len(self.consumer.have)
        print(
            f"{self.killed} of {self.daemons} daemons and {self.broken} brokers killed,"
            f" {have} messages; about {left * seconds / max(1, done) / 60:.0f} minutes left",
            flush=True,
        )


def main() -> int:
    """Run, or go on; 0 when nothing is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--daemon", type=int, default=1000)
    parser.add_argument("--broker", type=int, default=50)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="satellite-kills-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"in {folder}", flush=True)
    run = Run(folder, args.daemon, args.broker)
    run.load()
    return 0 if run.go(args.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
