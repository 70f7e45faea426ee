"""A change that writes no entry itself is in the audit log all the same, and what only looks is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import Request, Response
from tests.api.conftest import As, client_of, user
from tests.fakes.principals import any_project

from v8box.api.access import EVERY_PROJECT, Role, anybody, needs, nobody
from v8box.api.app import build_api
from v8box.api.audited import changes_nothing
from v8box.api.routes import Shape, router, success
from v8box.api.v1 import created, no_content, router_v1
from v8box.errors import NotFound
from v8box.storage import Database
from v8box.telemetry import audit
from v8box.telemetry.audit import Entry, Event


class Secret(Shape):
    value: str


def routers(database: Database, entered: asyncio.Event) -> list[Any]:
    v1, old = router_v1("", "toys"), router("/admin", "toys")
    write, box = [needs(Role.DEVELOPER)], [needs(Role.ADMIN, box=True)]

    @v1.post("/projects/{project}/secrets", status_code=201, dependencies=write)
    async def set_secret(project: str, body: Secret) -> Response:
        return created({}, "/x")

    @v1.delete("/toys/{name:rest}", status_code=204, dependencies=box)
    async def delete_toy(name: str) -> Response:
        return no_content()

    @v1.put("/toys/own", dependencies=write)
    async def set_own(request: Request) -> Response:
        own = Event(action="toy.own", resource="toy", actor=request.scope["principal"].actor)
        await audit.record(database, own)
        return success(None)

    @v1.put("/toys/missing", dependencies=write)
    async def set_missing() -> Response:
        raise NotFound

    @v1.put("/toys/slow", dependencies=write)
    async def set_slow() -> Response:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    @v1.get("/toys", dependencies=write)
    async def list_toys() -> Response:
        return success(None)

    @old.post("/search", dependencies=write)
    @changes_nothing
    async def search_toys() -> Response:
        return success(None)

    @old.post("/query", dependencies=write)
    async def query_toys(dry: bool = False) -> Response:
        if dry:
            audit.unchanged()
        return success(None)

    @old.post("/public", dependencies=[anybody()])
    async def call_public() -> Response:
        return success(None)

    return [v1, old]


@pytest.fixture
async def entered() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def app(database: Database, entered: asyncio.Event) -> As:
    await audit.open_audit(database)
    record = partial(audit.record, database)
    return As(build_api(routers(database, entered), record=record, project_exists=any_project))


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def entries(database: Database) -> list[Entry]:
    return [audit.read(row) for row in await database.read(lambda sql: sql.rows("select * from audit"))]


async def test_who_changed_what_is_written_down_and_not_what_was_sent(
    client: httpx.AsyncClient, database: Database
) -> None:
    await client.post("/projects/shop/secrets", json={"value": "hunter2"})
    await client.delete("/toys/a%2Fb%0A%C3%A9?project=x&token=hunter2")
    await client.post("http://localhost/admin/query", headers={"v8box-project": "other"})
    first, second, third = (entry.event for entry in await entries(database))
    assert (first.action, first.resource, first.project) == ("set_secret", "/api/v1/projects/shop/secrets", "shop")
    assert first.after == {"method": "POST", "status": 201}
    assert (first.actor.name, first.actor.address, first.actor.request_id) == ("ada", "192.0.2.1", "r-1")
    assert (second.action, second.resource, second.project) == ("delete_toy", "/api/v1/toys/a/b\né", None)
    assert (third.action, third.project) == ("query_toys", "other")
    assert "hunter2" not in repr(await entries(database))


async def test_one_change_is_one_entry(client: httpx.AsyncClient, database: Database) -> None:
    await client.put("/toys/own")
    assert [entry.event.action for entry in await entries(database)] == ["toy.own"]


async def test_what_changes_nothing_is_not_written_down(client: httpx.AsyncClient, database: Database, app: As) -> None:
    await client.get("/toys")
    await client.put("/toys/missing")
    await client.post("http://localhost/admin/search")
    await client.post("http://localhost/admin/query?dry=true")
    await client.post("http://localhost/admin/nothing")
    app.principal = user("vera", {EVERY_PROJECT: Role.VIEWER})
    await client.put("/toys/own")
    app.principal = nobody()
    await client.put("/toys/own")
    await client.post("http://localhost/admin/public")
    assert await entries(database) == []


async def test_a_change_whose_client_left_is_written_down_as_such(
    client: httpx.AsyncClient, database: Database, entered: asyncio.Event
) -> None:
    call = asyncio.create_task(client.put("/toys/slow"))
    await entered.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    while not (found := await entries(database)):
        pass
    assert (found[0].event.action, found[0].event.after["client"]) == ("set_slow", "left")


async def test_a_log_that_cannot_be_written_does_not_unmake_the_change(
    client: httpx.AsyncClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.write(lambda sql: sql.execute("drop table audit"))
    assert (await client.post("http://localhost/admin/query")).status_code == 200
    assert "query_toys" in caplog.text
