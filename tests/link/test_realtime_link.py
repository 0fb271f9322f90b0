"""The Realtime connection against real sockets, good ones and bad ones."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from peer import CREATED, message, raw_peer, websocket_peer
from posted import Events
from websockets.sync.server import ServerConnection

from satellite.adapters import realtime_link
from satellite.adapters.realtime_link import Endpoint, RealtimeLink
from satellite.model import events as ev
from satellite.wire.server_events import Decoder

pytestmark = pytest.mark.usefixtures("no_thread_left")

KEY = "sk-canary-0123456789"


@pytest.fixture
def inbox() -> Events:
    return Events()


@pytest.fixture
def links(inbox: Events) -> Iterator[list[RealtimeLink]]:
    made: list[RealtimeLink] = []
    yield made
    for link in made:
        assert link.stop(3)


def connected(links: list[RealtimeLink], inbox: Events, url: str, number: int = 1) -> RealtimeLink:
    endpoint = Endpoint(url, (f"Authorization: Bearer {KEY}",), 2.0)
    link = RealtimeLink(endpoint, Decoder, inbox.post)
    links.append(link)
    link.connect(number)
    return link


@pytest.mark.checklist("C1")
def test_c1_c2_the_key_goes_in_the_header_and_nothing_of_the_beta(
    links: list[RealtimeLink], inbox: Events
) -> None:
    headers: dict[str, str] = {}

    def script(peer: ServerConnection) -> None:
        assert peer.request is not None
        headers.update(peer.request.headers.raw_items())
        peer.send(CREATED)
        peer.recv()

    with websocket_peer(script) as url:
        link = connected(links, inbox, url)
        inbox.until(ev.SessionCreated)
        link.disconnect()
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert "OpenAI-Beta" not in headers
    assert "Origin" not in headers
    assert "Sec-WebSocket-Extensions" not in headers


@pytest.mark.checklist("C11")
def test_what_is_queued_arrives_in_order_as_text(links: list[RealtimeLink], inbox: Events) -> None:
    got: list[str | bytes] = []
    done = threading.Event()

    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        got.extend(peer.recv() for _ in range(200))
        done.set()

    with websocket_peer(script) as url:
        link = connected(links, inbox, url)
        inbox.until(ev.SessionCreated)
        for n in range(200):
            assert link.send(b'{"n":%d}' % n)
        assert done.wait(5)
    assert [json.loads(text)["n"] for text in got] == list(range(200))
    assert all(isinstance(text, str) for text in got)


def test_sending_and_receiving_at_once_loses_nothing(
    links: list[RealtimeLink], inbox: Events
) -> None:
    got: list[str | bytes] = []

    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        reader = threading.Thread(target=lambda: [got.append(peer.recv()) for _ in range(500)])
        reader.start()
        for n in range(500):
            peer.send(message(type="input_audio_buffer.committed", item_id=str(n)))
        reader.join()
        peer.send(message(type="input_audio_buffer.speech_started", item_id="end"))
        peer.recv()

    with websocket_peer(script) as url:
        link = connected(links, inbox, url)
        inbox.until(ev.SessionCreated)
        for n in range(500):
            link.send(b'{"n":%d}' % n)
        inbox.until(ev.SpeechStarted)
        link.disconnect()
    said = [event.event for event in inbox.all if isinstance(event, ev.FromServer)]
    committed = [event.item_id for event in said if isinstance(event, ev.InputCommitted)]
    assert committed == [str(n) for n in range(500)]
    assert len(got) == 500


@pytest.mark.checklist("C5", "C6")
def test_c6_the_close_code_and_its_reason_are_read(
    links: list[RealtimeLink], inbox: Events
) -> None:
    def script(peer: ServerConnection) -> None:
        error = {"type": "invalid_request_error", "code": "invalid_api_key", "message": "Bad key."}
        peer.send(message(type="error", error=error))
        peer.close(3000, "invalid_request_error.invalid_api_key")

    with websocket_peer(script) as url:
        connected(links, inbox, url, 7)
        assert inbox.until(ev.ServerError).code == "invalid_api_key"
        down = inbox.until(ev.LinkDown)
    assert (down.link, down.code) == (7, 3000)
    assert down.reason == "invalid_request_error.invalid_api_key"


@pytest.mark.checklist("C5")
def test_c5_a_refusal_by_http_status_is_told(links: list[RealtimeLink], inbox: Events) -> None:
    def script(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\nsecret")

    with raw_peer(script) as url:
        connected(links, inbox, url)
        down = inbox.until(ev.LinkDown)
    assert down.status == 401
    assert "HTTP 401" in down.detail


@pytest.mark.checklist("C3")
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (lambda s: s.close(), "ended the connection without a word"),
        (lambda s: (s.recv(4096), s.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")), "no WebSocket server"),
        (
            lambda s: (s.recv(4096), s.sendall(b"HTTP/1.1 302 F\r\nLocation: http://x/\r\n\r\n")),
            "no WebSocket server",
        ),
        (lambda s: (s.recv(4096), s.sendall(b"HTTP/1.1 200 OK\r\n\r\nhi")), "HTTP 200"),
        (lambda s: time.sleep(2.5), "did not answer in time"),
        (lambda s: (s.recv(4096), s.sendall(b"\r\n\r\n")), "is no WebSocket server"),
    ],
    ids=["closes", "ssh", "redirects", "portal", "silent", "empty"],
)  # fmt: skip
def test_a_peer_that_is_no_realtime_server(
    links: list[RealtimeLink], inbox: Events, script: object, expected: str
) -> None:
    with raw_peer(script) as url:  # type: ignore[arg-type]
        connected(links, inbox, url)
        down = inbox.until(ev.LinkDown)
    assert expected in down.detail
    assert KEY not in down.detail


def test_nobody_listens(links: list[RealtimeLink], inbox: Events) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    connected(links, inbox, f"ws://127.0.0.1:{port}/v1/realtime")
    assert inbox.until(ev.LinkDown).detail == f"127.0.0.1:{port} refused the connection"


def test_an_unknown_host(links: list[RealtimeLink], inbox: Events) -> None:
    connected(links, inbox, "ws://no-such-host.invalid/v1/realtime")
    detail = inbox.until(ev.LinkDown, 20).detail
    assert detail == "the name no-such-host.invalid cannot be resolved"


def test_tls_with_a_peer_that_speaks_none(links: list[RealtimeLink], inbox: Events) -> None:
    with raw_peer(lambda s: (s.recv(4096), s.sendall(b"hello there, no TLS here"))) as url:  # type: ignore[arg-type,return-value]
        connected(links, inbox, url.replace("ws://", "wss://"))
        assert "no TLS with" in inbox.until(ev.LinkDown).detail


@pytest.mark.checklist("C10")
def test_c10_a_ping_is_answered_while_nothing_else_happens(
    links: list[RealtimeLink], inbox: Events
) -> None:
    answered = threading.Event()

    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        if peer.ping().wait(2):
            answered.set()

    with websocket_peer(script) as url:
        connected(links, inbox, url)
        assert answered.wait(3)


@pytest.mark.checklist("C13")
def test_c13_a_dead_peer_is_noticed(
    links: list[RealtimeLink], inbox: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime_link, "PING_AFTER_S", 0.2)
    monkeypatch.setattr(realtime_link, "DEAD_AFTER_S", 0.6)
    accept = websocket_handshake(then=lambda s: time.sleep(3))
    with raw_peer(accept) as url:
        connected(links, inbox, url)
        assert "no sign of life" in inbox.until(ev.LinkDown, 2.5).detail


def test_a_living_but_silent_peer_is_kept(
    links: list[RealtimeLink], inbox: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime_link, "PING_AFTER_S", 0.1)
    monkeypatch.setattr(realtime_link, "DEAD_AFTER_S", 0.5)

    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        time.sleep(1.2)
        peer.send(CREATED)
        peer.recv()

    with websocket_peer(script) as url:
        link = connected(links, inbox, url)
        inbox.until(ev.SessionCreated)
        inbox.until(ev.SessionCreated)
        link.disconnect()


def test_f37_a_giant_frame_is_refused_before_it_is_read(
    links: list[RealtimeLink], inbox: Events
) -> None:
    giant = b"\x81\x7f" + (300 << 20).to_bytes(8, "big") + b"x" * 1000
    with raw_peer(websocket_handshake(then=lambda s: (s.sendall(giant), s.recv(1)))) as url:
        connected(links, inbox, url)
        assert "breaks the WebSocket protocol" in inbox.until(ev.LinkDown).detail


def test_f37_endless_fragments_are_refused(links: list[RealtimeLink], inbox: Events) -> None:
    def flood(peer: socket.socket) -> None:
        peer.sendall(b"\x01\x01x" + b"\x00\x01x" * 1000)
        peer.recv(1)

    with raw_peer(websocket_handshake(then=flood)) as url:
        connected(links, inbox, url)
        assert "breaks the WebSocket protocol" in inbox.until(ev.LinkDown).detail


@pytest.mark.checklist("C39")
def test_c39_a_malformed_message_does_not_end_the_session(
    links: list[RealtimeLink], inbox: Events
) -> None:
    def script(peer: ServerConnection) -> None:
        peer.send("not json")
        peer.send(b"\xff\xfe binary")
        peer.send(CREATED)
        peer.recv()

    with websocket_peer(script) as url:
        link = connected(links, inbox, url)
        inbox.until(ev.SessionCreated)
        link.disconnect()


@pytest.mark.checklist("C14")
def test_c14_a_peer_that_stops_reading_blocks_nobody(
    links: list[RealtimeLink], inbox: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime_link, "SEND_S", 0.5)
    with raw_peer(websocket_handshake(then=lambda s: time.sleep(4))) as url:
        link = connected(links, inbox, url)
        slowest, began = 0.0, time.monotonic()
        while time.monotonic() - began < 3:
            before = time.monotonic()
            accepted = link.send(b"x" * 60_000)
            slowest = max(slowest, time.monotonic() - before)
            if not accepted:
                break
            time.sleep(0.002)
        inbox.until(ev.LinkDown)
    assert slowest < 0.25


@pytest.mark.checklist("C38")
def test_c38_an_unknown_type_is_logged_once_and_counted(
    links: list[RealtimeLink], inbox: Events, caplog: pytest.LogCaptureFixture
) -> None:
    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        for _ in range(3):
            peer.send(message(type="response.dream.delta", delta="canary", obfuscation="zz"))
            peer.send(message(type="conversation.item.added", item={}))
        peer.send(message(type="input_audio_buffer.committed", item_id="u1", obfuscation="zz"))
        peer.recv()

    with caplog.at_level(logging.DEBUG, "satellite"), websocket_peer(script) as url:
        link = connected(links, inbox, url)
        inbox.until(ev.InputCommitted)
        link.disconnect()
        inbox.until(ev.LinkDown)
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    unknown = "the Realtime server sends 'response.dream.delta', which is not known; ignored"
    counts = {"response.dream.delta": 3, "conversation.item.added": 3}
    assert said == [("DEBUG", unknown), ("DEBUG", f"ignored messages by type: {counts}")]


def test_disconnect_returns_at_once_in_every_phase(
    links: list[RealtimeLink], inbox: Events
) -> None:
    with raw_peer(lambda s: time.sleep(1)) as url:
        link = connected(links, inbox, url)
        time.sleep(0.1)
        before = time.monotonic()
        link.disconnect()
        assert time.monotonic() - before < 0.25
        inbox.until(ev.LinkDown, 2)


def test_what_is_queued_at_the_end_is_not_sent_any_more(
    links: list[RealtimeLink], inbox: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who mutes the microphone while the network hangs is not heard when it goes on."""
    monkeypatch.setattr(realtime_link, "MOST_OUTBOX", 1 << 30)
    closed, got = threading.Event(), [0]

    def read_late(peer: socket.socket) -> None:
        closed.wait(5)
        while piece := peer.recv(1 << 20):
            got[0] += len(piece)

    with raw_peer(websocket_handshake(then=read_late)) as url:
        link = connected(links, inbox, url)
        for _ in range(500):
            link.send(b"x" * 60_000)
        time.sleep(0.2)
        link.disconnect()
        closed.set()
        inbox.until(ev.LinkDown)
    assert 0 < got[0] < 15_000_000, "what the system had taken of 30 MB"


