"""The verbs of ``B/cmd/<verb>``: the JSON form of each, and what is made of it or of a plain value.

Pure. A form holds every key and its bounds; the JSON Schemas of docs/mqtt/ are made of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from satellite.model import requests as req
from satellite.model.requests import Order
from satellite.model.session import Activation

LONGEST_SAY: Final = 500  # characters; reliability F78
LONGEST_ASK: Final = 2_000
LONGEST_WORDS: Final = 8_000  # instructions, transcription prompt
LONGEST_NAME: Final = 64  # of a voice, of an id
LONGEST_MUTE_S: Final = 86_400
LONGEST_LISTEN_S: Final = 60
MOST_REPLAYED: Final = 2_000

ACTIVATIONS: Final[tuple[Activation, ...]] = get_args(Activation)

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,16}(\.[0-9]{1,16})?")
_LANGUAGE: Final = re.compile("[a-z]{2,3}")


class WrongError(ValueError):
    """Why a payload is refused, after the name of its verb. ``wire/requests.py`` catches it."""


# --- the JSON forms ------------------------------------------------------------------------------

Id = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Epoch = Annotated[float, Meta(ge=0, le=1e10)]


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every JSON form may have."""

    v: Literal[1] = 1
    id: Id | None = None
    """Echoed in the result; a second request with the same id is answered, not carried out."""
    ts: str | Epoch | None = None
    """When it was sent, RFC 3339 or epoch seconds; what is older than 30 s is not carried out."""


class MuteForm(Form, frozen=True, kw_only=True):
    muted: bool = True
    for_s: Annotated[float, Meta(ge=1, le=LONGEST_MUTE_S)] | None = None
    """It ends by itself after so many seconds."""


class SayForm(Form, frozen=True, kw_only=True):
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_SAY)]
    interrupt: bool = False
    """What is being spoken gives way to it."""
    volume: Annotated[float, Meta(ge=0, le=100)] | None = None
    """Percent, for this text alone."""


class AskForm(Form, frozen=True, kw_only=True):
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_ASK)]
    respond: bool = True
    """False: it is only told, not answered."""


class ListenForm(Form, frozen=True, kw_only=True):
    listen: bool = True
    timeout_s: Annotated[float, Meta(ge=1, le=LONGEST_LISTEN_S)] | None = None
    """As long as nobody speaks."""


class CancelForm(Form, frozen=True, kw_only=True):
    what: Literal["response", "say", "all"] = "all"


class VolumeForm(Form, frozen=True, kw_only=True):
    volume: Annotated[float, Meta(ge=0, le=100)] | None
    """Percent; null is what the configuration says."""
    persist: bool = True
    """Also after a restart."""


class SensitivityForm(Form, frozen=True, kw_only=True):
    sensitivity: Literal["very high", "high", "normal", "low", 0, 1, 2, 3] | None
    """By word, or 0 (hears everything) to 3; null is what the configuration says."""
    persist: bool = True


class ActivationForm(Form, frozen=True, kw_only=True):
    activation: Activation | None
    persist: bool = True


class VoiceForm(Form, frozen=True, kw_only=True):
    text: Annotated[str, Meta(max_length=LONGEST_NAME)]
    """Empty: what the configuration says."""
    persist: bool = True


class LanguageForm(Form, frozen=True, kw_only=True):
    text: Annotated[str, Meta(max_length=4, pattern="^([A-Za-z]{2,3}|[Aa][Uu][Tt][Oo])?$")]
    """Such as en or de; auto lets the recogniser guess. Empty: what the configuration says."""
    persist: bool = True


class WordsForm(Form, frozen=True, kw_only=True):
    text: Annotated[str, Meta(max_length=LONGEST_WORDS)]
    """Empty: what the configuration says."""
    persist: bool = True


class ReplayForm(Form, frozen=True, kw_only=True):
    since: Annotated[int, Meta(ge=0, le=2**53)]
    most: Annotated[int, Meta(ge=1, le=MOST_REPLAYED)] = MOST_REPLAYED


