"""What is right but should be known, word for word; and what a configuration asks of a session."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest

from satellite import session_setup
from satellite.config.loader import load, warnings
from satellite.config.schema import Config
from satellite.model.models import SPEAKERS, TRANSCRIBERS, ending
from satellite.model.providers import PROVIDERS, Name, owner_of
from satellite.wire import realtime

BEFORE = date(2026, 11, 21)


def loaded(text: str) -> Config:
    return load(
        text,
        source="c",
        base="/",
        environment={},
        secrets=lambda: {"key": "k-1"},
        credentials={},
    )


def in_section(keys: str) -> Config:
    return loaded(f"realtime: {{api_key: !secret key, {keys}}}")


def uncounted(models: str, where: str = "c: budget") -> str:
    return (
        f"{where}: does not hold: the price of {models} is not known, so nothing is counted;"
        " set a limit with whoever bills you"
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("transcription: {model: gpt-transcribe}", []),
        ("model: new, transcription: {model: gpt-transcribe}", [uncounted("new")]),
        (
            "transcription: {model: new}",
            ["c: budget: does not count what new costs: its price is not known"],
        ),
        (
            "session: transcription, transcription: {model: new}",
            [uncounted("new")],
        ),
        (
            "model: gpt-realtime-mini, transcription: {model: whisper-1}",
            [
                (
                    "c:1:34: realtime.model: gpt-realtime-mini ends on 2027-01-20;"
                    " take gpt-realtime-2.1-mini"
                ),
                (
                    "c:1:76: realtime.transcription.model: whisper-1 ends on 2027-02-26;"
                    " take gpt-transcribe"
                ),
            ],
        ),
        (
            (
                "session: transcription, voice: cedar, model: gpt-realtime,"
                " transcription: {model: gpt-transcribe, confidence: true}"
            ),
            [
                "c:1:72: realtime.model: has no effect with session: transcription",
                "c:1:58: realtime.voice: has no effect with session: transcription",
                (
                    "c:1:132: realtime.transcription.confidence: has no effect:"
                    " gpt-transcribe does not tell"
                ),
            ],
        ),
        (
            (
                "provider: azure, model: mine, dialect: beta,"
                ' url: "wss://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview"'
            ),
            [
                (
                    "c: realtime.transcription.model: is gpt-4o-mini-transcribe,"
                    " and must be the name of a deployment of yours at azure"
                ),
                (
                    "c:1:64: realtime.dialect: is azure's preview, which is not kept up"
                    " since 2026-04-30"
                ),
                uncounted("mine and gpt-4o-mini-transcribe"),
            ],
        ),
        (
            "provider: xai, model: m, output: text, transcription: {language: de}",
            [
                "c:1:59: realtime.output: has no effect with provider: xai",
                "c:1:89: realtime.transcription.language: has no effect with provider: xai",
                uncounted("m and gpt-4o-mini-transcribe"),
            ],
        ),
        (
            "provider: local, client_secret: {command: [x], token: !secret key}",
            [
                "c:1:12: realtime.api_key: is not used, since there is a client_secret",
                "c:1:81: realtime.client_secret.token: is not used without url",
            ],
        ),
    ],
)
def test_what_should_be_known(keys: str, expected: list[str]) -> None:
    assert warnings(in_section(keys), source="c", today=BEFORE) == expected


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("", []),
        ("budget: {per_day: null, per_month: null}", []),
        ("budget: {per_day: 2}", [uncounted("gpt-realtime-2.1", "c:2:10: budget.per_day")]),
        ("budget: {per_month: 2}", [uncounted("gpt-realtime-2.1", "c:2:10: budget.per_month")]),
    ],
)
def test_a_budget_that_cannot_be_kept_is_told_to_who_set_one(
    budget: str, expected: list[str]
) -> None:
    """At home nobody bills; a wrong number would be worse than none."""
    config = loaded(f"realtime: {{provider: local}}\n{budget}")
    found = warnings(config, source="c", today=BEFORE)
    models = "gpt-realtime-2.1 and gpt-4o-mini-transcribe"
    assert found == [text.replace("gpt-realtime-2.1", models) for text in expected]


@pytest.mark.checklist("C55")
@pytest.mark.parametrize("name", [*SPEAKERS, *TRANSCRIBERS])
def test_every_model_that_ends_has_a_day_and_one_that_comes_after(name: str) -> None:
    model = SPEAKERS.get(name) or TRANSCRIBERS[name]
    if model.ends is None:
        assert ending(name, BEFORE) is None
    else:
        assert ending(name, BEFORE) == f"{name} ends on {model.ends}; take {model.successor}"
        assert ending(name, model.ends) == f"{name} ended on {model.ends}; take {model.successor}"
        assert model.successor in {**SPEAKERS, **TRANSCRIBERS}
        assert ending(model.successor, model.ends) is None
    assert ending("a-model-of-my-own", BEFORE) is None


@pytest.mark.checklist("C1", "C2")
@pytest.mark.parametrize(
    ("text", "url", "headers"),
    [
        (
            "{api_key: !secret key}",
            "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1",
            ("Authorization: Bearer k-1",),
        ),
        (
            "{api_key: !secret key, session: transcription, model: m}",
            "wss://api.openai.com/v1/realtime?intent=transcription",
            ("Authorization: Bearer k-1",),
        ),
        (
            (
                "{api_key: !secret key, provider: azure, model: my model,"
                " url: wss://r.openai.azure.com/openai/v1/realtime}"
            ),
            "wss://r.openai.azure.com/openai/v1/realtime?model=my%20model",
            ("api-key: k-1",),
        ),
        (
            (
                "{api_key: !secret key, provider: azure, model: d, dialect: beta,"
                ' url: "wss://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview"}'
            ),
            "wss://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=d",
            ("api-key: k-1", "OpenAI-Beta: realtime=v1"),
        ),
        (
            "{api_key: !secret key, provider: xai, model: m}",
            "wss://api.x.ai/v1/realtime?model=m",
            ("Authorization: Bearer k-1",),
        ),
        ("{provider: local, model: m}", "ws://127.0.0.1:8765/v1/realtime?model=m", ()),
        (
            "{provider: compatible, url: wss://speaches.lan/v1/realtime, model: m, dialect: beta}",
            "wss://speaches.lan/v1/realtime?model=m",
            ("OpenAI-Beta: realtime=v1",),
        ),
        (
            "{client_secret: {command: [x]}}",
            "wss://api.openai.com/v1/realtime",
            (),
        ),
        (
            "{client_secret: {command: [x]}, model: m, api_key: !secret key}",
            "wss://api.openai.com/v1/realtime?model=m",
            (),
        ),
    ],
)
def test_where_to_connect_and_as_whom(text: str, url: str, headers: tuple[str, ...]) -> None:
    endpoint = session_setup.endpoint(loaded(f"realtime: {text}"))
    assert (endpoint.url, endpoint.headers) == (url, headers)


def test_every_provider_has_a_row_and_a_host_of_its_own() -> None:
    assert PROVIDERS.keys() == set(get_args(Name))
    assert owner_of("API.openai.com.") == "openai"
    assert owner_of("home.openai.azure.com") == "azure"
    assert owner_of("api.x.ai") == "xai"
    assert owner_of("api.x.ai.lan") is owner_of("openai.azure.com") is owner_of("") is None


@pytest.mark.parametrize(
    ("keys", "confidence"),
    [
        ("transcription: {}", True),
        ("transcription: {confidence: false}", False),
        ("transcription: {model: whisper-1}", False),
        ("provider: local", False),
        ("provider: local, transcription: {confidence: true}", True),
        ("client_secret: {command: [x]}", False),
    ],
)
def test_confidence_is_asked_of_those_that_are_known_to_tell(keys: str, confidence: bool) -> None:
    assert session_setup.session(in_section(keys)).confidence is confidence


def test_a_client_secret_leaves_alone_what_was_not_written() -> None:
    config = loaded(
        "realtime: {client_secret: {command: [x]}, voice: cedar, transcription: {language: de}}\n"
        "tools: {builtin: []}"
    )
    session = session_setup.session(config)
    assert session.left_alone == {"instructions", "output", "noise_reduction"}
    wanted = realtime.wanted(session)
    assert wanted.keys() == {"type", "tools", "audio", "include"}
    assert wanted["audio"]["output"]["voice"] == "cedar"
    assert wanted["audio"]["input"].keys() == {"format", "transcription", "turn_detection"}


@pytest.mark.parametrize("keys", ["provider: xai, model: m", "provider: local, dialect: beta"])
def test_other_voices_than_ours_are_left_to_the_server(keys: str) -> None:
    assert session_setup.session(in_section(keys)).left_alone == {"voice"}
    assert not session_setup.session(in_section(f"{keys}, voice: a")).left_alone


def test_everything_reaches_the_session() -> None:
    session = session_setup.session(
        in_section(
            "session: transcription, turn_detection: {type: manual}, input_format: pcmu,"
            " output_format: pcma, noise_reduction: null, instructions: Hi, output: text,"
            " transcription: {model: gpt-live-transcribe, keywords: [Kitchen, Hall], language: de}"
        )
    )
    assert (session.kind, session.manual) == ("transcription", True)
    assert (session.input_format, session.output_format) == ("pcmu", "pcma")
    assert session.noise_reduction is None
    assert (session.instructions, session.output) == ("Hi", "text")
    assert session.keywords == ("Kitchen", "Hall")
    assert (session.transcription_model, session.language) == ("gpt-live-transcribe", "de")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gate: {activation: push_to_talk}", ["c:1:8: gate.activation: is push_to_talk without"]),
        (
            "push_to_talk: {device: /dev/input/event3}",
            ["c:1:16: push_to_talk.device: has a button"],
        ),
        ("gate: {activation: push_to_talk}\npush_to_talk: {device: /dev/input/event3}", []),
        ("gate: {activation: wake_word}\npush_to_talk: {device: /dev/input/event3}", []),
        ("push_to_talk: {key: '28'}", []),
    ],
)
def test_what_a_button_does_and_what_opens_the_gate_without_one(
    text: str, expected: list[str]
) -> None:
    config = loaded(f"{text}\nrealtime: {{api_key: !secret key}}")
    found = [each for each in warnings(config, source="c", today=BEFORE) if "_talk" in each]
    assert len(found) == len(expected)
    assert all(each.startswith(start) for each, start in zip(found, expected, strict=True))


def test_a_key_is_its_number() -> None:
    config = loaded("push_to_talk: {key: '28'}\nrealtime: {api_key: !secret key}")
    assert (config.push_to_talk.code, Config().push_to_talk.code) == (28, 148)
