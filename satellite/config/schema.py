"""The configuration: every key that works today, and all that is known about it.

One tree of frozen values. Each field carries its default, its bounds and one sentence for the
person who sets it; validation and ``config.example.yaml`` come from here and from nowhere else.
Lengths keep the unit that is in their name; who uses a value converts it once.

Secrets, and texts that the person may not want to see in a log, are not part of any ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final, Literal

OPENAI_URL: Final = "wss://api.openai.com/v1/realtime"
MQTT_PORT: Final = 1883  # IANA, plain
MQTT_TLS_PORT: Final = 8883  # IANA, secure-mqtt


@dataclass(frozen=True, slots=True)
class Setting:
    """What the schema knows about one key beside its type and default."""

    sentence: str
    low: float | None = None
    high: float | None = None
    pattern: str = ""  # the whole text must match; ``wording`` says it for a person
    wording: str = ""
    keep_as: str = ""  # not empty: a secret, and the name to suggest for it in secrets.yaml
    prose: bool = False  # free text: may be empty, may have several lines, is never echoed
    path: Literal["", "read", "write"] = ""  # a file, relative to the folder of the configuration
    active: str = ""  # how the example sets this key; empty: it shows the default, commented out


def setting(default: Any, sentence: str, *, shown: bool = True, **known: Any) -> Any:
    """Return a dataclass field with a ``Setting``. Secrets and ``shown=False`` stay out of repr."""
    about = Setting(sentence, **known)
    in_repr = shown and not about.keep_as and not about.prose
    return field(default=default, repr=in_repr, metadata={"setting": about})


def says(sentence: str) -> dict[str, Setting]:
    """Return the metadata of a field that holds a section."""
    return {"setting": Setting(sentence)}


def is_loopback(host: str) -> bool:
    """Say whether ``host`` is this machine by its name or address alone; nothing is resolved."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class AudioInput:
    """Where sound comes from."""

    device: str = setting("default", "Microphone, by name; default is the one of the sound system.")
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
        "Loudspeaker, by name; default is the one of the sound system, none means no sound.",
    )
    file: str | None = setting(
        None,
        "A WAV file to write answers to in place of a loudspeaker; {n} in its name makes a new file"
        " for each answer.",
        path="write",
    )
    volume: int = setting(60, "Loudness of answers in percent.", low=0, high=100)

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
    duplex: Literal["half", "full"] = setting(
        "half",
        "half does not listen while it speaks; full does, and needs a headset, or it hears itself.",
    )


@dataclass(frozen=True, slots=True)
class Gate:
    """What is sent. Lengths in ms are rounded up to whole 20 ms frames where they are used."""

    activation: Literal["open_mic"] = setting(
        "open_mic", "What starts a conversation: open_mic is any speech."
    )
    aggressiveness: int = setting(
        2, "How strict the speech detector is: 3 ignores the most noise.", low=0, high=3
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
class Transcription:
    """How the server writes down what was said."""

    model: str = setting("gpt-4o-mini-transcribe", "The model that writes down what you say.")
    language: str | None = setting(
        "en",
        "The language you speak, as two letters; null lets the model guess.",
        pattern="[a-z]{2,3}",
        wording="a language code such as en or de",
    )
    prompt: str = setting("", "Words to expect, such as names of rooms and people.", prose=True)


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the server decides that you have finished."""

    type: Literal["server_vad"] = setting(
        "server_vad", "server_vad ends a turn after a silence; the gate needs that."
    )
    threshold: float = setting(
        0.5, "How sure the server must be that it hears speech.", low=0, high=1
    )
    prefix_padding_ms: int = setting(
        300, "Sound from before the speech that belongs to a turn.", low=0, high=5000
    )
    silence_duration_ms: int = setting(
        500, "So much silence ends a turn, in milliseconds.", low=100, high=5000
    )


INSTRUCTIONS: Final = (
    "You are a friendly voice assistant in a home. Answer in one or two short spoken sentences,"
    " without lists or markup, in the language that you are spoken to."
    " Say so when you do not know or did not understand."
)


@dataclass(frozen=True, slots=True)
class Realtime:
    """The conversation and who holds it."""

    provider: Literal["openai", "compatible"] = setting(
        "openai", "compatible is any other server that speaks the same protocol; give its url."
    )
    url: str | None = setting(
        None,
        "Address of the server, wss://... (ws:// only on this machine); null is OpenAI's own.",
        shown=False,  # some servers take their key in the query
    )
    model: str = setting("gpt-realtime-2.1", "The model that answers.")
    api_key: str | None = setting(
        None,
        'Your key, never in clear. Either write the line  openai_api_key: "your key"  into a file'
        " secrets.yaml beside this one; or use  !env OPENAI_API_KEY  for an environment variable;"
        " or  !credential openai_api_key  for a systemd credential.",
        keep_as="openai_api_key",
        active="!secret openai_api_key",
        pattern="[!-~]+",
        wording="a key without spaces and accents",
    )
    instructions: str = setting(
        INSTRUCTIONS, "Who the assistant is and how it answers.", prose=True
    )
    voice: str = setting("marin", "The voice of the answers.")
    output: Literal["audio", "text"] = setting(
        "audio", "audio speaks; text only publishes the answer."
    )
    transcription: Transcription = field(
        default_factory=Transcription, metadata=says("What you said, as text.")
    )
    turn_detection: TurnDetection = field(
        default_factory=TurnDetection, metadata=says("When your turn is over.")
    )
    noise_reduction: Literal["near_field", "far_field"] | None = setting(
        "far_field",
        "far_field for a microphone in the room, near_field for a headset, null for neither.",
    )
    connect_timeout_s: int = setting(
        10, "Give up a connection attempt after so many seconds and try again.", low=1, high=60
    )
    idle_close_s: int = setting(
        300,
        "Close the session after so many seconds without speech; the next word opens it again.",
        low=10,
        high=3000,  # the server ends every session at 3600 s
    )

    @property
    def endpoint(self) -> str:
        """The address to connect to, without ``model``."""
        return self.url or OPENAI_URL


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


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. ``Config()`` has every default and no key."""

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
    realtime: Realtime = field(default_factory=Realtime, metadata=says("Who answers."))
    mqtt: Mqtt = field(default_factory=Mqtt, metadata=says("Where every turn is published."))
    privacy: Privacy = field(default_factory=Privacy, metadata=says("Where texts may appear."))
