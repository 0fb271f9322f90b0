"""``satellite check --connect``: what a server of any mood is reported as."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from peer import message, websocket_peer
from websockets.sync.server import ServerConnection

from satellite.cli import check
from satellite.errors import SetupError

pytestmark = pytest.mark.usefixtures("no_thread_left")

CREATED = message(type="session.created", session={"type": "realtime", "audio": {}})


def checked(folder: Path, script: Callable[[ServerConnection], None], keys: str = "") -> int:
    with websocket_peer(script) as url:
        (folder / "config.yaml").write_text(
            f"realtime: {{provider: local, url: '{url}', connect_timeout_s: 1{keys}}}\n"
        )
        parser = argparse.ArgumentParser()
        check.register(parser.add_subparsers())
        args = parser.parse_args(["check", "-c", str(folder / "config.yaml"), "--connect"])
        code: int = args.run(args)
        return code


def test_a_session_is_opened_and_what_was_not_taken_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames: list[dict[str, object]] = []

    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        frames.append(json.loads(peer.recv()))
        session = json.loads(json.dumps(frames[0]["session"]))
        session["audio"]["input"]["turn_detection"]["silence_duration_ms"] = 200
        session["instructions"] = "canary"
        peer.send(message(type="session.updated", session=session))
        frames.extend(json.loads(frame) for frame in peer)

    assert checked(tmp_path, script) == 0
    said = re.sub(r"\d+ ms", "N ms", capsys.readouterr().out).splitlines()
    assert said[-5:] == [
        "session.created after N ms",
        "session.updated after N ms",
        "warning: the server did not take it as asked: instructions differs",
        (
            "warning: the server did not take it as asked:"
            " audio.input.turn_detection.silence_duration_ms asked 500, got 200"
        ),
        "config.yaml: ok",
    ]
    assert [frame["type"] for frame in frames] == ["session.update"]


def bad_key(peer: ServerConnection) -> None:
    error = {"type": "invalid_request_error", "code": "invalid_api_key", "message": "Bad key."}
    peer.send(message(type="error", error=error))
    peer.close(3000, "invalid_request_error.invalid_api_key")


def other_kind(peer: ServerConnection) -> None:
    peer.send(message(type="session.created", session={"type": "transcription", "audio": {}}))
    peer.recv()


def other_dialect(peer: ServerConnection) -> None:
    peer.send(message(type="session.created", session={"modalities": ["text"]}))
    peer.recv()


def refuses(peer: ServerConnection) -> None:
    peer.send(CREATED)
    error = {
        "type": "invalid_request_error",
        "message": "Invalid value: 'nobody'.",
        "param": "session.audio.output.voice",
        "event_id": json.loads(peer.recv())["event_id"],
    }
    peer.send(message(type="error", error=error))
    peer.recv()


def silent(peer: ServerConnection) -> None:
    peer.recv()


def complains(peer: ServerConnection) -> None:
    peer.send(CREATED)
    peer.recv()
    peer.send(message(type="error", error={"type": "server_error", "message": "Not now."}))
    peer.recv()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (bad_key, "realtime_auth: 127.0.0.1:* closed the session with code 3000: Bad key.; put a"),
        (other_kind, 'realtime_refused: the server opened a "transcription" session, expected'),
        (other_dialect, "session_refused: the server speaks the beta dialect, and is spoken to"),
        (refuses, "the server refused the settings (session.audio.output.voice): Invalid value"),
        (silent, "127.0.0.1:* gave no session.created within 1 s"),
        (complains, "127.0.0.1:* gave no session.updated within 1 s; it said: Not now."),
        (lambda peer: None, "realtime_unreachable: 127.0.0.1:* closed the session with code 1000"),
    ],
)
def test_no_session_is_a_sentence_and_what_to_do(
    tmp_path: Path, script: Callable[[ServerConnection], None], sentence: str
) -> None:
    with pytest.raises(SetupError) as caught:
        checked(tmp_path, script)
    assert re.sub(r":\d{2,5}", ":*", str(caught.value)).startswith(sentence)


def test_the_beta_is_asked_in_its_own_words(tmp_path: Path) -> None:
    frames: list[dict[str, object]] = []

    def script(peer: ServerConnection) -> None:
        peer.send(message(type="transcription_session.created", session={"modalities": ["text"]}))
        frames.append(json.loads(peer.recv()))
        session = frames[0]["session"]
        peer.send(message(type="transcription_session.updated", session=session))
        peer.recv()

    assert checked(tmp_path, script, ", dialect: beta, session: transcription") == 0
    assert frames[0]["type"] == "transcription_session.update"


def test_what_a_server_quotes_of_the_settings_is_not_repeated(tmp_path: Path) -> None:
    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        asked = json.loads(peer.recv())
        error = {"type": "invalid_request_error", "message": f"Bad value: {asked['session']}"}
        peer.send(message(type="error", error={**error, "event_id": asked["event_id"]}))
        peer.recv()

    with pytest.raises(SetupError, match="the rest quotes your settings") as caught:
        checked(tmp_path, script, ", instructions: 'You are Canary, the butler.'")
    assert "anary" not in str(caught.value)
