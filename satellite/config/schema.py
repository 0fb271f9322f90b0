"""The configuration: every key that works today, and all that is known about it.

One tree of frozen values. Each field carries its default, its bounds and one sentence for the
person who sets it; validation and ``config.example.yaml`` come from here and from nowhere else.
Lengths keep the unit that is in their name; who uses a value converts it once.

Secrets, and texts that the person may not want to see in a log, are not part of any ``repr``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from satellite.config.nodes import Mark
from satellite.config.session_keys import Realtime
from satellite.config.setting import Setting, is_loopback, says, setting
from satellite.model.commands import Chime
from satellite.model.keys import code_of
from satellite.model.requests import Verb
from satellite.model.session import Activation, Duplex

MQTT_PORT: Final = 1883  # IANA, plain
MQTT_TLS_PORT: Final = 8883  # IANA, secure-mqtt

Word = Literal["okay_nabu", "hey_jarvis", "hey_mycroft", "alexa"]  # of the library that listens


@dataclass(frozen=True, slots=True)
class AudioInput:
    """Where sound comes from."""

    device: str = setting(
        "default",
        "Microphone, by a name that `satellite devices` shows; default is the sound system's.",
    )
    channel: int | None = setting(
        None,
        "Which channel of a microphone with several to hear, from 1 on; null lets the sound system"
        " mix them, and takes the first where it does not.",
        low=1,
        high=32,
    )
    file: tuple[str, ...] = setting(
        (),
        "A recording, or a list of recordings, to hear in place of a microphone, in real time.",
        path="read",
    )
    loop: bool = setting(False, "Play the recordings again and again.")


@dataclass(frozen=True, slots=True)
class AudioOutput:
    """Where answers are heard."""

    device: str = setting(
        "default",
        "Loudspeaker, by such a name; default is the sound system's, none means no sound.",
    )
    file: str | None = setting(
        None,
        "A WAV file to write answers to in place of a loudspeaker; {n} in its name makes a new file"
        " for each answer.",
        path="write",
    )
    volume: int = setting(60, "Loudness of answers in percent.", low=0, high=100)
    lead_ms: int = setting(
        0,
        "Silence before the first sound, in milliseconds, for loudspeakers that swallow the first"
        " syllable: amplifiers, HDMI and Bluetooth that wake up late.",
        low=0,
        high=2000,
    )
    chimes: tuple[Chime, ...] = setting(
        ("woke", "message", "failed"),
        "Short sounds: woke after a wake word, message before something said over MQTT, failed"
        " where a request cannot be answered; [] for none.",
    )

    @property
    def silent(self) -> bool:
        """Say whether answers are thrown away: ``device: none``."""
        return self.device == "none"


@dataclass(frozen=True, slots=True)
class Audio:
    """Microphone and loudspeaker."""

    input: AudioInput = field(
        default_factory=AudioInput, metadata=says("What the satellite hears.")
    )
    output: AudioOutput = field(default_factory=AudioOutput, metadata=says("Where it speaks."))
    duplex: Duplex = setting(
        "half",
        "half does not listen while it speaks; full does, and needs a headset, or it hears itself;"
        " cancel takes its own voice out of what it hears, and needs the extra echo.",
    )


@dataclass(frozen=True, slots=True)
class Gate:
    """What is sent. Lengths in ms are rounded up to whole 20 ms frames where they are used."""

    activation: Activation = setting(
        "open_mic",
        "What starts a conversation: open_mic is any speech, wake_word a word, push_to_talk a"
        " button, or an order over MQTT.",
    )
    aggressiveness: int = setting(
        2, "How strict the speech detector is: 3 ignores the most noise.", low=0, high=3
    )
    confirm: bool = setting(
        True,
        "Let a small network confirm what the detector takes for speech, so that music and noise do"
        " not start a conversation; 7 MB.",
    )
    onset_ms: int = setting(
        60, "So much speech in a row, in milliseconds, opens the gate.", low=20, high=1000
    )
    pre_roll_ms: int = setting(
        500,
        "So much sound from before the gate opened is sent too, so that no first word is cut.",
        low=0,
        high=7000,  # more than the most prefix_padding_ms and onset_ms
    )
    hangover_ms: int = setting(
        700,
        "So much silence closes the gate; at least the server's silence_duration_ms + 200.",
        low=20,
        high=10_000,
    )
    max_utterance_s: int = setting(
        30, "Nothing is sent in one go for longer than this, in seconds.", low=2, high=300
    )


@dataclass(frozen=True, slots=True)
class WakeWord:
    """What is said to be heard, where ``gate.activation`` is, or becomes, ``wake_word``."""

    model: tuple[Word, ...] = setting(
        ("okay_nabu",),
        "The word, or a list of words of which each will do: okay_nabu, hey_jarvis, hey_mycroft,"
        " alexa.",
    )
    threshold: float | None = setting(
        None,
        "How sure of it one must be: 0.5 hears it often, 0.97 seldom in vain; null is what suited"
        " synthetic voices, for each word (docs/hearing.md).",
        low=0.1,
        high=0.99,
    )
    patience_s: int = setting(
        2,
        "So long after the word, in seconds, and after the chime where there is one, you may take"
        " to begin to speak.",
        low=1,
        high=30,
    )
    follow_up_s: int = setting(
        8,
        "So long after an answer, in seconds, you go on without the word; 0 always asks for it.",
        low=0,
        high=60,
    )


@dataclass(frozen=True, slots=True)
class PushToTalk:
    """A button of this machine; docs/hearing.md shows how to wire one."""

    device: str | None = setting(
        None,
        "A button or keyboard, as a path below /dev/input/by-path or by-id; null: none.",
        pattern="/.+",
        wording="a whole path, such as /dev/input/by-path/platform-button@11-event",
    )
    key: str = setting(
        "KEY_PROG1",
        "Its key, by the kernel's name, such as KEY_ENTER, or its number in quotes.",
        pattern="[A-Za-z0-9_]+",
        wording="the name of a key, such as KEY_ENTER, or its number in quotes",
    )
    mode: Literal["hold", "tap"] = setting(
        "hold",
        "hold hears you while it is pressed; tap hears you after it was, until you have spoken.",
    )

    @property
    def code(self) -> int:
        """The kernel's number of the key."""
        code = code_of(self.key)
        assert code is not None, "config/rules.py refuses it"
        return code


