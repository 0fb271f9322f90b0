"""A secret for each connection, from a real HTTP server or program, and what goes wrong."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from peer import CREATED, message, raw_peer, websocket_peer
from posted import Events
from websockets.sync.server import ServerConnection

from satellite.adapters.client_secret import MOST_ANSWER, FromCommand, FromServer
from satellite.adapters.realtime_link import Endpoint, Fetch, RealtimeLink
from satellite.errors import SecretError
from satellite.logic.refusal import classify
from satellite.model import events as ev
from satellite.wire.server_events import Decoder

pytestmark = pytest.mark.usefixtures("no_thread_left")

SECRET = "ek_canary0123456789"
TOKEN = "token-of-the-house"
WISH = {"session": {"type": "realtime", "model": "gpt-realtime-2.1"}}


@dataclass
class Home:
    """A home's server that makes secrets."""

    status: int = 200
    answer: bytes = json.dumps({"value": SECRET, "expires_at": 1}).encode()
    url: str = ""
    asked: list[tuple[str, str | None, object]] = field(default_factory=list)


@pytest.fixture
def home() -> Iterator[Home]:
    made = Home()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.asked.append((self.path, self.headers["Authorization"], body))
            self.send_response(made.status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(made.answer)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(made.answer)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}/v1/realtime/client_secrets?a=b"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def never(end: Callable[[], None]) -> None:
    """Nobody ends the fetching."""


def python(text: str) -> FromCommand:
    return FromCommand([sys.executable, "-c", text])


def test_a_server_is_asked_for_the_session_with_the_token(home: Home) -> None:
    assert FromServer(home.url, WISH, TOKEN)(2, never) == SECRET
    assert home.asked == [("/v1/realtime/client_secrets?a=b", f"Bearer {TOKEN}", WISH)]


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"client_secret": {"value": SECRET, "expires_at": 1}}).encode(),
        f"  {SECRET}\n".encode(),
    ],
)
def test_other_forms_of_an_answer(home: Home, answer: bytes) -> None:
    home.answer = answer
    assert FromServer(home.url, WISH)(2, never) == SECRET
    assert home.asked[0][1] is None


@pytest.mark.parametrize("printed", [SECRET, json.dumps({"value": SECRET})])
def test_a_program_prints_it(printed: str) -> None:
    assert python(f"print({printed!r})")(5, never) == SECRET


@pytest.mark.checklist("C3")
@pytest.mark.parametrize(
    ("status", "answer", "complaint"),
    [
        (401, SECRET.encode(), "answered with HTTP 401"),
        (302, SECRET.encode(), "answered with HTTP 302"),
        (200, b'{"value": ["' + SECRET.encode() + b'"]}', "gave JSON without a value"),
        (200, b"{}", "gave no secret"),
        (200, b"<html> " + SECRET.encode(), "gave no secret"),
        (200, b"<html>" + SECRET.encode() + b"</html>", "gave no secret"),
        (200, b'["' + SECRET.encode() + b'"]', "gave no secret"),
        (200, b"\xff", "gave no secret"),
        (200, b"", "gave no secret"),
        (200, b"x" * (MOST_ANSWER + 1), "says too much"),
        (200, b"[" * 60_000, "gave no secret"),
        (200, b'{"a":' * 10_000, "gave JSON without a value"),
    ],
)
def test_a_server_that_gives_none(home: Home, status: int, answer: bytes, complaint: str) -> None:
    home.status, home.answer = status, answer
    with pytest.raises(SecretError) as caught:
        FromServer(home.url, WISH, TOKEN)(2, never)
    assert str(caught.value) == f"the client secret's server 127.0.0.1 {complaint}"
    assert caught.value.status == (status if status != 200 else None)


def test_a_server_that_is_not_there_or_says_nothing() -> None:
    with pytest.raises(SecretError, match=r"127\.0\.0\.1 cannot be asked: Connection refused"):
        FromServer("http://127.0.0.1:1/", WISH)(2, never)
    release = threading.Event()
    with raw_peer(lambda s: (s.recv(4096), release.wait(5))) as url:  # type: ignore[arg-type,return-value]
        with pytest.raises(SecretError, match="did not answer in time"):
            FromServer(url.replace("ws://", "http://"), WISH)(0.2, never)
        release.set()