# --- what each verb makes of them ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verb:
    """``usage`` tells a person what to send."""

    form: type[Form]
    from_form: Callable[[Any], Order]
    from_text: Callable[[str], Order]
    usage: str


def _mute(form: MuteForm) -> Order:
    if form.for_s is not None and not form.muted:
        raise WrongError("for_s goes with muted: true alone")
    return req.Mute(form.muted, form.for_s)


def _mute_word(text: str) -> Order:
    return req.Mute(_one_of(text, {"on": True, "off": False, "toggle": None}))


def _say(form: SayForm) -> Order:
    return req.Say(_said(form.text), form.interrupt, _whole(form.volume))


def _say_text(text: str) -> Order:
    return req.Say(_said(_short(text, LONGEST_SAY)))


def _ask(form: AskForm) -> Order:
    return req.Ask(_said(form.text), form.respond)


def _ask_text(text: str) -> Order:
    return req.Ask(_said(_short(text, LONGEST_ASK)))


def _listen_word(text: str) -> Order:
    begins = dict.fromkeys(("", "start", "on", "press"), True)
    return req.Listen(_one_of(text, begins | {"stop": False, "off": False}))


def _cancel_word(text: str) -> Order:
    match text.strip().lower():
        case "response":
            return req.Cancel("response")
        case "say":
            return req.Cancel("say")
        case _:
            return req.Cancel("all")


def _volume(form: VolumeForm) -> Order:
    return req.Set("volume", _whole(form.volume), form.persist)


def _volume_text(text: str) -> Order:
    return req.Set("volume", None if not text.strip() else round(_number(text, 0, 100)))


def _sensitivity(form: SensitivityForm) -> Order:
    given = form.sensitivity
    value = req.SENSITIVITIES.index(given) if isinstance(given, str) else given
    return req.Set("sensitivity", value, form.persist)


def _sensitivity_word(text: str) -> Order:
    words: dict[str, int | None] = {"": None}
    for number, word in enumerate(req.SENSITIVITIES):
        words |= {word: number, str(number): number}
    return req.Set("sensitivity", _one_of(text, words))


def _activation_word(text: str) -> Order:
    words: dict[str, Activation | None] = {"": None}
    return req.Set("activation", _one_of(text, words | {word: word for word in ACTIVATIONS}))


def _text_of(setting: req.Setting, text: str, *, keep: bool) -> Order:
    """A setting that is a text; an empty one is what the configuration says."""
    value = _clean(text)
    if setting == "language":
        value = value.lower()
        if value and value != req.AUTO and not _LANGUAGE.fullmatch(value):
            raise WrongError("is no language code")
    elif setting == "voice" and not (len(value) <= LONGEST_NAME and value.isprintable()):
        raise WrongError("is no name of a voice")
    return req.Set(setting, _short(value, LONGEST_WORDS) or None, keep)


def _texts(form: type[Form], setting: req.Setting, usage: str) -> Verb:
    return Verb(
        form,
        lambda given: _text_of(setting, given.text, keep=given.persist),
        lambda text: _text_of(setting, text, keep=True),
        usage,
    )


def _simple(order: Order) -> Verb:
    return Verb(Form, lambda _form: order, lambda _text: order, 'send anything, or {"id": "1"}')


def _said(text: str) -> str:
    text = _clean(text)
    if not text:
        raise WrongError("has no text")
    return text


def _clean(text: str) -> str:
    """Without white space around it. Refused where it holds what no text has."""
    text = text.strip()
    if any((ord(c) < 32 and c not in "\t\n\r") or ord(c) == 127 for c in text):
        raise WrongError("holds a control character")
    return text


def _short(text: str, most: int) -> str:
    if len(text) > most:
        raise WrongError(f"has {len(text)} characters")
    return text


def _one_of(text: str, words: dict[str, Any]) -> Any:
    word = text.strip().lower()
    if word not in words:
        raise WrongError("is none of its words" if word else "is empty")
    return words[word]