def test_a_peer_that_never_pauses_does_not_hold_the_end(links: list[RealtimeLink]) -> None:
    """Faster than it can be read: there is always more."""
    heard = threading.Event()

    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        while True:
            peer.send(message(type="response.output_text.delta", response_id="r", delta="x"))

    def slowly(event: ev.Event) -> None:
        heard.set()
        time.sleep(0.001)

    with websocket_peer(script) as url:
        link = RealtimeLink(Endpoint(url, (), 2.0), Decoder, slowly)
        links.append(link)
        link.connect(1)
        assert heard.wait(5)
        assert link.stop(1.0)


def test_many_connections_leak_no_descriptor(links: list[RealtimeLink], inbox: Events) -> None:
    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        peer.recv()

    with websocket_peer(script) as url:
        link = connected(links, inbox, url)
        inbox.until(ev.SessionCreated)
        link.disconnect()
        inbox.until(ev.LinkDown)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count, not paths
        for number in range(2, 32):
            link.connect(number)
            inbox.until(ev.SessionCreated)
            link.disconnect()
            inbox.until(ev.LinkDown)
        time.sleep(0.2)
        after = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    assert after <= before + 2


def test_a_tls_handshake_that_never_ends_does_not_hold_the_end(
    links: list[RealtimeLink], inbox: Events
) -> None:
    with raw_peer(lambda s: time.sleep(3)) as url:
        link = connected(links, inbox, url.replace("ws://", "wss://"))
        time.sleep(0.3)
        before = time.monotonic()
        assert link.stop(2)
        assert time.monotonic() - before < 1


