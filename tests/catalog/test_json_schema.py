"""Schemas that could hold the gateway up are refused before anything is compiled."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.catalog.json_schema import MAX_COST, BadSchema, check_schema, compile_schema, cost_of

REF = {"$ref": "#"}


def fan(levels: int) -> dict[str, Any]:
    """Each level asks twice for the next: 2 to the power of `levels` checks of one value."""
    defs: dict[str, Any] = {
        f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}, {"$ref": f"#/$defs/a{i + 1}"}]} for i in range(levels)
    }
    return {"$ref": "#/$defs/a0", "$defs": defs | {f"a{levels}": {"type": "integer"}}}


def chain(length: int) -> dict[str, Any]:
    defs: dict[str, Any] = {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(length)}
    return {"$ref": "#/$defs/a0", "$defs": defs | {f"a{length}": True}}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (5, "must be a JSON Schema"),
        ([], "must be a JSON Schema"),
        ({"type": "text"}, "is no JSON Schema"),
        ({"minimum": "1"}, "is no JSON Schema"),
        ({"x": float("nan")}, "is no JSON"),
        ({"enum": ["x" * 65_536]}, "longer than 64 KB"),
        (deep(40), "nested more than 32"),
        (fan(12), "checks of one value"),
        (fan(40), "more than 32 times"),
        (chain(1500), "more than 32 times"),
        ({"allOf": [REF]}, "without going deeper"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}}, "without going deeper"),
        ({"$ref": "http://127.0.0.1/x"}, "only references within it"),
        ({"$ref": "file:///etc/passwd"}, "only references within it"),
        ({"properties": {"a": {"$ref": "other.json#/x"}}}, "only references within it"),
        ({"$ref": "#/$defs/none"}, "which is not there"),
        ({"$ref": "#/$defs/x/0", "$defs": {"x": ["a"]}}, "which is no schema"),
        ({"$ref": 5}, "only references within it"),
        ({"$dynamicRef": "#x"}, "anchors"),
        ({"not": {"$anchor": "x"}}, "uses $anchor"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "must be of the dialect"),
        ({"pattern": "(a)(?=b)"}, "is no JSON Schema"),
        ({"pattern": "(((a{99}){99}){99}){99}"}, "is no JSON Schema"),
        ({"anyOf": [{"items": REF}, {"items": REF, "maxItems": 1}]}, "recursive in several"),
        ({"anyOf": [{"properties": {"a": REF}}, {"additionalProperties": REF}]}, "recursive in several"),
        ({"properties": {"a": REF}, "patternProperties": {"a": REF}}, "recursive in several"),
        ({"unevaluatedProperties": False, "anyOf": [{"properties": {"a": REF}}]}, "recursive in several"),
    ],
)
def test_what_is_no_schema_or_could_take_for_ever(schema: Any, told: str) -> None:
    with pytest.raises(BadSchema, match=told.replace("$", r"\$")):
        check_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        fan(5),
        chain(20),
        {"type": "object", "properties": {"left": REF, "right": REF}},
        {"properties": {"a": REF}, "additionalProperties": REF},
        {"anyOf": [{"type": "string"}, {"type": "array", "items": REF}, {"additionalProperties": REF}]},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "x", "type": "object"},
        {"properties": {"$id": {"type": "string"}, "when": {"format": "date-time"}}},
        {"pattern": "^(a+)+$"},
    ],
)
def test_what_is_taken(schema: Any) -> None:
    assert json.loads(check_schema(schema)) == schema
    assert 1 <= cost_of(schema) <= MAX_COST


def test_how_it_was_written_does_not_matter() -> None:
    assert check_schema({"a": 1, "b": 2}) == check_schema({"b": 2, "a": 1})


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.sampled_from(["#", "#/a", "object", "#/$defs/a", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$ref", "$defs", "a", "allOf", "anyOf", "not", "items", "properties", "type", "if"]), inner
        )
    ),
    max_leaves=10,
)


@given(anything, anything)
def test_any_value_is_a_schema_or_refused(schema: Any, value: Any) -> None:
    with contextlib.suppress(BadSchema):
        check_schema(schema)
        compile_schema(schema).is_valid(value)
