"""The plumbing under every route: the envelope, errors as answers, bounds, the OpenAPI document."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx
import pytest
from fastapi import Request, Response

from v8box.api.access import Role, Scope, anybody, needs
from v8box.api.app import UndeclaredAccess, build_api
from v8box.api.routes import MAX_JSON_BYTES, Envelope, Shape, router, success
from v8box.bindings.interface import BindingError
from v8box.errors import NoCapacity, NotFound

routes = router("/admin/toy", "toy")


class Order(Shape):
    name: str
    size: Literal["s", "m"] = "s"


@routes.post("/orders", response_model=Envelope[dict[str, str]], dependencies=[anybody()])
async def order(body: Order) -> Response:
    return success({"name": body.name}, 201)


@routes.get("/binding/{code}", response_model=Envelope[None], dependencies=[anybody()])
async def fail_as_binding(code: str) -> Response:
    raise BindingError(code, "said so", {"statement_index": 2, "inner": {"a": 1}})


@routes.get("/missing", response_model=Envelope[None], dependencies=[anybody()])
async def fail_as_missing() -> Response:
    raise NotFound("no such thing")


@routes.get("/full", response_model=Envelope[None], dependencies=[anybody()])
async def fail_as_full() -> Response:
    raise NoCapacity


@routes.get("/bug", response_model=Envelope[None], dependencies=[anybody()])
async def fail_as_bug() -> Response:
    raise KeyError("hunter2")


@routes.put("/stream", response_model=Envelope[int], dependencies=[anybody()])
async def take_stream(request: Request) -> Response:
    return success(sum([len(chunk) async for chunk in request.stream()]))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = build_api([routes])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        yield client


def failed(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["success"], body["code"]) == (status, False, code)
    assert body["timestamp"].endswith("Z")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    return body


async def test_an_answer_is_in_the_envelope(client: httpx.AsyncClient) -> None:
    response = await client.post("/admin/toy/orders", json={"name": "a"})
    body = response.json()
    assert response.status_code == 201
    assert set(body) == {"success", "data", "timestamp"}
    assert (body["success"], body["data"]) == (True, {"name": "a"})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "name: Field required"),
        ({"name": 1}, "name: Input should be a valid string"),
        ({"name": "a", "size": "xl"}, "size: Input should be 's' or 'm'"),
        ({"name": "a", "sizes": "s"}, "sizes: Extra inputs are not permitted"),
    ],
)
async def test_what_does_not_fit_the_schema_is_told_readably(client: httpx.AsyncClient, body: Any, told: str) -> None:
    assert told in failed(await client.post("/admin/toy/orders", json=body), 400, "bad_request")["error"]


@pytest.mark.parametrize(
    ("content", "kind"), [(b"{nope", "application/json"), (b'{"name":"a"}', "text/plain"), (b"", "")]
)
async def test_a_body_that_is_no_json(client: httpx.AsyncClient, content: bytes, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    failed(await client.post("/admin/toy/orders", content=content, headers=headers), 400, "bad_request")


async def test_a_body_has_a_bound_however_it_is_sent(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_JSON_BYTES // 65_536 + 2):
            yield b" " * 65_536

    headers = {"content-type": "application/json"}
    failed(await client.post("/admin/toy/orders", content=chunks(), headers=headers), 413, "payload_too_large")
    large = b" " * (MAX_JSON_BYTES + 1)
    failed(await client.post("/admin/toy/orders", content=large, headers=headers), 413, "payload_too_large")
    response = await client.put("/admin/toy/stream", content=large)
    assert response.json()["data"] == len(large)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *(("DATABASE_NOT_FOUND", 404), ("no_such_key", 404), ("no_such_bucket", 404)),
        *(
            ("DATABASE_EXISTS", 409),
            ("bucket_exists", 409),
            ("bucket_not_empty", 409),
            ("SQLITE_CONSTRAINT_UNIQUE", 409),
        ),
        *(("SQLITE_CONSTRAINT_NOTNULL", 400), ("SQLITE_ERROR", 400), ("SQLITE_AUTH", 400), ("ARGS_INVALID", 400)),
        *(("object_too_large", 413), ("RESPONSE_TOO_LARGE", 413), ("invalid_range", 416), ("precondition_failed", 412)),
        *(("no_space", 507), ("SQLITE_FULL", 507), ("quota_exceeded", 507), ("TOO_MANY_TRANSACTIONS", 429)),
        *(("ENGINE_DIED", 503), ("SQLITE_BUSY", 503), ("SQLITE_BUSY_SNAPSHOT", 503), ("SQLITE_INTERRUPT", 504)),
        *(("TRANSACTION_TIMEOUT", 504), ("io_error", 500), ("SQLITE_CORRUPT_VTAB", 500), ("never_heard_of", 400)),
    ],
)
async def test_a_bindings_error_keeps_its_word(client: httpx.AsyncClient, code: str, status: int) -> None:
    body = failed(await client.get(f"/admin/toy/binding/{code}"), status, code)
    assert (body["error"], body["details"]) == ("said so", {"statement_index": 2})


async def test_the_boxs_own_errors(client: httpx.AsyncClient) -> None:
    assert failed(await client.get("/admin/toy/missing"), 404, "not_found")["error"] == "no such thing"
    response = await client.get("/admin/toy/full")
    failed(response, 503, "no_capacity")
    assert response.headers["retry-after"] == "1"


async def test_a_bug_is_logged_and_not_shown(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = await client.get("/admin/toy/bug")
    failed(response, 500, "internal")
    assert "hunter2" not in response.text
    assert "hunter2" in caplog.text


async def test_unknown_addresses_and_methods_have_the_same_shape(client: httpx.AsyncClient) -> None:
    failed(await client.get("/admin/nothing"), 404, "not_found")
    failed(await client.get("/"), 404, "not_found")
    failed(await client.get("/admin/toy/orders/"), 404, "not_found")
    failed(await client.get("/docs"), 404, "not_found")
    response = await client.delete("/admin/toy/orders")
    failed(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


async def test_the_document_says_what_is_true(client: httpx.AsyncClient) -> None:
    document = (await client.get("/admin/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    operation = document["paths"]["/admin/toy/orders"]["post"]
    assert operation["operationId"] == "order"
    assert set(operation["responses"]) == {"200", "4XX", "5XX"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_a_route_that_does_not_say_whom_it_answers_is_not_served() -> None:
    silent = router("/admin/silent", "toy")

    @silent.get("", response_model=Envelope[None])
    async def say_nothing() -> Response:
        return success(None)

    with pytest.raises(UndeclaredAccess, match="/admin/silent"):
        build_api([routes, silent])


async def test_a_body_is_not_read_of_whoever_may_not_send_it() -> None:
    guarded = router("/admin/guarded", "toy")

    @guarded.post("", response_model=Envelope[None], dependencies=[needs(Role.DEVELOPER, Scope.DATA)])
    async def take(body: Order) -> Response:
        return success(None)

    async def endless() -> AsyncIterator[bytes]:
        raise AssertionError("nobody asked for it")
        yield b""

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=build_api([guarded])), base_url="http://localhost"
    ) as client:
        headers = {"content-type": "application/json"}
        failed(await client.post("/admin/guarded", content=endless(), headers=headers), 401, "sign_in_needed")
        failed(await client.post("/admin/guarded", content=b"{nope", headers=headers), 401, "sign_in_needed")
