"""The daemon, real recognition, and a connection that is slow, breaks, or ends too soon."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.fault_kinds import On, close, reset, slow_start, stall
from faults.fault_proxy import FaultProxy
from program import Daemon
from scoring import words
from websockets.sync.server import serve

from satellite.cli import children, demo

DEMO = Path(demo.__file__).parents[1] / "demo"
SUM = str(DEMO / "03-sum.wav")
LIGHTS = str(DEMO / "02-lights.wav")
TIME = str(DEMO / "01-time.wav")
SUM_TEXT = ["what", "is", "seventeen", "plus", "twenty", "five"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with children.server(tmp_path_factory.mktemp("server")) as address:
        yield address


def test_no_word_is_lost_while_the_session_takes_five_seconds_to_open(
    url: str, daemon: Daemon
) -> None:
    with FaultProxy(url, slow_start(5.0)) as proxy:
        daemon.start(proxy.url, audio={"input": {"file": [SUM]}})
        transcript = daemon.until("transcript", 30.0)
        turn = daemon.until("turn", 30.0)
        daemon.stop()
    assert words(transcript["text"]) == SUM_TEXT
    assert turn["event_type"] == "answered"
    assert proxy.types()[0] == "session.update"


@pytest.mark.checklist("C53")
@pytest.mark.parametrize(
    "fault",
    [
        close(On("response.output_audio.delta", connection=1), 1011, "server_error"),
        reset(On("input_audio_buffer.speech_started", connection=1)),
        reset(On("conversation.item.input_audio_transcription.completed", connection=1)),
    ],
    ids=["closed in mid-answer", "reset in mid-utterance", "reset after the transcript"],
)
def test_a_broken_connection_ends_its_turn_with_a_reason_and_the_next_one_is_answered(
    fault: object, url: str, daemon: Daemon
) -> None:
    with FaultProxy(url, fault) as proxy:  # type: ignore[arg-type]
        daemon.start(proxy.url, audio={"input": {"file": [SUM, LIGHTS]}})
        lost = daemon.until("turn", 30.0)
        answered = daemon.until("turn", 30.0)
        daemon.stop()
    assert (lost["event_type"], lost["reason"]) == ("failed", "connection_lost")
    assert answered["event_type"] == "answered"
    assert "light" in answered["transcript"].lower()
    by_connection = {frame.connection for frame in proxy.frames}
    assert by_connection == {1, 2}


def test_a_server_that_falls_silent_is_left_and_the_next_request_is_answered(
    url: str, daemon: Daemon
) -> None:
    """Nothing comes any more, not even a PONG."""
    with FaultProxy(url, stall(On("input_audio_buffer.committed", connection=1))) as proxy:
        daemon.start(proxy.url, audio={"input": {"file": [SUM, LIGHTS]}})
        lost = daemon.until("turn", 40.0)
        answered = daemon.until("turn", 40.0)
        daemon.stop()
    assert lost["event_type"] == "failed"
    assert lost["reason"]
    assert answered["event_type"] == "answered"


@pytest.mark.checklist("C12")
def test_a_session_gives_way_in_a_quiet_moment_and_the_next_one_knows_what_was_said(
    tmp_path: Path, daemon: Daemon
) -> None:
    """Sessions of 24 s: each request is answered, by more sessions than one."""
    with (
        children.server(tmp_path, "--session-s", "24") as short,
        FaultProxy(short) as proxy,
    ):
        daemon.start(proxy.url, audio={"input": {"file": [SUM, TIME, LIGHTS, SUM]}})
        turns = [daemon.until("turn", 60.0) for _ in range(4)]
        daemon.stop()
    assert [turn["event_type"] for turn in turns] == ["answered"] * 4
    last = max(frame.connection for frame in proxy.frames)
    assert last > 1
    second = [frame for frame in proxy.frames if frame.connection == 2]
    kinds = [frame.type for frame in second]
    assert kinds[0] == "session.update"
    told = [frame.event["item"] for frame in second if frame.type == "conversation.item.create"]
    assert [item["role"] for item in told][:2] == ["user", "assistant"]
    assert words(told[0]["content"][0]["text"]) == SUM_TEXT
    assert "42" in json.dumps(told[1])
    sound = kinds.index("input_audio_buffer.append") if "input_audio_buffer.append" in kinds else 99
    assert kinds.index("conversation.item.create") < sound


@pytest.mark.checklist("C4")
def test_c4_a_server_that_never_opens_a_session_is_named_with_the_time_it_had(
    daemon: Daemon,
) -> None:
    with serve(lambda peer: peer.recv(), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        place = f"127.0.0.1:{server.socket.getsockname()[1]}"
        daemon.start(f"ws://{place}/v1/realtime", realtime={"connect_timeout_s": 1})
        detail = daemon.problem("realtime_silent")["detail"]
        daemon.stop()
        server.shutdown()
        thread.join()
    assert detail == f"{place} opened no session within 1 s"
