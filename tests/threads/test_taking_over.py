"""SIGHUP: what of a new configuration reaches the session, and what is said of the rest."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from queue import SimpleQueue

import pytest

from satellite import session_setup
from satellite.adapters import echo
from satellite.config.nodes import Mark
from satellite.config.schema import Audio, Config
from satellite.config.session_keys import ClientSecret, Realtime, Transcription
from satellite.model import events as ev
from satellite.model.session import Session
from satellite.reload import Reload
from satellite.wire import realtime

LENT = ClientSecret(command=("lend",))


def configured(marks: dict[str, Mark], **keys: object) -> Config:
    return replace(
        Config(),
        realtime=Realtime(provider="local", **keys),
        marks=marks,
    )


def taken(reload: Reload, posted: SimpleQueue[ev.Event]) -> Session:
    """The session that is asked for."""
    reload.request()
    while not isinstance(event := posted.get(timeout=5), ev.ChangeRequested):
        assert isinstance(event, ev.ConfigRead)
    return event.session


@pytest.mark.checklist("C16")
def test_what_is_left_to_a_client_secret_needs_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    """Its first settings were the secret's; an update cannot go back to those."""
    posted: SimpleQueue[ev.Event] = SimpleQueue()
    old = configured({"realtime.instructions": Mark(1, 1)}, instructions="One.", client_secret=LENT)
    new = configured(
        {
            "realtime.instructions": Mark(1, 1),
            "realtime.voice": Mark(2, 1),
            "realtime.transcription.prompt": Mark(3, 1),
        },
        instructions="Two.",
        voice="cedar",
        transcription=Transcription(prompt="Rooms."),
        client_secret=LENT,
    )
    with caplog.at_level(logging.INFO):
        session = taken(Reload(lambda: new, old, posted.put), posted)
    before = session_setup.session(old)
    assert realtime.changed(before, session) == {"type": "realtime", "instructions": "Two."}
    assert session == replace(before, instructions="Two.", tools=session.tools)
    assert [record.getMessage() for record in caplog.records] == [
        "needs a restart to take effect: realtime.voice, realtime.transcription.prompt",
        "taken over from the configuration: realtime.instructions",
    ]


def test_a_request_while_the_file_is_read_reads_it_again() -> None:
    """It may have changed behind the reader."""
    posted: SimpleQueue[ev.Event] = SimpleQueue()
    reading, go_on = threading.Event(), threading.Event()
    contents = iter([configured({}, voice="cedar"), configured({}, voice="verse")])

    def read() -> Config:
        found = next(contents)
        reading.set()
        assert go_on.wait(5)
        return found

    reload = Reload(read, configured({}), posted.put)
    reload.request()
    assert reading.wait(5)
    reload.request()
    go_on.set()
    voices = [event.session.voice for event in (posted.get(timeout=5), posted.get(timeout=5))]  # type: ignore[union-attr]
    assert voices == ["cedar", "verse"]


def test_what_a_restart_would_miss_is_said_now(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else the next start would be the last."""
    monkeypatch.setattr(echo, "find_spec", lambda name: None)
    posted: SimpleQueue[ev.Event] = SimpleQueue()
    old = configured({"realtime.instructions": Mark(1, 1)}, instructions="One.")
    new = replace(
        configured(
            {"realtime.instructions": Mark(1, 1), "audio.duplex": Mark(2, 1)}, instructions="Two."
        ),
        audio=Audio(duplex="cancel"),
    )
    configs = iter([new, replace(new, audio=Audio())])
    reload = Reload(lambda: next(configs), old, posted.put)
    reload.request()
    rejected = posted.get(timeout=5)
    assert isinstance(rejected, ev.ConfigRead)
    assert rejected.problems[0].startswith("audio.duplex: cancel needs")
    assert taken(reload, posted).instructions == "Two.", "the second one is taken over"
    (said,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert said.startswith("the configuration was not taken over: audio.duplex: cancel needs")
    assert "pip install 'realtime-satellite[echo]'" in said