@pytest.mark.checklist("C3")
def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(Endpoint("wss://host/x", (f"Authorization: Bearer {KEY}",), 1.0))


def websocket_handshake(then: object) -> object:
    """A script that upgrades by hand and then misbehaves."""
    import base64
    import hashlib

    def script(peer: socket.socket) -> None:
        request = peer.recv(4096).decode()
        key = next(line.split(": ")[1] for line in request.split("\r\n") if "WebSocket-Key" in line)
        magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        digest = hashlib.sha1((key + magic).encode()).digest()
        accept = base64.b64encode(digest).decode()
        peer.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        then(peer)  # type: ignore[operator]

    return script


def test_it_shows_that_it_serves(links: list[RealtimeLink], inbox: Events) -> None:
    """With a session, and without one, where nothing could hang."""
    answered, told, end = threading.Event(), threading.Event(), threading.Event()

    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        end.wait(10)

    with websocket_peer(script) as url:
        link = connected(links, inbox, url)
        inbox.until(ev.SessionCreated)
        link.knock(answered.set)
        assert answered.wait(2)
        end.set()
        inbox.until(ev.LinkDown)
        link.knock(told.set)
        assert told.is_set()
        link.disconnect()
        told.clear()
        link.knock(told.set)
        assert told.is_set()


def test_a_session_that_hangs_is_seen_to(
    links: list[RealtimeLink], inbox: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, entered, leave = threading.Event(), threading.Event(), threading.Event()

    def script(peer: ServerConnection) -> None:
        peer.send(CREATED)
        leave.wait(10)

    def stuck(self: object, ws: object) -> None:
        entered.set()
        leave.wait(10)

    monkeypatch.setattr(realtime_link._Connection, "_flush", stuck)
    with websocket_peer(script) as url:
        link = connected(links, inbox, url)
        assert entered.wait(5)
        link.knock(answered.set)
        link.disconnect()  # the core gives it up; whoever watches does not
        assert not answered.is_set()
        leave.set()
        assert answered.wait(2)


def test_one_that_is_still_being_opened_is_not_taken_for_hung(
    links: list[RealtimeLink], inbox: Events
) -> None:
    answered, leave = threading.Event(), threading.Event()
    with raw_peer(lambda _: leave.wait(5)) as url:
        link = connected(links, inbox, url)
        link.knock(answered.set)
        assert answered.is_set()
        link.disconnect()
        leave.set()
