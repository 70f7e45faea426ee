"""Params as the worker would see them, against its schema, before a sandbox is woken."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.clock import settle
from tests.gateway.conftest import Client, MakeWorld, World

from v8box.catalog.policies import ParamsSchema
from v8box.gateway.policies.refusals import BadParams
from v8box.gateway.policies.validation import MAX_BODY_BYTES, MAX_ERRORS, Validation, compile_check

SCHEMA = """
[schema.params]
type = "object"
required = ["age"]
additionalProperties = false
properties.age = { type = "integer", minimum = 18 }
properties.price = { type = "number" }
properties.vip = { type = "boolean" }
properties.name = { type = "string", maxLength = 5 }
properties.tags = { type = "array", items = { type = "integer" } }
properties.when = { type = "string", format = "date-time" }
properties.either = { anyOf = [{ type = "integer" }, { type = "string" }] }
properties.body = {}
properties.file = { type = "object", properties.size.maximum = 3 }
"""
JSON = (("content-type", "application/json; charset=utf-8"),)


@pytest.fixture
def checked(make_world: MakeWorld) -> World:
    return make_world(manifest=SCHEMA)


async def post(
    world: World, body: bytes, headers: tuple[tuple[str, str], ...] = JSON, *, query: str = "", chunked: bool = False
) -> Client:
    length = ("transfer-encoding", "chunked") if chunked else ("content-length", str(len(body)))
    client = world.connect(method="POST", query=query, headers=(*headers, length))
    if chunked:
        client.gives(body[:3], body[3:])
    else:
        client.gives(body)
    await settle()
    return client


def errors(client: Client) -> list[str]:
    assert client.status == 422
    found = json.loads(client.body)
    assert found["code"] == "schema"
    return [f"{each['pointer']} {each['message']}" for each in found["errors"]]


@pytest.mark.parametrize(
    "query",
    [
        "age=18", "age=18&price=1.5e3&vip=true&name=a%20b&tags=1&tags=2", "age=20&tags=7", "age=18&either=x",
        "age=18&when=2026-01-01T00:00:00Z", "age=18&price=-3",
    ],
)  # fmt: skip
async def test_a_query_that_fits(checked: World, query: str) -> None:
    assert (await checked.get(query=query)).status == 200


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", ['# "age" is a required property']),
        ("age=17", ["#/age 17 is less than the minimum of 18"]),
        ("age=x", ['#/age "x" is not of type "integer"']),
        ("age=1e3", ['#/age "1e3" is not of type "integer"']),
        ("age=18&age=19", ['#/age ["18","19"] is not of type "integer"']),
        ("age=18&vip=yes", ['#/vip "yes" is not of type "boolean"']),
        ("age=18&name=abcdef", ['#/name "abcdef" is longer than 5 characters']),
        ("age=18&tags=1&tags=x", ['#/tags/1 "x" is not of type "integer"']),
        ("age=18&when=soon", ['#/when "soon" is not a "date-time"']),
        ("age=18&x~/y=1", ["# Additional properties are not allowed ('x~/y' was unexpected)"]),
    ],
)
async def test_a_query_that_does_not(checked: World, query: str, told: list[str]) -> None:
    assert errors(await checked.get(query=query)) == told
    assert checked.factory.made == []


async def test_a_body_is_merged_over_the_query_and_handed_on_unchanged(checked: World) -> None:
    body = b'{ "age": 18, "name": "\\u00e4" }'
    client = await post(checked, body, query="age=1&tags=3")
    assert client.status == 200
    assert checked.seen[0].body == body
    assert errors(await post(checked, b'{"age": "18"}', query="age=18")) == ['#/age "18" is not of type "integer"']
    assert (await post(checked, b"[1]", query="age=18")).status == 200  # then it is params.body
    assert (await post(checked, b"", query="age=18")).status == 200


async def test_a_body_of_unknown_length_is_read_and_handed_on(checked: World) -> None:
    body = b'{"age": 18}'
    client = await post(checked, body, chunked=True)
    assert client.status == 200
    assert checked.seen[0].body is None  # it is streamed to the worker, as without a schema
    assert errors(await post(checked, b'{"age": 17}', chunked=True)) == ["#/age 17 is less than the minimum of 18"]


@pytest.mark.parametrize("body", [b"{", b'{"age": 18', b"\xff", b"nan", b"[" * 10_000 + b"]" * 10_000])
async def test_a_body_that_is_no_json(checked: World, body: bytes) -> None:
    client = await post(checked, body)
    assert client.status == 400
    assert json.loads(client.body)["code"] == "bad_params"
    assert checked.factory.made == []


async def test_forms(checked: World) -> None:
    form = (("content-type", "application/x-www-form-urlencoded"),)
    assert (await post(checked, b"age=18&name=a+b&tags=1&tags=2", form)).status == 200
    assert errors(await post(checked, b"age=5", form, query="age=18")) == ["#/age 5 is less than the minimum of 18"]
    multipart = (("content-type", 'multipart/form-data; boundary="XX"'),)

    def part(disposition: str, value: str) -> str:
        return f"--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n"

    whole = part('name="age"', "18") + part('name="file"; filename="a.txt"', "abc") + "--XX--\r\n"
    assert (await post(checked, whole.encode(), multipart)).status == 200
    large = part('name="age"', "18") + part('name="file"; filename="a.txt"', "abcd") + "--XX--\r\n"
    assert errors(await post(checked, large.encode(), multipart)) == ["#/file/size 4 is greater than the maximum of 3"]
    assert (await post(checked, whole[:60].encode(), multipart)).status == 400
    assert (await post(checked, b"x", (("content-type", "multipart/form-data"),))).status == 400


async def test_a_body_that_becomes_no_params_is_not_read(checked: World) -> None:
    client = checked.connect(
        method="POST",
        query="age=18",
        headers=(("content-type", "application/octet-stream"), ("content-length", str(900_000))),
    )
    await settle()
    assert checked.seen[0].body is None  # the worker has it, while the client is still sending
    client.gives(b"x" * 900_000)
    await settle()
    assert client.status == 200


async def test_bodies_are_read_up_to_a_bound_that_the_schema_decides(make_world: MakeWorld) -> None:
    cheap = make_world(manifest="[schema.params]\ntype = 'object'")
    assert cheap.policies._compile(cheap.version).validation.max_body_bytes == MAX_BODY_BYTES  # type: ignore[union-attr]
    dear = Validation(json.dumps({"allOf": [{"type": "object"}] * 1_000}))
    assert dear.max_body_bytes < MAX_BODY_BYTES
    world = make_world(manifest="[schema]\nparams = { allOf = [" + "{ minProperties = 0 }," * 600 + "] }")
    for chunked in (False, True):
        client = await post(world, b'{"a": "' + b"x" * 30_000 + b'"}', chunked=chunked)
        assert client.status == 413
        assert json.loads(client.body)["limit"] < 30_000
    assert world.factory.made == []


async def test_a_client_that_leaves_in_the_middle_of_its_body(checked: World) -> None:
    client = checked.connect(method="POST", headers=(*JSON, ("content-length", "20")))
    client.gives(b'{"age":', more=True)
    client.leaves()
    await settle()
    assert client.served.done()
    assert checked.factory.made == []


async def test_only_the_first_errors_are_told(make_world: MakeWorld) -> None:
    world = make_world(manifest="[schema.params]\nadditionalProperties = false\n")
    world = make_world(manifest="[schema.params]\nadditionalProperties = { type = 'integer' }\n")
    query = "&".join(f"a{index}=x" for index in range(100))
    assert len(errors(await world.get(query=query))) == MAX_ERRORS


async def test_more_params_than_anybody_needs(checked: World) -> None:
    client = await checked.get(query="&".join("a" for _ in range(500)))
    assert client.status == 422
    form = (("content-type", "application/x-www-form-urlencoded"),)
    many = await post(checked, b"&".join([b"a=1"] * 2_000), form)
    assert many.status == 400


def test_a_recursive_schema_bounds_how_deep_a_value_is() -> None:
    check = Validation('{"items": {"$ref": "#"}}')
    value: Any = []
    for _ in range(200):
        value = [value]
    with pytest.raises(BadParams, match="nested more than 64"):
        check.check(a_passage(), json.dumps(value).encode())


def a_passage() -> Any:
    return SimpleNamespace(
        headers={"content-type": "application/json"}, invocation=SimpleNamespace(url="http://localhost/")
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_a_json_body_is_checked_as_it_is(value: Any) -> None:
    import jsonschema_rs

    schema = {"properties": {"a": {"type": "integer"}, "body": {"type": ["string", "null"]}}, "maxProperties": 3}
    check = Validation(json.dumps(schema))
    expected = value if isinstance(value, dict) else {"body": value}
    try:
        check.check(a_passage(), json.dumps(value).encode())
        fits = True
    except Exception:
        fits = False
    assert fits == jsonschema_rs.is_valid(schema, expected)


def test_no_schema_is_no_check() -> None:
    compile_check(None).check(a_passage(), b"{")
    compile_check(ParamsSchema(params="true")).check(a_passage(), b"")
