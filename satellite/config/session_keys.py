"""The section ``realtime``: the session, who holds it, and how to get in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from satellite.config.setting import says, setting
from satellite.model.models import SPEAKERS, TRANSCRIBERS, Price, TranscriptPrice
from satellite.model.providers import PROVIDERS, Dialect, Name, Provider
from satellite.model.session import Format

INSTRUCTIONS: Final = (
    "You are a friendly voice assistant in a home. Answer in one or two short spoken sentences,"
    " without lists or markup, in the language that you are spoken to."
    " Say so when you do not know or did not understand."
)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret for each connection, in place of a key on this machine. All empty: not used."""

    url: str | None = setting(
        None,
        "Address of a server that makes one: https://.../v1/realtime/client_secrets.",
        shown=False,  # some servers take their key in the query
    )
    command: tuple[str, ...] = setting(
        (),
        "A program that prints one, as a list of words, such as [pass, show, realtime]; no shell.",
        shown=False,
    )
    token: str | None = setting(
        None,
        "What the server at url wants to see, sent as a bearer token; see api_key for the places"
        " to keep it.",
        keep_as="client_secret_token",
        pattern="[!-~]+",
        wording="a token without spaces and accents",
    )

    @property
    def used(self) -> bool:
        """Say whether a secret is fetched for each connection."""
        return bool(self.url or self.command)


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
    prompt: str = setting(
        "", "Words to expect, such as names of rooms and people, as a sentence.", prose=True
    )
    keywords: tuple[str, ...] = setting(
        (),
        "Words to expect, as a list; for models that take no prompt, or both.",
        pattern="[^<>]+",
        wording="words without < and >",
        shown=False,
    )
    confidence: bool | None = setting(
        None, "Ask how sure the recogniser is; null asks the models that are known to tell."
    )
    phantoms: Literal["mark", "drop"] = setting(
        "mark",
        "What probably nobody said: mark publishes it with suspect: true, drop does not publish.",
    )


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the end of a turn is found."""

    type: Literal["server_vad", "manual"] = setting(
        "server_vad",
        "server_vad: the server ends your turn after a silence; manual: the gate ends it.",
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


@dataclass(frozen=True, slots=True)
class Realtime:
    """The session and who holds it."""

    provider: Name = setting(
        "openai",
        "openai; azure, whose url and deployment (model) you write; xai; local is satellite serve"
        " on this machine; compatible is any other server that speaks the same protocol, at url.",
    )
    url: str | None = setting(
        None,
        "Address of the server, wss://... (ws:// only on this machine); null is the provider's.",
        shown=False,  # some servers take their key in the query
    )
    dialect: Dialect = setting(
        "ga", "ga; beta has the names of before 2026, which some servers of your own still speak."
    )
    session: Literal["conversation", "transcription"] = setting(
        "conversation",
        "conversation answers; transcription only writes down what was said, and costs less.",
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
    client_secret: ClientSecret = field(
        default_factory=ClientSecret,
        metadata=says(
            "In place of api_key: a secret that is fetched for each connection. What you do not"
            " write here of instructions, voice, output, transcription, noise_reduction and tools"
            " is then left as the secret has it."
        ),
    )
    instructions: str = setting(
        INSTRUCTIONS, "Who the assistant is and how it answers.", prose=True
    )
    voice: str = setting("marin", "The voice of the answers.")
    output: Literal["audio", "text"] = setting(
        "audio", "audio speaks; text only publishes the answer."
    )
    input_format: Format = setting(
        "pcm",
        "How your voice travels: pcm is 24 kHz; pcmu and pcma are telephone sound, a sixth of the"
        " bytes, and need the extra [resample].",
    )
    output_format: Format = setting("pcm", "How answers travel: pcm, pcmu or pcma, as above.")
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
        10, "Give up a connection attempt after so many seconds and try again.", low=1, high=600
    )
    idle_close_s: int = setting(
        300,
        "Close the session after so many seconds without speech; the next word opens it again.",
        low=10,
        high=3000,  # the server ends every session at 3600 s
    )

    @property
    def row(self) -> Provider:
        """What is known about the provider."""
        return PROVIDERS[self.provider]

    @property
    def endpoint(self) -> str:
        """The address to connect to, without ``model``."""
        return self.url or self.row.url

    @property
    def prices(self) -> tuple[Price | None, TranscriptPrice | None]:
        """Of answers and transcripts, None where not known. Only the service's own models have
        its prices, whatever others call theirs."""
        if self.row.models != "service":
            return None, None
        speaker = SPEAKERS.get(self.model)
        writer = TRANSCRIBERS.get(self.transcription.model)
        price = speaker.price if speaker is not None else None
        return price, writer.price if writer is not None else None

    @property
    def manual(self) -> bool:
        """Say whether our gate ends the turns, not the server."""
        return self.turn_detection.type == "manual"
