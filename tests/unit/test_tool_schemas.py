"""The part of JSON Schema that is enforced, against a validator that knows all of it."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satellite.model.json_schema import broken, unusable

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=6,
)
_types = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])
_small = st.integers(0, 3)
_schemas = st.deferred(
    lambda: st.fixed_dictionaries(
        {},
        optional={
            "type": _types | st.lists(_types, min_size=1, max_size=2, unique=True),
            "enum": st.lists(_values, min_size=1, max_size=3),
            "const": _values,
            "properties": st.dictionaries(st.text("ab", max_size=2), _schemas, max_size=2),
            "required": st.lists(st.text("ab", max_size=2), max_size=2, unique=True),
            "additionalProperties": st.booleans(),
            "items": _schemas,
            "minimum": _small,
            "maximum": _small,
            "minLength": _small,
            "maxLength": _small,
            "minItems": _small,
            "maxItems": _small,
            "description": st.text(max_size=3),
        },
    )
)


@given(_schemas, _values)
def test_it_agrees_with_a_whole_validator(schema: dict[str, Any], value: object) -> None:
    assert list(unusable(schema)) == []
    whole = jsonschema.Draft202012Validator(schema)
    assert (broken(schema, value) is None) is whole.is_valid(value)


@pytest.mark.parametrize(("schema", "said"), [
    ({"pattern": "^a"}, "uses the keyword pattern"),
    ({"type": "text"}, "has a type of the wrong kind"),
    ({"type": []}, "has a type of the wrong kind"),
    ({"required": "lamp"}, "has a required of the wrong kind"),
    ({"properties": {"lamp": {"anyOf": []}}}, "at lamp uses the keyword anyOf"),
    ({"properties": {"lamps": {"items": {"minimum": "0"}}}}, "at lamps.[] has a minimum"),
    ({"properties": {"lamp": "string"}}, "at lamp must be a schema"),
    ({"additionalProperties": {}}, "has a additionalProperties of the wrong kind"),
    ({"enum": []}, "has a enum of the wrong kind"),
])  # fmt: skip
def test_what_is_not_enforced_is_refused(schema: dict[str, Any], said: str) -> None:
    assert any(sentence.startswith(said) for sentence in unusable(schema))
