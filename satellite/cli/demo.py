"""``satellite demo``: a real conversation with nothing configured, no key and no cloud.

It starts a broker, the local Realtime server and the daemon as processes of their own, exactly as a
user would run them, and then only looks on: everything it shows was read back from the broker.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.resources
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

import yaml

from satellite.cli import children
from satellite.errors import SetupError

NAME: Final = "demo"
BASE: Final = f"satellite/{NAME}"
STUCK_S: Final = 90.0  # longer than any deadline of the daemon

Seen = tuple[str, dict[str, Any] | str]


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "demo",
        help="a real conversation on this machine alone",
        description="Recorded requests, or yours, go the whole way: gate, session, answer, MQTT.",
        epilog="example: satellite demo my-question.wav",
    )
    parser.add_argument("wav", nargs="*", help="recordings to hear in place of the shipped ones")
    parser.add_argument("--mic", action="store_true", help="the microphone and the speaker instead")
    parser.add_argument("--json", action="store_true", help="one JSON object for each MQTT message")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Hold the conversation; return 0 when every turn of it was heard to its end."""
    if args.mic and args.wav:
        print("satellite demo: --mic and recordings exclude each other", file=sys.stderr)
        return 2
    recordings = _recordings(args)
    folder = Path(tempfile.mkdtemp(prefix="satellite-demo-"))
    page: _Page = _JsonPage() if args.json else _Page()
    with contextlib.ExitStack() as stack:
        page.say("Realtime Satellite demo: everything runs on this machine, no key, no cloud.")
        broker, port = stack.enter_context(children.broker(folder))
        page.say(f"[1/3] MQTT broker: {broker} on 127.0.0.1:{port}")
        page.say("[2/3] local Realtime server: loading the recogniser and the voice ...")
        began = time.monotonic()
        url = stack.enter_context(children.server(folder))
        page.say(f"      ready after {time.monotonic() - began:.1f} s at {url}")
        config = _write_config(folder, recordings, url, port)
        inbox = stack.enter_context(onlooker(port))
        heard = f"hears {len(recordings)} recordings" if recordings else "hears the microphone"
        page.say(f"[3/3] satellite: {heard}; what follows is read back from MQTT\n")
        daemon = stack.enter_context(children.daemon(folder, config))
        _look_on(inbox, daemon, page, until_over=bool(recordings))
    page.close(folder)
    return 0


def _recordings(args: argparse.Namespace) -> list[str]:
    """The user's recordings, each looked at, so that a bad one is told now; or the shipped ones."""
    if args.mic:
        _try_microphone()
        return []
    if args.wav:
        from satellite.adapters import recording

        for path in args.wav:
            recording.check(path)
        return [str(Path(path).resolve()) for path in args.wav]
    shipped = importlib.resources.files("satellite") / "demo"
    return sorted(str(item) for item in shipped.iterdir() if item.name.endswith(".wav"))


def _try_microphone() -> None:
    """Tell now, not after the models are loaded, that there is none. Raises DeviceError."""
    from satellite.adapters.portaudio import MicSource
    from satellite.adapters.resampler import Resampler

    microphone = MicSource("default", Resampler)
    microphone.open()
    microphone.close()


