"""``satellite run`` as a process: real recordings, broker and sockets, a scripted server."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from program import Daemon, recorded
from scripted_server import Script, running, wait_until

from satellite.cli.children import free_port

KEY = "sk-canary-4711-canary"


def test_a_turn_from_a_recording_to_mqtt(daemon: Daemon, tmp_path: Path) -> None:
    script = Script(answers=["It is done."])
    with running(script) as url:
        answers = {"file": str(tmp_path / "answer-{n}.wav")}
        files = {"file": [recorded("conf-kicked")]}
        daemon.start(url, audio={"input": files, "output": answers})
        transcript = daemon.until("transcript")
        response = daemon.until("response")
        turn = daemon.until("turn")
        daemon.problem("recording_ended")
        code, seconds = daemon.stop()
    assert transcript["text"].startswith("words of u")
    assert transcript["turn_id"] == response["turn_id"] == turn["turn_id"]
    assert response["text"] == "It is done."
    assert (response["audio_ms"], response["played_ms"]) == (300, 300)
    assert turn["event_type"] == "answered"
    assert 1.0 < turn["speech_s"] < 3.0
    assert turn["speech_s"] < turn["sent_s"] < turn["speech_s"] + 2.5
    assert script.heard_ms / 1000 < 5
    assert (tmp_path / "answer-1.wav").stat().st_size == 44 + 300 * 48
    assert code == 0
    assert seconds < 2.0
    daemon.until("status")
    assert "turn 3 answered" in daemon.log
    assert "It is done" not in daemon.log
    assert "words of" not in daemon.log


def test_only_speech_is_sent_and_law_1_lets_the_turn_end(daemon: Daemon) -> None:
    script = Script(answers=["One."])
    with running(script) as url:
        daemon.start(url, audio={"input": {"file": [recorded("vm-savefolder")]}})
        daemon.until("turn")
        appends = [f for f in script.frames if f["type"] == "input_audio_buffer.append"]
        assert appends
        daemon.problem("recording_ended")
        assert [f["type"] for f in script.frames if f not in appends] == ["session.update"]


def test_status_is_offline_after_an_orderly_end_and_after_kill(daemon: Daemon) -> None:
    with running(Script()) as url:
        daemon.start(url, audio={"input": {"file": [recorded("vm-goodbye")]}})
        assert daemon.until("status") == "online"
        daemon.stop()
        assert daemon.until("status") == "offline"
        daemon.start(url, audio={"input": {"file": [recorded("vm-goodbye")]}})
        assert daemon.until("status") == "online"
        assert daemon.process is not None
        daemon.process.kill()
        assert daemon.until("status") == "offline"


def test_a_wrong_key_is_a_problem_in_one_sentence_and_is_nowhere_else(daemon: Daemon) -> None:
    with running(Script(key="another")) as url:
        realtime = {"provider": "compatible", "url": url, "api_key": "!env KEY"}
        config = {"audio": {"input": {"file": [recorded("vm-goodbye")]}}}
        daemon.start(url, env={"KEY": KEY}, realtime=realtime, **config)
        problem = daemon.problem("realtime_auth")
        assert "No, said the server." in problem["detail"]
        assert "realtime.api_key" in problem["fix"]
        turn = daemon.until("turn")
        assert (turn["event_type"], turn["reason"]) == ("failed", "realtime_auth")
        assert daemon.stop()[0] == 0
    assert daemon.log.count("realtime_auth:") == 1
    assert KEY not in daemon.log
    assert "canary" not in repr(daemon.all)


def test_an_endpoint_that_refuses_is_found_when_it_is_back(daemon: Daemon) -> None:
    port = free_port()
    daemon.start(
        f"ws://127.0.0.1:{port}/v1/realtime", audio={"input": {"file": [recorded("vm-goodbye")]}}
    )
    problem = daemon.problem("realtime_unreachable")
    assert problem["detail"] == f"127.0.0.1:{port} refused the connection"
    assert "Traceback" not in daemon.log


def test_no_broker_does_not_keep_it_from_hearing(daemon: Daemon) -> None:
    script = Script()
    with running(script) as url:
        nowhere = {"host": "127.0.0.1", "port": free_port()}
        daemon.start(url, mqtt=nowhere, audio={"input": {"file": [recorded("conf-kicked")]}})
        wait_until(lambda: script.heard_ms > 1000)
        wait_until(lambda: "turn 3 answered" in daemon.log)
        assert f"no MQTT broker listens at 127.0.0.1:{nowhere['port']}" in daemon.log
        assert daemon.stop()[0] == 0


def test_no_microphone_is_a_problem_shown_not_a_crash(daemon: Daemon) -> None:
    with running(Script()) as url:
        daemon.start(url, audio={})
        problem = daemon.problem("mic_missing")
        assert problem["detail"].startswith("no microphone found: plug one in")
        assert daemon.stop()[0] == 0
    assert "Traceback" not in daemon.log


def test_systemd_is_told_ready_alive_and_stopping(daemon: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with running(Script()) as url, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(10)
        env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
        before = time.monotonic()
        daemon.start(url, env=env, audio={"input": {"file": [recorded("vm-goodbye")]}})
        words = ""
        while words.count("WATCHDOG=1") < 3:
            words += systemd.recv(4096).decode() + "\n"
        assert words.startswith("READY=1")
        assert time.monotonic() - before < 8
        daemon.stop()
        while "STOPPING=1" not in words:
            words += systemd.recv(4096).decode() + "\n"


def test_the_journal_gets_priorities_and_no_time(daemon: Daemon) -> None:
    with running(Script()) as url:
        env = {"JOURNAL_STREAM": "8:1"}
        daemon.start(url, env=env, audio={"input": {"file": [recorded("vm-goodbye")]}})
        daemon.until("status")
        daemon.stop()
    assert daemon.log.startswith("<6>satellite 0.1.0 starts as satellite/demo\n")


def test_it_listens_nowhere(daemon: Daemon) -> None:
    with running(Script()) as url:
        daemon.start(url, audio={"input": {"file": [recorded("vm-goodbye")]}})
        daemon.until("status")
        assert daemon.process is not None
        folder = Path(f"/proc/{daemon.process.pid}/fd")
        mine = {link.readlink().name for link in folder.iterdir() if link.is_symlink()}
        listening = [
            line.split()[9]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A"
        ]
        assert not {f"socket:[{inode}]" for inode in listening} & mine


def test_full_duplex_lets_the_user_interrupt(daemon: Daemon, tmp_path: Path) -> None:
    script = Script(answers=["One two three four five six seven eight nine ten.", "Yes."])
    script.voice_ms = 4000
    with running(script) as url:
        files = {"file": [recorded("vm-goodbye"), recorded("conf-kicked")]}
        answers = {"file": str(tmp_path / "answer-{n}.wav")}
        daemon.start(url, audio={"input": files, "output": answers, "duplex": "full"})
        interrupted = daemon.until("response")
        turn = daemon.until("turn")
        wait_until(lambda: any(f["type"] == "conversation.item.truncate" for f in script.frames))
        daemon.until("response", event_type="completed")
    (cut,) = [f for f in script.frames if f["type"] == "conversation.item.truncate"]
    assert interrupted["event_type"] == "cancelled"
    assert interrupted["interrupted"]
    assert turn["event_type"] == "interrupted"
    assert 300 < interrupted["played_ms"] < 3000 < interrupted["audio_ms"]
    assert cut["audio_end_ms"] == interrupted["played_ms"]
    words = interrupted["text"].split()
    heard = interrupted["spoken_text"].split()
    assert heard == words[: len(heard)]
    assert len(heard) < len(words)
    sound = (tmp_path / "answer-1.wav").stat().st_size - 44
    assert abs(sound / 48 - interrupted["played_ms"]) < 250  # what was written is what was heard
