"""Every sentence that a broken configuration gets, word for word: they are what a person reads.

The text files have one configuration a paragraph and its problems after ``=>``. Those in
``broken_keys.txt`` are right but for the keys they show; the section ``realtime`` is added to them.
Those in ``broken_sessions.txt`` are about that section. A first line such as ``# C35`` names a line
of the checklist.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import written
import yaml
from _pytest.mark import ParameterSet

from satellite.cli.main import main
from satellite.config import nodes
from satellite.config.loader import load, load_secrets
from satellite.errors import ConfigError

REALTIME = "realtime: {api_key: !secret key}\n"
TABLES = ("broken_keys.txt", "broken_sessions.txt", "broken_files.txt")
INVALID = "is not valid YAML: "


def cases(name: str) -> list[ParameterSet]:
    found = []
    for text in written.cases(name):
        first, _, rest = text.partition("\n")
        numbers = first.removeprefix("# ").split() if first.startswith("# C") else []
        marks = [pytest.mark.checklist(*numbers)] if numbers else []
        found.append(pytest.param(rest if numbers else text, marks=marks))
    return found


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(
            text,
            source="c",
            base="/etc/sat",
            environment={"EMPTY": "", "LINES": "a\nb", "URL": "wss://u:hunter2@x/"},
            secrets=lambda: {"key": "k-1", "spaced": "not a key"},
            credentials={},
            look=lambda use, path: f"is gone ({use})" if "gone" in path else None,
        )
    return caught.value.problems


@pytest.mark.parametrize("case", cases("broken_keys.txt"))
def test_a_broken_key(case: str) -> None:
    text, *expected = (part.removesuffix("\n") for part in case.split("=> "))
    assert problems_of(f"{text}\n{REALTIME}") == expected


@pytest.mark.parametrize("case", cases("broken_sessions.txt"))
def test_a_broken_session(case: str) -> None:
    text, *expected = (part.removesuffix("\n") for part in case.split("=> "))
    assert problems_of(text) == expected


@pytest.mark.parametrize("case", cases("broken_files.txt"))
def test_a_broken_file(case: str) -> None:
    text, *expected = (part.removesuffix("\n") for part in case.split("=> "))
    assert problems_of(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "\ufeffname: a",
            "c:1:1: starts with a byte order mark; save the file as UTF-8 without BOM",
        ),
        ("a: 1\nb: \x07", "c:2:4: has a control character (code 7); delete it"),
        ("gate:\n\ta: 60", "c:2:1: has a tab; YAML is indented with spaces: replace it"),
        ("name:\t@", "c:1:6: has a tab; YAML is indented with spaces: replace it"),
        ("#" * 70_000, "c: has more than 65536 bytes; a configuration is much smaller"),
        ("\u00fc" * 33_000, "c: has more than 65536 bytes; a configuration is much smaller"),
    ],
)
def test_what_a_text_file_cannot_show(text: str, problem: str) -> None:
    assert problems_of(text) == [problem]


@pytest.mark.parametrize("name", TABLES)
def test_every_broken_file_ends_the_command_with_78_and_each_problem_with_its_place(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    (tmp_path / "secrets.yaml").write_text("key: k-1\nspaced: not a key\n")
    (tmp_path / "secrets.yaml").chmod(0o600)
    for text in written.cases(name):
        path.write_text(text.partition("=> ")[0], encoding="utf-8")
        began = time.process_time()
        assert main(["check", "-c", str(path)]) == 78, text
        assert time.process_time() - began < 2  # reliability P12
        said = capsys.readouterr()
        assert not said.out
        for line in said.err.splitlines():
            assert re.match(r"config\.yaml:[1-9]\d*:[1-9]\d*: |config\.yaml: realtime\.api", line)


@pytest.mark.parametrize("name", TABLES)
def test_an_installation_without_the_quick_parser_says_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [text.partition("=> ")[0] for text in written.cases(name)]
    quick = [problems_of(text) for text in texts]
    monkeypatch.setattr(nodes, "_PARSER", yaml.SafeLoader)
    assert [problems_of(text) for text in texts] == quick


def test_columns_are_counted_in_characters() -> None:
    first, second, _ = problems_of("{ü: 1, b: 2}")
    assert first.startswith("c:1:2: (a key): is not")
    assert second.startswith("c:1:8: b: is not")


def test_the_tables_have_enough() -> None:
    assert sum(len(written.cases(name)) for name in TABLES) >= 150


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "~", "realtime:\n"])
def test_an_empty_file_lacks_only_the_key(text: str) -> None:
    (problem,) = problems_of(text)
    assert "realtime.api_key: is required; write api_key: !secret openai_api_key" in problem


def test_a_credential_names_the_folder_that_was_searched() -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.password: !credential pw is not in /run/cred;"):
        load(
            "mqtt: {password: !credential pw}",
            source="c",
            base="/",
            environment={"CREDENTIALS_DIRECTORY": "/run/cred"},
            secrets=dict,
            credentials={},
        )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", 's:1:1: must hold lines of the form name: "value" and nothing else'),
        ("a: [b]", 's:1:1: must hold lines of the form name: "value", each name once'),
        ("b: 1\na: 1\na: 2", 's:3:1: must hold lines of the form name: "value", each name once'),
        ("a: 'x", f"s:1:4: {INVALID}a quote is opened here and never closed"),
    ],
)
def test_secrets_that_cannot_be_read(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_secrets(text, source="s")
    assert caught.value.problems == [problem]


@pytest.mark.parametrize("text", ["", "# none yet\n", "~"])
def test_secrets_may_be_empty(text: str) -> None:
    assert load_secrets(text, source="s") == {}


def test_a_secret_is_the_text_as_it_was_written() -> None:
    assert load_secrets("a: 0123\nb: no\nc: 'x y'", source="s") == {
        "a": "0123",
        "b": "no",
        "c": "x y",
    }
