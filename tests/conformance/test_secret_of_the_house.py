"""The local server holds the key of the house; our client gets in with secrets of its making."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from posted import Events

from satellite import session_setup
from satellite.adapters.realtime_link import RealtimeLink
from satellite.config.loader import load
from satellite.config.schema import Config
from satellite.local import background, server
from satellite.local.engines import Engines
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.wire import realtime

KEY = "key-of-the-house-canary"


@pytest.fixture(scope="module")
def house(real_engines: Engines) -> Iterator[str]:
    with background.in_background(real_engines, server.Settings(api_key=KEY)) as url:
        yield url


def configured(house: str, keys: str, token: str = KEY) -> Config:
    secrets_url = house.replace("ws://", "http://") + "/client_secrets"
    return load(
        f"realtime: {{provider: local, url: '{house}', {keys}"
        f" client_secret: {{url: '{secrets_url}', token: !secret token}}}}",
        source="c",
        base="/",
        environment={},
        secrets=lambda: {"token": token},
        credentials={},
    )


@pytest.fixture
def inbox() -> Events:
    return Events()


@pytest.fixture
def opened(inbox: Events) -> Iterator[list[RealtimeLink]]:
    made: list[RealtimeLink] = []
    yield made
    for link in made:
        assert link.stop(3)


def open_session(config: Config, inbox: Events, opened: list[RealtimeLink]) -> RealtimeLink:
    decode = functools.partial(session_setup.decoder, config)
    link = RealtimeLink(session_setup.endpoint(config), decode, inbox.post)
    opened.append(link)
    link.connect(1)
    return link


@pytest.mark.checklist("C15")
@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ("", "realtime"),
        ("model: gpt-realtime-2.1,", "realtime"),
        ("session: transcription,", "transcription"),
    ],
)
def test_a_session_is_opened_and_set_up(
    house: str, inbox: Events, opened: list[RealtimeLink], keys: str, kind: str
) -> None:
    config = configured(house, keys)
    link = open_session(config, inbox, opened)
    assert inbox.until(ev.SessionCreated).type == kind
    session = session_setup.session(config)
    for message in realtime.encode(cmd.Configure("c1", session), "m1"):
        link.send(message)
    updated = inbox.until(ev.SessionUpdated)
    assert session_setup.compare(config)(session, updated.effective) == ()
    assert "canary" not in repr(inbox.all)


def test_the_wrong_token_is_said(house: str, inbox: Events, opened: list[RealtimeLink]) -> None:
    open_session(configured(house, "", token="another"), inbox, opened)
    down = inbox.until(ev.LinkDown)
    assert (down.status, down.reason) == (401, "client_secret")
