"""How Home Assistant learns which entities a satellite has. Pure.

``device``: one retained message for the whole device (Home Assistant 2024.11 and later).
``component``: one for each entity, with nothing in it that 2024.3 does not know.
Unknown keys are dropped by Home Assistant without a word, so every key is spelled in full and has
a test. An entity that is not announced any more is taken back by name: leaving it out keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_type_hints

import msgspec

from satellite.model import records as rec
from satellite.model.ports import Message
from satellite.model.requests import AUTO, SENSITIVITIES
from satellite.model.session import Activation
from satellite.wire import mqtt

Mode = Literal["device", "component", "none"]
Config = dict[str, Any]

EXPIRE_S: Final = 180  # three diagnostics that did not come
_FIRST: Final = "(value_json.{} | default('', true))[:255]"  # a state has no more characters
_ACTIVATIONS: Final[dict[Activation, str]] = {
    "open_mic": "any speech",
    "wake_word": "wake word",
    "push_to_talk": "only when asked",
}
_AS_TEXT: Final = "{{ {'v': 1, 'text': value} | tojson }}"  # else a text that begins with { is JSON


@dataclass(frozen=True, slots=True)
class About:
    """What the entities depend on, all from the configuration.

    ``voices`` and ``languages`` are what can be chosen, ``activations`` what can work here.
    ``answers``: False where a session only writes down. ``speaks``: there is a loudspeaker.
    ``refused`` are verbs that are switched off. ``retain_text``: texts are retained.
    """

    name: str
    base_topic: str
    prefix: str = "homeassistant"
    mode: Mode = "device"
    version: str = ""
    voices: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    activations: tuple[Activation, ...] = ("open_mic",)
    answers: bool = True
    speaks: bool = True
    refused: frozenset[str] = frozenset()
    retain_text: bool = False

    @property
    def device_id(self) -> str:
        """The name of the device in Home Assistant's registry."""
        return f"satellite_{self.name}"


def messages(about: About, settings: rec.Settings) -> tuple[Message, ...]:
    """What announces every entity. ``settings``: what is set now can be chosen in any case."""
    entities = _entities(about, settings)
    if about.mode == "none":
        return ()
    if about.mode == "component":
        return tuple(
            _retained(_topic_of(about, suffix, entity["platform"]), _alone(about, entity))
            for suffix, entity in entities.items()
        )
    gone = {suffix: {"platform": _PLATFORMS[suffix]} for suffix in _PLATFORMS.keys() - entities}
    payload = {
        "device": _device(about),
        "origin": _origin(about),
        "availability_topic": f"{about.base_topic}/{mqtt.STATUS}",
        "qos": 1,
        "components": {**entities, **dict(sorted(gone.items()))},
    }
    return (_retained(_device_topic(about), payload),)


def topics(about: About) -> tuple[str, ...]:
    """Every topic that is retained as this configuration stands; others are to be emptied."""
    retained = [
        f"{about.base_topic}/{name}"
        for name, topic in mqtt.TOPICS.items()
        if topic.retain == "yes" or (topic.retain == "text" and about.retain_text)
    ]
    if about.mode == "device":
        retained.append(_device_topic(about))
    elif about.mode == "component":
        named = _entities(about, _NOTHING_SET).items()
        retained += [_topic_of(about, suffix, entity["platform"]) for suffix, entity in named]
    return tuple(retained)


def all_topics(about: About) -> tuple[str, ...]:
    """Every topic that any configuration of this satellite may have retained."""
    own = (f"{about.base_topic}/{name}" for name, t in mqtt.TOPICS.items() if t.retain != "no")
    named = (_topic_of(about, suffix, platform) for suffix, platform in _PLATFORMS.items())
    texts = (_topic_of(about, suffix, "text") for suffix in ("say", "ask"))
    return (*own, _device_topic(about), *named, *texts)


