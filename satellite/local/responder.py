"""What the local server answers: fixed skills, and requests to a home given to a session's tools.

It is no language model, and it never claims what did not happen: without a tool it says what it
understood and that nothing is connected. Answers are short, because they are spoken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from satellite.local import arithmetic, home, tools
from satellite.local.engines import Call, Say
from satellite.local.home import Home, Intent

_ABILITIES: Final = (
    "I can tell the time and the date, do simple sums, repeat after you, and pass on requests for "
    "your home."
)
_FIXED: Final = (
    (r"(hello|hi|hey|good (morning|afternoon|evening))( there)?", "Hello. How can I help?"),
    (r"(thanks|thank you)( very much| a lot)?", "You are welcome."),
    (r"(good ?bye|bye|bye bye|see you)( later)?", "Goodbye."),
    (r"good night", "Good night."),
    (r"(what can you do|help|what do you do|who are you)", _ABILITIES),
    (r"(never ?mind|cancel|stop|be quiet)", "Okay."),
)
_REPEAT: Final = re.compile(
    r"(?:please )?(?:repeat after me|repeat|say)[\s,:]+(.+)", re.IGNORECASE | re.DOTALL
)
_TIME: Final = re.compile(r"what time is it( now)?|what(s| is) the time( now)?|tell me the time")
_DATE: Final = re.compile(
    r"what(s| is) (the |today s |todays )?date( today)?|what day is (it|today)( today)?"
)
_COMMAND: Final = re.compile(
    r"(turn|switch|set|open|close|lock|unlock|dim|brighten|play|pause|start|stop|add|"
    r"is the|are the|activate|run)\b"
)
_ORDINALS: Final = {1: "st", 2: "nd", 3: "rd"}


class HomeResponder:
    """Satisfies engines.Responder. ``now`` gives the local time."""

    def __init__(self, requests: Home, now: Callable[[], datetime]) -> None:
        self._home = requests
        self._now = now

    def answer(self, text: str, offered: Sequence[dict[str, Any]]) -> Say | Call:
        plain = plain_words(text).removeprefix("please ").removesuffix(" please")
        if not plain:
            return Say("I did not hear any words.")
        skill = self._skill(text, plain)
        if skill is not None:
            return Say(skill)
        intent = self._home.intent(plain)
        if intent is not None and not home.is_home(intent):
            intent = None
        return self._request(intent, plain, offered)

    def report(self, output: str) -> Say:
        return Say(tools.spoken(output))

    def _skill(self, text: str, plain: str) -> str | None:
        for pattern, reply in _FIXED:
            if re.fullmatch(pattern, plain):
                return reply
        if _TIME.fullmatch(plain):
            return f"It is {clock(self._now())}."
        if _DATE.fullmatch(plain):
            return f"It is {calendar(self._now())}."
        repeat = _REPEAT.match(text.strip())
        if repeat is not None:
            return repeat.group(1)
        return arithmetic.answer(sum_words(text))

    def _request(
        self, intent: Intent | None, plain: str, offered: Sequence[dict[str, Any]]
    ) -> Say | Call:
        if intent is None and not _COMMAND.match(plain):
            return Say("Sorry, I did not understand that.")
        call = tools.call(intent, plain, offered)
        if call is not None:
            return call
        if intent is None:
            return Say("Sorry, I did not understand that.")
        if offered:
            return Say(f"I understood: {plain}. No tool here can do that, so nothing was done.")
        return Say(
            f"I understood: {plain}. No home is connected here, so nothing was {_done(intent)}."
        )


def _done(intent: Intent) -> str:
    if intent.name in ("HassTurnOn", "HassTurnOff"):
        return "switched"
    return "looked up" if "Get" in intent.name or "Status" in intent.name else "changed"


def plain_words(text: str) -> str:
    """Lower case, no punctuation, single spaces: what sentence templates match."""
    text = re.sub(r"(\d)\s*%", r"\1 percent", text.lower().replace("per cent", "percent"))
    text = re.sub(r"(?<=\d)\.(?=\d)", "\0", text)  # a decimal point is no punctuation
    text = re.sub(r"['\u2019](?=s\b|re\b|ll\b|t\b|m\b)", "", text)
    text = re.sub(r"[^\w\s\0+]", " ", text).replace("\0", ".")
    return " ".join(text.split())


def sum_words(text: str) -> str:
    """As plain_words, but with the signs of arithmetic."""
    text = re.sub(r"[?!,;:\"]|\.(?!\d)", " ", text.lower())
    return " ".join(re.sub(r"(?<=\d)\s*([-+*/x])\s*(?=\d)", r" \1 ", text).split())


def clock(now: datetime) -> str:
    """'3:07 PM'."""
    return f"{now.hour % 12 or 12}:{now.minute:02d} {'AM' if now.hour < 12 else 'PM'}"


def calendar(now: datetime) -> str:
    """'Saturday, November 21st'."""
    ending = "th" if 10 < now.day < 14 else _ORDINALS.get(now.day % 10, "th")
    return f"{now:%A}, {now:%B} {now.day}{ending}"


def load(now: Callable[[], datetime] | None = None) -> HomeResponder:
    """Load Home Assistant's sentences, 0.5 s. Raises SetupError with what to install."""
    return HomeResponder(home.load(), now or (lambda: datetime.now().astimezone()))