def _write_config(folder: Path, recordings: list[str], url: str, port: int) -> Path:
    audio: dict[str, Any] = {}
    if recordings:
        answers = str(folder / "answer-{n}.wav")
        audio = {"input": {"file": recordings}, "output": {"file": answers, "volume": 100}}
    config = {
        "name": NAME,
        "audio": audio,
        "realtime": {"provider": "compatible", "url": url, "model": "local"},
        "mqtt": {"host": "127.0.0.1", "port": port, "discovery": "none"},
        "state_dir": str(folder / "state"),
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


@contextlib.contextmanager
def onlooker(port: int) -> Iterator[SimpleQueue[Seen]]:
    """Subscribe to all that the satellite says; yield the queue of what arrives."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    seen: SimpleQueue[Seen] = SimpleQueue()
    ready: SimpleQueue[None] = SimpleQueue()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_connect = lambda c, *_: c.subscribe(f"{BASE}/#", qos=1)
    client.on_subscribe = lambda *_: ready.put(None)
    client.on_message = lambda _c, _u, message: seen.put(
        _read(message.topic, bytes(message.payload))
    )
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        ready.get(timeout=10)
        yield seen
    finally:
        client.disconnect()
        client.loop_stop()


def _read(topic: str, payload: bytes) -> Seen:
    text = payload.decode(errors="replace")
    with contextlib.suppress(ValueError):
        value = json.loads(text)
        if isinstance(value, dict):
            return topic, value
    return topic, text


def _look_on(
    inbox: SimpleQueue[Seen], daemon: children.Child, page: _Page, *, until_over: bool
) -> None:
    """Show what comes until the recordings are over and nothing is owed, or Ctrl-C."""
    last = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            try:
                topic, payload = inbox.get(timeout=0.5)
            except Empty:
                if daemon.poll() is not None:
                    raise SetupError(children.tail(daemon.log)) from None
                if until_over and time.monotonic() - last > STUCK_S:
                    raise SetupError(f"nothing has come for {STUCK_S:.0f} s") from None
                continue
            last = time.monotonic()
            page.show(topic.removeprefix(f"{BASE}/"), payload)
            if until_over and is_over(topic, payload):
                return


def is_over(topic: str, payload: dict[str, Any] | str) -> bool:
    """True when the recordings have ended and nothing is owed any more."""
    if topic != f"{BASE}/state" or isinstance(payload, str):
        return False
    ended = any(problem["code"] == "recording_ended" for problem in payload["problems"])
    return ended and payload["state"] == "idle" and payload["turn_id"] is None


class _Page:
    """What a person reads."""

    def __init__(self) -> None:
        self._turns = 0
        self._speech_s = 0.0
        self._sent_s = 0.0
        self._problems: set[str] = set()

    def say(self, text: str) -> None:
        """A line about what happens here."""
        print(text, flush=True)

    def show(self, topic: str, payload: dict[str, Any] | str) -> None:
        """A message that came from the broker."""
        if isinstance(payload, str):
            return
        match topic:
            case "transcript":
                words = payload["text"] or f"({payload['event_type']})"
                self.say(f"  you:       {words}")
            case "response":
                self.say(f"  satellite: {payload['text'] or '(' + payload['event_type'] + ')'}")
            case "turn":
                self._count(payload)
            case "state":
                self._complain(payload)

    def close(self, folder: Path) -> None:
        """The last lines: sums, and where the answers are."""
        answers = sorted(folder.glob("answer-*.wav"), key=lambda p: (len(p.name), p.name))
        self.say(
            f"{self._turns} turns: {self._speech_s:.1f} s of speech heard,"
            f" {self._sent_s:.1f} s of sound sent."
        )
        if not self._turns:
            self.say("No speech was found.")
        if answers:
            self.say(f"The spoken answers: {answers[0]} ... {answers[-1].name}")
        self.say(f"Configuration and logs of this run: {folder}")

    def _count(self, turn: dict[str, Any]) -> None:
        self._turns += 1
        self._speech_s += turn["speech_s"]
        self._sent_s += turn["sent_s"]
        first = turn["speech_end_to_audio_ms"]
        voice = "no voice" if first is None else f"voice {first / 1000:.2f} s after the last word"
        heard, sent = turn["speech_s"], turn["sent_s"]
        self.say(f"             heard {heard:.1f} s, sent {sent:.1f} s, {voice}\n")

    def _complain(self, state: dict[str, Any]) -> None:
        for problem in state["problems"]:
            if problem["code"] not in self._problems | {"recording_ended"}:
                self._problems.add(problem["code"])
                self.say(f"  problem:   {problem['detail']}; {problem['fix']}")


class _JsonPage(_Page):
    """What a program reads: the messages on stdout and nothing else there."""

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def show(self, topic: str, payload: dict[str, Any] | str) -> None:
        print(json.dumps({"topic": f"{BASE}/{topic}", "payload": payload}), flush=True)
        if topic == "turn" and not isinstance(payload, str):
            self._count(payload)