def patterns(about: About) -> list[str]:
    """Where whatever is retained is of this satellite."""
    one_by_one = f"{about.prefix}/+/{about.device_id}/+/config"
    return [f"{about.base_topic}/#", _device_topic(about), one_by_one]


def _device_topic(about: About) -> str:
    return f"{about.prefix}/device/satellite/{about.name}/config"


def _topic_of(about: About, suffix: str, platform: str) -> str:
    return f"{about.prefix}/{platform}/{about.device_id}/{suffix}/config"


def _retained(topic: str, payload: Config) -> Message:
    return Message(topic, msgspec.json.encode(payload), qos=1, retain=True, expiry_s=None)


def _device(about: About) -> Config:
    plain = about.name == "satellite"  # nobody gave it a name
    return {
        "identifiers": [about.device_id],
        "name": "Satellite" if plain else f"Satellite {about.name}",
        "manufacturer": "Realtime Satellite",
        "model": "Voice satellite",
        "sw_version": about.version,
    }


def _origin(about: About) -> Config:
    return {"name": "realtime-satellite", "sw_version": about.version}


def _alone(about: About, entity: Config) -> Config:
    """The payload of one entity that is announced by itself."""
    rest = {key: value for key, value in entity.items() if key != "platform"}
    payload = {**rest, "device": _device(about), "origin": _origin(about), "qos": 1}
    if "unique_id" in entity:
        payload["availability_topic"] = f"{about.base_topic}/{mqtt.STATUS}"
    return payload


def _entities(about: About, settings: rec.Settings) -> dict[str, Config]:
    """The entities of this configuration by suffix."""
    made: dict[str, Config] = {}
    parts = (
        _texts(about),
        _orders(about),
        _settings(about, settings),
        _numbers(about),
        _health(about),
        _wake(about),
    )
    for suffix, platform, name, options in (entity for part in parts for entity in part):
        unique = {"name": name, "unique_id": f"{about.device_id}_{suffix}"} if name else {}
        made[suffix] = {"platform": platform, **unique, **options}
    return made


Entity = tuple[str, str, str, Config]  # suffix, platform, name, the rest


def _texts(about: About) -> Iterator[Entity]:
    """What was said and answered. The event entities have no bound, and no stale replay."""
    for suffix, name, kind, icon in (
        ("transcript", "Transcript", rec.Transcript, "mdi:account-voice"),
        ("response", "Response", rec.Response, "mdi:robot-happy"),
    ):
        if suffix == "response" and not about.answers:
            continue
        topic = f"{about.base_topic}/{suffix}"
        types = get_args(get_type_hints(kind)["event_type"])
        event = {"state_topic": topic, "event_types": list(types), "icon": icon}
        yield suffix, "event", name, event
        last = {
            "state_topic": topic,
            "value_template": f"{{{{ {_FIRST.format('text')} }}}}",
            "json_attributes_topic": topic,
            "force_update": True,
            "icon": "mdi:text-recognition" if suffix == "transcript" else "mdi:text-box",
        }
        yield f"last_{suffix}", "sensor", f"Last {suffix}", last


def _orders(about: About) -> Iterator[Entity]:
    for suffix, name, icon, possible in (
        ("say", "Announce", "mdi:bullhorn", about.speaks),
        ("ask", "Ask", "mdi:comment-question", about.answers),
    ):
        if possible and suffix not in about.refused:
            platform = "notify" if about.mode == "device" else "text"  # notify came in 2024.5
            where = {"command_topic": _cmd(about, suffix), "command_template": _AS_TEXT}
            yield suffix, platform, name, {**where, "icon": icon}
    press: tuple[tuple[str, str, str, Config], ...] = (
        ("listen", "Listen", "start", {"icon": "mdi:ear-hearing"}),
        ("cancel", "Stop", "PRESS", {"icon": "mdi:stop-circle"}),
        (
            "restart",
            "Restart",
            "PRESS",
            {"device_class": "restart", "entity_category": "config"},
        ),
    )
    for suffix, name, payload, more in press:
        if suffix not in about.refused:
            where = {"command_topic": _cmd(about, suffix), "payload_press": payload}
            yield suffix, "button", name, {**where, **more}