def _number(text: str, low: float, high: float) -> float:
    if not _NUMBER.fullmatch(text.strip()):
        raise WrongError("is no number")
    value = float(text)
    if not (math.isfinite(value) and low <= value <= high):
        raise WrongError(f"is not {low} to {high}")
    return value


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


VERBS: Final[dict[str, Verb]] = {
    "activation": Verb(
        ActivationForm,
        lambda form: req.Set("activation", form.activation, form.persist),
        _activation_word,
        f'send {", ".join(ACTIVATIONS)}, or {{"activation": "open_mic"}}',
    ),
    "ask": Verb(
        AskForm,
        _ask,
        _ask_text,
        f"send a text of 1 to {LONGEST_ASK} characters,"
        ' or {"text": "Is a window open?", "respond": true}',
    ),
    "cancel": Verb(
        CancelForm,
        lambda form: req.Cancel(form.what),
        _cancel_word,
        'send anything, or {"what": "response"}, say or all',
    ),
    "get": _simple(req.Get()),
    "instructions": _texts(
        WordsForm,
        "instructions",
        f'send a text of at most {LONGEST_WORDS} characters, or {{"text": "Be brief."}}',
    ),
    "language": _texts(
        LanguageForm, "language", 'send two or three letters, auto or nothing, or {"text": "de"}'
    ),
    "listen": Verb(
        ListenForm,
        lambda form: req.Listen(form.listen, form.timeout_s),
        _listen_word,
        f'send start or stop, or {{"timeout_s": 10}}, 1 to {LONGEST_LISTEN_S}',
    ),
    "mute": Verb(
        MuteForm,
        _mute,
        _mute_word,
        'send ON, OFF or TOGGLE, or {"muted": true, "for_s": 600}, 1 to'
        f" {LONGEST_MUTE_S} seconds",
    ),
    "new_session": _simple(req.NewSession()),
    "replay": Verb(
        ReplayForm,
        lambda form: req.Replay(form.since, form.most),
        lambda text: req.Replay(round(_number(text or "0", 0, 2**53))),
        f'send the first seq that you want, or {{"since": 4711, "most": {MOST_REPLAYED}}}',
    ),
    "restart": _simple(req.Restart()),
    "say": Verb(
        SayForm,
        _say,
        _say_text,
        f"send a text of 1 to {LONGEST_SAY} characters,"
        ' or {"text": "Dinner is ready", "interrupt": true, "volume": 80}',
    ),
    "sensitivity": Verb(
        SensitivityForm,
        _sensitivity,
        _sensitivity_word,
        f'send {", ".join(req.SENSITIVITIES)} or 0 to 3, or {{"sensitivity": 2}}',
    ),
    "transcription_prompt": _texts(
        WordsForm,
        "transcription_prompt",
        f'send a text of at most {LONGEST_WORDS} characters, or {{"text": "Kitchen, hall."}}',
    ),
    "voice": _texts(
        VoiceForm, "voice", 'send the name of a voice or nothing, or {"text": "cedar"}'
    ),
    "volume": Verb(
        VolumeForm, _volume, _volume_text, 'send 0 to 100 or nothing, or {"volume": 40}'
    ),
}

DOES: Final = {
    "activation": "what starts a conversation, from now on",
    "ask": "puts a text into the conversation as yours, and has it answered",
    "cancel": "stops what is spoken, or was to be",
    "get": "publishes every state again",
    "instructions": "what the model is told about its task",
    "language": "the language that the recogniser expects",
    "listen": "hears what is said now, whatever the activation",
    "mute": "gives the microphone back to the system; opening it over MQTT must be allowed",
    "new_session": "forgets the conversation and begins another one",
    "replay": "tells again, on `replay`, what was published",
    "restart": "ends the program, and systemd starts it again; not within 90 seconds of a start",
    "say": "speaks a text, word for word",
    "sensitivity": "how easily speech is taken for such",
    "transcription_prompt": "words that the recogniser should expect",
    "voice": "the voice of the answers",
    "volume": "loudness of the answers in percent",
}
"""For people: what each verb does."""
