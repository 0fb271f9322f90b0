"""Every frame of a client is kept, with its time (S42)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator

import pytest
from faults.fault_bench import MODEL, through
from faults.small_server import small_server
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with small_server() as url:
        yield url


@pytest.mark.checklist("S42")
def test_every_frame_of_a_client_is_kept_with_its_time(url: str) -> None:
    audio = base64.b64encode(bytes(4800)).decode()
    append = {"type": "input_audio_buffer.append", "audio": audio}
    before = time.monotonic()
    with through(url) as (proxy, websocket):
        websocket.send(json.dumps(append))
        websocket.send('{"type":"input_audio_buffer.clear","event_id":"mine"}')
        websocket.send(b"\x00\xff")
        websocket.send("no json é")
        first = proxy.wait_for("input_audio_buffer.clear")
        with connect(proxy.url + MODEL) as second:
            second.send('{"type":"input_audio_buffer.clear"}')
            proxy.wait_for("input_audio_buffer.clear", 2)
    frames = list(proxy.frames)
    assert first in frames
    assert [frame.type for frame in frames] == [
        "input_audio_buffer.append",
        "input_audio_buffer.clear",
        "",
        "",
        "input_audio_buffer.clear",
    ]
    assert [frame.connection for frame in frames] == [1, 1, 1, 1, 2]
    assert [frame.event_id for frame in frames] == [None, "mine", None, None, None]
    assert [frame.size for frame in frames[2:4]] == [2, 10]
    assert base64.b64decode(frames[0].event["audio"]) == bytes(4800)
    times = [before, *(frame.at_s for frame in frames), time.monotonic()]
    assert times == sorted(times)


def test_waiting_for_a_frame_that_does_not_come_says_what_came(url: str) -> None:
    with through(url) as (proxy, websocket):
        websocket.send('{"type":"response.cancel"}')
        proxy.wait_for("response.cancel")
        with pytest.raises(AssertionError, match=r"no 1 of x; came: \['response.cancel'\]"):
            proxy.wait_for("x", timeout_s=0.05)