@pytest.mark.checklist("C3")
@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        (f"import sys; print('{SECRET}'); sys.exit('{SECRET}')", "failed with exit code 1"),
        (f"print('a {SECRET}')", "gave no secret"),
        ("print('x' * 100_000)", "prints too much"),
        ("import time; time.sleep(60)", "did not end in time"),
    ],
)
def test_a_program_that_gives_none(
    program: str, complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    patience_s = 0.3 if "sleep" in program else 10
    with pytest.raises(SecretError, match=complaint) as caught:
        python(program)(patience_s, never)
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(capfd.readouterr())


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """It holds on to what is read from, so it is waited for, and leaves one more at each try."""
    left = tmp_path / "left"
    fetch = FromCommand(["sh", "-c", f"sleep 60 & echo $! > {left}; echo {SECRET}"])
    with pytest.raises(SecretError, match="sh did not end in time"):
        fetch(0.5, never)
    stat = Path(f"/proc/{left.read_text().strip()}/stat")
    deadline = time.monotonic() + 5
    while stat.exists() and stat.read_text().split()[2] != "Z":  # nobody here is its parent
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.01)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(SecretError, match=r"command no-such-program cannot be started: No such"):
        FromCommand(["/bin/no-such-program"])(1, never)


@pytest.mark.checklist("C3")
def test_nothing_secret_is_in_a_repr() -> None:
    assert "canary" not in repr(FromServer("https://x/?canary", WISH, "canary"))
    assert "canary" not in repr(FromCommand(["echo", "canary"]))


@pytest.fixture
def inbox() -> Events:
    return Events()


@pytest.fixture
def links() -> Iterator[list[RealtimeLink]]:
    made: list[RealtimeLink] = []
    yield made
    for link in made:
        assert link.stop(3)


def connected(
    links: list[RealtimeLink], inbox: Events, url: str, fetch: Fetch, timeout_s: float = 3.0
) -> RealtimeLink:
    link = RealtimeLink(Endpoint(url, ("X-Own: 1",), timeout_s, fetch), Decoder, inbox.post)
    links.append(link)
    link.connect(1)
    return link


@pytest.mark.checklist("C3")
def test_each_connection_has_its_own_secret_and_nobody_hears_of_it(
    links: list[RealtimeLink], inbox: Events, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str | None] = []

    def script(peer: ServerConnection) -> None:
        assert peer.request is not None
        shown.append(peer.request.headers["Authorization"])
        error = {"type": "invalid_request_error", "message": f"Not {shown[-1]}, thank you."}
        peer.send(message(type="error", error=error))
        peer.send(CREATED)
        peer.recv()

    with caplog.at_level(logging.DEBUG, "satellite"), websocket_peer(script) as url:
        link = connected(links, inbox, url, FromServer(home.url, WISH, TOKEN))
        inbox.until(ev.SessionCreated)
        home.answer = json.dumps({"value": "second-canary-secret"}).encode()
        link.connect(2)
        while len(shown) < 2:
            inbox.until(ev.SessionCreated)
        link.disconnect()
    assert shown == [f"Bearer {SECRET}", "Bearer second-canary-secret"]
    assert len(home.asked) == 2
    logged = [r.getMessage() for r in caplog.records if r.name.startswith("satellite")]
    public = repr(inbox.all) + "".join(logged)
    assert "thank you" in public
    assert "canary" not in public
    assert TOKEN not in public


def test_why_there_is_no_secret_is_said(
    links: list[RealtimeLink], inbox: Events, home: Home
) -> None:
    home.status = 403
    connected(links, inbox, "ws://127.0.0.1:1/v1/realtime", FromServer(home.url, WISH))
    down = inbox.until(ev.LinkDown)
    sentence = "the client secret's server 127.0.0.1 answered with HTTP 403"
    assert (down.detail, down.status, down.reason) == (sentence, 403, "client_secret")
    refusal = classify(down, None)
    assert (refusal.code, refusal.detail) == ("realtime_auth", sentence)
    assert "realtime.client_secret" in refusal.fix


@pytest.mark.parametrize("kind", ["server", "program"])
def test_a_fetch_that_takes_long_ends_with_its_connection(
    links: list[RealtimeLink], inbox: Events, kind: str
) -> None:
    asked = threading.Event()
    release = threading.Event()

    def silent(peer: object) -> None:
        peer.recv(4096)  # type: ignore[attr-defined]
        asked.set()
        release.wait(10)

    with raw_peer(silent) as url:
        fetch: Fetch = FromServer(url.replace("ws://", "http://"), WISH)
        if kind == "program":
            tell = (
                f"import socket, time; s = socket.create_connection({address(url)}); s.send(b'x')"
            )
            fetch = python(f"{tell}; time.sleep(60)")
        link = connected(links, inbox, "ws://127.0.0.1:1/v1/realtime", fetch, timeout_s=30)
        assert asked.wait(10)
        began = time.monotonic()
        link.disconnect()
        assert time.monotonic() - began < 0.25
        inbox.until(ev.LinkDown, 2)
        release.set()


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("ws://").partition("/")[0].partition(":")
    return host, int(port)
