"""One key: what was written, against what the schema says about it, becomes a value or a sentence.

Rule 1: nothing secret is echoed: not the value of a secret key, nor what a tag stood for, nor free
text, nor anything that looks like an API key.
Rule 2: no guessing. What YAML would silently read as something else is refused with what to do.
"""

from __future__ import annotations

import difflib
import re
from pathlib import PurePath
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

import yaml

from satellite.config.nodes import Node, Refused, Scalar, Sequence
from satellite.config.setting import Setting
from satellite.config.tags import Sources, WrongError, behind_tag

_BOOLS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INT: Final = re.compile("[+-]?[0-9]{1,15}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{0,15})?|[+-]?\.[0-9]{1,15}")
# YAML's own opinion of a text without quotes: it reads 12:30:45 as 45045, and 127.0.0.1 as a text.
_READ_AS: Final = {"int": "a number", "float": "a number", "timestamp": "a date"}
_YAML: Final = yaml.resolver.Resolver()
_QUOTED_TAG: Final = re.compile("!(secret|env|credential) +[A-Za-z0-9_]+")
_API_KEY: Final = re.compile(r"\b(sk-|ek_|xai-|gsk_)(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}")
_LONG_RANDOM: Final = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])\S{20,}")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_CONTROL_IN_PROSE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SHOWN_CHARACTERS: Final = 40  # enough to find it; a line stays a line


def read(node: Node, kind: Any, about: Setting, default: Any, sources: Sources) -> Any:
    """Return the value of type ``kind`` that ``node`` stands for, or raise WrongError."""
    options = [option for option in get_args(kind) if option is not NoneType]
    optional = NoneType in get_args(kind)
    if isinstance(node, Refused):
        raise WrongError(node.sentence)
    if get_origin(kind) is tuple:
        return _read_list(node, options[0], about, sources)
    if not isinstance(node, Scalar):
        raise WrongError(f"is {_form(node)}, must be one value; write it on the line of its key")
    if node.is_null:
        if optional:
            return None
        raise WrongError(_no_value(about, default))
    inner = options[0] if optional else kind
    if get_origin(inner) is Literal:
        return _read_choice(node, get_args(inner), optional)
    if inner is str:
        return _read_text(node, about, sources)
    if node.tag:
        raise WrongError(f"has {node.tag}, which stands for text; write the value itself")
    return _read_bool(node) if inner is bool else _read_number(node, about, inner)


def looks_secret(text: str) -> bool:
    """Say whether ``text`` could be a key or a long password."""
    return bool(_API_KEY.search(text) or text.startswith("sk-") or _LONG_RANDOM.fullmatch(text))


def holds_key(text: str) -> bool:
    """Say whether an API key stands anywhere in ``text``."""
    return _API_KEY.search(text) is not None


def shown(text: str, limit: int = _SHOWN_CHARACTERS) -> str:
    """Return ``text`` for a sentence: short, printable, and never an API key."""
    if _API_KEY.search(text):
        return "(something that looks like an API key)"
    short = text if len(text) <= limit else text[:limit] + "..."
    return ascii(short) if _CONTROL.search(short) else f"'{short}'"


def one_of(words: tuple[str, ...] | list[str]) -> str:
    """Join words for a sentence: a, b or c."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def range_of(about: Setting) -> str:
    """Return the bounds of a number for a sentence, such as ``0 to 100``; empty without bounds."""
    return "" if about.low is None else f"{about.low} to {about.high}"


def guess(word: str, known: list[str]) -> str:
    """Return the known word that was probably meant, or an empty text."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.7)), "")


def _no_value(about: Setting, default: Any) -> str:
    if about.prose:
        return 'has no value; write one, or "" for none, or delete the line for the default'
    written = str(default).lower() if isinstance(default, bool) else default
    return f"has no value; write one or delete the line (default {written})"


def _form(node: Node) -> str:
    return "a list" if isinstance(node, Sequence) else "a section"


def _read_bool(node: Scalar) -> bool:
    value = _BOOLS.get(node.text.lower())
    if value is not None and not node.plain:
        raise WrongError(f"is {shown(node.text)} in quotes; remove the quotes")
    if value is None:
        raise WrongError(f"is {shown(node.text)}, must be true or false")
    return value