def _settings(about: About, settings: rec.Settings) -> Iterator[Entity]:
    """What can be changed. Configuration, all of it: else the assistant could unmute itself."""
    state: Config = {"state_topic": f"{about.base_topic}/settings", "entity_category": "config"}
    mute = {
        "value_template": "{{ 'ON' if value_json.muted else 'OFF' }}",
        "icon": "mdi:microphone-off",
    }
    volume = {
        "value_template": "{{ value_json.volume }}",
        "min": 0,
        "max": 100,
        "step": 1,
        "mode": "slider",
        "unit_of_measurement": "%",
        "icon": "mdi:volume-high",
    }
    prompt = {
        "value_template": f"{{{{ {_FIRST.format('transcription_prompt')} }}}}",
        "command_template": _AS_TEXT,
        "max": 255,
        "icon": "mdi:form-textbox",
    }
    language = f"{{{{ value_json.language | default('{AUTO}', true) }}}}"
    words = {word: word for word in _with(settings.language or AUTO, (AUTO, *about.languages))}
    found: tuple[tuple[str, str, str, Config], ...] = (
        ("mute", "switch", "Mute", mute),
        ("volume", "number", "Volume", volume if about.speaks else {}),
        ("voice", "select", "Voice", _voices(about, settings)),
        ("language", "select", "Language", _select(words, language, "mdi:translate")),
        ("sensitivity", "select", "Sensitivity", _sensitivities()),
        ("activation", "select", "Activation", _activations(about, settings)),
        ("transcription_prompt", "text", "Transcription prompt", prompt),
    )
    for suffix, platform, name, options in found:
        if options and suffix not in about.refused:
            yield suffix, platform, name, {**state, "command_topic": _cmd(about, suffix), **options}


def _voices(about: About, settings: rec.Settings) -> Config:
    if not about.answers or not about.speaks:
        return {}
    voices = {voice: voice for voice in _with(settings.voice, about.voices)}
    return _select(voices, "{{ value_json.voice }}", "mdi:account-voice")


def _sensitivities() -> Config:
    value = f"{{{{ {list(SENSITIVITIES)}[value_json.sensitivity] }}}}"
    return _select({word: word for word in SENSITIVITIES}, value, "mdi:microphone-settings")


def _activations(about: About, settings: rec.Settings) -> Config:
    modes = about.activations
    if settings.activation not in modes:
        modes = (*modes, settings.activation)
    words = {_ACTIVATIONS[mode]: str(mode) for mode in modes}
    value = f"{{{{ {_ACTIVATIONS}[value_json.activation] }}}}"
    return _select(words, value, "mdi:gesture-tap-button")


def _select(words: dict[str, str], value: str, icon: str) -> Config:
    """A choice among ``words``, for people, each with what we understand."""
    options: Config = {"options": list(words), "value_template": value, "icon": icon}
    if any(word != ours for word, ours in words.items()):
        options["command_template"] = f"{{{{ {words}[value] }}}}"
    return options


def _with(value: str, known: tuple[str, ...]) -> tuple[str, ...]:
    return known if value in known else (*known, value)