@dataclass(frozen=True, slots=True)
class Mqtt:
    """The broker."""

    host: str = setting(
        "localhost",
        "Name or address of your MQTT broker, such as homeassistant.local.",
        active="localhost",
        pattern=r"[A-Za-z0-9._-]+|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*",
        wording="a host name or an address, without scheme and port",
    )
    port: int | None = setting(
        None, "Port of the broker; null is 8883 with TLS and 1883 without.", low=1, high=65535
    )
    tls: bool | None = setting(
        None, "Encrypt the connection; null is true unless the broker runs on this machine."
    )
    allow_plaintext: bool = setting(
        False,
        "Allow tls: false over the network. Everybody in it can then read and give commands.",
    )
    ca_file: str | None = setting(
        None, "Certificate of your own authority, if the broker has no public one.", path="read"
    )
    cert_file: str | None = setting(
        None, "Certificate of this satellite, if the broker wants one; needs key_file.", path="read"
    )
    key_file: str | None = setting(
        None, "Private key of cert_file, without a pass phrase.", path="read"
    )
    username: str | None = setting(None, "Name to log in with.", shown=False)
    password: str | None = setting(
        None,
        "Password to log in with; see api_key for the places to keep it.",
        keep_as="mqtt_password",
    )
    topic_prefix: str = setting(
        "satellite",
        "First part of every topic; the name of this satellite follows.",
        pattern="[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*",
        wording="letters, digits, _ and -, in parts separated by /",
    )
    discovery: Literal["device", "component", "none"] = setting(
        "device",
        "How Home Assistant learns of this satellite: device since 2024.11, component for older"
        " ones; none takes its entities away.",
    )
    discovery_prefix: str = setting(
        "homeassistant",
        "First part of the topics where Home Assistant looks for devices.",
        pattern="[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*",
        wording="letters, digits, _ and -, in parts separated by /",
    )
    publish_partial: bool = setting(
        False, "Publish what is understood so far while you still speak, on transcript/partial."
    )

    @property
    def use_tls(self) -> bool:
        """Say whether to encrypt: as written, or always when the broker is another machine."""
        return not is_loopback(self.host) if self.tls is None else self.tls

    @property
    def port_number(self) -> int:
        """The port as written, or the registered one."""
        return self.port or (MQTT_TLS_PORT if self.use_tls else MQTT_PORT)


