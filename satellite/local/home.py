"""Requests to a home, recognised with Home Assistant's own sentences (hassil).

The real names of a home are not known here. A built-in list of rooms and devices stands in, and
"turn on the …" is understood with any name, so that a tool can still be called with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from satellite.errors import SetupError

_AREAS: Final = (
    "kitchen", "living room", "bedroom", "bathroom", "hallway", "office", "garage", "garden",
    "dining room", "kids room", "guest room", "attic", "basement", "laundry room", "porch",
)  # fmt: skip
_FLOORS: Final = ("upstairs", "downstairs", "ground floor", "first floor", "second floor")
_KINDS: Final[Mapping[str, Sequence[str]]] = {
    "light": ("light", "lamp", "ceiling light", "desk lamp"),
    "fan": ("fan", "ceiling fan"),
    "cover": ("garage door", "blinds", "curtains", "gate"),
    "climate": ("thermostat", "heating", "air conditioner"),
    "lock": ("front door", "back door", "door lock"),
    "switch": ("plug", "coffee machine", "kettle", "heater"),
    "media_player": ("tv", "television", "radio", "speaker", "music"),
    "vacuum": ("vacuum", "robot"),
}
_OWN_ROOM: Final = ("light", "lamp", "fan", "blinds", "tv", "speaker", "heater")
_SWITCH: Final = re.compile(
    r"(?:please )?(?:turn|switch) (?:(?P<a>on|off) (?:the |my )?(?P<b>.+)"
    r"|(?:the |my )?(?P<c>.+) (?P<d>on|off))"
)
# A condition, a time, a second wish or no name at all: half of such a sentence must not be obeyed.
_MORE_THAN_A_NAME: Final = frozenset(
    ("after", "all", "and", "at", "before", "but", "everything", "except", "if", "in", "it", "not",
     "off", "on", "or", "that", "then", "them", "this", "unless", "until", "when", "while")
)  # fmt: skip
_NOT_HOME: Final = frozenset({"HassRespond", "HassNevermind"})
_LONGEST: Final = 200  # characters; a request is a sentence, and matching grows with length


def built_in_names() -> dict[str, str]:
    """Device name to its domain."""
    names = {name: domain for domain, kinds in _KINDS.items() for name in kinds}
    domains = {name: names[name] for name in _OWN_ROOM}
    for area in _AREAS:
        names.update({f"{area} {name}": domain for name, domain in domains.items()})
    return names


@dataclass(frozen=True, slots=True)
class Intent:
    """What a home is asked: Home Assistant's name for it, and its slots."""

    name: str
    slots: dict[str, Any] = field(repr=False)


class Home:
    """Finds the intent of a sentence. First call 0.2 s (templates are parsed), then 5 ms."""

    def __init__(self, intents: Any, lists: dict[str, Any]) -> None:
        from hassil import recognize_best

        self._recognise = recognize_best
        self._intents = intents
        self._lists = lists

    def intent(self, text: str) -> Intent | None:
        """``text`` in lower case, without punctuation."""
        if len(text) > _LONGEST:
            return None
        result = self._recognise(
            text, self._intents, slot_lists=self._lists, best_slot_name="name", language="en"
        )
        if result is None:
            return _switched(text)
        slots = {name: _whole(entity.value) for name, entity in result.entities.items()}
        return Intent(result.intent.name, slots)


def is_home(intent: Intent) -> bool:
    return intent.name not in _NOT_HOME


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _switched(text: str) -> Intent | None:
    found = _SWITCH.fullmatch(text)
    if found is None:
        return None
    thing = found["b"] or found["c"]
    if _MORE_THAN_A_NAME & set(thing.split()):
        return None
    name = "HassTurnOn" if (found["a"] or found["d"]) == "on" else "HassTurnOff"
    return Intent(name, {"name": thing})


def load(
    names: Mapping[str, str] | None = None,
    areas: Sequence[str] = _AREAS,
    floors: Sequence[str] = _FLOORS,
) -> Home:
    """``names``: device to domain, built-in ones when None. Raises SetupError."""
    try:
        from hassil import Intents, TextSlotList
        from home_assistant_intents import get_intents
    except ImportError as error:
        raise SetupError(
            f"Understanding requests needs {error.name}: pip install 'realtime-satellite[local]'"
        ) from None
    devices = built_in_names() if names is None else names
    rows = [(name, name, {"domain": domain}) for name, domain in devices.items()]
    lists = {  # all three, even when empty: hassil raises MissingListError otherwise
        "name": TextSlotList.from_tuples(rows, name="name"),
        "area": TextSlotList.from_strings(list(areas), name="area"),
        "floor": TextSlotList.from_strings(list(floors), name="floor"),
    }
    sentences = get_intents("en")
    assert sentences is not None  # English is in every release
    home = Home(Intents.from_dict(sentences), lists)
    home.intent("turn on the lights in the kitchen")  # parses the templates
    return home