def _numbers(about: About) -> Iterator[Entity]:
    """What it costs. A sum of money that begins anew says when it did."""
    began = {"day": "value_json.day", "month": "value_json.month ~ '-01'"}
    state = {"state_topic": f"{about.base_topic}/usage", "entity_category": "diagnostic"}
    for suffix, name, key, span in (
        ("cost", "Cost today", "cost_today_usd", "day"),
        ("cost_month", "Cost this month", "cost_month_usd", "month"),
    ):
        since = f"{{{{ ({began[span]} ~ ' 00:00:00') | as_datetime | as_local }}}}"
        yield (
            suffix,
            "sensor",
            name,
            {
                **state,
                "value_template": f"{{{{ value_json.{key} }}}}",
                "device_class": "monetary",
                "unit_of_measurement": "USD",
                "state_class": "total",
                "last_reset_value_template": since,
                "suggested_display_precision": 4,
            },
        )
    for suffix, name, key, more in (
        ("tokens", "Tokens today", "tokens_today", {"unit_of_measurement": "tokens"}),
        (
            "sent",
            "Sound sent today",
            "sent_today_s",
            {"device_class": "duration", "unit_of_measurement": "s"},
        ),
    ):
        value = {"value_template": f"{{{{ value_json.{key} }}}}", "state_class": "total_increasing"}
        yield suffix, "sensor", name, {**state, **value, **more}


def _health(about: About) -> Iterator[Entity]:
    b = about.base_topic
    shown: Config = {
        "state_topic": f"{b}/state",
        "value_template": "{{ value_json.state }}",
        "json_attributes_topic": f"{b}/state",
        "icon": "mdi:microphone-message",
    }
    if about.mode == "device":  # 2024.3 knows no options
        states = get_args(get_type_hints(rec.State)["state"])
        shown |= {"device_class": "enum", "options": list(states)}
    yield "state", "sensor", "State", shown
    diagnostic = {"entity_category": "diagnostic"}
    problems = {
        "state_topic": f"{b}/state",
        "value_template": "{{ 'ON' if value_json.problems else 'OFF' }}",
        "json_attributes_topic": f"{b}/state",
        "json_attributes_template": "{{ {'problems': value_json.problems} | tojson }}",
        "device_class": "problem",
    }
    yield "problem", "binary_sensor", "Problem", {**diagnostic, **problems}
    faults = get_args(get_type_hints(rec.Fault)["event_type"])
    error = {"state_topic": f"{b}/error", "event_types": list(faults), "icon": "mdi:alert-circle"}
    yield "error", "event", "Error", {**diagnostic, **error}
    alive = {**diagnostic, "state_topic": f"{b}/diagnostics", "expire_after": EXPIRE_S}
    session = {
        "value_template": "{{ 'ON' if value_json.session_connected else 'OFF' }}",
        "device_class": "connectivity",
    }
    yield "session", "binary_sensor", "Realtime session", {**alive, **session}
    outbox = {
        "value_template": "{{ value_json.outbox_depth }}",
        "state_class": "measurement",
        "enabled_by_default": False,
        "icon": "mdi:tray-full",
    }
    yield "outbox", "sensor", "Outbox depth", {**alive, **outbox}
    started = {"value_template": "{{ value_json.started_at }}", "device_class": "timestamp"}
    yield "started", "sensor", "Started", {**alive, **started}


def _wake(about: About) -> Iterator[Entity]:
    if "wake_word" in about.activations:
        trigger = {
            "automation_type": "trigger",
            "topic": f"{about.base_topic}/wake",
            "payload": mqtt.WAKE.decode(),
            "type": "wake",
            "subtype": "local",
            "qos": 1,
        }
        yield "wake", "device_automation", "", trigger


def _cmd(about: About, verb: str) -> str:
    return f"{about.base_topic}/cmd/{verb}"


_NOTHING_SET: Final = rec.Settings(
    muted=False,
    volume=0,
    voice="",
    language=None,
    transcription_prompt="",
    instructions_sha256="",
    sensitivity=0,
    activation="open_mic",
    turn_detection="server_vad",
)
_PLATFORMS: Final[dict[str, str]] = {
    suffix: entity["platform"]
    for suffix, entity in _entities(
        About("x", "x", activations=("wake_word",)), _NOTHING_SET
    ).items()
}
"""Every entity that some configuration has. One that no version has any more stays in here."""
