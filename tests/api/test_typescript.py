"""The types that are made of the OpenAPI document for the dashboard's client."""

from __future__ import annotations

from typing import Any

import pytest

from v8box.api.reference.typescript import typescript


def written(schema: dict[str, Any]) -> str:
    """What a schema becomes."""
    document = {"paths": {}, "components": {"schemas": {"It": schema}}}
    (line,) = [line for line in typescript(document).splitlines() if line.startswith("export type It")]
    return line.removeprefix("export type It = ").removesuffix(";")


def operation(path: str, given: dict[str, Any], schemas: dict[str, Any] | None = None) -> str:
    text = typescript({"paths": {path: {"post": given}}, "components": {"schemas": schemas or {}}})
    (line,) = [line for line in text.splitlines() if line.startswith('  "POST ') and line.endswith("};")]
    return line


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer"}, "number"),
        ({}, "unknown"),
        ({"const": 'a"b'}, '"a\\"b"'),
        ({"enum": ["on", "off", 3]}, '"on" | "off" | 3'),
        ({"type": ["string", "null"]}, "string | null"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "string"}]}, "string | null"),
        ({"allOf": [{"enum": ["a", "b"]}, {"type": "string"}]}, '("a" | "b") & string'),
        ({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "Array<string | null>"),
        ({"$ref": "#/components/schemas/List[v8box.Thing-Input]"}, "List_v8box_Thing_Input_"),
        ({"type": "object"}, "Record<string, unknown>"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "Record<string, number>"),
        ({"type": "object", "additionalProperties": False}, "{}"),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b-c": {"type": "boolean"}}},
            '{ a: string; "b-c"?: boolean }',
        ),
    ],
)
def test_a_schema_becomes_a_type(schema: dict[str, Any], expected: str) -> None:
    assert written(schema) == expected


def test_an_operation_has_its_parameters_its_body_and_its_answer() -> None:
    line = operation(
        "/api/v1/things/{thing}",
        {
            "parameters": [
                {"in": "path", "name": "thing", "required": True, "schema": {"type": "string"}},
                {"in": "query", "name": "deep", "schema": {"type": "boolean"}},
                {"in": "header", "name": "Idempotency-Key", "schema": {"type": "string"}},
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "string"}}}},
            "responses": {"201": {"content": {"application/json": {"schema": {"type": "integer"}}}}, "4XX": {}},
        },
    )
    assert line == (
        '  "POST /api/v1/things/{thing}": { path: { thing: string }; query: { deep?: boolean }; header: {}; '
        "body: string; answer: number };"
    )


@pytest.mark.parametrize(
    ("responses", "expected"),
    [
        ({"204": {}}, "undefined"),
        ({"200": {}}, "Response"),
        ({"200": {"content": {"text/plain": {}}}}, "Response"),
        ({"200": {"content": {"application/json": {"schema": {"type": "string"}}}}, "204": {}}, "string | undefined"),
    ],
)
def test_an_answer_that_is_no_json_is_none_or_the_response(responses: dict[str, Any], expected: str) -> None:
    assert f"answer: {expected} }}" in operation("/api/v1/things", {"responses": responses})


def test_below_admin_the_envelope_is_taken_off() -> None:
    schemas = {"Envelope": {"type": "object", "properties": {"data": {"type": "boolean"}}}}
    answer = {
        "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}}}}
    }
    assert "answer: boolean }" in operation("/admin/things", answer, schemas)
    assert "answer: Envelope }" in operation("/api/v1/things", answer, schemas)


def test_it_says_which_operations_take_a_key() -> None:
    key = {"in": "header", "name": "Idempotency-Key", "schema": {"type": "string"}}
    paths = {
        "/api/v1/things": {"post": {"parameters": [key], "responses": {}}, "get": {"responses": {}}},
        "/api/v1/uploads": {"post": {"responses": {}}},
    }
    text = typescript({"paths": paths, "components": {"schemas": {}}})
    assert 'TAKES_KEY: ReadonlySet<string> = new Set([\n  "POST /api/v1/things",\n]);' in text


def test_a_body_may_be_left_out_where_none_is_required_and_be_raw_where_it_is_no_json() -> None:
    given: dict[str, Any] = {"responses": {}, "requestBody": {"content": {"application/zip": {}}}}
    assert "body: BodyInit | undefined;" in operation("/api/v1/things", given)
