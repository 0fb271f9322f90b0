#!/usr/bin/env python3
"""Real recorded speech through the whole path: what was understood, sent, and how fast.

    .venv/bin/python benchmarks/whole_path/run.py [--limit N] [--demo]

It starts a broker, the local Realtime server and the daemon as processes, as the demo does; the
recordings of prompts.tsv (or the demo's own, with --demo) are the microphone, in real time, and
everything is read back from MQTT. It prints one table. Nothing is compared with a number: figures
of one machine are no promise for another.
"""

from __future__ import annotations

import argparse
import calendar
import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from queue import Empty
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "e2e"))

from scoring import word_errors, words

from satellite.adapters import recording
from satellite.cli import children, demo
from satellite.model.audio import seconds_of

HERE = Path(__file__).parent
SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")


def prompts(limit: int | None) -> list[tuple[Path, str]]:
    lines = (HERE / "prompts.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(SOUNDS / f"{name}.wav", text) for name, text in rows][:limit]


def requests() -> list[tuple[Path, str]]:
    folder = Path(demo.__file__).parents[1] / "demo"
    rows = [line.split("\t") for line in (folder / "requests.tsv").read_text().splitlines()[1:]]
    return [(folder / row[0], row[1]) for row in rows]


def hold(recordings: list[Path]) -> tuple[list[dict[str, Any]], list[float], dict[str, float]]:
    """Hold the conversation; return its turns, transcript delays, and the daemon's memory in MB."""
    folder = Path(tempfile.mkdtemp(prefix="satellite-bench-"))
    turns: list[dict[str, Any]] = []
    delays: list[float] = []
    with contextlib.ExitStack() as stack:
        _, port = stack.enter_context(children.broker(folder))
        url = stack.enter_context(children.server(folder))
        config = {
            "name": demo.NAME,
            "audio": {
                "input": {"file": [str(p) for p in recordings]},
                "output": {"device": "none"},
            },
            "realtime": {"provider": "compatible", "url": url, "model": "local"},
            "mqtt": {"host": "127.0.0.1", "port": port},
            "state_dir": str(folder / "state"),
        }
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        inbox = stack.enter_context(demo.onlooker(port))
        daemon = stack.enter_context(children.daemon(folder, path))
        while True:
            try:
                topic, payload = inbox.get(timeout=60)
            except Empty:
                raise SystemExit(f"nothing came; {children.tail(daemon.log)}") from None
            if isinstance(payload, str):
                continue
            if topic.endswith("/transcript"):
                made = time.strptime(payload["ts"][:19], "%Y-%m-%dT%H:%M:%S")
                wall = float(payload["ts"][19:-1]) + calendar.timegm(made)
                delays.append((time.time() - wall) * 1000)
            if topic.endswith("/turn"):
                turns.append(payload)
                print(f"  {len(turns):3d}  {payload['transcript']}", file=sys.stderr)
            if demo.is_over(topic, payload):
                return turns, delays, memory(daemon.process)


def memory(process: subprocess.Popen[str]) -> dict[str, float]:
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = dict(re.findall(r"(VmHWM|VmRSS):\s+(\d+)", status))
    return {key: int(value) / 1024 for key, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--limit", type=int)
    parser.add_argument("--demo", action="store_true")
    args = parser.parse_args()
    chosen = requests() if args.demo else prompts(args.limit)
    began = time.monotonic()
    turns, delays, used = hold([path for path, _ in chosen])
    took = time.monotonic() - began
    reference = [word for _, text in chosen for word in words(text)]
    heard = [word for turn in turns for word in words(turn["transcript"] or "")]
    wrong = word_errors(reference, heard)
    recorded = sum(seconds_of(len(recording.load(str(path)))) for path, _ in chosen)
    speech = sum(turn["speech_s"] for turn in turns)
    sent = sum(turn["sent_s"] for turn in turns)

    def row(name: str, key: str) -> None:
        values = sorted(turn[key] for turn in turns if turn[key] is not None)
        tail = values[min(len(values) - 1, round(len(values) * 0.95))]
        print(f"{name:<44} p50 {statistics.median(values):.0f} ms, p95 {tail:.0f} ms")

    print(f"recordings                                   {len(chosen)}, {recorded:.1f} s")
    print(f"turns                                        {len(turns)}")
    print(f"word errors                                  {wrong} of {len(reference)}: "
          f"{100 * wrong / len(reference):.1f} %")  # fmt: skip
    print(f"speech heard, sound sent                     {speech:.1f} s, {sent:.1f} s: "
          f"{sent / speech:.2f} x")  # fmt: skip
    row("last word -> server ends the turn", "speech_end_to_stop_ms")
    row("last word -> transcript at the daemon", "speech_end_to_transcript_ms")
    row("last word -> first sample at the speaker", "speech_end_to_audio_ms")
    print(f"transcript decided -> at an MQTT subscriber  p50 {statistics.median(delays):.1f} ms, "
          f"max {max(delays):.1f} ms")  # fmt: skip
    print(f"daemon's memory, resampler loaded            {used['VmHWM']:.0f} MB at most")
    print(f"took                                         {took:.0f} s")


if __name__ == "__main__":
    main()