@dataclass(frozen=True, slots=True)
class Privacy:
    """Where texts may appear."""

    retain_text: bool = setting(
        False, "Let the broker keep the last texts and hand them to whoever connects later."
    )
    remote_unmute: bool = setting(
        False,
        "Let others open a muted microphone over MQTT; else that is done at this machine only"
        " (systemctl kill -s USR2 satellite).",
    )
    journal_hours: int = setting(
        24,
        "For so many hours what was said stays on the disk, so that it can be told again; 0 keeps"
        " it only until it is delivered.",
        low=0,
        high=8760,
    )


@dataclass(frozen=True, slots=True)
class Budget:
    """What it may cost, in US dollars, by the days and months of this machine's time zone."""

    per_day: float | None = setting(
        1.0,
        "No session is opened any more on a day that has cost so many US dollars; null: no limit.",
        low=0.01,
        high=10_000,
    )
    per_month: float | None = setting(20.0, "The same for a month.", low=0.01, high=100_000)


@dataclass(frozen=True, slots=True)
class Commands:
    """What others may ask for over MQTT."""

    refuse: tuple[Verb, ...] = setting(
        (), "Commands that are not carried out, such as [instructions, restart]."
    )


@dataclass(frozen=True, slots=True)
class MqttTool:
    """One tool that an automation carries out."""

    name: str = setting(
        "",
        "What the model calls it.",
        pattern="[A-Za-z0-9_-]{1,64}",
        wording="1 to 64 letters, digits, _ and -",
    )
    description: str = setting("", "What it does and when, for the model.", prose=True)
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}},
        metadata={"setting": Setting("What it is called with, as a JSON Schema.", free=True)},
    )
    timeout_s: int = setting(10, "So many seconds it may take.", low=1, high=60)
    sensitive: bool = setting(False, "It is done only after a person said yes to it.")


@dataclass(frozen=True, slots=True)
class Tools:
    """What the model may do beside answering."""

    builtin: tuple[Literal["time"], ...] = setting(
        ("time",), "Tools of this program: time tells the date and the time of day."
    )
    mqtt: tuple[MqttTool, ...] = setting(
        (),
        "Tools that your automations carry out over MQTT, each with a name, a description, its"
        " parameters as a JSON Schema, timeout_s, and sensitive: true where a person must say yes"
        " first; docs/tools.md shows how.",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. ``Config()`` has every default and no key.

    ``marks`` has the place of every known key that was written, sections included.
    """

    name: str = setting(
        "satellite",
        "Name of this satellite, such as kitchen; part of topics, so each one needs its own.",
        active="satellite",
        pattern="[a-z0-9_-]{1,32}",
        wording="1 to 32 of a to z, 0 to 9, _ and -",
    )
    audio: Audio = field(default_factory=Audio, metadata=says("Microphone and loudspeaker."))
    gate: Gate = field(
        default_factory=Gate, metadata=says("What leaves this machine: only what passes the gate.")
    )
    wake_word: WakeWord = field(
        default_factory=WakeWord, metadata=says("What you say to be heard, if that is wanted.")
    )
    push_to_talk: PushToTalk = field(
        default_factory=PushToTalk, metadata=says("A button that you press to be heard.")
    )
    realtime: Realtime = field(default_factory=Realtime, metadata=says("Who answers."))
    tools: Tools = field(
        default_factory=Tools, metadata=says("What the model may do beside answering.")
    )
    mqtt: Mqtt = field(default_factory=Mqtt, metadata=says("Where every turn is published."))
    budget: Budget = field(default_factory=Budget, metadata=says("What it may cost."))
    commands: Commands = field(
        default_factory=Commands, metadata=says("What others may ask for over MQTT.")
    )
    privacy: Privacy = field(default_factory=Privacy, metadata=says("Where texts may appear."))
    state_dir: str | None = setting(
        None,
        "Folder for what must outlast a restart; null is the service's own under systemd, else"
        " ~/.local/state/realtime-satellite/<name>.",
        path="folder",
    )
    marks: Mapping[str, Mark] = field(default_factory=dict, repr=False, compare=False)
