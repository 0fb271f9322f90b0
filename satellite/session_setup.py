"""What a configuration means for the session: its settings, its address, its spelling.

It decides nothing about the conversation, and opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from satellite import builtin
from satellite.adapters.realtime_link import Endpoint, Fetch
from satellite.adapters.resampler import Resampler
from satellite.config.schema import Config, MqttTool
from satellite.config.session_keys import Realtime
from satellite.errors import SetupError
from satellite.model.models import TRANSCRIBERS, Transcriber
from satellite.model.session import House, Kind, Session, Tool
from satellite.wire import beta, realtime, telephone, xai
from satellite.wire.server_events import Decoder

_KINDS: Final[dict[str, Kind]] = {"conversation": "realtime", "transcription": "transcription"}

# A field of Session, and the keys that settle it where a client secret has settled the rest.
_KEYS_OF: Final = {
    "instructions": ("realtime.instructions",),
    "output": ("realtime.output",),
    "tools": ("tools.builtin", "tools.mqtt"),
    "voice": ("realtime.voice",),
    "transcription_model": (
        "realtime.transcription.model",
        "realtime.transcription.language",
        "realtime.transcription.prompt",
        "realtime.transcription.keywords",
    ),
    "noise_reduction": ("realtime.noise_reduction",),
}


def session(config: Config) -> Session:
    """The session's settings."""
    r = config.realtime
    left_alone = _left_alone(config)
    return Session(
        kind=_KINDS[r.session],
        instructions=r.instructions,
        voice=r.voice,
        output=r.output,
        transcription_model=r.transcription.model,
        transcription_prompt=r.transcription.prompt,
        keywords=r.transcription.keywords,
        language=r.transcription.language,
        confidence=_confidence(r, left_alone),
        manual=r.manual,
        threshold=r.turn_detection.threshold,
        prefix_padding_ms=r.turn_detection.prefix_padding_ms,
        silence_duration_ms=r.turn_detection.silence_duration_ms,
        noise_reduction=r.noise_reduction,
        input_format=r.input_format,
        output_format=r.output_format,
        tools=(*builtin.tools(config.tools.builtin), *map(_house_tool, config.tools.mqtt)),
        left_alone=left_alone,
    )


def _house_tool(tool: MqttTool) -> Tool:
    house = House(float(tool.timeout_s), tool.sensitive)
    return Tool(tool.name, tool.description, tool.parameters, house)


def _confidence(realtime_: Realtime, left_alone: frozenset[str]) -> bool:
    given = realtime_.transcription
    if given.confidence is not None:
        return given.confidence
    if realtime_.row.models != "service" or "transcription_model" in left_alone:
        return False
    return TRANSCRIBERS.get(given.model, Transcriber()).confidence


def unsent(config: Config) -> frozenset[str]:
    """The keys of what is left to the server of a session of this configuration."""
    return frozenset(key for name in _left_alone(config) for key in _KEYS_OF[name])


def idle(config: Config) -> frozenset[str]:
    """The keys whose default is not ours to say: those, and the model that a secret has."""
    secret = config.realtime.client_secret.used and "realtime.model" not in config.marks
    return unsent(config) | ({"realtime.model"} if secret else set())


def _left_alone(config: Config) -> frozenset[str]:
    """What was not written, where a client secret or a provider knows better than our defaults."""
    unwritten = {
        name for name, keys in _KEYS_OF.items() if not any(key in config.marks for key in keys)
    }
    if config.realtime.client_secret.used:
        return frozenset(unwritten)
    if config.realtime.row.top_level or config.realtime.dialect == "beta":  # has other voices
        return frozenset(unwritten & {"voice"})
    return frozenset()


def endpoint(config: Config) -> Endpoint:
    """Where to connect, and as whom."""
    r = config.realtime
    fetch = _fetch(r)
    headers = [] if r.api_key is None or fetch else [r.row.header + r.api_key]
    if r.dialect == "beta":
        headers.append("OpenAI-Beta: realtime=v1")
    return Endpoint(_address(config), tuple(headers), r.connect_timeout_s, fetch)


