"""The JSON Schema: what is right passes, and what it can know to be wrong does not."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from written import cases, loaded

from satellite.config.editors import schema
from satellite.config.example import example
from satellite.config.nodes import TAGS

COMMITTED = Path(__file__).parents[2] / "config.schema.json"
VALIDATOR = jsonschema.Draft7Validator(schema())
BROKEN = ("broken_keys.txt", "broken_sessions.txt", "broken_files.txt")
# What is wrong with one key alone, and not because of what YAML 1.1 makes of a word.
KNOWABLE = re.compile(
    r"is not a known key|must be (a whole number|a number|-?[\d.]+ to|a section|a list|one value)"
    r"|must be (true or false|half|open_mic|okay_nabu|openai|near_field|pcm|time|activation)"
    r"|must be (a language code|letters)|must be a host name|1 to \d+ of a to z|is empty; write"
)


class AsAnEditorReads(yaml.SafeLoader):
    """A tag stands for the name that is written behind it."""


for tag in TAGS:
    AsAnEditorReads.add_constructor(tag, lambda loader, node: loader.construct_scalar(node))


def errors(text: str) -> list[str]:
    given: Any = yaml.load(text, AsAnEditorReads)
    return [error.message for error in VALIDATOR.iter_errors(given)]


def test_the_committed_schema_is_the_generated_one() -> None:
    assert json.loads(COMMITTED.read_text()) == schema(), "run scripts/make-docs"
    VALIDATOR.check_schema(schema())


def test_the_example_passes_as_it_is_and_with_every_key_written() -> None:
    everything = re.sub(r"(?m)^( *)#(?=[a-z_]+: )", r"\1", example())
    assert errors(example()) == errors(everything) == errors("") == []


@pytest.mark.parametrize("text", cases("good_files.txt"))
def test_what_is_right_passes(text: str) -> None:
    loaded(text)
    assert errors(text) == []


# Behind a tag, repeated, merged into a section, a number that is none: only the loader sees that.
UNSEEN = ("stands for a value", "written twice", "<<", ".nan")


def broken() -> list[str]:
    found = []
    for text in (text for name in BROKEN for text in cases(name)):
        written, *said = text.split("=> ")
        if KNOWABLE.search("".join(said)) and not any(word in text for word in UNSEEN):
            found.append(written)
    return found


@pytest.mark.parametrize("text", broken())
def test_what_one_key_alone_makes_wrong_does_not_pass(text: str) -> None:
    with contextlib.suppress(yaml.YAMLError):  # which an editor says itself
        assert errors(text)


def test_the_page_tells_an_editor_of_every_tag() -> None:
    page = (COMMITTED.parent / "docs" / "configuration.md").read_text()
    tags = json.dumps([f"{tag} scalar" for tag in TAGS])
    assert f'"yaml.customTags": {tags}' in page


def test_enough_is_known() -> None:
    assert len(broken()) > 60


def test_every_key_has_a_sentence() -> None:
    def look(part: dict[str, Any]) -> None:
        for name, about in part.get("properties", {}).items():
            assert about["description"].endswith("."), name
            look(about)
            look(about.get("items", {}))

    look(schema())


@pytest.mark.parametrize("name", ["KITCHEN_NAME", "HOSTNAME"])
def test_the_name_of_a_variable_passes_where_a_pattern_would_not_let_it(name: str) -> None:
    assert (
        errors(f"name: !env {name}\nrealtime: {{transcription: {{language: !env {name}}}}}") == []
    )
    assert errors("name: Kitchen") != []
