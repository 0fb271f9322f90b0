"""What a right configuration means: defaults, conversions, sources, what the schema works out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satellite.config import schema
from satellite.config.loader import load
from satellite.config.nodes import Mark
from satellite.config.schema import Config, Mqtt, Realtime, is_loopback
from satellite.errors import ConfigError

KEY = "realtime: {api_key: !secret key}\n"
SECRET = "s3cr3t-of-the-house"


def loaded(text: str, environment: Mapping[str, str] | None = None) -> Config:
    return load(
        text,
        source="c",
        base="/etc/sat",
        environment=environment or {},
        secrets=lambda: {"key": SECRET},
        credentials={"password": SECRET},
    )


def test_defaults() -> None:
    assert loaded(KEY) == Config(realtime=Realtime(api_key=SECRET))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("audio: {input: {file: a.wav}}", ("/etc/sat/a.wav",)),
        ("audio: {input: {file: [a.wav, /b.wav]}}", ("/etc/sat/a.wav", "/b.wav")),
        ("audio: {input: {file: }}", ()),
        ("audio: {input: {file: []}}", ()),
    ],
)
def test_recordings_are_absolute(text: str, expected: tuple[str, ...]) -> None:
    assert loaded(f"{text}\n{KEY}").audio.input.file == expected


def test_the_number_of_an_answer_stays_in_the_name() -> None:
    output = loaded(f"audio: {{output: {{file: 'out/{{n}}.wav'}}}}\n{KEY}").audio.output
    assert output.file == "/etc/sat/out/{n}.wav"


def test_what_only_resembles_a_key_is_text() -> None:
    text = f"audio: {{input: {{device: desk-lamp-microphone-number-2}}}}\n{KEY}"
    assert loaded(text).audio.input.device == "desk-lamp-microphone-number-2"


def test_an_address_is_no_number() -> None:
    assert loaded(f"mqtt: {{host: 127.0.0.1}}\n{KEY}").mqtt.host == "127.0.0.1"


def test_no_loudspeaker() -> None:
    output = loaded(f"audio: {{output: {{device: none}}}}\n{KEY}").audio.output
    assert output.silent
    assert not schema.AudioOutput().silent


@pytest.mark.parametrize("written", ["no", "false", "Off", "FALSE"])
def test_every_spelling_of_false(written: str) -> None:
    assert loaded(f"mqtt: {{tls: {written}}}\n{KEY}").mqtt.tls is False


@pytest.mark.parametrize(("written", "value"), [("0", 0), ("1", 1), (".25", 0.25), ("0.75", 0.75)])
def test_a_threshold_is_a_number(written: str, value: float) -> None:
    text = f"realtime: {{api_key: !secret key, turn_detection: {{threshold: {written}}}}}"
    assert loaded(text).realtime.turn_detection.threshold == value


def test_null_is_nothing() -> None:
    text = (
        "realtime:\n  api_key: !secret key\n  noise_reduction: null\n  url: ~\n"
        "  transcription: {language: null, prompt: ''}\n  instructions: ''\n"
        "mqtt:\n  port:\naudio:\n"
    )
    config = loaded(text)
    assert config.realtime.noise_reduction is None
    assert config.realtime.transcription.language is None
    assert config.realtime.instructions == config.realtime.transcription.prompt == ""
    assert config.mqtt.port is None
    assert config.audio == schema.Audio()


@pytest.mark.parametrize("tag", ["!secret key", "!credential password", "!env PASSWORD"])
def test_a_secret_from_elsewhere_is_never_shown(tag: str) -> None:
    config = loaded(
        f"mqtt: {{username: {tag}, password: {tag}}}\n{KEY}", environment={"PASSWORD": SECRET}
    )
    assert config.mqtt.password == config.mqtt.username == SECRET
    assert SECRET not in repr(config)


def test_private_texts_are_not_in_repr() -> None:
    realtime = Realtime(url="wss://x/?key=abc", instructions="abc", api_key="abc")
    config = Config(realtime=realtime, mqtt=Mqtt(username="abc", password="abc"))
    assert "abc" not in repr(config)


def test_secrets_are_read_once_and_only_when_named() -> None:
    calls = []

    def secrets() -> dict[str, str]:
        calls.append(1)
        return {"key": SECRET}

    nowhere = {"source": "c", "base": "/", "environment": {"K": "k"}, "credentials": {}}
    load("realtime: {api_key: !env K}", secrets=secrets, **nowhere)
    assert not calls
    load(
        "realtime: {api_key: !secret key}\nmqtt: {password: !secret key}",
        secrets=secrets,
        **nowhere,
    )
    assert len(calls) == 1


def test_secrets_that_cannot_be_read_are_the_problem() -> None:
    def secrets() -> dict[str, str]:
        raise ConfigError(["secrets.yaml:3:1: is not valid"])

    with pytest.raises(ConfigError) as caught:
        load(KEY, source="c", base="/", environment={}, secrets=secrets, credentials={})
    assert caught.value.problems == [
        "c:1:21: realtime.api_key: !secret key cannot be looked up: secrets.yaml:3:1: is not valid"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "realtime: {provider: compatible, url: wss://server.lan/v1/realtime}",
        "realtime: {url: 'ws://localhost:8080/v1/realtime'}",
        "realtime: {url: 'ws://[::1]:8080'}",
    ],
)
def test_no_key_is_needed_for(text: str) -> None:
    config = loaded(text)
    assert config.realtime.api_key is None
    assert config.realtime.endpoint == config.realtime.url


def test_a_gate_that_ends_the_turns_itself_waits_for_no_server() -> None:
    config = loaded(
        "gate: {hangover_ms: 200, pre_roll_ms: 100}\n"
        "realtime: {api_key: !secret key, turn_detection: {type: manual}}"
    )
    assert config.realtime.manual
    assert config.gate.hangover_ms == 200


def test_a_live_recogniser_where_it_works() -> None:
    config = loaded(
        "realtime: {api_key: !secret key, session: transcription, turn_detection: {type: manual},"
        " transcription: {model: gpt-live-transcribe, keywords: [Kitchen]}}"
    )
    assert config.realtime.transcription.keywords == ("Kitchen",)


@pytest.mark.parametrize(
    ("written", "words"), [("[]", ()), ("Kitchen", ("Kitchen",)), ("['on', a b]", ("on", "a b"))]
)
def test_a_list_of_words(written: str, words: tuple[str, ...]) -> None:
    text = f"{{model: gpt-transcribe, keywords: {written}}}"
    config = loaded(f"realtime: {{api_key: !secret key, transcription: {text}}}")
    assert config.realtime.transcription.keywords == words
    assert "Kitchen" not in repr(config)


def test_every_key_knows_its_place() -> None:
    config = loaded("name: a\nrealtime:\n  api_key: !secret key\n  transcription:\n    prompt: x\n")
    assert config.marks == {
        "name": Mark(1, 1),
        "realtime": Mark(2, 1),
        "realtime.api_key": Mark(3, 3),
        "realtime.transcription": Mark(4, 3),
        "realtime.transcription.prompt": Mark(5, 5),
    }


def test_the_endpoint_of_openai() -> None:
    assert Realtime().endpoint == "wss://api.openai.com/v1/realtime"


@pytest.mark.parametrize(
    ("mqtt", "use_tls", "port"),
    [
        (Mqtt(), False, 1883),
        (Mqtt(tls=True), True, 8883),
        (Mqtt(host="broker.lan"), True, 8883),
        (Mqtt(host="broker.lan", port=1), True, 1),
        (Mqtt(host="broker.lan", tls=False), False, 1883),
    ],
)
def test_tls_unless_the_broker_is_here(mqtt: Mqtt, use_tls: bool, port: int) -> None:
    assert (mqtt.use_tls, mqtt.port_number) == (use_tls, port)


def test_plaintext_when_it_is_accepted() -> None:
    text = f"mqtt: {{host: broker.lan, tls: false, allow_plaintext: true}}\n{KEY}"
    assert not loaded(text).mqtt.use_tls


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost.", "127.0.0.1", "127.8.8.8", "::1", "[::1]"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.lan", "10.0.0.1", "127.0.0.1.lan", "::", "0.0.0.0"]
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


PIECES = [
    "name", "audio", "gate", "realtime", "mqtt", "url", "api_key", "file", "tls", "host", "port",
    ":", ": ", ", ", "- ", "? ", "[", "]", "{", "}", "'", '"', "|", ">-", "<<", "#", "---", "...",
    "!", "!secret ", "!env ", "!!int ", "*a", "&a ", "%YAML 1.1", "\n", "\n  ", "\n    ", "\t",
    "no", "~", "0x1F", "1e999", "9" * 30, "wss://[", "http://",
    "sk-" + "a1" * 12, "\\ud800", "\\x00",
    "\u2028", "\x85", "\ufeff", "\U0001f600",
]  # fmt: skip
ALMOST_YAML = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(max_examples=400, deadline=1000)
@given(st.one_of(st.text(), ALMOST_YAML))
def test_any_text_loads_or_has_problems(text: str) -> None:
    problems = []
    try:
        loaded(text)
    except ConfigError as error:
        problems = error.problems
        assert problems, "an error without a sentence"
    assert all(problem.startswith("c:") and problem.isprintable() for problem in problems)
    assert not any("a1a1a1a1" in problem for problem in problems)


@given(st.text(st.characters(codec="utf-8", min_codepoint=33), min_size=8))
def test_a_password_is_never_in_a_problem(password: str) -> None:
    bad = f"mqtt: {{port: 0, password: !env PW, host: !env PW, ca_file: !env PW}}\n{KEY}"
    with pytest.raises(ConfigError) as caught:
        loaded(bad, environment={"PW": password})
    assert not any(password in problem for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["[" * 65_000, "a: " * 20_000, "{a: " * 16_000, "- " * 32_000,
                                  "a: [" + "b, " * 20_000 + "]", "? " * 30_000])  # fmt: skip
def test_nothing_small_takes_long(text: str) -> None:
    with pytest.raises(ConfigError):
        loaded(text)


def test_tools_of_the_house_are_read_whole() -> None:
    text = """
tools:
  mqtt:
    - name: light
      description: Dims a lamp.
      timeout_s: 4
      sensitive: true
      parameters:
        type: object
        properties:
          lamp: {type: string, enum: ["on", hall, '1']}
          percent: {type: integer, minimum: 0, maximum: 1.5, default: null}
        required: [lamp]
        additionalProperties: false
    - name: bell
      description: Rings.
"""
    light, bell = loaded(text + KEY).tools.mqtt
    assert (light.name, light.timeout_s, light.sensitive) == ("light", 4, True)
    assert light.parameters == {
        "type": "object",
        "properties": {
            "lamp": {"type": "string", "enum": ["on", "hall", "1"]},
            "percent": {"type": "integer", "minimum": 0, "maximum": 1.5, "default": None},
        },
        "required": ["lamp"],
        "additionalProperties": False,
    }
    assert bell.parameters == {"type": "object", "properties": {}}
    assert not bell.sensitive