def _read_number(node: Scalar, about: Setting, kind: type[int | float]) -> float:
    what = "a whole number" if kind is int else "a number"
    bounds = range_of(about)
    wanted = f"{what} from {bounds}" if bounds else what
    is_number = (_INT if kind is int else _NUMBER).fullmatch(node.text)
    if is_number and not node.plain:
        raise WrongError(f"is {shown(node.text)} in quotes, must be {wanted}; remove the quotes")
    if not is_number:
        raise WrongError(f"is {shown(node.text)}, must be {wanted}")
    value = kind(node.text)
    if (about.low is not None and value < about.low) or (
        about.high is not None and value > about.high
    ):
        raise WrongError(f"is {node.text}, must be {bounds}")
    return value


def _read_choice(node: Scalar, choices: tuple[str, ...], optional: bool) -> str:
    words = [*choices, "null"] if optional else list(choices)
    if node.tag:
        raise WrongError(f"has {node.tag}; write {one_of(words)}")
    if node.text in choices:
        return node.text
    meant = guess(node.text, list(choices)) if len(choices) > 1 else ""
    hint = f"; did you mean {meant}?" if meant else ""
    raise WrongError(f"is {shown(node.text)}, must be {one_of(words)}{hint}")


def _read_list(node: Node, kind: Any, about: Setting, sources: Sources) -> tuple[str, ...]:
    """Return the items; one that is written without brackets is a list of one."""
    if isinstance(node, Scalar) and node.is_null:
        return ()
    found: list[str] = []
    wrong = WrongError()
    for item in node.items if isinstance(node, Sequence) else (node,):
        try:
            found.append(_read_item(item, kind, about, sources))
        except WrongError as error:
            wrong.said += [(at or item.mark, sentence) for at, sentence in error.said]
    if wrong.said:
        raise wrong
    return tuple(found)


def _read_item(node: Node, kind: Any, about: Setting, sources: Sources) -> str:
    if isinstance(node, Refused):
        raise WrongError(node.sentence)
    if not isinstance(node, Scalar) or node.is_null:
        found = "no value" if isinstance(node, Scalar) else _form(node)
        wanted = "path" if about.path else "text"
        raise WrongError(f"is {found}, must be a {wanted}; a list has {wanted}s and nothing else")
    if get_origin(kind) is Literal:
        return _read_choice(node, get_args(kind), optional=False)
    return _read_text(node, about, sources)


def _read_text(node: Scalar, about: Setting, sources: Sources) -> str:
    text = behind_tag(node, sources) if node.tag else _in_clear(node, about)
    what = f"{node.tag} {node.text} stands for a value that" if node.tag else ""
    _check_characters(text, about, what)
    if about.pattern and not re.fullmatch(about.pattern, text):
        if not what and not about.keep_as and about.shown:
            what = f"is {shown(text)},"
        raise WrongError(f"{what} must be {about.wording}".lstrip())
    return _absolute(text, about, what, sources) if about.path else text


def _in_clear(node: Scalar, about: Setting) -> str:
    text = node.text
    if about.keep_as and not node.plain and _QUOTED_TAG.fullmatch(text):
        raise WrongError("has quotes around the !; remove the quotes")
    if about.keep_as and text.startswith("$"):
        raise WrongError("is not filled in from the environment like that; write !env NAME")
    if _API_KEY.search(text) or (about.keep_as and text):
        name = about.keep_as or "NAME"
        raise WrongError(
            "holds a secret in clear; put it into secrets.yaml beside this file"
            f" and write !secret {name} here"
        )
    if not node.plain:
        return text
    if text.lower() in _BOOLS:
        value = str(_BOOLS[text.lower()]).lower()
        raise WrongError(f'{text} is read as {value} by YAML; quote it: "{text}"')
    resolved = _YAML.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    tag = resolved.rpartition(":")[2]
    if tag in _READ_AS:
        example = "" if about.keep_as else f': "{text}"'
        raise WrongError(f"is read as {_READ_AS[tag]} by YAML; quote it{example}")
    return text


def _check_characters(text: str, about: Setting, what: str) -> None:
    if not text and not about.prose:
        raise WrongError(f"{what} is empty; write a value or delete the line".lstrip())
    if (_CONTROL_IN_PROSE if about.prose else _CONTROL).search(text):
        raise WrongError(
            f"{what} has a line break or a control character in it; delete it".lstrip()
        )


def _absolute(text: str, about: Setting, what: str, sources: Sources) -> str:
    subject = what or shown(text, 200)
    if text.startswith("~"):
        raise WrongError(f"{subject} starts with ~, which means nothing here; write the full path")
    path = str(PurePath(sources.base) / text)
    assert about.path
    if wrong := sources.look(about.path, path):
        raise WrongError(f"{subject} {wrong}")
    return path