def _address(config: Config) -> str:
    r = config.realtime
    if r.session == "transcription":
        return realtime.transcription_url(r.endpoint)
    if r.client_secret.used and "realtime.model" not in config.marks:
        return r.endpoint  # the secret has one
    preview = r.provider == "azure" and r.dialect == "beta"
    return realtime.session_url(r.endpoint, r.model, "deployment" if preview else "model")


def _fetch(realtime_: Realtime) -> Fetch | None:
    given = realtime_.client_secret
    if not given.used:
        return None
    from satellite.adapters.client_secret import FromCommand, FromServer  # few need its memory

    if given.command:
        return FromCommand(given.command)
    assert given.url is not None
    return FromServer(given.url, _wish(realtime_), given.token)


def _wish(realtime_: Realtime) -> dict[str, Any]:
    """What a server that makes secrets is asked for."""
    if realtime_.row.top_level:  # xAI's: nothing about the session
        return {"expires_after": {"seconds": 300}}
    kind = _KINDS[realtime_.session]
    if kind == "transcription":
        model = {"transcription": {"model": realtime_.transcription.model}}
        return {"session": {"type": kind, "audio": {"input": model}}}
    return {"session": {"type": kind, "model": realtime_.model}}


def spell(config: Config) -> realtime.Spell:
    """How the server wants our messages."""
    if config.realtime.dialect == "beta":
        return beta.spell
    return xai.spell if config.realtime.row.top_level else realtime.as_is


def compare(config: Config) -> Callable[[Session, object], tuple[str, ...]]:
    """Say what a server did not take of a session, in its own words."""
    written = spell(config)
    return lambda session, effective: realtime.differences(
        realtime.wanted(session, written), effective
    )


def decoder(config: Config, secret: str | None) -> Decoder:
    """Read what the server says on one connection; ``secret`` is the one fetched for it."""
    r = config.realtime
    return Decoder(
        secret or r.api_key,
        telephone.ear(r.output_format, Resampler),
        opens_with_conversation=r.row.opens_with_conversation,
        dialect=None if r.row.top_level else r.dialect,
    )


def sound(config: Config) -> realtime.Sound:
    """How our voice travels. Raises SetupError where the extra for telephone sound is missing."""
    r = config.realtime
    for key, given in (("input_format", r.input_format), ("output_format", r.output_format)):
        if given != "pcm":
            try:
                telephone.ear(given, Resampler)()
            except SetupError:
                raise SetupError(
                    f"realtime.{key}: {given} needs what converts between 24000 and 8000 Hz, which"
                    " is not installed; run: pip install 'realtime-satellite[resample]',"
                    f" or write {key}: pcm"
                ) from None
    return telephone.sound(r.input_format, Resampler)


def summary(config: Config) -> list[str]:
    """Say what would be opened, for a person. Holds no key, and no address that may hold one."""
    r = config.realtime
    kind = f"{r.session}, dialect {r.dialect}"
    if r.session == "conversation":
        named = not r.client_secret.used or "realtime.model" in config.marks
        kind += f", model {r.model}" if named else ", the model of the secret"
        kind += f", answers as {r.output}"
    if r.client_secret.used:
        entry = "a client secret for each connection"
    else:
        entry = "no key" if r.api_key is None else "your key"
    settled = ", ".join(sorted(_left_alone(config)))
    turns = "our gate" if r.manual else "the server, after its silence"
    lines = [
        f"server: {r.provider}, {endpoint(config).place}, with {entry}",
        f"session: {kind}",
        f"written down by: {r.transcription.model}; your turn is ended by {turns}",
    ]
    if (r.input_format, r.output_format) != ("pcm", "pcm"):
        lines.append(f"sound: {r.input_format} to the server, {r.output_format} from it")
    if settled:
        lines.append(f"left to the server: {settled}")
    return lines
