"""Keys and values that people bring from the protocol, from its beta, and from other programs.

Each would be refused anyway; here is why, in words that help more than a list of what is valid.
"""

from __future__ import annotations

from typing import Final

_TURNS: Final = "realtime.turn_detection"
_HEARD: Final = "realtime.transcription"
_MANUAL: Final = f"to end turns here and not by the server, write below {_TURNS}: type: manual"
_ANSWERS: Final = "a conversation answers and an answer can be interrupted; see realtime.session"

KEYS: Final[dict[str, str]] = {
    f"{_HEARD}.enabled": 'transcription is on when "model" is set',
    f"{_HEARD}.languages": "write one language:; models that take a list are given one",
    f"{_HEARD}.delay": "it is for models that write while you speak; they are given none",
    f"{_TURNS}.create_response": _ANSWERS,
    f"{_TURNS}.interrupt_response": _ANSWERS,
    f"{_TURNS}.eagerness": "it belongs to semantic_vad, which waits for sound that the gate does"
    " not send",
    f"{_TURNS}.idle_timeout_ms": "the server would count silence that the gate does not send, and"
    " take it for something you said; idle_close_s ends a session in which nobody speaks",
    "realtime.idle_timeout_ms": "realtime.idle_close_s ends a session in which nobody speaks",
    "realtime.intent": "write session: conversation or session: transcription",
    "realtime.mode": "write session: conversation or session: transcription",
    "realtime.type": "write session: conversation or session: transcription",
    "realtime.modalities": "write output: audio or output: text",
    "realtime.output_modalities": "write output: audio or output: text",
    "realtime.input_audio_format": "write input_format: pcm, pcmu or pcma",
    "realtime.output_audio_format": "write output_format: pcm, pcmu or pcma",
    "realtime.input_audio_transcription": "write transcription:",
    "realtime.input_audio_noise_reduction": "write noise_reduction: near_field or far_field",
    "realtime.temperature": "it ended with the beta; no model takes it any more",
    "realtime.prompt": "stored prompts end on 2026-11-30; write instructions:",
    "realtime.deployment": "write the name of the deployment as model:",
    "realtime.api_version": "only the preview of azure has one; it belongs into url",
    "mqtt.broker": "write host:",
    "mqtt.server": "write host:",
    "mqtt.client_id": "it is made of the name, so that two satellites never share one",
    "mqtt.keepalive": "it is settled, so that a broker that has gone is missed early",
    "realtime.sample_rate": "the protocol has one rate, 24 kHz; devices are adapted to it",
}

_SEMANTIC: Final = (
    "is semantic_vad, which waits up to 8 s for sound that the gate does not send;"
    " take server_vad, or manual"
)
_VALUES: Final[dict[str, dict[str, str]]] = {
    f"{_TURNS}.type": {
        "semantic_vad": _SEMANTIC,
        "none": f"is none; {_MANUAL}",
        "null": f"is null; {_MANUAL}",
    },
    _TURNS: {
        "off": f"is off, which YAML reads as false; {_MANUAL}",
        "no": f"is no, which YAML reads as false; {_MANUAL}",
        "false": f"is false; {_MANUAL}",
        "null": f"cannot be switched off with null; {_MANUAL}",
        "none": f"is none; {_MANUAL}",
        "manual": f"is manual; {_MANUAL}",
        "server_vad": f"is server_vad; write it below, as {_TURNS}: type: server_vad",
        "semantic_vad": _SEMANTIC,
    },
    _HEARD: {
        "off": "is off, which YAML reads as false; it cannot be switched off: every turn is"
        " published with what you said",
        "false": "cannot be switched off: every turn is published with what you said",
    },
    "realtime.session": {
        "realtime": "is 'realtime'; that is written conversation here",
    },
    "realtime.input_format": {
        "pcm16": "is 'pcm16', a name of the beta; write pcm",
        "g711_ulaw": "is 'g711_ulaw', a name of the beta; write pcmu",
        "g711_alaw": "is 'g711_alaw', a name of the beta; write pcma",
    },
}


def said_of(key: str, text: str) -> str:
    """Return the sentence for this value of this key, empty where it is no known mistake."""
    if key == "realtime.output_format":
        key = "realtime.input_format"
    return _VALUES.get(key, {}).get(text.lower(), "")
